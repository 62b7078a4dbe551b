# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Molecule's scenarios."""

from __future__ import annotations

import dataclasses
from time import monotonic

from runner import process
from runner.lab import Lab
from runner.project import OUTPUT, ROOT
from runner.results import Result, failure, total, verdict
from runner.stage import Context, is_root

EXTENSIONS = ROOT / "extensions"
_LAST_LINES = 60


def molecule(context: Context) -> Result:
    """Run the scenarios, each in a lab of its own."""
    scenarios = sorted(EXTENSIONS.glob("molecule/*/molecule.yml"))
    if not scenarios:
        return failure("there are no scenarios in extensions/molecule")
    if not is_root():
        return failure("the lab's hosts need root")
    return total(_run_scenario(_own_lab(context, number), path.parent.name) for number, path in enumerate(scenarios))


def _own_lab(context: Context, number: int) -> Context:
    name = f"{context.env['SYSTEM_CONTAINERS_LAB_ID'][:12]}-m{number}"
    return dataclasses.replace(context, env={**context.env, "SYSTEM_CONTAINERS_LAB_ID": name})


def _run_scenario(context: Context, scenario: str) -> Result:
    started = monotonic()
    log = OUTPUT / "molecule" / f"{scenario}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    destroy = "--destroy=never" if context.keep else "--destroy=always"
    try:
        code = process.run(["molecule", "test", "-s", scenario, destroy], log=log, env=context.env, cwd=EXTENSIONS)
    finally:
        clean = context.keep or Lab(context).down()
    context.say(f"{scenario}: {'failed' if code else 'passed'} in {monotonic() - started:.0f} s")
    if code == 0 and clean:
        return verdict(ok=True)
    if context.keep:
        context.say(
            f"its hosts are kept: SYSTEM_CONTAINERS_LAB_ID={context.env['SYSTEM_CONTAINERS_LAB_ID']} tests/lab/lab status"
        )
    problem = f"exit code {code}" if code else "lab down failed"
    said = [f"| {line}" for line in process.tail(log, _LAST_LINES)]
    return failure("\n".join([f"scenario {scenario}: {problem} ({log.relative_to(ROOT)})", *said]))
