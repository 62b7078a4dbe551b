# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module for containers is cut short, or has system calls fail, at one place after the other, on a host of the lab.

Afterwards every deployment is whole and the service can be started; one more run leads to the new state and leaves nothing
behind, a further one changes nothing, and after ``state: absent`` nothing is left.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.containers import SCENARIOS, Fleet
from faults.harness import ALL, Fault, explore, points
from faults.lab_host import LabHost
from faults.test_store import ADDING, Kind

# A sync changes nothing that another process sees; neither does it matter how much is left of a folder that is removed.
SEEN = r"^[^:]*: (?!fsync|fdatasync|syncfs|unlinkat .*\.removed/|rmdir .*\.removed/)"
REMOVING = r"(unlinkat|rmdir) .*\.removed/"
KEPT = ("update of a stopped one", "update", "rollback", "unit options", "install")
NO_CHECKOUT = ("rollback", "unit options", "absent", "prune")
KINDS = {
    "power off": Kind(Fault("power-off", match="" if ALL else SEEN)),
    "power off while a deployment is removed": Kind(Fault("power-off", match=REMOVING), 3, without=KEPT),
    "power off in children": Kind(Fault("power-off", who="child"), 2, without=NO_CHECKOUT),
    "kill, children go on": Kind(Fault("kill", who="child"), 1, without=NO_CHECKOUT),
    "child killed": Kind(Fault("kill-caller", who="child"), 1, without=NO_CHECKOUT),
    "EIO": Kind(Fault("EIO"), 3),
    "EIO in children": Kind(Fault("EIO", who="child"), 1, without=NO_CHECKOUT),
    "ENOSPC": Kind(Fault("ENOSPC", match=ADDING), 2),
}
CASES = [(name, kind) for name in SCENARIOS for kind in KINDS if name not in KINDS[kind].without]


@pytest.fixture(scope="module")
def host() -> Iterator[LabHost]:
    found = LabHost("faults")
    yield found
    found.down()


@pytest.fixture(scope="module")
def fleet(host: LabHost) -> Fleet:
    with tempfile.TemporaryDirectory() as folder:
        return Fleet(host, Path(folder))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_faults(fleet: Fleet, name: str, kind: str) -> None:
    scenario, fault = SCENARIOS[name], KINDS[kind].fault
    calls = fleet.expected(scenario).calls
    wanted = re.compile(fault.match)
    count = sum(call.own == (fault.who == "own") and bool(wanted.search(str(call))) for call in calls)
    assert count, "there is no such call"
    chosen = points(count, sample=KINDS[kind].sample, seed=f"{name} {kind}")
    problems = explore([replace(fault, at=at) for at in chosen], lambda one: fleet.attempt(scenario, one))
    assert not problems, f"{len(problems)} problems at {len(chosen)} points of {count}:\n" + "\n".join(problems)
    assert fleet.temporary_files() == ""
    fleet.fsck()
