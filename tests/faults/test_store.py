# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that change the store are cut short, or have system calls fail, at one place after the other.

Afterwards there is the old state or the new one, and one more run leads to the new one and leaves nothing behind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from faults.harness import Fault, explore, points
from faults.stores import Laboratory

# ostree's own steps from one state to the next: commits that come into place, refs and commits that go.
STEPS = r"ostree: (linkat|renameat|unlinkat) .*(/refs/heads|/objects/.*\.commit$)"
SCENARIOS = ("first pull", "pull", "moved tag", "repair", "verify", "tags", "absent", "absent tags", "prune")


@dataclass(frozen=True)
class Kind:
    """A kind of fault, and at how many points it is tried unless all are asked for (None: at all of them).

    The scenarios in ``without`` have no such calls.
    """

    fault: Fault
    sample: int | None = None
    without: tuple[str, ...] = ()


ADDING = "open|write|mkdir|rename|link|fallocate"
READING = "read|pread64|getdents64"
KINDS = {
    "power off": Kind(Fault("power-off")),
    "power off at ostree's steps": Kind(Fault("power-off", who="child", match=STEPS), 3, without=("verify", "tags")),
    "power off in children": Kind(Fault("power-off", who="child"), 5, without=("tags",)),
    "kill": Kind(Fault("kill"), 3),
    "kill, children go on": Kind(Fault("kill", who="child"), 2, without=("tags",)),
    "child killed": Kind(Fault("kill-caller", who="child"), 2, without=("tags",)),
    "EIO": Kind(Fault("EIO"), 3),
    "EIO in children": Kind(Fault("EIO", who="child"), 3, without=("tags",)),
    "EIO reading": Kind(Fault("EIO", who="any", reads=True, match=READING), 3),
    "ENOSPC": Kind(Fault("ENOSPC", match=ADDING), 2),
    "ENOSPC in children": Kind(Fault("ENOSPC", who="child", match=ADDING), 2, without=("tags",)),
}
CASES = [(name, kind) for name in SCENARIOS for kind in KINDS if name not in KINDS[kind].without]


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/dev/shm"))
    yield Laboratory(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_faults(laboratory: Laboratory, name: str, kind: str) -> None:
    scenario, fault = laboratory.scenarios[name], KINDS[kind].fault
    store = laboratory.copy(scenario)
    laboratory.expected(scenario)
    count = len(store.supervise(scenario, fault).calls)
    shutil.rmtree(store.folder)
    assert count, "there is no such call"
    chosen = points(count, sample=KINDS[kind].sample, seed=f"{name} {kind}")
    problems = explore([replace(fault, at=at) for at in chosen], lambda one: laboratory.attempt(scenario, one))
    assert not problems, f"{len(problems)} problems at {len(chosen)} points of {count}:\n" + "\n".join(problems)
