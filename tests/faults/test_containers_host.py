# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers on a host that loses its power in the middle, whose disk is full, or where two runs change one at once."""

from __future__ import annotations

import contextlib
import random
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faults.containers import ONE, SCENARIOS, TWO, Fleet, Stand, problems_of, successful
from faults.harness import ALL, SEED, Fault, points, report_of, result_of
from faults.lab_host import LabHost
from faults.test_containers import SEEN

FULL = "/srv/full"
PLENTY = "size=64m,nr_inodes=100k"
REBOOTS = 3
ROUNDS = 10 if ALL else 2


@pytest.fixture(scope="module")
def host() -> Iterator[LabHost]:
    found = LabHost("faults-host")
    yield found
    found.down()


@pytest.fixture(scope="module")
def fleet(host: LabHost) -> Fleet:
    with tempfile.TemporaryDirectory() as folder:
        return Fleet(host, Path(folder))


@pytest.fixture(scope="module")
def disk(host: LabHost) -> Fleet:
    """Containers and their repository on a file system of their own."""
    host.run("mkdir", FULL)
    host.run("mount", "-t", "tmpfs", "-o", PLENTY, "tmpfs", FULL)
    with tempfile.TemporaryDirectory() as folder:
        return Fleet(host, Path(folder), base=FULL)


def used(host: LabHost) -> dict[str, int]:
    """Return the bytes and inodes in use on the small disk."""
    block_size, blocks, free, inodes, free_inodes = map(
        int, host.run("stat", "-f", "-c", "%S %b %f %c %d", FULL).split()
    )
    return {"bytes": block_size * (blocks - free), "inodes": inodes - free_inodes}


def test_reboots(host: LabHost, fleet: Fleet) -> None:
    """Power is lost while a running service is updated: it runs after the boot, and one run converges."""
    scenario = SCENARIOS["update"]
    expected = fleet.expected(scenario)
    count = sum(call.own and bool(re.search(SEEN, str(call))) for call in expected.calls)
    problems = []
    for at in points(count, sample=REBOOTS, seed="reboots"):
        stand, fault = fleet.take(scenario), Fault("power-off", match=SEEN, at=at)
        report = report_of(host.steps([fleet.supervised(stand, fault)])[0]["stdout"])
        host.reboot()
        after, again, end, second = host.steps([stand.look, ["run", *stand.argv], stand.look, ["run", *stand.argv]])
        found = expected.wrong_state(after[stand.name])
        if after[stand.name]["unit"]["ActiveState"] != "active":
            found.append(f"after the boot the service is {after[stand.name]['unit']}")
        found += problems_of(again) + expected.wrong_end(end[stand.name]) + problems_of(second, changed=False)
        host.steps([["run", *stand.absent]])
        problems += [f"{fault} ({report.fired}): {problem}" for problem in found]
    assert not problems, "\n".join(problems)
    fleet.fsck()


@contextlib.contextmanager
def limited(host: LabHost, options: str) -> Iterator[None]:
    """Give the small disk other limits for a while."""
    host.run("mount", "-o", f"remount,{options}", FULL)
    try:
        yield
    finally:
        host.run("mount", "-o", f"remount,{PLENTY}", FULL)


