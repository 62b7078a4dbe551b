# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Integration targets: each is a role that runs on a fresh host of the lab, over SSH."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from runner import process
from runner.lab import Lab, LabError
from runner.project import LAB, OUTPUT, ROOT
from runner.results import Result, failure, total, verdict
from runner.stage import Context, is_root

TARGETS = ROOT / "tests" / "integration" / "targets"
AT_ONCE = 3
TIMEOUT = 1200.0
_LINES_OF_FAILED = 40
_LENGTH_OF_LINE = 2000
_FAILED = re.compile(r"^(fatal|failed): \[|^\[ERROR\]", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """A role to test, and the host it gets."""

    name: str
    host: str
    packages: tuple[str, ...] = ()
    """Debian packages that the host has besides the lab's own: the words of the role's file ``lab-packages``."""


def find_targets(folder: Path, wanted: Sequence[str] = ()) -> list[Target]:
    """Return the roles below `folder` that have tasks; those named setup_* only serve others."""
    names = [path.parents[1].name for path in sorted(folder.glob("*/tasks/main.yml"))]
    names = [name for name in names if not name.startswith("setup_")]
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise ValueError(f"no such integration target: {', '.join(unknown)} (there are: {', '.join(names)})")
    return [
        Target(name, host_name(name, number), _packages(folder / name))
        for number, name in enumerate(names)
        if not wanted or name in wanted
    ]


def _packages(role: Path) -> tuple[str, ...]:
    path = role / "lab-packages"
    return tuple(path.read_text(encoding="utf-8").split()) if path.is_file() else ()


def host_name(target: str, number: int) -> str:
    """Return a short name of its own for a target's host."""
    word = re.sub(r"[^a-z0-9]+", "", target.lower().replace("system_container", "sc"))
    return f"t{number}-{word[:8]}"


def integration(context: Context) -> Result:
    """Run the targets, a few at a time: they mostly wait."""
    try:
        targets = find_targets(TARGETS, context.targets)
    except ValueError as error:
        return failure(str(error))
    if not targets:
        return failure(f"there are no targets in {TARGETS.relative_to(ROOT)}")
    if not is_root():
        return failure("the lab's hosts need root")
    lab = Lab(context)
    kept: list[str] = []
    try:
        lab.call("registry")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(lambda target: _run_target(context, lab, target, kept), targets))
    except LabError as error:
        results = [failure(str(error))]
    finally:
        clean = bool(kept) or lab.down()
    if kept:
        context.say(_how_to_look(context, kept))
    return total(results if clean else [*results, failure("lab down failed")])


def _run_target(context: Context, lab: Lab, target: Target, kept: list[str]) -> Result:
    started = monotonic()
    log = OUTPUT / "integration" / f"{target.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    try:
        lab.call("up", *(f"--package={package}" for package in target.packages), target.host, log=log)
        command = ["ansible-playbook", "-i", lab.inventory(), _write_playbook(target)]
        env = {**context.env, "ANSIBLE_ROLES_PATH": str(TARGETS)}
        code = process.run(command, log=log, env=env, timeout=TIMEOUT)
        problem = playbook_problem(log.read_text(errors="replace"), code=code, host=target.host)
    except LabError as error:
        problem = str(error)
    finished = f"{target.name}: {'failed' if problem else 'passed'} in {monotonic() - started:.0f} s"
    context.say(finished)
    _add_to_log(context.log, finished)
    if problem and context.keep:
        kept.append(target.host)
    elif not lab.down(target.host):
        problem = problem or f"the host {target.host} did not go down"
    # What this target said, as the lines of others stand among its own in the stage's log.
    said = [f"| {line}" for line in _what_failed(log)] if problem else []
    return verdict(ok=not problem, problem="\n".join([f"{target.name}: {problem} ({log.relative_to(ROOT)})", *said]))


def _what_failed(log: Path) -> list[str]:
    """Return the tasks that failed; without any, the last lines of the log."""
    lines = failed_tasks(log.read_text(errors="replace")) if log.exists() else []
    return lines[:_LINES_OF_FAILED] or process.tail(log, _LINES_OF_FAILED)


def failed_tasks(output: str) -> list[str]:
    """Return the lines of the tasks that failed in a playbook's output, long ones cut; not of those that were to be ignored."""
    blocks = re.split(r"^(?=TASK \[|PLAY |RUNNING HANDLER )", output, flags=re.MULTILINE)
    failed = [block for block in blocks if _FAILED.search(block) and "\n...ignoring" not in block]
    return [line[:_LENGTH_OF_LINE] for block in failed for line in block.splitlines() if line.strip()]


def _write_playbook(target: Target) -> Path:
    play = {
        "name": f"Target {target.name}",
        "hosts": target.host,
        "gather_facts": True,
        "roles": [target.name],
        # For tasks delegated to this machine: pushing images to the registry, rebooting the host.
        "vars": {"lab_command": str(LAB), "project_root": str(ROOT)},
    }
    path = OUTPUT / "integration" / f"{target.name}.playbook.json"
    path.write_text(json.dumps([play], indent=2) + "\n")
    return path


def playbook_problem(output: str, *, code: int, host: str) -> str:
    """Say what is wrong with a playbook's run, if anything is; one that did nothing is wrong too."""
    if code != 0:
        return f"ansible-playbook ended with exit code {code}"
    recap = re.search(rf"^{re.escape(host)}\s*:\s*(.*)$", output.rpartition("PLAY RECAP")[2], re.MULTILINE)
    counts = dict(re.findall(r"(\w+)=(\d+)", recap[1])) if recap else {}
    # One of them is the gathering of facts.
    return "" if int(counts.get("ok", 0)) > 1 else "no task ran"


def _add_to_log(log: Path, headline: str) -> None:
    with log.open("a") as output:
        output.write(f"{headline}\n")


def _how_to_look(context: Context, hosts: Iterable[str]) -> str:
    command = f"SYSTEM_CONTAINERS_LAB_ID={context.env['SYSTEM_CONTAINERS_LAB_ID']} {LAB.relative_to(ROOT)}"
    return f"kept: {', '.join(hosts)}; when done: {command} down"
