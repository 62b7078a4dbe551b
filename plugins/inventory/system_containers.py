# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The system containers of hosts, as hosts to run tasks in."""

from __future__ import annotations

DOCUMENTATION = r"""
name: system_containers
short_description: The system containers of hosts, as hosts to run tasks in
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Asks hosts for their system containers, by M(projectatomic.system_containers.system_container_info), and adds each as a host
    C(CONTAINER@HOST) that the connection plugin P(projectatomic.system_containers.system_container#connection) enters.
  - The hosts are those of the inventory sources before this one, and those that O(hosts) names.
  - All are in the group C(system_containers), and in groups by image, state and host, such as C(image_registry_example_com_etcd_3_5),
    C(state_running) and C(host_web1).
  - Each has the variable C(system_container), which is what the module says of it, and C(system_container_host).
  - A container is reached as its host is, by the same variables, which are looked up when they are needed.
  - Hosts are asked by a run of C(ansible-playbook) of its own, which knows all hosts and groups of the sources before this one, extra
    variables, vaulted variables, and the options C(--user), C(--private-key), C(--ssh-common-args) and C(--ssh-extra-args). Passwords that
    Ansible asks for, as by C(--ask-pass) and C(--ask-become-pass), are not known to it, so set C(ansible_password) and
    C(ansible_become_password), which may be vaulted. Nor are variables in files beside a playbook.
  - What a host says is never a template, whatever is in it.
  - With O(cache), what a host says is kept, and a host whose answer is kept is not contacted. A host that did not answer is asked again
    the next time. C(--flush-cache), and C(refresh_inventory) of M(ansible.builtin.meta), ask all hosts anew.
  - The configuration file's name ends in C(system_containers.yml) or C(system_containers.yaml).
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Has to be V(projectatomic.system_containers.system_containers).
    type: str
    required: true
    choices:
      - projectatomic.system_containers.system_containers
  hosts:
    description:
      - Hosts to ask, as V(hosts) of a play takes them, which are names, groups and patterns of what the sources before this one have.
      - A plain name that they do not have is added to the inventory as a host, and asked as well. So a list of names needs no other source.
    type: list
    elements: str
    default: [all]
  root:
    description: Directory of the containers on the hosts.
    type: path
    default: /var/lib/containers/atomic
  become:
    description: Whether to become root on the hosts. If not set, it is as C(ansible_become) of each host says.
    type: bool
  timeout:
    description: Seconds in which all hosts have to answer.
    type: int
    default: 300
  strict:
    description: Whether a host that cannot be asked is an error. It is a warning otherwise.
"""

