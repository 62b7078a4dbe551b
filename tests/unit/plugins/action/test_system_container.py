# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of all modules: garbage is not collected while it runs, and all else is as Ansible does it."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.projectatomic.system_containers.plugins.action.system_container import ActionModule

ROOT = Path(__file__).parents[4]
MODULES = {path.stem for path in (ROOT / "plugins/modules").glob("system_container*.py")}


@pytest.fixture
def action() -> ActionModule:
    """An action as far as these tests need one: what it does on a host is Ansible's part."""
    return ActionModule.__new__(ActionModule)


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_collection_meanwhile(
    action: ActionModule, monkeypatch: pytest.MonkeyPatch, *, enabled: bool
) -> None:
    seen: list[Any] = []

    def run(_self: NormalAction, tmp: None, task_vars: dict[str, Any]) -> dict[str, Any]:
        seen.extend([gc.isenabled(), task_vars])
        return {"changed": True}

    monkeypatch.setattr(NormalAction, "run", run)
    (gc.enable if enabled else gc.disable)()
    try:
        assert action.run(task_vars={"a": 1}) == {"changed": True}
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
    assert seen == [False, {"a": 1}]


def test_garbage_collection_after_an_error(action: ActionModule, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_unused: object) -> dict[str, Any]:
        raise RuntimeError("unreachable")

    monkeypatch.setattr(NormalAction, "run", run)
    with pytest.raises(RuntimeError, match="unreachable"):
        action.run()
    assert gc.isenabled()


def test_every_module_has_it() -> None:
    routed = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["plugin_routing"]["modules"]
    assert {*routed, "system_container"} == MODULES
    assert {route["action_plugin"] for route in routed.values()} == {"projectatomic.system_containers.system_container"}
