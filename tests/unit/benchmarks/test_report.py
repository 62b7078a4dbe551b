# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of results, and the list of benchmarks."""

from __future__ import annotations

import pytest
from benchmarks.catalogue import BENCHMARKS, SEES_INFLATERS, description
from benchmarks.cli import main
from benchmarks.machine import Machine
from benchmarks.report import page
from benchmarks.results import Bar, Result


def test_page() -> None:
    machine = Machine((("processor", "Some | CPU, 2 usable"),))
    results = {
        "pull": [Result("pull.ratio", 1.25, "x", Bar("<=", 1.0), samples=(1.0, 1.25, 2.0), note="a note")],
        "other": [Result("other.bytes", 0, "bytes", Bar("==", 0)), Result("other.time", 2.0, "s")],
        "none": [],
    }
    text = page(machine, results, {"pull": "How.", "other": "What.", "none": "Why."}, date="2026-01-02", pairs=3)
    assert "Measured on 2026-01-02, 3 rounds." in text
    assert "| processor | Some \\| CPU, 2 usable |" in text
    assert "## pull\n\nHow.\n" in text
    assert "| `pull.ratio` | 1.250 x | 1.000 to 2.000 | <= 1 | short | a note |" in text
    assert "| `other.bytes` | 0 bytes |  | == 0 | ok |  |" in text
    assert "| `other.time` | 2.000 s |  |  |  |  |" in text
    assert "| nothing to measure here |" in text


def test_every_benchmark_says_what_it_does() -> None:
    assert all(description(name).strip() for name in BENCHMARKS)
    assert set(BENCHMARKS) >= SEES_INFLATERS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such"], "there is no benchmark 'no-such'"),
        (["--pairs", "0"], "at least 1"),
        (["--scale", "nan"], "more than 0"),
        (["--write", "disk"], "goes without names"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
