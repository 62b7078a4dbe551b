# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the role system_container_host refuses a host that lacks packages."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from unit.roles.variables import loaded


@pytest.mark.parametrize(("text", "refused"), [("false", True), ("true", False), (False, True), (True, False)])
def test_booleans(text: bool | str, refused: bool) -> None:
    tasks = loaded("roles/system_container_host/tasks/main.yml")
    when = next(task["when"] for task in tasks if task["name"] == "Refuse a host that lacks packages")
    known = {"system_container_host_missing": ["runc"], "system_container_host_install": text}
    templar = Templar(loader=DataLoader(), variables=known)
    assert all(templar.evaluate_conditional(condition) for condition in when) is refused
