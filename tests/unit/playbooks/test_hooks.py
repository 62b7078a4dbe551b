# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of tasks rolling_update.yml takes. What is unset has to be a text, as older Ansible makes one of none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from runner.project import ROOT

FILE = ROOT / "playbooks" / "tasks" / "check_hooks.yml"


@pytest.mark.parametrize(
    ("variables", "path", "accepted"),
    [
        ({}, "", True),
        ({"rolling_update_drain": ""}, "", True),
        ({"rolling_update_drain": None}, "", True),
        ({"rolling_update_drain": str(FILE)}, str(FILE), True),
        ({"rolling_update_drain": FILE.name}, FILE.name, False),
        ({"rolling_update_drain": str(FILE.parent)}, str(FILE.parent), False),
    ],
    ids=["unset", "empty", "null", "file", "relative", "folder"],
)
def test_hooks(variables: dict[str, Any], path: str, accepted: bool) -> None:
    loader = DataLoader()
    (task,) = loader.load_from_file(str(FILE), trusted_as_template=True)
    templar = Templar(loader=loader, variables={"item": "drain", **task["vars"], **variables})
    assert templar.template(task["vars"]["sc_path"]) == path
    assert templar.evaluate_conditional(task["ansible.builtin.assert"]["that"]) is accepted
