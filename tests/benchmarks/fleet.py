# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole playbooks over ten hosts of the lab, by SSH, all on this machine. The image is small and its service is ready at once."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.containers import PROGRAM, VERSIONS
from lab.image_builder import build_image, tar_files
from lab.process import LabError
from runner.project import LAB, base_env

from benchmarks.contenders import Contender, compare
from benchmarks.process import Run, measure
from benchmarks.pulling import times
from benchmarks.results import Bar, Result, median_of, ratio
from benchmarks.session import Session

_HOSTS = [f"bench{number}" for number in range(1, 11)]
_ROLLS = ((2, 1), (6, 1), (10, 1), (10, 2), (10, 5))
_COLLECTION = "projectatomic.system_containers"


class _Fleet:
    """Ten hosts and a registry that has the image in two versions."""

    def __init__(self, session: Session) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fleet-", dir=session.folder))
        self.environment = {**base_env(), "ANSIBLE_FORKS": str(len(_HOSTS)), "ANSIBLE_HOST_KEY_CHECKING": "True"}
        for tag in ("one", "two"):
            build_image(self.folder / "app", layers=[tar_files(PROGRAM), tar_files(VERSIONS[tag])], tag=tag)
        self.lab("up", *_HOSTS)
        self.lab("registry")
        for tag in ("one", "two"):
            self.lab("image", "push", f"{self.folder}/app:{tag}", f"app:{tag}")
        self.inventory = self.lab("inventory").strip()

    def lab(self, *arguments: str) -> str:
        """Run the lab's command; return its output."""
        return measure([str(LAB), *arguments], environment=self.environment).output

    def roll(self, tag: str, *, hosts: int, serial: int) -> Run:
        """Update the first hosts to a version."""
        return self.playbook(
            f"{_COLLECTION}.rolling_update",
            system_containers=[{"name": "app", "image": "{{ lab_registry }}/app:" + tag}],
            system_containers_hosts=":".join(_HOSTS[:hosts]),
            system_containers_defaults={"validate_certs": False},
            system_containers_lookup={"validate_certs": False},
            rolling_update_serial=serial,
        )

    def playbook(self, playbook: str, **variables: Any) -> Run:
        """Run a playbook over the hosts."""
        ansible = str(Path(sys.executable).parent / "ansible-playbook")
        limit = ":".join(_HOSTS)
        command = [
            ansible,
            playbook,
            "--inventory",
            self.inventory,
            "--limit",
            limit,
            "--extra-vars",
            json.dumps(variables),
        ]
        return measure(command, environment=self.environment)

    def play(self, name: str, task: dict[str, Any]) -> str:
        """Write a playbook of one task without facts; return its path."""
        path = self.folder / f"{name}.yml"
        path.write_text(json.dumps([{"name": name, "hosts": "all", "gather_facts": False, "tasks": [task]}]))
        return str(path)


@contextlib.contextmanager
def _fleet(session: Session) -> Iterator[_Fleet]:
    fleet = _Fleet(session)
    try:
        yield fleet
    finally:
        fleet.lab("down", *_HOSTS)


class _Play(Contender):
    """A playbook that is to change nothing."""

    def __init__(self, fleet: _Fleet, name: str, task: dict[str, Any]) -> None:
        self.name, self._fleet, self._path = name, fleet, fleet.play(name, task)

    def prepare(self) -> None:
        """Nothing to do: it changes nothing."""

    def run(self) -> Run:
        done = self._fleet.playbook(self._path)
        if re.search(r"changed=[1-9]", done.output):
            raise LabError(f"{self.name} was to change nothing: {done.output}")
        return done


def nothing_to_do(session: Session) -> Iterator[Result]:
    """A playbook with one container that is as declared, over ten hosts, beside one with `ansible.builtin.ping`.

    One task, no facts, ten forks, ControlPersist. The time is that of the whole `ansible-playbook` command.
    """
    with _fleet(session) as fleet:
        options = {"name": "app", "image": "{{ lab_registry }}/app:one", "validate_certs": False}
        task = {"name": "Container", f"{_COLLECTION}.system_container": options}
        fleet.playbook(fleet.play("install", task))
        container = _Play(fleet, "container", task)
        ping = _Play(fleet, "ping", {"name": "Ping", "ansible.builtin.ping": {}})
        runs = compare([container, ping], rounds=session.pairs)
        yield from times("fleet-nothing-to-do", runs)
        ours, other = ([run.seconds for run in done] for done in runs.values())
        yield ratio("fleet-nothing-to-do.over-ping", ours, other, limit=Bar("<=", 1.3))


def roll(session: Session) -> Iterator[Result]:
    """A rolling update of 2, 6 and 10 hosts one at a time, and of 10 hosts 2 and 5 at a time.

    The bar is on what one more batch takes: of the last four of ten beside the first ones. What a roll has only once (digests, pulls
    on all hosts at the same time) is not in it. The lab's hosts share this machine's processors, so a batch of more hosts takes longer
    here than on hosts of their own.
    """
    with _fleet(session) as fleet:
        fleet.roll("two", hosts=10, serial=10)
        taken: dict[tuple[int, int], list[float]] = {kind: [] for kind in _ROLLS}
        for _number in range(session.pairs):
            for hosts, serial in _ROLLS:
                fleet.roll("one", hosts=10, serial=10)
                taken[hosts, serial].append(fleet.roll("two", hosts=hosts, serial=serial).seconds)
        for (hosts, serial), seconds in taken.items():
            yield median_of(f"fleet-roll.{hosts}-hosts-serial-{serial}", seconds, "s")
        two, six, ten = (taken[hosts, 1] for hosts in (2, 6, 10))
        late = [more - fewer for more, fewer in zip(ten, six, strict=True)]
        early = [more - fewer for more, fewer in zip(six, two, strict=True)]
        yield ratio("fleet-roll.late-batches-over-early", late, early, limit=Bar("<=", 1.25))
