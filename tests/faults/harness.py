# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules under faults, here or on a host of the lab, and gathers what went wrong.

``FAULTS=all`` in the environment tries every point instead of a sample; ``FAULTS_SEED`` chooses another sample.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from faults.supervisor import Call, Report
from runner.collection_link import NAME, NAMESPACE, link_collection

SUPERVISOR = Path(__file__).with_name("supervisor.py")
ALL = os.environ.get("FAULTS", "") == "all"
SEED = os.environ.get("FAULTS_SEED", "1")
AT_ONCE = len(os.sched_getaffinity(0))
TIMEOUT = 120.0


@dataclass(frozen=True)
class Fault:
    """What happens at which call; see supervisor.py. ``at`` counts the calls of ``who`` that ``match`` finds."""

    do: str
    who: str = "own"
    match: str = ""
    at: int = 0
    reads: bool = False

    def __str__(self) -> str:
        what = f" that is '{self.match}'" if self.match else ""
        return f"{self.do} at call {self.at} of {self.who}{what}"

    def arguments(self) -> list[str]:
        """Return the supervisor's options."""
        chosen = ["--who", self.who, "--match", self.match, "--at", str(self.at), "--do", self.do]
        return [*chosen, "--reads"] if self.reads else chosen


@dataclass(frozen=True)
class Place:
    """Where modules run: ``prefix`` goes before every command, such as ``tests/lab/lab exec HOST``.

    There has to be a Python, the supervisor, and what ``environment`` names.
    """

    prefix: tuple[str, ...] = ()
    python: str = sys.executable
    supervisor: str = str(SUPERVISOR)
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, argv: Sequence[str], *, content: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, ``content`` as its input."""
        given = {"stdin": subprocess.DEVNULL} if content is None else {"input": content}
        return subprocess.run(self.command(argv), capture_output=True, text=True, timeout=TIMEOUT, check=False, **given)

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return what is executed here to run a command there."""
        return [*self.prefix, "env", *(f"{key}={value}" for key, value in self.environment.items()), *argv]

    def supervise(self, argv: Sequence[str], *, under: str, fault: Fault | None = None) -> Report:
        """Run a program under a fault; without one, all its calls are recorded."""
        done = self.run(self.supervised(argv, under=[under], fault=fault))
        if done.returncode != 0:
            raise RuntimeError(f"the supervisor failed: {done.stderr}")
        return report_of(done.stdout)

    def supervised(self, argv: Sequence[str], *, under: Sequence[str], fault: Fault | None = None) -> list[str]:
        """Return the command that runs a program under a fault."""
        options = [] if fault is None else fault.arguments()
        folders = [word for folder in under for word in ("--under", folder)]
        return [self.python, "-IS", self.supervisor, *options, *folders, "--", *argv]

    def module_argv(self, module: str, parameters: Mapping[str, Any], *, check_mode: bool = False) -> list[str]:
        """Return the command that runs a module of the collection."""
        arguments = {**parameters, "_ansible_check_mode": check_mode, "_ansible_diff": True}
        name = f"ansible_collections.{NAMESPACE}.{NAME}.plugins.modules.{module}"
        return [self.python, "-m", name, json.dumps({"ANSIBLE_MODULE_ARGS": arguments})]


def report_of(stdout: str) -> Report:
    """Return the report in the supervisor's output."""
    found = json.loads(stdout.splitlines()[-1])
    found["calls"] = [Call(**call) for call in found["calls"]]
    found["fired"] = Call(**found["fired"]) if found["fired"] else None
    return Report(**found)


def local_place(temporary: Path) -> Place:
    """Return this machine; modules get ``temporary`` for their temporary files."""
    environment = {"PYTHONPATH": str(link_collection()), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(temporary)}
    return Place(environment=environment)


def result_of(code: int, stdout: str, stderr: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a module that was not killed returned, and what is wrong with how it ended."""
    lines = stdout.strip().splitlines()
    try:
        result = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}, [f"no result, exit code {code}: {stdout[-300:]} {stderr[-1000:]}"]
    problems = [f"there is a traceback: {text[-1500:]}" for text in (stdout, stderr) if "Traceback" in text]
    if bool(result.get("failed")) != (code != 0):
        problems.append(f"exit code {code} with {result}")
    if code != 0 and not str(result.get("msg", "")).strip():
        problems.append("it failed without a message")
    return result, problems


def points(count: int, *, sample: int | None, seed: str) -> list[int]:
    """Return which of ``count`` calls are hit: all of them, or ``sample`` of them chosen by ``seed``."""
    everything = range(1, count + 1)
    if ALL or sample is None or sample >= count:
        return list(everything)
    return sorted(random.Random(f"{SEED} {seed}").sample(everything, sample))


def explore(faults: Iterable[Fault], attempt: Callable[[Fault], list[str]]) -> list[str]:
    """Try all faults, as many at a time as there are processors; return what went wrong."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = list(faults)
        found = list(pool.map(attempt, tried))
    return [f"{fault}: {problem}" for fault, problems in zip(tried, found) for problem in problems]
