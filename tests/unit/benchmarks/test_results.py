# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What benchmarks print, and what they make of the times."""

from __future__ import annotations

import math

import pytest
from benchmarks.growth import compared
from benchmarks.results import Bar, Result, difference, median_of, ratio

MOST = Bar("<=", 1.15)
NONE = Bar("==", 0)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        pytest.param(Result("a.b", 1.15, "x", limit=MOST), "bench: a.b 1.150 x bar <= 1.15 ok", id="just met"),
        pytest.param(Result("a.b", 1.1501, "x", limit=MOST), "bench: a.b 1.150 x bar <= 1.15 short", id="just missed"),
        pytest.param(Result("a", 0, "bytes", limit=NONE), "bench: a 0 bytes bar == 0 ok", id="none"),
        pytest.param(Result("a", 1, "bytes", limit=NONE), "bench: a 1 bytes bar == 0 short", id="one too many"),
        pytest.param(Result("a", -1, "bytes", limit=NONE), "bench: a -1 bytes bar == 0 short", id="fewer than none"),
        pytest.param(Result("a", math.inf, "x", limit=MOST), "bench: a inf x bar <= 1.15 short", id="without end"),
        pytest.param(Result("a", math.nan, "x", limit=MOST), "bench: a nan x bar <= 1.15 short", id="no number"),
        pytest.param(Result("a", 2.0, "s"), "bench: a 2.000 s", id="no bar"),
        pytest.param(Result("a", 12.34, "us"), "bench: a 12.3 us", id="microseconds"),
        pytest.param(Result("a", 79.96, "MB", limit=Bar("<=", 80)), "bench: a 80.0 MB bar <= 80 ok", id="megabytes"),
    ],
)
def test_line(result: Result, line: str) -> None:
    assert result.line() == line
    assert result.short == line.endswith("short")


def test_ratio_and_difference_are_medians_of_pairs() -> None:
    ours, other = [1.0, 4.0, 30.0], [2.0, 2.0, 10.0]
    assert ratio("r", ours, other) == Result("r", 2.0, "x", samples=(0.5, 2.0, 3.0))
    assert difference("d", ours, other) == Result("d", 2.0, "s", samples=(-1.0, 2.0, 20.0))


def test_median_of_an_even_number() -> None:
    assert median_of("m", [1.0, 2.0, 10.0, 4.0], "s").value == 3.0


@pytest.mark.parametrize("other", [[1.0], [1.0, 2.0, 3.0]])
def test_runs_without_a_partner_are_an_error(other: list[float]) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratio("r", [1.0, 2.0], other)


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="m: nothing was measured"):
        median_of("m", [], "s")


@pytest.mark.parametrize(
    ("smaller", "larger", "value", "short"),
    [(10.0, 12.0, 1.2, False), (10.0, 13.0, 1.3, True), (0.0, 10.0, math.inf, True), (-5.0, 10.0, math.inf, True)],
)
def test_growth_hidden_by_noise_is_no_success(smaller: float, larger: float, value: float, short: bool) -> None:
    found = compared(Result("growth.1-files", smaller, "us"), Result("growth.2-files", larger, "us"))
    assert (found.name, found.value, found.short) == ("growth.to-2-files", value, short)