@pytest.fixture(scope="module")
def needed(host: LabHost, disk: Fleet) -> dict[str, int]:
    """What a deployment takes of the small disk."""
    stand, before = disk.take(SCENARIOS["install"]), used(host)
    host.steps([["run", *stand.argv]])
    after = used(host)
    host.steps([["run", *stand.absent]])
    return {key: after[key] - before[key] for key in after}


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("lacking", ["bytes", "inodes"])
@pytest.mark.parametrize("name", ["install", "update"])
def test_a_full_disk(host: LabHost, disk: Fleet, needed: dict[str, int], name: str, lacking: str, round_: int) -> None:
    """The run fails and says why, the old service goes on; with room again, one run converges."""
    scenario = SCENARIOS[name]
    expected, stand = disk.expected(scenario), disk.take(scenario)
    share = random.Random(f"{SEED} {name} {lacking} {round_}").uniform(0.0, 0.7)
    room = {key: value + int(share * needed[key]) for key, value in used(host).items()}
    limit = f"size={room['bytes'] // 4096 * 4096},nr_inodes=100k"
    with limited(host, limit if lacking == "bytes" else f"size=64m,nr_inodes={room['inodes']}"):
        failed, after = host.steps([["run", *stand.argv], stand.look])
    result, problems = result_of(failed["code"], failed["stdout"], failed["stderr"])
    assert not problems
    assert result.get("failed"), f"{share} of the room was enough: {result}"
    assert "space" in result["msg"], result["msg"]
    assert FULL in result["msg"], result["msg"]
    assert expected.wrong_state(after[stand.name]) == []
    assert after[stand.name]["unit"]["ActiveState"] == ("active" if scenario.before else "inactive")
    steps = [["run", *stand.argv], stand.look, ["run", *stand.argv], ["run", *stand.absent]]
    again, end, second, absent = host.steps(steps)
    assert problems_of(again) == []
    assert expected.wrong_end(end[stand.name]) == []
    assert problems_of(second, changed=False) + problems_of(absent) == []
    disk.fsck()


def at_once(host: LabHost, *commands: list[str]) -> list[Any]:
    """Run commands at the same time; return their results."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return [steps[0] for steps in pool.map(lambda argv: host.steps([["run", *argv]]), commands)]


def greetings(found: dict[str, Any]) -> list[str]:
    """Return the values that the container's deployments were made with, the active one's first."""
    slots = sorted(found["slots"], key=lambda slot: slot != found["link"])
    configs = [found["slots"][slot]["files"]["config.json"][1] for slot in slots]
    return [match[1] for config in configs if (match := re.search(r"GREETING=(\w+)", config))]


def test_two_updates_at_once(host: LabHost, fleet: Fleet) -> None:
    """Both happen, one after the other: each has its own values, whole, and the later one's are active."""
    stand = fleet.take(SCENARIOS["update"])
    commands = {word: fleet.argv(stand.name, {**ONE, "values": {"GREETING": word}}) for word in ("first", "second")}
    for done in at_once(host, *commands.values()):
        assert successful(done)["changed"]
    (found,) = host.steps([stand.look])
    active, other = greetings(found[stand.name])
    assert {active, other} == {"first", "second"}
    assert found[stand.name]["files"]["/etc/NAME/greeting"][1] == f"one says {active}\n"
    assert found[stand.name]["runtime"] == found[stand.name]["link"]
    assert found[stand.name]["beside"] == []
    again, absent = host.steps([["run", *commands[active]], ["run", *stand.absent]])
    assert problems_of(again, changed=False) + problems_of(absent) == []


def test_an_update_and_a_removal_at_once(host: LabHost, fleet: Fleet) -> None:
    """What was last counts, and it is whole."""
    stand = fleet.take(SCENARIOS["update"])
    for done in at_once(host, fleet.argv(stand.name, TWO), stand.absent):
        successful(done)
    (found,) = host.steps([stand.look])
    is_there = found[stand.name]["unit"]["ActiveState"] == "active"
    assert (
        is_there
        == bool(found[stand.name]["link"])
        == bool(found[stand.name]["slots"])
        == bool(found[stand.name]["files"])
    )
    again, absent, removed = host.steps([["run", *fleet.argv(stand.name, TWO)], ["run", *stand.absent], stand.look])
    assert problems_of(again, changed=not is_there) + problems_of(absent) == []
    assert not removed[stand.name]["files"]


def test_the_same_run_twice_at_once(host: LabHost, fleet: Fleet) -> None:
    """One of them changes something, the other finds nothing to do."""
    stand: Stand = fleet.take(SCENARIOS["update"])
    changed = [successful(done)["changed"] for done in at_once(host, stand.argv, stand.argv)]
    assert sorted(changed) == [False, True]
    assert problems_of(host.steps([["run", *stand.absent]])[0]) == []
