# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A random walk for a bounded time; ``make soak`` walks for longer, and on other ways."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from faults.harness import ALL, SEED
from faults.lab_host import LabHost
from soak.walk import Walk

SECONDS = 1800 if ALL else 60
STEPS = 150


@pytest.fixture
def host() -> Iterator[LabHost]:
    found = LabHost("soak")
    yield found
    found.down()


def test_a_random_walk(host: LabHost) -> None:
    walk = Walk(host, seed=int(SEED))
    walk.go(until=monotonic() + SECONDS, steps=STEPS if not ALL else 100 * STEPS)
    assert walk.number > 10, f"only {walk.number} steps: {walk.summary()}"