EXAMPLES = r"""
# site.system_containers.yml, for hosts of another inventory:
# ansible-inventory -i hosts.yml -i site.system_containers.yml --graph
plugin: projectatomic.system_containers.system_containers
hosts: all
keyed_groups:
  - key: system_container.unit
    prefix: unit
compose:
  digest: system_container.manifest_digest

# fleet.system_containers.yml, for hosts that no other inventory has, each asked once an hour at most:
# ansible-inventory -i fleet.system_containers.yml --graph
# plugin: projectatomic.system_containers.system_containers
# hosts:
#   - web1.example.com
#   - web2.example.com
# cache: true
# cache_plugin: ansible.builtin.jsonfile
# cache_connection: ~/.cache/system_containers
# cache_timeout: 3600
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible import context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.vars import combine_vars

from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_name import is_container_name
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._host_variables import variables_of
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._inventory_file import (
    can_be_written,
    write_inventory,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._templates import no_template, template

CONNECTION = "projectatomic.system_containers.system_container"
INFO = "projectatomic.system_containers.system_container_info"
# What is about the host in the variables of a host, and by which name its containers have it.
RENAMED = {
    "ansible_connection": "ansible_system_container_connection",
    "ansible_become": "ansible_system_container_become",
    "ansible_become_method": "ansible_system_container_become_method",
    "ansible_become_password": "ansible_system_container_become_password",
    "ansible_become_pass": "ansible_system_container_become_password",
}
_NOT_FOR_CONTAINERS = (
    "ansible_python_interpreter",
    "ansible_remote_tmp",
    "ansible_shell_executable",
    "ansible_shell_type",
)
_IN_PATTERNS = frozenset("*?[]~!&:,")
# The group of the hosts that are asked, beside the groups of the inventory.
ASKED = "projectatomic_system_containers_asked"
# Options of the command line that say how hosts are reached, for the Ansible that asks them.
_HANDED_ON = {
    "remote_user": "--user",
    "private_key_file": "--private-key",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
}


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Containers as hosts."""

    NAME = "projectatomic.system_containers.system_containers"
    _names_groups = False
    _sources: Sequence[str] = ()

    def verify_file(self, path: str) -> bool:
        """Tell whether a file is a configuration of this plugin."""
        return super().verify_file(path) and path.endswith(("system_containers.yml", "system_containers.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the containers of all hosts to the inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._sources = [*getattr(self.inventory, "processed_sources", []), path]
        known = {host: self._variables_of(host) for host in self._hosts()}
        found = self._kept_or_asked(known, path, cache) if self.get_option("cache") else self._containers_of(known)
        inventory.add_group("system_containers")
        for host, containers in found.items():
            for container in containers:
                self._add(host, container, known[host])

    def _hosts(self) -> list[str]:
        patterns = self.get_option("hosts")
        for name in unknown_names(patterns, {*self.inventory.hosts, *self.inventory.groups, *C.LOCALHOST}):
            self.inventory.add_host(name)
        manager = InventoryManager(loader=self.loader, sources=None, parse=False)
        self.inventory.reconcile_inventory()  # else groups of earlier sources do not belong to "all" yet
        manager._inventory = self.inventory
        return [host.name for host in manager.get_hosts(patterns)]

    def _kept_or_asked(self, known: Mapping[str, Mapping[str, Any]], path: str, cache: bool) -> dict[str, list[Any]]:
        """Return the containers of each host, as they are in the cache unless ``cache`` is false, else as the host says now."""
        key, root = self.get_cache_key(path), self.get_option("root")
        roots = self._cache.get(key, {}) if cache else {}
        kept = roots.get(root, {})
        asked = self._containers_of({host: values for host, values in known.items() if host not in kept})
        if asked or not cache:
            self._cache[key] = {**roots, root: {**kept, **asked}}
        return {host: containers for host, containers in {**kept, **asked}.items() if host in known}

    def _containers_of(self, known: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
        """Return the containers of each host that tells them, and complain of the others."""
        found = {}
        for host, answer in self._ask(known).items():
            if answer.get("failed") or answer.get("unreachable") or "containers" not in answer:
                self._complain(
                    f"The host '{host}' did not tell its system containers: {answer.get('msg', 'no answer')}"
                )
            else:
                found[host] = answer["containers"]
        return found

    def _variables_of(self, name: str) -> dict[str, Any]:
        host = self.inventory.get_host(name)
        return combine_vars(variables_of(host, loader=self.loader, sources=self._sources), self._vars)

    def _ask(self, known: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return what the module says on each host, by running a playbook; its inventory only this user may read."""
        if not known:
            return {}
        with tempfile.TemporaryDirectory(prefix="system_containers") as folder:
            answers, hosts, playbook = (f"{folder}/{name}" for name in ("answers", "hosts.yml", "playbook.json"))
            self._write_inventory(hosts, known)
            with open(playbook, "w", encoding="utf-8") as file:
                json.dump(play_of(self.get_option("root"), become=self.get_option("become"), answers=answers), file)
            command = [sys.executable, "-m", "ansible", "playbook", "-i", hosts, *options_of(context.CLIARGS), playbook]
            paths = ":".join(C.COLLECTIONS_PATHS)
            env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": paths, "ANSIBLE_RETRY_FILES_ENABLED": "False"}
            try:
                done = subprocess.run(
                    command, env=env, capture_output=True, timeout=self.get_option("timeout"), check=False, text=True
                )
            except subprocess.TimeoutExpired as exc:
                raise AnsibleParserError(f"The hosts did not all answer within {exc.timeout:g} seconds") from exc
            try:
                with open(answers, encoding="utf-8") as file:
                    return json.load(file)
            except (OSError, ValueError) as exc:
                said = (done.stderr or done.stdout).strip()[-2000:]
                raise AnsibleParserError(f"The hosts could not be asked for their system containers: {said}") from exc

    def _write_inventory(self, path: str, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Write all hosts and groups, as variables of the hosts that are asked may be made of those of others."""
        others = {host: self._variables_of(host) for host in self.inventory.hosts if host not in known}
        others = {host: values for host, values in others.items() if can_be_written(host, values)}
        groups = {
            name: (
                [host.name for host in group.hosts if host.name in known or host.name in others],
                [child.name for child in group.child_groups],
            )
            for name, group in self.inventory.groups.items()
            if name not in ("all", "ungrouped")
        }
        write_inventory(path, variables={**others, **known}, groups={**groups, ASKED: (known, ())})

    def _complain(self, message: str) -> None:
        if self.get_option("strict"):
            raise AnsibleError(message)
        self.display.warning(message)

    def _add(self, host: str, container: dict[str, Any], known: Mapping[str, Any]) -> None:
        if not is_container_name(container["name"]):
            self._complain(f"The host '{host}' has a container with a name that none can have: {container['name']!r}")
            return
        name = f"{container['name']}@{host}"
        self.inventory.add_host(name, "system_containers")
        for key, value in variables_for(host, container, known).items():
            self.inventory.set_variable(name, key, value)
        for kind, value in (("image", container["image"]), ("state", container["state"]), ("host", host)):
            if value:  # what an interrupted run left has no image
                group = self._sanitize_group_name(f"{kind}_{value}".replace("@", "_"))
                self.inventory.add_host(name, self.inventory.add_group(group))
        facts = self.inventory.get_host(name).get_vars()
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), facts, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), facts, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), facts, name, strict=strict)

    def _add_host_to_keyed_groups(self, *args: Any, **kwargs: Any) -> None:
        self._names_groups = True
        try:
            super()._add_host_to_keyed_groups(*args, **kwargs)
        finally:
            self._names_groups = False

    def _compose(self, *args: Any, **kwargs: Any) -> Any:
        """Return what an expression gives. Where that is to name a group, a boolean or a number is text: Ansible takes no other."""
        found = super()._compose(*args, **kwargs)
        return str(found) if self._names_groups and isinstance(found, (bool, int, float)) else found


