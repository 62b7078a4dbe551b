# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks in which hosts wait for each other do so whatever strategy the configuration has."""

from __future__ import annotations

import pytest
import yaml
from runner.project import ROOT


@pytest.mark.parametrize("playbook", ["report", "rollback", "rolling_update"])
def test_strategy(playbook: str) -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
    assert {play.get("strategy") for play in plays} == {"linear"}
