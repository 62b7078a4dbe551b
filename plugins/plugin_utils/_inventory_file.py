# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes an inventory that another Ansible reads as it is here: templates are templates, and nothing else is one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.yaml.dumper import AnsibleDumper

from ._templates import EncryptedString, is_template

_NOT_IN_NAMES = frozenset("[]:,")


class _Unsafe(str):
    """A text that is no template."""


def can_be_written(host: str, values: Mapping[str, Any]) -> bool:
    """Tell whether a host and its variables are read back as they are: in YAML, a name may be a range or have a port."""
    try:
        yaml.dump({str(name): _plain(value) for name, value in values.items()}, Dumper=_dumper)
    except (yaml.YAMLError, AnsibleError, TypeError, ValueError):
        return False
    return not _NOT_IN_NAMES.intersection(host)


def write_inventory(
    path: str,
    *,
    variables: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, tuple[Iterable[str], Iterable[str]]],
) -> None:
    """Write hosts with their variables, and groups with their hosts and groups, into a new file that only this user may read.

    Vaulted texts are decrypted, as far as this Ansible has the passwords.
    """
    hosts = {host: {str(name): _plain(value) for name, value in values.items()} for host, values in variables.items()}
    children = {
        name: {"hosts": dict.fromkeys(members), "children": dict.fromkeys(below)}
        for name, (members, below) in groups.items()
    }
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        yaml.dump({"all": {"hosts": hosts, "children": children}}, file, Dumper=_dumper)


def _plain(value: Any) -> Any:
    if isinstance(value, EncryptedString):
        try:
            return _Unsafe(str(value))
        except AnsibleError:  # perhaps nobody needs it
            return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(part) for part in value]
    return _Unsafe(value) if isinstance(value, str) and not is_template(value) else value


def _dumper(*args: Any, **kwargs: Any) -> Any:
    dumper = AnsibleDumper(*args, **kwargs)
    dumper.add_representer(_Unsafe, lambda of, text: of.represent_scalar("!unsafe", str(text)))
    return dumper
