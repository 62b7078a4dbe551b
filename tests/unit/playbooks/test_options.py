# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry of system_containers may have all options that the module has, and each one reaches the modules that know it."""

from __future__ import annotations

from typing import Any

import yaml
from runner.project import ROOT

from ansible_collections.projectatomic.system_containers.plugins.doc_fragments._pull import (
    ModuleDocFragment as PullFragment,
)
from ansible_collections.projectatomic.system_containers.plugins.doc_fragments._store import (
    ModuleDocFragment as StoreFragment,
)
from ansible_collections.projectatomic.system_containers.plugins.modules import system_container

TASKS = ROOT / "playbooks" / "tasks"


def documented(text: str) -> set[str]:
    """Return the names of the options in a documentation."""
    return set(yaml.safe_load(text)["options"])


PULL = documented(PullFragment.DOCUMENTATION)
STORE = documented(StoreFragment.DOCUMENTATION)
OPTIONS = documented(system_container.DOCUMENTATION) | PULL | STORE


def arguments(file: str, module: str) -> dict[str, Any]:
    """Return what the only task with this module passes to it."""
    tasks = [
        task
        for task in yaml.safe_load((TASKS / file).read_text())
        if f"projectatomic.system_containers.{module}" in task
    ]
    assert len(tasks) == 1
    return dict(tasks[0][f"projectatomic.system_containers.{module}"])


def test_no_option_is_refused() -> None:
    checks = yaml.safe_load((TASKS / "check.yml").read_text())
    known = next(task["vars"]["sc_known"] for task in checks if "sc_known" in task.get("vars", {}))
    assert sorted(known) == sorted(OPTIONS)


def test_all_options_reach_the_container() -> None:
    passed = arguments("converge.yml", "system_container")
    assert passed.keys() == OPTIONS
    # 'values' would be the method of the dict.
    special = {"name", "image", "values"}
    assert {name: text for name, text in passed.items() if name not in special} == {
        name: f"{{{{ sc_entry.{name} | default(omit) }}}}" for name in OPTIONS - special
    }


def test_all_options_for_pulling_reach_the_image() -> None:
    passed = arguments("pull.yml", "system_container_image")
    # What has a source has no digest that is found before.
    expected = (PULL | STORE) - {"source"}
    assert passed.keys() == expected | {"name", "tags"}
    assert {name: passed[name] for name in expected} == {
        name: f"{{{{ sc_entry.{name} | default(omit) }}}}" for name in expected
    }
