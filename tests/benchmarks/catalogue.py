# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All benchmarks. To add one: a function of a session that yields results, and its name here.

Its documentation is what ``--help`` (the first line) and the page say of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping

from benchmarks import containers, disk, fleet, growth, memory, pulling, sharing, unchanged
from benchmarks.results import Result
from benchmarks.session import Session

Benchmark = Callable[[Session], Iterator[Result]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "pull-one-layer": pulling.one_layer,
    "pull-eight-layers": pulling.eight_layers,
    "pull-eight-layers-inflater": pulling.eight_layers_inflater,
    "inflaters": pulling.inflaters,
    "latest-nothing-new": unchanged.latest,
    "present-when-present": unchanged.present,
    "shared-layers": sharing.shared_layers,
    "memory": memory.memory,
    "disk": disk.disk,
    "growth": growth.growth,
    "container-install": containers.install,
    "container-update": containers.update,
    "container-rollback": containers.rollback,
    "container-nothing-to-do": containers.nothing_to_do,
    "container-info": containers.info,
    "fleet-nothing-to-do": fleet.nothing_to_do,
    "fleet-roll": fleet.roll,
}

SEES_INFLATERS = frozenset({"inflaters", "pull-eight-layers-inflater"})
"""Benchmarks from which faster inflaters are not hidden."""


def description(name: str) -> str:
    """Return what a benchmark says of itself."""
    return inspect.getdoc(BENCHMARKS[name]) or ""
