# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding a runtime, what is shown of it, and what runc and crun know of a container, in folders of the test's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _runtime, _runtime_info
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    MissingToolError,
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with two places for programs; the first has runc, the second crun and a file that is no program."""
    for place, name, mode in (("1", "runc", 0o755), ("2", "crun", 0o755), ("2", "data", 0o644)):
        path = tmp_path / place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {name} version 1.0.0\n")
        path.chmod(mode)
    monkeypatch.setattr(_runtime, "_PLACES", (str(tmp_path / "1"), str(tmp_path / "2")))
    return tmp_path


def test_find_by_name(programs: Path) -> None:
    assert _runtime.find_runtime() == str(programs / "1/runc")
    assert _runtime.find_runtime("crun") == str(programs / "2/crun")


def test_find_by_path(programs: Path) -> None:
    assert _runtime.find_runtime(str(programs / "2/crun")) == str(programs / "2/crun")


@pytest.mark.parametrize("name", ["youki", "data", "/nowhere/runc", "/usr"])
def test_missing(programs: Path, name: str) -> None:
    with pytest.raises(MissingToolError, match=f"'{name}'"):
        _runtime.find_runtime(name)


def test_path_of_no_program(programs: Path) -> None:
    with pytest.raises(MissingToolError, match="no program"):
        _runtime.find_runtime(str(programs / "2/data"))


@pytest.mark.parametrize(
    "name",
    ["", "-runc", "a b", "/usr/bin/../bin/runc", "bin/runc", "/a b", "/a%b", "/a$b", "/a/", "runc\n", "/a'b", ".."],
)
def test_neither_name_nor_path(name: str) -> None:
    with pytest.raises(InvalidInputError, match="neither a name"):
        _runtime.find_runtime(name)


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host on which nothing runs."""
    kept = {name: (str(tmp_path / name), file) for name, (_root, file) in _runtime._STATES.items()}
    monkeypatch.setattr(_runtime, "_STATES", kept)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_no_container(states: Path) -> None:
    assert _runtime.container_bundle("app") is None


def test_container_of_runc(states: Path) -> None:
    write(states / "runc/app/state.json", json.dumps({"config": {"labels": ["a=b", "bundle=/srv/app.0"]}}))
    assert _runtime.container_bundle("app") == "/srv/app.0"
    assert _runtime.container_bundle("app2") is None


def test_container_of_crun(states: Path) -> None:
    write(states / "crun/app/status", json.dumps({"pid": 1, "bundle": "/srv/app.1"}))
    assert _runtime.container_bundle("app") == "/srv/app.1"


@pytest.mark.parametrize(("runtime", "file"), [("runc", "state.json"), ("crun", "status")])
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"config": 1, "bundl": ""}'])
def test_state_that_does_not_tell(states: Path, runtime: str, file: str, text: str) -> None:
    write(states / runtime / "app" / file, text)
    assert _runtime.container_bundle("app") == ""


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_state_that_is_not_written_yet(states: Path, runtime: str) -> None:
    (states / runtime / "app").mkdir(parents=True)
    assert _runtime.container_bundle("app") == ""


def test_the_one_that_knows_a_container_deletes_it(states: Path, programs: Path) -> None:
    for name, place in (("runc", "1"), ("crun", "2")):
        (programs / place / name).write_text(f'#!/bin/sh\necho "$0 $*" >> {states}/log\n')
    (states / "crun/old").mkdir(parents=True)
    for container in ("old", "new"):
        _runtime.delete_container(str(programs / "1/runc"), container)
    assert (states / "log").read_text().splitlines() == [
        f"{programs}/2/crun delete --force old",
        f"{programs}/1/runc delete --force new",
    ]


def test_observe(programs: Path) -> None:
    found = _runtime_info.observe_runtime()
    assert (found["name"], found["path"], found["version"]) == ("runc", str(programs / "1/runc"), "1.0.0")
    assert "CVE-2024-21626" in [item["id"] for item in found["known_vulnerabilities"]]
    assert "distributions" in found["note"]


def test_observe_crun_where_there_is_no_runc(programs: Path) -> None:
    (programs / "1/runc").unlink()
    assert _runtime_info.observe_runtime()["name"] == "crun"


def test_observe_nothing(programs: Path) -> None:
    (programs / "1/runc").unlink()
    (programs / "2/crun").unlink()
    assert set(_runtime_info.observe_runtime().values()) == {None}
