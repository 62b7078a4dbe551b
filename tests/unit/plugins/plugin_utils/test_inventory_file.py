# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory that is written for another Ansible reads there as it is here."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import is_trusted_as_template, trust_as_template

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._inventory_file import (
    can_be_written,
    write_inventory,
)

TEMPLATE = "{{ lookup('pipe', 'id') }}"


def read(path: Path) -> InventoryManager:
    return InventoryManager(DataLoader(), sources=[str(path)])


def variables(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a host after they were written and read."""
    write_inventory(str(path), variables={"web1": values}, groups={})
    host = read(path).get_host("web1")
    assert host is not None
    return {name: host.vars[name] for name in values}


def test_a_template_stays_one(tmp_path: Path) -> None:
    found = variables(
        tmp_path / "hosts.yml", {"own": trust_as_template(TEMPLATE), "list": [trust_as_template(TEMPLATE)]}
    )
    assert found == {"own": TEMPLATE, "list": [TEMPLATE]}
    assert is_trusted_as_template(found["own"])
    assert is_trusted_as_template(found["list"][0])


def test_nothing_else_becomes_one(tmp_path: Path) -> None:
    said = {"values": {"A": TEMPLATE}, "units": [TEMPLATE], "text": TEMPLATE, "number": 1, "none": None, "no": False}
    found = variables(tmp_path / "hosts.yml", said)
    assert found == said
    assert not any(is_trusted_as_template(text) for text in (found["values"]["A"], found["units"][0], found["text"]))


def test_groups(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    groups = {"web": (["web1"], ["edge"]), "edge": (["web2"], []), "empty": ([], [])}
    write_inventory(str(path), variables={"web1": {}, "web2": {}, "other": {}}, groups=groups)
    assert read(path).get_groups_dict() == {
        "all": ["other", "web1", "web2"],
        "ungrouped": ["other"],
        "web": ["web1", "web2"],
        "edge": ["web2"],
        "empty": [],
    }


@pytest.mark.parametrize(
    ("host", "values", "good"),
    [
        ("web1.example.com", {"a": TEMPLATE, "b": [1, None]}, True),
        ("vm[test]", {}, False),
        ("vm[1:3]", {}, False),
        ("web1:22", {}, False),
        ("web1", {"a": object()}, False),
    ],
)
def test_what_can_be_written(tmp_path: Path, host: str, values: dict[str, Any], good: bool) -> None:
    assert can_be_written(host, values) is good
    if good:
        write_inventory(str(tmp_path / "hosts.yml"), variables={host: values}, groups={})
        assert list(read(tmp_path / "hosts.yml").hosts) == [host]


def encrypted(text: str, password: str) -> EncryptedString:
    ciphertext = VaultLib().encrypt(text, VaultSecret(password.encode()))
    return EncryptedString(ciphertext=ciphertext.decode())


def test_vaulted_texts_are_decrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = VaultSecretsContext([(DEFAULT_VAULT_ID_MATCH, VaultSecret(b"known"))])
    monkeypatch.setattr(VaultSecretsContext, "_current", secrets)
    path = tmp_path / "hosts.yml"
    known, unknown = encrypted("{{ Confidant }}", "known"), encrypted("whatever", "unknown")
    found = variables(path, {"ansible_become_password": known, "other": unknown})
    assert found["ansible_become_password"] == "{{ Confidant }}"
    assert not is_trusted_as_template(found["ansible_become_password"])
    assert isinstance(found["other"], EncryptedString)


def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    write_inventory(str(path), variables={}, groups={})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
