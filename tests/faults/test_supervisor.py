# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisor does what it says: calls are counted right, and the call that is hit does not happen."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults.harness import Fault, Place, points, result_of

PLACE = Place(environment={"LC_ALL": "C"})
CHANGES = [
    ("sh", "openat", True),
    ("sh", "write", True),
    ("mkdir", "mkdir", False),
    ("mv", "renameat2", False),
    ("sh", "openat", True),
    ("sh", "write", True),
]


def script(folder: Path) -> list[str]:
    """Return a program that does what is in ``CHANGES``, and changes something elsewhere, too."""
    elsewhere = folder.parent / "elsewhere"
    return [
        "sh",
        "-c",
        f"cd {folder}; echo 1 >a; echo 0 >{elsewhere}; mkdir b; mv a b/a; echo 2 >c; cat b/a >/dev/null",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "watched"
    path.mkdir()
    return path


def found(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_calls_are_recorded(folder: Path) -> None:
    report = PLACE.supervise(script(folder), under=str(folder))
    assert [(call.program, call.name, call.own) for call in report.calls] == CHANGES
    assert [path.replace(str(folder), "") for path in report.calls[3].paths] == ["/a", "/b/a"]
    assert (report.code, report.fired, report.stuck) == (0, None, False)
    assert found(folder) == {"b", "b/a", "c"}


@pytest.mark.parametrize(
    ("fault", "left", "code"),
    [
        (Fault("power-off", "any", at=1), set(), -9),
        (Fault("power-off", "any", at=3), {"a"}, -9),
        (Fault("power-off", "any", at=4), {"a", "b"}, -9),
        (Fault("power-off", "own", at=3), {"b", "b/a"}, -9),
        (Fault("power-off", "child", at=2), {"a", "b"}, -9),
        (Fault("power-off", "any", match="renameat2 .*/a .*/b/a", at=1), {"a", "b"}, -9),
        (Fault("power-off", "any", at=7), {"b", "b/a", "c"}, 0),
        (Fault("kill", "child", at=2), {"b", "b/a"}, -9),
        (Fault("kill-caller", "child", at=1), {"a", "c"}, 1),
        (Fault("EIO", "child", at=2), {"a", "b", "c"}, 1),
        (Fault("ENOSPC", "own", at=3), {"b", "b/a"}, 0),
    ],
    ids=str,
)
def test_faults(folder: Path, fault: Fault, left: set[str], code: int) -> None:
    report = PLACE.supervise(script(folder), under=str(folder), fault=fault)
    assert found(folder) == left
    assert report.code == code
    assert (report.fired is None) == (fault.at == len(CHANGES) + 1)
    if fault.do in ("EIO", "ENOSPC"):
        assert os.strerror(getattr(errno, fault.do)) in report.stderr


def test_reads(folder: Path) -> None:
    (folder / "file").write_text("text")
    fault = Fault("EIO", "any", match="read", at=1, reads=True)
    report = PLACE.supervise(["cat", str(folder / "file")], under=str(folder), fault=fault)
    assert (report.code, report.stdout) == (1, "")
    assert "Input/output error" in report.stderr


def test_children_that_never_end(folder: Path) -> None:
    """They are killed after the time-out, and the report says so."""
    argv = ["sh", "-c", f"sleep 1000 & echo >{folder}/a"]
    command = [sys.executable, PLACE.supervisor, "--timeout", "1", "--under", str(folder), "--", *argv]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30)
    assert json.loads(done.stdout)["stuck"] is True


def test_a_program_that_does_not_exist(folder: Path) -> None:
    assert PLACE.supervise(["/nonexistent/program"], under=str(folder)).code == 127


@pytest.mark.parametrize(
    ("stdout", "code", "good"),
    [
        ('{"changed": true}', 0, True),
        ('{"failed": true, "msg": "No."}', 1, True),
        ('{"failed": true, "msg": ""}', 1, False),
        ('{"failed": true, "msg": "Traceback (most recent call last)"}', 1, False),
        ('{"changed": true}', 1, False),
        ("", 1, False),
    ],
)
def test_results(stdout: str, code: int, good: bool) -> None:
    assert (result_of(code, stdout, "")[1] == []) is good


def test_a_sample_stays_the_same() -> None:
    assert points(3, sample=None, seed="x") == [1, 2, 3]
    assert points(1000, sample=5, seed="x") == points(1000, sample=5, seed="x")
    assert len(points(1000, sample=5, seed="x")) in (5, 1000)
