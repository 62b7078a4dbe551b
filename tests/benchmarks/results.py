# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a benchmark found: values with their spread, and the bars that they have to meet. Pure."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_OPERATORS = {"<=": operator.le, "==": operator.eq}
_DECIMALS = {"s": 3, "x": 3, "us": 1, "MB": 1, "%": 2, "bytes": 0}


@dataclass(frozen=True)
class Bar:
    """What a value has to be: ``operator`` is ``<=`` or ``==``."""

    operator: str
    limit: float

    def met_by(self, value: float) -> bool:
        return bool(_OPERATORS[self.operator](value, self.limit))

    def __str__(self) -> str:
        return f"{self.operator} {self.limit:g}"


@dataclass(frozen=True)
class Result:
    """One value of a benchmark.

    ``unit`` is s, us, x (a ratio), MB (10**6 bytes), % or bytes. ``samples`` are what ``value`` was made of, in the same
    unit; ``note`` is a remark for the page.
    """

    name: str
    value: float
    unit: str
    limit: Bar | None = None
    samples: tuple[float, ...] = ()
    note: str = ""

    @property
    def short(self) -> bool:
        return self.limit is not None and not self.limit.met_by(self.value)

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        return "short" if self.short else "ok"

    def line(self) -> str:
        """Return the line that is printed; one without a bar is there to be known."""
        words = ["bench:", self.name, self.shown(self.value), self.unit]
        if self.limit is not None:
            words += ["bar", str(self.limit), self.verdict]
        return " ".join(words)

    def shown(self, value: float) -> str:
        """Return a value as this result's unit is written."""
        return f"{value:.{_DECIMALS[self.unit]}f}"


def median_of(name: str, samples: Sequence[float], unit: str, *, limit: Bar | None = None, note: str = "") -> Result:
    """Return the median of samples; ``ValueError`` when there are none."""
    if not samples:
        raise ValueError(f"{name}: nothing was measured")
    return Result(name, statistics.median(samples), unit, limit=limit, samples=tuple(samples), note=note)


def ratio(name: str, ours: Sequence[float], other: Sequence[float], *, limit: Bar | None = None) -> Result:
    """Return the median of the ratios of pairs.

    The two values of a pair were measured one after the other, so what else the machine did then weighs on both.
    """
    return median_of(name, [mine / its for mine, its in zip(ours, other, strict=True)], "x", limit=limit)


def difference(name: str, ours: Sequence[float], other: Sequence[float], *, limit: Bar | None = None) -> Result:
    """Return the median of the differences of pairs, in seconds."""
    return median_of(name, [mine - its for mine, its in zip(ours, other, strict=True)], "s", limit=limit)
