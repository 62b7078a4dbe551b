# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory: whom it asks, what it keeps, and what a container gets as a host. The hosts' answers are made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import is_trusted_as_template

from ansible_collections.projectatomic.system_containers.plugins.inventory.system_containers import (
    ASKED,
    INFO,
    options_of,
    play_of,
    unknown_names,
    variables_for,
)

NAME = "projectatomic.system_containers.system_containers"


def container(name: str, **facts: Any) -> dict[str, Any]:
    return {"name": name, "image": "r.example.com/app:1", "state": "running", "runtime": "/usr/bin/runc", **facts}


class Fleet:
    """Hosts that answer as they are told; ``asked`` says who was asked, one entry for each run of the playbook."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.asked: list[list[str]] = []

    def ask(self, known: dict[str, Any]) -> dict[str, dict[str, Any]]:
        self.asked += [sorted(known)] if known else []
        return {host: self.answers.get(host, {"unreachable": True, "msg": "no route"}) for host in known}


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    found = Fleet()
    plugin = type(inventory_loader.get(NAME))
    monkeypatch.setattr(plugin, "_ask", lambda self, known: found.ask(known))
    return found


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., InventoryManager]:
    """Read a configuration of the plugin, after an inventory with the hosts web1 and web2."""

    def read(*, before: dict[str, Any] | None = None, **options: Any) -> InventoryManager:
        first, second = tmp_path / "hosts.yml", tmp_path / "site.system_containers.yml"
        hosts: dict[str, Any] = {"all": {"children": {"web": {"hosts": {"web1": {}, "web2": {}}}}}}
        first.write_text(json.dumps(hosts if before is None else before))
        second.write_text(json.dumps({"plugin": NAME, **options}))
        return InventoryManager(DataLoader(), sources=[str(first), str(second)])

    return read


def kept_in(folder: Path) -> dict[str, Any]:
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder / "kept")}


def names(inventory: InventoryManager) -> list[str]:
    return sorted(host.name for host in inventory.get_hosts("system_containers"))


# Whom it asks.


@pytest.mark.parametrize(
    ("patterns", "unknown"),
    [
        (["all"], []),
        (["web"], []),
        (["web1", "web3"], ["web3"]),
        (["db1.example.com", "192.0.2.7"], ["db1.example.com", "192.0.2.7"]),
        (["db*", "~db", "!db", "&db", "db[1:3]", "db:web", "db?", "db,web", "fe80::1"], []),
        ([], []),
    ],
)
def test_unknown_names(patterns: list[str], unknown: list[str]) -> None:
    assert unknown_names(patterns, {"all", "web", "web1", "localhost"}) == unknown


@pytest.mark.parametrize(
    ("hosts", "asked"),
    [
        ("all", ["web1", "web2"]),
        ("web:!web2", ["web1"]),
        (["web", "!web2"], ["web1"]),
        (["web2", "web1"], ["web1", "web2"]),
        ("web1,web2", ["web1", "web2"]),
        (["web1", "db1"], ["db1", "web1"]),
        (["localhost"], ["localhost"]),
    ],
)
def test_who_is_asked(fleet: Fleet, read: Callable[..., InventoryManager], hosts: Any, asked: list[str]) -> None:
    read(hosts=hosts)
    assert fleet.asked == [asked]


def test_a_list_of_names_needs_no_other_source(fleet: Fleet, read: Callable[..., InventoryManager]) -> None:
    fleet.answers = {"db1": {"containers": [container("app")]}}
    inventory = read(before={"all": {}}, hosts=["db1"])
    assert names(inventory) == ["app@db1"]
    assert [host.name for host in inventory.get_hosts("ungrouped")] == ["db1"]


def test_nobody_is_asked(fleet: Fleet, read: Callable[..., InventoryManager]) -> None:
    assert names(read(before={"all": {}})) == []
    assert fleet.asked == []


# What it keeps.


def test_a_second_run_asks_nobody(fleet: Fleet, read: Callable[..., InventoryManager], tmp_path: Path) -> None:
    fleet.answers = {host: {"containers": [container("app", drift=[])]} for host in ("web1", "web2")}
    runs = [read(**kept_in(tmp_path), compose={"where": "name"}) for _run in range(2)]
    assert fleet.asked == [["web1", "web2"]]
    assert names(runs[0]) == names(runs[1]) == ["app@web1", "app@web2"]
    variables = [run.get_host("app@web1").get_vars() for run in runs]
    assert variables[0] == variables[1]


def test_without_a_cache_each_run_asks(fleet: Fleet, read: Callable[..., InventoryManager]) -> None:
    for _run in range(2):
        read()
    assert len(fleet.asked) == 2


def test_the_cache_of_a_run_alone(fleet: Fleet, read: Callable[..., InventoryManager]) -> None:
    fleet.answers = {"web1": {"containers": [container("app")]}}
    assert names(read(cache=True, cache_plugin="ansible.builtin.memory", hosts="web1")) == ["app@web1"]


def test_flushing_asks_anew(fleet: Fleet, read: Callable[..., InventoryManager], tmp_path: Path) -> None:
    fleet.answers = {host: {"containers": [container("app")]} for host in ("web1", "web2")}
    read(**kept_in(tmp_path))
    fleet.answers = {"web1": {"containers": [container("new")]}}
    assert names(read(**kept_in(tmp_path))) == ["app@web1", "app@web2"]
    assert names(flush(read, tmp_path)) == ["new@web1"]
    assert names(read(**kept_in(tmp_path))) == ["new@web1"]


def flush(read: Callable[..., InventoryManager], folder: Path) -> InventoryManager:
    """Read the inventory as it was read last, as ``--flush-cache`` does."""
    sources = [str(folder / name) for name in ("hosts.yml", "site.system_containers.yml")]
    return InventoryManager(DataLoader(), sources=sources, cache=False)


def test_who_did_not_answer_is_asked_again(fleet: Fleet, read: Callable[..., InventoryManager], tmp_path: Path) -> None:
    fleet.answers = {"web1": {"containers": [container("app")]}}
    assert names(read(**kept_in(tmp_path))) == ["app@web1"]
    fleet.answers["web2"] = {"containers": [container("app")]}
    assert names(read(**kept_in(tmp_path))) == ["app@web1", "app@web2"]
    assert fleet.asked == [["web1", "web2"], ["web2"]]


def test_another_folder_of_containers_is_another_question(
    fleet: Fleet, read: Callable[..., InventoryManager], tmp_path: Path
) -> None:
    fleet.answers = {"web1": {"containers": [container("app")]}}
    for root in ("/var/lib/containers/atomic", "/srv/containers", "/var/lib/containers/atomic"):
        read(**kept_in(tmp_path), hosts="web1", root=root)
    assert len(fleet.asked) == 2


def test_hosts_of_before_are_not_shown(fleet: Fleet, read: Callable[..., InventoryManager], tmp_path: Path) -> None:
    fleet.answers = {host: {"containers": [container("app")]} for host in ("web1", "web2")}
    read(**kept_in(tmp_path))
    assert names(read(**kept_in(tmp_path), hosts="web2")) == ["app@web2"]


# What it tells the Ansible that asks.


def test_hosts_are_asked_with_all_that_ansible_knows(
    fleet: Fleet, read: Callable[..., InventoryManager], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, written = type(inventory_loader.get(NAME)), tmp_path / "written.yml"

    def ask(self: Any, known: dict[str, Any]) -> dict[str, Any]:
        self._write_inventory(str(written), known)
        return fleet.ask(known)

    monkeypatch.setattr(plugin, "_ask", ask)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "web.json").write_text(json.dumps({"place": "web"}))
    (tmp_path / "group_vars" / "all.json").write_text(json.dumps({"place": "all", "everywhere": 1}))
    web = {"hosts": {"web1": {"ansible_host": "{{ hostvars['gate'].address }}"}}}
    read(before={"all": {"children": {"web": web}, "hosts": {"gate": {"address": "192.0.2.1"}}}}, hosts="web")
    inner = InventoryManager(DataLoader(), sources=[str(written)])
    assert inner.get_groups_dict() == {"all": ["gate", "web1"], "ungrouped": ["gate"], "web": ["web1"], ASKED: ["web1"]}
    web1, gate = inner.get_host("web1"), inner.get_host("gate")
    assert web1 is not None
    assert gate is not None
    assert (web1.vars["place"], web1.vars["everywhere"], gate.vars["place"]) == ("web", 1, "all")
    assert gate.vars["address"] == "192.0.2.1"
    assert is_trusted_as_template(web1.vars["ansible_host"])


def test_options_of_the_command_line() -> None:
    arguments = {"remote_user": "admin", "private_key_file": "/keys/a b", "ssh_extra_args": "", "tags": ["all"]}
    assert options_of(arguments) == ["--user=admin", "--private-key=/keys/a b"]
    assert options_of({}) == []


# What it adds.


def test_names_that_no_container_has(
    fleet: Fleet, read: Callable[..., InventoryManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.answers = {"web1": {"containers": [container("{{ 7 * 7 }}"), container("app"), container("a[1:3]")]}}
    said: list[str] = []
    monkeypatch.setattr(type(inventory_loader.get(NAME)), "_complain", lambda self, message: said.append(message))
    assert names(read(hosts="web1")) == ["app@web1"]
    assert said == [
        f"The host 'web1' has a container with a name that none can have: '{name}'"
        for name in ("{{ 7 * 7 }}", "a[1:3]")
    ]


def test_what_a_host_says_is_no_template(fleet: Fleet, read: Callable[..., InventoryManager]) -> None:
    text = "{{ lookup('pipe', 'id') }}"
    facts = {"values": {"A": text}, "unit_options": {"Service": {"Environment": [text]}}, "runtime": text, "unit": text}
    fleet.answers = {"web1": {"containers": [container("app", **facts)]}}
    inventory = read(
        hosts="web1", compose={"unit": "system_container.unit"}, keyed_groups=[{"key": "system_container.unit"}]
    )
    variables = inventory.get_host("app@web1").get_vars()
    known = variables["system_container"]
    texts = [known["values"]["A"], known["unit_options"]["Service"]["Environment"][0], known["unit"], variables["unit"]]
    for said in [*texts, variables["ansible_system_container_runtime"]]:
        assert said == text
        assert not is_trusted_as_template(said)
    assert [group for group in inventory.groups if "{" in group] == []


@pytest.mark.parametrize(
    "answer",
    [{"unreachable": True, "msg": "no route"}, {"failed": True, "msg": "no python", "containers": []}, {"msg": "odd"}],
)
def test_a_host_without_an_answer(
    fleet: Fleet, read: Callable[..., InventoryManager], answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.answers = {"web1": answer, "web2": {"containers": [container("app")]}}
    said: list[str] = []
    monkeypatch.setattr(type(inventory_loader.get(NAME)), "_complain", lambda self, message: said.append(message))
    assert names(read()) == ["app@web2"]
    assert said == [f"The host 'web1' did not tell its system containers: {answer['msg']}"]


def test_groups(fleet: Fleet, read: Callable[..., InventoryManager]) -> None:
    fleet.answers = {
        "web1": {"containers": [container("app", enabled=True), container("half", image=None, state="broken")]},
        "web2": {"containers": []},
    }
    inventory = read(
        compose={"where": "system_container_host | upper"},
        groups={"broken": "system_container.image is none"},
        keyed_groups=[{"key": "system_container.enabled", "prefix": "enabled"}],
    )
    groups = {name: sorted(hosts) for name, hosts in inventory.get_groups_dict().items() if "@" in str(hosts)}
    assert groups == {
        "all": ["app@web1", "half@web1", "web1", "web2"],
        "broken": ["half@web1"],
        "enabled_True": ["app@web1"],
        "host_web1": ["app@web1", "half@web1"],
        "image_r_example_com_app_1": ["app@web1"],
        "state_broken": ["half@web1"],
        "state_running": ["app@web1"],
        "system_containers": ["app@web1", "half@web1"],
    }
    assert inventory.get_host("app@web1").get_vars()["where"] == "WEB1"


CONNECTION_ONLY = {
    "ansible_connection": "projectatomic.system_containers.system_container",
    "ansible_host": "web1",
    "ansible_become": False,
    "ansible_system_container_name": "app",
    "system_container_host": "web1",
}


@pytest.mark.parametrize(
    ("known", "more"),
    [
        ([], {}),
        (["color"], {}),  # only what is about the connection
        (["ansible_user"], {"ansible_user": "ansible_user"}),
        (["ansible_host"], {"ansible_host": "ansible_host"}),
        (["ansible_connection"], {"ansible_system_container_connection": "ansible_connection"}),
        (["ansible_become"], {"ansible_system_container_become": "ansible_become"}),
        (["ansible_become_method"], {"ansible_system_container_become_method": "ansible_become_method"}),
        (["ansible_become_pass"], {"ansible_system_container_become_password": "ansible_become_pass"}),
        (["ansible_become_password"], {"ansible_system_container_become_password": "ansible_become_password"}),
        (["ansible_x'] ~ lookup('pipe', 'id') ~ ['"], {}),
        (["ansible_python_interpreter", "ansible_remote_tmp", "ansible_shell_type"], {}),
    ],
)
def test_a_container_is_reached_as_its_host(known: list[str], more: dict[str, str]) -> None:
    found = variables_for("web1", {"name": "app"}, known)
    references = {name: f"{{{{ hostvars[system_container_host]['{of}'] }}}}" for name, of in more.items()}
    assert found == {**CONNECTION_ONLY, "system_container": {"name": "app"}, **references}


@pytest.mark.parametrize(("runtime", "known"), [("/usr/bin/crun", True), (None, False), ("", False)])
def test_the_runtime_is_named_where_it_is_known(runtime: str | None, known: bool) -> None:
    found = variables_for("web1", {"name": "app", "runtime": runtime}, [])
    assert ("ansible_system_container_runtime" in found) is known


@pytest.mark.parametrize("become", [None, True, False])
def test_the_play(become: bool | None) -> None:
    (play,) = play_of("/srv/containers", become=become, answers="/tmp/answers")
    ask, note = play["tasks"]
    assert ask[INFO] == {"root": "/srv/containers"}
    assert ask.get("become") is become
    assert (note["ansible.builtin.copy"]["dest"], note["ansible.builtin.copy"]["mode"]) == ("/tmp/answers", "0600")
    assert note["delegate_to"] == "localhost"
    assert play["hosts"] == ASKED
    assert (play["strategy"], play["any_errors_fatal"]) == ("linear", False)
