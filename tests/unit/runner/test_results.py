# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runner must not take a run for good in which tests failed, or did not run."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner.results import Result, Skip, failure, parse_junit, skip_lines, summary_line, total, verdict, with_exit_code

GOLDEN = Skip("golden", "optional: GOLDEN_DIR is not set")
BAD = Skip("mount", "no time")


def write(folder: Path, cases: str) -> Path:
    """Write a report with these test cases."""
    path = folder / "report.xml"
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return path


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        pytest.param('<testcase name="a"/><testcase name="b"/>', Result(passed=2), id="passed"),
        pytest.param('<testcase name="a"><failure message="x&#10;y"/></testcase>', failure("a: x"), id="failed"),
        pytest.param('<testcase name="a"><error message="x"/></testcase>', failure("a: x"), id="error in a fixture"),
        pytest.param(
            '<testcase name="a"><failure/><error/></testcase>', failure("a: "), id="failed twice, counted once"
        ),
        pytest.param(
            '<testcase classname="m" name="a"><skipped message="optional: no crun"/></testcase>',
            Result(skips=(Skip("m::a", "optional: no crun"),)),
            id="skipped",
        ),
        pytest.param(
            '<testcase name="a"><skipped message="Skipped: optional: no crun"/></testcase>',
            Result(skips=(Skip("a", "optional: no crun"),)),
            id="pytest's prefix",
        ),
        pytest.param(
            '<testcase name="a"><skipped>No tests applicable.</skipped></testcase>',
            Result(skips=(Skip("a", "No tests applicable."),)),
            id="reason as text",
        ),
    ],
)
def test_parse_junit(tmp_path: Path, cases: str, expected: Result) -> None:
    assert parse_junit(write(tmp_path, cases)) == expected


@pytest.mark.parametrize("content", [None, "", "<testsuites>", "<testsuites><testsuite/></testsuites>"])
def test_parse_junit_without_tests_is_a_failure(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "report.xml"
    if content is not None:
        path.write_text(content)
    result = parse_junit(path)
    assert result.failed == 1
    assert result.problem


@pytest.mark.parametrize(
    ("reason", "optional"),
    [
        ("optional: GOLDEN_DIR is not set", True),
        ("optional:", False),
        ("Optional: something", False),
        ("not optional: something", False),
        ("", False),
    ],
)
def test_only_a_named_optional_skip_is_good(reason: str, optional: bool) -> None:
    assert Skip("a", reason).optional is optional
    assert Result(passed=1, skips=(Skip("a", reason),)).ok is optional


@pytest.mark.parametrize(
    ("result", "code", "failed"),
    [
        (Result(passed=3), 0, 0),
        (Result(passed=3), 2, 1),
        (Result(passed=3, failed=1), 1, 1),
    ],
)
def test_with_exit_code(result: Result, code: int, failed: int) -> None:
    assert with_exit_code(result, code, "pytest").failed == failed


def test_total_and_summary() -> None:
    whole = total([Result(passed=2), verdict(ok=True), verdict(ok=False, problem="x"), Result(skips=(GOLDEN,))])
    assert summary_line(whole) == "3 passed, 1 failed, 1 skipped"
    assert whole.problem == "x"


def test_skip_lines_name_each_reason_once() -> None:
    assert skip_lines(Result(skips=(BAD, GOLDEN, GOLDEN))) == [
        "skipped (optional): GOLDEN_DIR is not set (2 tests)",
        "skipped, but should have run: no time (mount)",
    ]
