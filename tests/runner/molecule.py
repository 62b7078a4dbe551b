# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Molecule's scenarios."""

from __future__ import annotations

from runner.lab import Lab
from runner.project import ROOT
from runner.results import Result, failure, total, verdict
from runner.stage import Context, is_root

EXTENSIONS = ROOT / "extensions"


def molecule(context: Context) -> Result:
    """Run each scenario by itself."""
    scenarios = sorted(path.parent.name for path in EXTENSIONS.glob("molecule/*/molecule.yml"))
    if not scenarios:
        return failure("there are no scenarios in extensions/molecule")
    if not is_root():
        return failure("the lab's hosts need root")
    results = []
    try:
        for scenario in scenarios:
            destroy = "--destroy=never" if context.keep else "--destroy=always"
            code = context.run("molecule", "test", "-s", scenario, destroy, cwd=EXTENSIONS)
            results.append(verdict(ok=code == 0, problem=f"scenario {scenario} ended with exit code {code}"))
    finally:
        clean = context.keep or Lab(context).down()
    return total(results if clean else [*results, failure("lab down failed")])
