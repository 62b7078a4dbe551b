# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory for Ansible and the variables for shells: how others find the lab's hosts and registries."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from . import registry, ssh
from .host import CERTIFICATES_IN_HOST
from .state import Lab, Record, write_file


def inventory_file(lab: Lab) -> Path:
    """Return the path of the inventory."""
    return lab.directory / "inventory.yml"


def write_inventory(lab: Lab, record: Record) -> Path:
    """Write the inventory of the lab's present hosts and registries; return its path."""
    lab.directory.mkdir(parents=True, exist_ok=True)
    path = inventory_file(lab)
    write_file(path, render_inventory(lab, record), mode=0o600)
    return path


def render_inventory(lab: Lab, record: Record) -> str:
    """Return the inventory as YAML; values are spelled as JSON, which is YAML too."""
    variables = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(ssh.client_key(lab)),
        "ansible_ssh_args": shlex.join(ssh.options(lab, shared=True)),
    }
    if record.registry:
        plain, tls = registry.addresses(record)
        variables["lab_registry"] = plain
        variables["lab_registry_tls"] = tls
        variables["lab_registry_cert_dir"] = CERTIFICATES_IN_HOST
        variables["lab_registry_username"] = record.registry["username"]
        variables["lab_registry_password"] = record.registry["password"]
    lines = ["---", "# Written by tests/lab/lab; it changes with the lab.", "lab:"]
    lines.append("  hosts:" if record.hosts else "  hosts: {}")
    for name in sorted(record.hosts):
        lines += [f"    {name}:", f"      ansible_host: {json.dumps(record.host_address(name))}"]
    lines.append("  vars:")
    lines += [f"    {name}: {json.dumps(value)}" for name, value in variables.items()]
    return "\n".join(lines) + "\n"


def shell_variables(lab: Lab, record: Record) -> list[str]:
    """Return lines NAME=value, quoted for shells, about the lab as it is now."""
    values: dict[str, str] = {
        "LAB_ID": lab.id,
        "LAB_STATE": str(lab.directory),
        "LAB_HOSTS": " ".join(sorted(record.hosts)),
        "LAB_INVENTORY": str(inventory_file(lab)),
        "LAB_SSH_KEY": str(ssh.client_key(lab)),
        "LAB_KNOWN_HOSTS": str(ssh.known_hosts(lab)),
    }
    if record.registry:
        plain, tls = registry.addresses(record)
        values["LAB_REGISTRY"] = plain
        values["LAB_REGISTRY_TLS"] = tls
        values["LAB_REGISTRY_CA"] = str(registry.certificates(lab))
        values["LAB_REGISTRY_USERNAME"] = record.registry["username"]
        values["LAB_REGISTRY_PASSWORD"] = record.registry["password"]
        values["LAB_REGISTRY_AUTHFILE"] = str(registry.authfile(lab))
        values["LAB_REGISTRY_LOG"] = str(registry.access_log(lab, "plain"))
        values["LAB_REGISTRY_TLS_LOG"] = str(registry.access_log(lab, "tls"))
    return [f"{name}={shlex.quote(value)}" for name, value in values.items()]
