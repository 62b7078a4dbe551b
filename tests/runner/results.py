# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stage found, read from the machine-readable reports of the tools."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

OPTIONAL_PREFIX = "optional:"
_LENGTH_OF_PROBLEM = 300


@dataclass(frozen=True)
class Skip:
    """A test that did not run, and why."""

    name: str
    reason: str

    @property
    def optional(self) -> bool:
        """Only a skip that names what is missing, after "optional:", may happen in a good run."""
        return self.reason.startswith(OPTIONAL_PREFIX) and self.reason != OPTIONAL_PREFIX


@dataclass(frozen=True)
class Result:
    """The counts of one stage."""

    passed: int = 0
    failed: int = 0
    skips: tuple[Skip, ...] = ()
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the stage is good as a whole."""
        return not self.failed and all(skip.optional for skip in self.skips)

    def __str__(self) -> str:
        parts = [f"{self.passed} passed"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{len(self.skips)} skipped"] if self.skips else []
        return ", ".join(parts)


def failure(problem: str) -> Result:
    """One failure that no report of a tool mentions."""
    return Result(failed=1, problem=problem)


def verdict(*, ok: bool, problem: str = "") -> Result:
    """The result of a tool that only says yes or no."""
    return Result(passed=1) if ok else failure(problem)


def total(results: Iterable[Result]) -> Result:
    """Several results as one."""
    found = list(results)
    return Result(
        passed=sum(result.passed for result in found),
        failed=sum(result.failed for result in found),
        skips=tuple(skip for result in found for skip in result.skips),
        problem="\n".join(result.problem for result in found if result.problem),
    )


def summary_line(result: Result) -> str:
    """The last line of a run."""
    return f"{result.passed} passed, {result.failed} failed, {len(result.skips)} skipped"


def skip_lines(result: Result) -> list[str]:
    """One line for each reason something did not run, those that fail the run last."""
    reasons = Counter((not skip.optional, skip.reason) for skip in result.skips)
    lines = []
    for (bad, reason), count in sorted(reasons.items()):
        names = [skip.name for skip in result.skips if skip.reason == reason]
        tests = names[0] if count == 1 else f"{count} tests"
        if bad:
            lines.append(f"skipped, but should have run: {reason or 'no reason given'} ({tests})")
        else:
            lines.append(f"skipped (optional): {reason[len(OPTIONAL_PREFIX) :].strip()} ({tests})")
    return lines


def parse_junit(path: Path) -> Result:
    """Read one report in JUnit's format. A missing, broken or empty report is a failure."""
    try:
        root = ET.parse(path).getroot()
    except FileNotFoundError:
        return failure(f"no report was written: {path.name}")
    except ET.ParseError as error:
        return failure(f"{path.name} is not a readable report: {error}")
    cases = list(root.iter("testcase"))
    if not cases:
        return failure(f"{path.name}: no tests ran")
    return total(_case_result(case) for case in cases)


def _case_result(case: ET.Element) -> Result:
    name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
    for problem in (case.find("failure"), case.find("error")):
        if problem is not None:
            return failure(f"{name}: {problem.get('message', '').partition(chr(10))[0]}"[:_LENGTH_OF_PROBLEM])
    skipped = case.find("skipped")
    if skipped is None:
        return Result(passed=1)
    reason = skipped.get("message") or (skipped.text or "").strip()
    return Result(skips=(Skip(name=name, reason=reason.removeprefix("Skipped: ")),))


def with_exit_code(result: Result, code: int, tool: str) -> Result:
    """A tool that ends badly without reporting any failure has failed all the same."""
    if code == 0 or result.failed:
        return result
    return total([result, failure(f"{tool} ended with exit code {code}")])
