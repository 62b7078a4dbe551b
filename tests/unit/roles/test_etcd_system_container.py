# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the role etcd_system_container are made of."""

from __future__ import annotations

from typing import Any

import pytest
from unit.roles.variables import loaded, role_variables, value

PREFIX = "etcd_system_container_"


def made(name: str, /, **options: Any) -> Any:
    given = {f"{PREFIX}{option}": text for option, text in options.items()}
    return value(role_variables("etcd_system_container", **given), f"{PREFIX}{name}")


@pytest.mark.parametrize(
    ("text", "expected"), [("false", False), ("no", False), ("true", True), (True, True), (False, False)]
)
def test_booleans(text: bool | str, expected: bool) -> None:
    assert made("with_tls", tls=text) is expected
    assert made("asks_health", check_health=text) is expected
    assert made("scheme", tls=text) == ("https" if expected else "http")
    more = made("more_environment", tls=True, client_cert_auth=text)
    assert ("ETCD_CLIENT_CERT_AUTH" in more) is expected


@pytest.mark.parametrize(
    ("pull", "check", "expected"),
    [
        ("always", False, "missing"),
        ("missing", False, "missing"),
        ("never", False, "never"),
        ("always", True, "always"),
        ("missing", True, "missing"),
        ("never", True, "never"),
    ],
)
def test_check_mode_asks_the_source(pull: str, check: bool, expected: str) -> None:
    (task,) = loaded("roles/etcd_system_container/tasks/container.yml")
    templar = role_variables("etcd_system_container", etcd_system_container_pull=pull, ansible_check_mode=check)
    assert templar.template(task["projectatomic.system_containers.system_container"]["pull"]) == expected


BEFORE = {
    "ETCD_INITIAL_ADVERTISE_PEER_URLS": "http://192.0.2.1:2380",
    "ETCD_ADVERTISE_CLIENT_URLS": "http://192.0.2.1:2379",
    "ETCD_LISTEN_PEER_URLS": "http://192.0.2.1:2380",
    "ETCD_LISTEN_CLIENT_URLS": "http://192.0.2.1:2379",
}


@pytest.mark.parametrize(
    ("options", "address", "expected"),
    [
        ({}, "192.0.2.1", set()),
        ({"listen_address": "0.0.0.0"}, "192.0.2.1", set()),
        ({"listen_address": "::"}, "192.0.2.1", set()),
        ({"client_port": 22379}, "192.0.2.1", {"ETCD_ADVERTISE_CLIENT_URLS", "ETCD_LISTEN_CLIENT_URLS"}),
        ({"peer_port": "22380"}, "192.0.2.1", {"ETCD_INITIAL_ADVERTISE_PEER_URLS", "ETCD_LISTEN_PEER_URLS"}),
        ({"tls": True}, "192.0.2.1", set(BEFORE)),
        ({}, "192.0.2.2", {"ETCD_INITIAL_ADVERTISE_PEER_URLS", "ETCD_ADVERTISE_CLIENT_URLS"}),
    ],
    ids=["the same", "all addresses", "all IPv6 addresses", "client port", "peer port", "TLS", "address"],
)
def test_what_a_cluster_keeps(options: dict[str, Any], address: str, expected: set[str]) -> None:
    def moved(containers: list[dict[str, Any]]) -> list[str]:
        hosts = {"etcd1": {"ansible_host": address}}
        known = {"groups": {"etcd": ["etcd1"]}, "hostvars": hosts, "inventory_hostname": "etcd1"}
        given = {f"{PREFIX}{option}": text for option, text in options.items()}
        templar = role_variables(
            "etcd_system_container", **known, **given, **{f"{PREFIX}found": {"containers": containers}}
        )
        return list(value(templar, f"{PREFIX}moved"))

    assert {text.partition(" ")[0] for text in moved([{"values": BEFORE}])} == expected
    assert moved([]) == moved([{"values": {}}]) == []
