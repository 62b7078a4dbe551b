# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a change that is under way: round trip, what a newer version wrote, and junk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._journal import (
    read_journal,
    remove_journal,
    write_journal,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Journal

UNKNOWN = Journal("change", running=False)


@pytest.mark.parametrize(
    "journal",
    [
        Journal("update", running=True, slots=(0, 1)),
        Journal("update", running=True, slots=(0, 1), host_files=(1,)),
        Journal("remove", running=False),
        Journal("remove", running=False, host_files=()),
        UNKNOWN,
    ],
)
def test_round_trip(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / ".app.journal"
    assert read_journal(str(path)) is None
    write_journal(str(path), journal)
    assert read_journal(str(path)) == journal
    assert path.stat().st_mode & 0o777 == 0o600
    remove_journal(str(path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "operation"),
    [
        ({"operation": "graft", "slots": "all"}, "graft"),
        ({}, "change"),
        ({"operation": "update", "running": True}, "update"),
    ],
)
def test_of_a_newer_version(tmp_path: Path, more: dict[str, object], operation: str) -> None:
    path = tmp_path / ".app.journal"
    path.write_text(json.dumps({"schema": 2, **more}))
    assert read_journal(str(path)) == Journal(operation, running=False, newer=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"schema": "2"}', '{"schema": 1}', '{"schema": null}'])
def test_junk_tells_that_there_was_a_change(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".app.journal"
    path.write_text(text)
    assert read_journal(str(path)) == UNKNOWN
