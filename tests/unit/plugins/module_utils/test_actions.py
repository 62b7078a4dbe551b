# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions: every one says what it does, and is compared by content."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _actions, _image_actions

CLASSES = [
    cls
    for module in (_actions, _image_actions)
    for _name, cls in inspect.getmembers(module, inspect.isclass)
    if cls.__module__ == module.__name__
]


@pytest.mark.parametrize("cls", CLASSES)
def test_form(cls: type) -> None:
    assert dataclasses.is_dataclass(cls)
    assert cls.__doc__
    assert "__str__" in vars(cls)
    assert cls in (*typing.get_args(_actions.Action), *typing.get_args(_image_actions.ImageAction))


def test_equal_by_content() -> None:
    assert _actions.StartUnit("a.service") == _actions.StartUnit("a.service")
    assert _actions.StartUnit("a.service") != _actions.StartUnit("b.service")
    assert (
        str(_image_actions.PullImage("ociimage/a_3Alatest", "sha256:1")) == "pull image ociimage/a_3Alatest (sha256:1)"
    )
    assert str(_image_actions.RemoveImage("ociimage/a_3Alatest")) == "remove image ociimage/a_3Alatest"
