# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples that do not run are looked at: what is wrong in them is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from documented.check import Known, check
from documented.examples import Example, PageError
from documented.known import find_known, runs_examples, shell_problems, syntax_problems

C = "projectatomic.system_containers"
KNOWN = Known(
    modules={
        f"{C}.system_container": {
            "name": {"type": "str", "required": True},
            "keep": {"type": "int"},
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "mounts": {
                "type": "list",
                "elements": "dict",
                "suboptions": {"source": {"type": "str", "required": True}},
            },
        }
    },
    roles={f"{C}.etcd": {"etcd_image": {"type": "str", "required": True}, "etcd_port": {"type": "int"}}},
    inventories={f"{C}.system_containers": {"plugin": {"type": "str"}, "cache": {"type": "bool"}}},
    playbooks=frozenset({f"{C}.install"}),
    make=frozenset({"demo"}),
    files=frozenset({"images/etcd/build"}),
)


def example(text: str, language: str = "yaml") -> Example:
    return Example("page.md", 7, language, text, "skip", "a reason")


def problems(text: str, language: str = "yaml") -> list[str]:
    return check(example(text, language), KNOWN)[0]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (f"- {C}.system_container: {{name: a, keep: 2, state: stopped, mounts: [{{source: /a}}]}}", "yaml"),
        (f"- {C}.system_container: {{name: a, keep: '{{{{ number }}}}', mounts: '{{{{ list }}}}'}}", "yaml"),
        (f"- hosts: x\n  roles: [{{role: {C}.etcd, etcd_image: a, tags: b}}]", "yaml"),
        (f"- hosts: x\n  vars: {{etcd_image: a, other: b}}\n  roles: [{C}.etcd, other]", "yaml"),
        (f"plugin: {C}.system_containers\ncache: true", "yaml"),
        ("etcd_image: a\nsystem_containers: []", "yaml"),
        ("rolling_update_serial: 2", "yaml"),
        ("- ansible.builtin.ping:", "yaml"),
        (f"make demo # boots\nansible-playbook {C}.install -i inventory\nimages/etcd/build /srv/x", "sh"),
        ("# make demo\nits output: images/none", "console"),
    ],
)
def test_what_is_right(text: str, language: str) -> None:
    assert problems(text, language) == []


@pytest.mark.parametrize(
    ("text", "language", "problem"),
    [
        (f"- {C}.system_container: {{keep: 2}}", "yaml", "missing required arguments: name"),
        (f"- {C}.system_container: {{name: a, keeps: 2}}", "yaml", "keeps. Supported parameters"),
        (f"- {C}.system_container: {{name: a, keep: many}}", "yaml", "cannot be converted to an int"),
        (f"- {C}.system_container: {{name: a, state: odd}}", "yaml", "value of state must be one of"),
        (f"- {C}.system_container: {{name: a, mounts: [{{}}]}}", "yaml", "source found in mounts"),
        (f"- block: [{C}.system_container: {{}}]", "yaml", "missing required arguments: name"),
        (f"- {C}.no_module: {{}}", "yaml", "no_module: there is no such module"),
        (f"- hosts: x\n  roles: [{C}.etcd]", "yaml", "missing required arguments: etcd_image"),
        (f"- hosts: x\n  roles: [{{role: {C}.etcd, etcd_image: a, etcd_prot: 1}}]", "yaml", "etcd_prot. Supported"),
        (f"- hosts: x\n  vars: {{etcd_image: a, etcd_prot: 1}}\n  roles: [{C}.etcd]", "yaml", "etcd_prot. Supported"),
        (f"- hosts: x\n  roles: [{C}.no_role]", "yaml", "no_role: there is no such role"),
        (f"- hosts: x\n  module_defaults: {{group/{C}.system_container: {{kept: 1}}}}", "yaml", "kept. Supported"),
        (f"plugin: {C}.system_containers\ncaches: true", "yaml", "caches. Supported"),
        ("etcd_image: a\netcd_prot: 1", "yaml", "etcd_prot. Supported"),
        (f"plugin: {C}.none", "yaml", "none: there is no such inventory plugin"),
        (f"ansible-playbook {C}.none", "sh", "none: there is no such playbook"),
        ("make none", "sh", "make none: there is no such command"),
        ("$ images/none/build", "console", "images/none/build: there is no such file"),
    ],
)
def test_what_is_wrong(text: str, language: str, problem: str) -> None:
    (found,) = problems(text, language)
    assert found.startswith("page.md:7: ")
    assert problem in found


@pytest.mark.parametrize("text", ["a: 1", "text", "- text"])
def test_what_cannot_be_checked(text: str) -> None:
    with pytest.raises(PageError):
        problems(text)


def test_syntax(tmp_path: Path) -> None:
    def plays(task: str) -> list[dict[str, Any]]:
        return check(example(f"- name: a\n  {task}"), KNOWN)[1]

    assert syntax_problems(plays("ansible.builtin.ping:"), tmp_path) == []
    (problem,) = syntax_problems(plays("ansible.builtin.no_module:"), tmp_path)
    assert "no_module" in problem
    assert shell_problems(example("echo $(true)", "sh")) == []
    assert "page.md:7: " in shell_problems(example("echo $(", "sh"))[0]


def test_what_there_is() -> None:
    known = find_known()
    assert f"{C}.system_container" in known.modules
    assert known.modules[f"{C}.system_container_image"]["validate_certs"]["type"] == "bool"  # of a fragment
    assert "docker_system_container_image" in known.roles[f"{C}.docker_system_container"]
    assert {f"{C}.install", f"{C}.molecule.create"} <= known.playbooks
    assert {"demo", "test"} <= known.make
    assert runs_examples("docker_system_container")
    assert runs_examples("system_container_image_sources")
    assert runs_examples("etcd_cluster")  # a Molecule scenario
    assert not runs_examples("system_container_prune")
    assert not runs_examples("no_such_target")