def unknown_names(patterns: Iterable[str], known: Container[str]) -> list[str]:
    """Return those of the patterns for hosts that are plain names of none that is known."""
    return [pattern for pattern in patterns if pattern not in known and not _IN_PATTERNS.intersection(pattern)]


def play_of(root: str, *, become: bool | None, answers: str) -> list[dict[str, Any]]:
    """Return the play that asks all hosts and writes what they say into the file ``answers``, as JSON by host."""
    ask = {"name": "Ask", INFO: {"root": root}, "register": "found", "ignore_errors": True, "ignore_unreachable": True}
    said = (
        "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'found'))) | to_json }}"
    )
    note = {
        "name": "Note",
        "ansible.builtin.copy": {"content": said, "dest": answers, "mode": "0600"},
        "delegate_to": "localhost",
        "run_once": True,
        "become": False,
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    }
    if become is not None:
        ask["become"] = become
    play = {"name": "System containers", "hosts": ASKED, "gather_facts": False, "tasks": [ask, note]}
    # As the note is written once, when all have answered.
    return [{**play, "strategy": "linear", "any_errors_fatal": False}]


def options_of(arguments: Mapping[str, Any]) -> list[str]:
    """Return the options of the command line for another Ansible that reaches the hosts."""
    return [f"{option}={arguments[name]}" for name, option in _HANDED_ON.items() if arguments.get(name)]


def variables_for(host: str, container: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return the variables of a container; ``known`` are the names of its host's variables. What the host says is no template."""
    variables: dict[str, Any] = {
        "ansible_connection": CONNECTION,
        "ansible_host": host,
        "ansible_become": False,
        "ansible_system_container_name": no_template(container["name"]),
        "system_container": no_template(dict(container)),
        "system_container_host": host,
    }
    if container.get("runtime"):
        variables["ansible_system_container_runtime"] = no_template(container["runtime"])
    for name in known:
        if name.startswith("ansible_") and name.isidentifier() and name not in _NOT_FOR_CONTAINERS:
            reference = f"{{{{ hostvars[system_container_host]['{name}'] }}}}"
            variables[RENAMED.get(name, name)] = template(reference)
    return variables
