# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors: one parent for all that a user may see."""

from __future__ import annotations

import inspect

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _errors

CLASSES = [cls for _name, cls in inspect.getmembers(_errors, inspect.isclass) if cls.__module__ == _errors.__name__]


@pytest.mark.parametrize("cls", CLASSES)
def test_parent_and_message(cls: type[Exception]) -> None:
    assert issubclass(cls, _errors.SystemContainerError)
    assert cls.__doc__
    assert str(cls("what, why, way out")) == "what, why, way out"


def test_command_error_keeps_how_it_ended() -> None:
    error = _errors.CommandError("it failed", rc=1, stderr="no")
    assert (str(error), error.rc, error.stderr) == ("it failed", 1, "no")
    assert (_errors.CommandError("it failed").rc, _errors.CommandError("it failed").stderr) == (None, "")
