# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the role docker_system_container are made of."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from unit.roles.variables import role_variables, value

PREFIX = "docker_system_container_"
STOPPED: dict[str, Any] = {"state": "stopped", "enabled": False, "unit_options": {}}


def made(variable: str, **options: Any) -> Any:
    given = {f"{PREFIX}{option}": text for option, text in options.items()}
    return value(role_variables("docker_system_container", **given), f"{PREFIX}_{variable}")


@pytest.mark.parametrize(
    ("text", "expected"), [("false", False), ("no", False), ("true", True), (True, True), (False, False)]
)
def test_booleans(text: bool | str, expected: bool) -> None:
    assert made("take_over", take_over=text) is expected
    assert made("with_client", client=text) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("localhost,.example.com", ["localhost", ".example.com"]),
        ("localhost, .example.com", ["localhost", ".example.com"]),
        ("localhost", ["localhost"]),
        (["localhost", ".example.com"], ["localhost", ".example.com"]),
        ("", []),
        ([], []),
    ],
)
def test_lists(given: list[str] | str, expected: list[str]) -> None:
    assert made("no_proxy", no_proxy=given) == expected
    assert made("proxies", no_proxy=given) == ([["NO_PROXY", ",".join(expected)]] if expected else [])
    assert made("option_settings", insecure_registries=given, registry_mirrors=given) == {
        "insecure-registries": expected,
        "registry-mirrors": expected,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"storage_path": None, "insecure_registries": None}, {}),
        ({"storage_path": "/srv/a,b"}, {"data-root": "/srv/a,b"}),
    ],
)
def test_settings_of_options(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert made("option_settings", **options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"username": None, "validate_certs": False}, {"validate_certs": False}),
        ({"username": "puller", "password": "12345"}, {"username": "puller", "password": "12345"}),
    ],
)
def test_only_what_is_set_goes_before_module_defaults(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert made("pull_options", **options) == expected


@pytest.mark.parametrize(
    ("found", "root"),
    [
        ([{"link": "/srv/containers/engine"}], "/srv/containers"),
        ([{}], "/var/lib/containers/atomic"),
        ([], "/var/lib/containers/atomic"),
    ],
)
def test_the_client_is_that_of_the_container(found: list[dict[str, str]], root: str) -> None:
    assert made("client", name="engine", _found=found) == f"{root}/engine/rootfs/usr/bin/docker"


@pytest.mark.parametrize(
    ("take_over", "before", "expected"),
    [
        (True, [], {"debug": True}),
        (False, [], {}),
        (True, [{**STOPPED, "unit_options": {"Unit": {"X-Settings": "pending"}}}], {"debug": True}),
        (False, [{**STOPPED, "unit_options": {"Unit": {"X-Settings": "pending"}}}], {}),
        (True, [STOPPED], {}),
        (True, [{**STOPPED, "unit_options": {"Unit": {"After": "a.target"}}}], {}),
        (True, [{"state": "running", "enabled": True, "unit_options": {}}], {}),
    ],
    ids=[
        "first run",
        "not asked for",
        "interrupted",
        "interrupted, not asked for",
        "stopped",
        "with options",
        "running",
    ],
)
def test_settings_are_taken_over_once(take_over: bool, before: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    texts = {"/etc/docker/daemon.json": '{"debug": true}'}
    found = made(
        "old_settings",
        take_over=take_over,
        _before={"exists": bool(before), "containers": before},
        _contents=contents(texts),
    )
    assert found == expected


def contents(texts: dict[str, str]) -> dict[str, Any]:
    """Return what slurp registers for files."""
    files = [
        {"item": {"item": path}, "content": base64.b64encode(text.encode()).decode()} for path, text in texts.items()
    ]
    return {"results": files}
