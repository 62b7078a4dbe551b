# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file costs the same in a small and in a large image."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.contenders import compare
from benchmarks.results import Bar, Result, median_of
from benchmarks.session import Session

_COUNTS = {1_000: 4, 10_000: 2, 100_000: 1}
"""Files of an image, and how often it is stored for one that was asked for."""

_BYTES_OF_A_FILE = 3_000
_BAR = Bar("<=", 1.2)
"""A file may cost a fifth more with ten times the files: for larger directories and noise. Were the cost to grow with the
square of the files, it would be ten times, with their logarithm, a quarter to a third."""


def growth(session: Session) -> Iterator[Result]:
    """Images of 1, 10 and 100 thousand files of 3,000 bytes: the time for each file.

    What an image of one file takes, stored in turn with it, is subtracted. Small images are stored more often, as their
    times are short.
    """
    single = session.image(session.single_file)
    costs: list[Result] = []
    for count, repeat in _COUNTS.items():
        shape = session.shape(size=count * _BYTES_OF_A_FILE, files=count, even=True)
        contenders = [session.ours(session.image(shape), name="many"), session.ours(single, name="one")]
        runs = compare(contenders, rounds=session.pairs * repeat)
        pairs = zip(runs["many"], runs["one"], strict=True)
        samples = [(many.seconds - one.seconds) / (shape.files - 1) * 1e6 for many, one in pairs]
        costs.append(median_of(f"growth.{shape.files}-files", samples, "us", note=f"for each file; {shape}"))
        yield costs[-1]
    for smaller, larger in zip(costs, costs[1:], strict=False):
        yield compared(smaller, larger)


def compared(smaller: Result, larger: Result) -> Result:
    """Return how much more a file costs in the larger image; without end when noise hid what it costs in the smaller."""
    name = f"growth.to-{larger.name.removeprefix('growth.')}"
    return Result(name, larger.value / smaller.value if smaller.value > 0 else math.inf, "x", limit=_BAR)
