# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module costs when there is nothing to do, beside a module that does nothing."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contenders import compare
from benchmarks.pulling import FILES, SIZE, times
from benchmarks.results import Bar, Result, difference
from benchmarks.session import Session

_ROUNDS_FOR_A_PAIR = 4
"""The runs are short, and their differences small: so there are more of them."""


def present(session: Session) -> Iterator[Result]:
    """`state: present` of an image of eight layers that is there: how much longer than an empty module."""
    yield from _over_empty(session, "present-when-present", "present", Bar("<=", 0.05))


def latest(session: Session) -> Iterator[Result]:
    """`state: latest` of the same image when the registry has nothing new: how much longer than an empty module."""
    yield from _over_empty(session, "latest-nothing-new", "latest", Bar("<=", 0.15))


def _over_empty(session: Session, name: str, state: str, limit: Bar) -> Iterator[Result]:
    image = session.image(session.shape(size=SIZE, files=FILES, layers=8))
    stored = session.ours(image)
    stored.prepare()
    stored.run()
    module = session.ours(image, state=state, again=True)
    runs = compare([module, session.empty_module()], rounds=session.pairs * _ROUNDS_FOR_A_PAIR)
    yield from times(name, runs)
    ours, empty = ([run.seconds for run in done] for done in runs.values())
    yield difference(f"{name}.over-empty-module", ours, empty, limit=limit)
