# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The header WWW-Authenticate."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._registry_challenge import (
    choose_challenge,
    parse_challenges,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Negotiate", [("negotiate", {})]),
        ('Basic realm="lab"', [("basic", {"realm": "lab"})]),
        ("basic REALM=lab", [("basic", {"realm": "lab"})]),
        (
            'Bearer realm="https://auth.test/token",service="registry.test",scope="repository:team/app:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.test/token",
                        "service": "registry.test",
                        "scope": "repository:team/app:pull,push",
                    },
                )
            ],
        ),
        (r'Basic realm="a \"b\", c=d"', [("basic", {"realm": 'a "b", c=d'})]),
        ('Basic realm="a", Bearer realm="b"', [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        ('Negotiate, Basic realm = "a"', [("negotiate", {}), ("basic", {"realm": "a"})]),
        (
            'Basic realm="open',
            [
                ("basic", {}),
            ],
        ),
        ("=", []),
    ],
)
def test_parse(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, one.parameters) for one in parse_challenges(header)] == expected


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ('Basic realm="a", Bearer realm="b"', "bearer"),
        ('Bearer service="no realm", Basic realm="a"', "basic"),
        ('Basic realm="a"', "basic"),
        ("Negotiate", None),
        ('Bearer service="no realm"', None),
        ("", None),
    ],
)
def test_choose(header: str, scheme: str | None) -> None:
    chosen = choose_challenge(header)
    assert (chosen.scheme if chosen else None) == scheme
