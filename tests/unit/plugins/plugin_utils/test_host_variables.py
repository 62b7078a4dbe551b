# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a host are those that Ansible itself has for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._host_variables import variables_of

NAMES = ["all", "site", "web", "edge", "app1"]


def entity(name: str, **more: Any) -> dict[str, Any]:
    """Return a host or group that says of each later place that it is itself what counts."""
    said = {f"until_{later}": name for later in NAMES[NAMES.index(name) :]}
    return {"vars": said, **more}


def inventory_of(folder: Path) -> Path:
    """Write an inventory in which each place has variables, also in files beside it."""
    (folder / "group_vars").mkdir()
    (folder / "host_vars").mkdir()
    for name in NAMES:
        file = folder / ("host_vars" if name == "app1" else "group_vars") / f"{name}.yml"
        file.write_text(json.dumps({**entity(name)["vars"], f"file_{name}": name, "file": name}))
    host = {**entity("app1")["vars"], "file_app1": "inventory"}
    children = {
        "web": entity("web", hosts={"app1": host}),
        # Of the same depth as web, and sorted before it, but for its priority.
        "edge": {
            "hosts": {"app1": {}},
            "vars": {**entity("edge")["vars"], "ansible_group_priority": 10, "file_web": "edge"},
        },
    }
    path = folder / "hosts.yml"
    path.write_text(json.dumps({"all": entity("all", children={"site": entity("site", children=children)})}))
    return path


@pytest.mark.parametrize(
    "precedence", [None, ["all_plugins_inventory", "groups_plugins_inventory", "all_inventory", "groups_inventory"]]
)
def test_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precedence: list[str] | None) -> None:
    if precedence:
        monkeypatch.setattr("ansible.constants.VARIABLE_PRECEDENCE", precedence)
    path = str(inventory_of(tmp_path))
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[path])
    host = inventory.get_host("app1")
    assert host is not None
    own = variables_of(host, loader=loader, sources=[path])
    ansible = VariableManager(loader, inventory).get_vars(host=host, include_hostvars=False)
    assert {name: ansible[name] for name in own} == own
    assert len([name for name in own if name.startswith(("until_", "file"))]) == 11
    if not precedence:
        assert {name: own[f"until_{name}"] for name in NAMES} == {name: name for name in NAMES}
        assert own["file"] == own["file_app1"] == "app1"
