# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signature policies: whether one asks for more than nothing, whatever the source is called."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SourceError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._signature_policy import asks_for_more

SOURCE = "docker://registry.example.com:5000/team/app:1"
ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]
SIGNED = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/key"}]


@pytest.mark.parametrize(
    ("policy", "source", "accepted"),
    [
        ({"default": ACCEPT}, SOURCE, True),
        ({"default": SIGNED}, "oci:/dir", False),
        ({"default": ACCEPT + SIGNED}, SOURCE, False),
        ({}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {"registry.example.com:5000": SIGNED}}}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {"registry.example.com:5000/team": SIGNED}}}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {SOURCE[9:]: SIGNED}}}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {"*.example.com": SIGNED}}}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {"": SIGNED}}}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {"registry.redhat.io": SIGNED}}}, SOURCE, True),
        ({"default": SIGNED, "transports": {"docker": {"registry.example.com:5000": ACCEPT}}}, SOURCE, True),
        ({"default": SIGNED, "transports": {"docker": {"registry.example.com:5000/other": ACCEPT}}}, SOURCE, False),
        ({"default": ACCEPT, "transports": {"docker": {"docker.io/library/app": SIGNED}}}, "docker://app", False),
        (
            {"default": ACCEPT, "transports": {"docker": {"docker.io/library/app:latest": SIGNED}}},
            "docker://app",
            False,
        ),
        ({"default": ACCEPT, "transports": {"docker": {"localhost/app": SIGNED}}}, "docker://localhost/app", False),
        ({"default": SIGNED, "transports": {"docker-daemon": {"": ACCEPT}}}, "docker-daemon:app:1", True),
        ({"default": ACCEPT, "transports": {"oci": {"/dir": SIGNED}}}, "oci:/other", False),
    ],
)
def test_policies(policy: Any, source: str, accepted: bool) -> None:
    assert asks_for_more(policy, source) is not accepted


@pytest.mark.parametrize(
    "policy",
    [
        {"default": ACCEPT, "transports": {"docker": ACCEPT}},
        {"default": ACCEPT, "transports": ["docker"]},
        {"default": {"type": "insecureAcceptAnything"}},
        {"default": []},
        [],
        "insecureAcceptAnything",
        {"default": ACCEPT + ACCEPT},
        {"default": [{"type": "insecureAcceptAnything", "more": 1}]},
    ],
)
def test_what_is_not_understood_is_for_skopeo(policy: Any) -> None:
    assert asks_for_more(policy, SOURCE)


def test_no_policy() -> None:
    with pytest.raises(SourceError, match=r"is not pulled: this host has no signature policy.*containers-common"):
        asks_for_more(None, SOURCE)


@pytest.mark.parametrize(
    ("policy", "source", "rejected"),
    [
        ({"default": REJECT}, SOURCE, True),
        ({"default": REJECT}, "oci:/dir", True),
        ({"default": SIGNED + REJECT}, SOURCE, True),
        ({"default": ACCEPT, "transports": {"docker": {"registry.example.com:5000": REJECT}}}, SOURCE, True),
        ({"default": REJECT, "transports": {"docker": {"registry.example.com:5000": SIGNED}}}, SOURCE, False),
        ({"default": REJECT, "transports": {"docker": {"": ACCEPT}}}, "oci:/dir", True),
        ({"default": REJECT, "transports": {"oci": {"/other": ACCEPT}}}, "oci:/dir", False),
        ({"default": ACCEPT, "transports": {"oci": {"": REJECT}}}, "oci:/dir", True),
        ({"default": ACCEPT, "transports": {"oci": {"/dir": REJECT}}}, "oci:/dir", False),
    ],
)
def test_what_is_rejected_at_once(policy: Any, source: str, rejected: bool) -> None:
    """Where it depends on how a path is written, skopeo has to say it."""
    if rejected:
        with pytest.raises(SourceError, match="is rejected by the signature policy"):
            asks_for_more(policy, source)
    else:
        assert asks_for_more(policy, source)
