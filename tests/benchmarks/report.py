# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page with the results, docs/benchmarks.md. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.machine import Machine
from benchmarks.results import Result

_HEAD = """\
# Benchmarks

`make bench` measures this and writes this page. Figures of other machines differ; what is beside each other here was
measured in one run, side by side.
"""

_HOW = """\
## How it was measured

- The module runs as Ansible runs it on a host: the one file with all that it imports, by the host's Python. Time is that of
  the whole process, with the start of Python. What Ansible takes on the controller is not in it.
- Images come from a registry on loopback, over plain HTTP. Their contents are made up: text, program code and packed data,
  the same at every run.
- Containers are on a host of the test lab, booted by systemd-nspawn on the same machine, with a systemd of its own. Times are
  taken on that host. Their images are stored before, have 12,000 files and a service of `Type=notify` that is ready at once.
- What is compared runs in turn, round by round, after one round that does not count; `sync` runs before each.
  A ratio or a difference is the median of those of all rounds; the spread is the smallest and the largest.
- All stores are on the same file system. `podman` has a store of its own there (driver `overlay`), and so has the cache that
  `skopeo` and `podman` share.
- A value without a bar is there to be known.
"""


def page(
    machine: Machine, results: Mapping[str, Sequence[Result]], descriptions: Mapping[str, str], *, date: str, pairs: int
) -> str:
    """Return the page: ``results`` and ``descriptions`` are by benchmark, ``date`` is ISO 8601."""
    facts = "".join(f"| {name} | {_cell(value)} |\n" for name, value in machine.facts)
    parts = [
        _HEAD,
        f"## The machine\n\nMeasured on {date}, {pairs} rounds.\n\n| | |\n|---|---|\n{facts}",
        _HOW,
        *(_section(name, descriptions[name], found) for name, found in results.items()),
    ]
    return "\n".join(parts)


def _section(name: str, description: str, results: Sequence[Result]) -> str:
    rows = "".join(_row(result) for result in results) or "| nothing to measure here | | | | | |\n"
    return (
        f"## {name}\n\n{description}\n\n| result | value | spread | bar | | remark |\n|---|---|---|---|---|---|\n{rows}"
    )


def _row(result: Result) -> str:
    spread = ""
    if len(result.samples) > 1:
        spread = f"{result.shown(min(result.samples))} to {result.shown(max(result.samples))}"
    limit = "" if result.limit is None else str(result.limit)
    value = f"{result.shown(result.value)} {result.unit}"
    cells = (f"`{result.name}`", value, spread, limit, result.verdict, _cell(result.note))
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
