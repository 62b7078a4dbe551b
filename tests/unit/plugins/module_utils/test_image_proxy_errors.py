# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What surrounds the image proxy and needs no process: messages, credentials, signature policies, platforms."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _image_proxy
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    InvalidInputError,
    SourceError,
    SystemContainerError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_source import (
    check_platform,
    check_policy,
    credentials,
    platform_flags,
    translate,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    ImageConfig,
    SourceOptions,
)

SOURCE = "docker://registry.example.com:5000/team/app:1"
GET = 'pinging container registry r:5000: Get "https://r:5000/v2/": '
ACCEPT = [{"type": "insecureAcceptAnything"}]
SIGNED = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/key"}]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (GET + "http: server gave HTTP response to HTTPS client", SourceError, "validate_certs: false"),
        (GET + "x509: certificate signed by unknown authority", SourceError, "cert_dir"),
        (GET + "tls: failed to verify certificate", SourceError, "cert_dir"),
        (GET + "dial tcp 127.0.0.1:1: connect: connection refused", SourceError, "connection refused"),
        (GET + "dial tcp: lookup r: no such host", SourceError, "unknown host"),
        (GET + "dial tcp 10.0.0.1:443: i/o timeout", SourceError, "network"),
        ("reading manifest 1 in r/app: unauthorized: authentication required", SourceError, "authfile"),
        ("reading manifest 1 in r/app: denied: requested access is denied", SourceError, "authfile"),
        ("invalid username/password: unauthorized", SourceError, "authfile"),
        ("invalid status code from registry 403 (Forbidden)", SourceError, "authfile"),
        ("reading manifest 1 in r/app: StatusCode: 403, ", SourceError, "authfile"),
        ("reading manifest 1 in r/app: StatusCode: 404, ", ImageNotFoundError, "does not exist"),
        (
            "pinging container registry r: invalid status code from registry 404 (Not Found)",
            ImageNotFoundError,
            "exist",
        ),
        (
            "reading manifest 1 in r/app: received unexpected HTTP status: 429 Too Many Requests",
            SourceError,
            "the rate",
        ),
        ("reading manifest 1 in r/app: StatusCode: 429, slow", SourceError, "the rate"),
        ("reading manifest 1 in r/app: received unexpected HTTP status: 503 Service Unavailable", SourceError, "log"),
        ("pinging container registry r: invalid status code from registry 502 (Bad Gateway)", SourceError, "log"),
        ("reading manifest 1 in r/app: manifest unknown: manifest unknown", ImageNotFoundError, "does not exist"),
        ("reading manifest 1 in r/app: name unknown", ImageNotFoundError, "does not exist"),
        ('no descriptor found for reference "x"', ImageNotFoundError, "does not exist"),
        ("open /nowhere/index.json: no such file or directory", ImageNotFoundError, "check the path"),
        (
            'no image found in manifest list for architecture arm64, variant "", OS linux',
            ImageNotFoundError,
            "platform",
        ),
        ("no image found in image index for architecture arm64", ImageNotFoundError, "platform"),
        ("toomanyrequests: You have reached your pull rate limit", SourceError, "try again later"),
        ("corrupted blob, expecting sha256:" + "4" * 64, SourceError, "damaged data"),
        ("expected 5 bytes in blob, got 4", SourceError, "damaged data"),
        ("unexpected EOF", SourceError, "damaged data"),
        ("unsupported legacy manifest MIME type: x", SourceError, "schema 1"),
        ('Invalid image name "foo:bar", unknown transport "foo"', InvalidInputError, "is not a source"),
        ("something else", SourceError, "cannot be read: something else"),
    ],
)
def test_messages(error: str, kind: type[SystemContainerError], text: str) -> None:
    translated = translate(error, SOURCE)
    assert translated.__class__ is kind
    assert SOURCE in str(translated)
    assert text in str(translated)
    assert error in str(translated)


@pytest.mark.parametrize(
    "source",
    [
        "docker://127.0.0.1:4290/app:1",
        "docker://127.0.0.1:4034/app:1",
        "docker://127.0.0.1:4040/app:404",
        "docker://127.0.0.1:5000/certificates:1",
        "docker://denied.example.com/unauthorized/digest:tls",
        "docker://127.0.0.1:5000/app@sha256:" + "403429404" * 7 + "5",
    ],
)
def test_a_name_is_no_cause(source: str) -> None:
    """As skopeo 1.9.3 says it: name, address and the URL that it asked for are in the message."""
    rest = source[len("docker://") :]
    host = rest.partition("/")[0]
    refused = (
        f'pinging container registry {host}: Get "https://{host}/v2/": dial tcp {host}: connect: connection refused'
    )
    assert "connection refused)" in str(translate(refused, source)).partition("): check")[0] + ")"
    for words in (f"reading manifest 1 in {rest}: something else", f"something else of {source} at http://{host}/v2/"):
        assert str(translate(words, source)).startswith(f"'{source}' cannot be read: ")


def test_the_path_of_a_layout_is_no_cause() -> None:
    error = translate("open /srv/unauthorized404/index.json: no such file or directory", "oci:/srv/unauthorized404:1")
    assert "does not exist on the host" in str(error)


@pytest.mark.parametrize(
    ("config", "platform", "machine", "accepted"),
    [
        (("linux", "amd64", None), None, "x86_64", True),
        (("linux", "amd64", None), None, "aarch64", False),
        (("linux", "amd64", None), "linux/amd64", "aarch64", True),
        (("linux", "amd64", None), "linux/arm64", "x86_64", False),
        (("linux", "arm64", "v8"), None, "aarch64", True),
        (("linux", "arm", "v7"), "linux/arm/v6", "armv7l", False),
        (("linux", "arm", None), "linux/arm/v6", "armv7l", True),
        (("linux", "arm", "v7"), "linux/arm", "x86_64", True),
        (("windows", "amd64", None), None, "x86_64", False),
        (("linux", "", None), "linux/arm64", "x86_64", True),
        (("linux", "amd64", None), None, "unheard-of", True),
    ],
)
def test_platform_of_a_config(
    config: tuple[str, str, str | None], platform: str | None, machine: str, accepted: bool
) -> None:
    parsed = ImageConfig(os=config[0], architecture=config[1], variant=config[2])
    if accepted:
        check_platform(parsed, platform=platform, machine=machine, source=SOURCE)
        return
    with pytest.raises(SourceError, match=r"app:1' is an image for .*, not for .*'platform: "):
        check_platform(parsed, platform=platform, machine=machine, source=SOURCE)


def test_credentials_are_for_the_registry_of_the_source() -> None:
    document = json.loads(credentials(SOURCE, username="bob", password="se:cret"))
    assert document == {
        "auths": {"registry.example.com:5000": {"auth": base64.b64encode(b"bob:se:cret").decode("ascii")}}
    }


@pytest.mark.parametrize(
    ("source", "username", "password"),
    [(SOURCE, "bob", None), (SOURCE, None, "x"), (SOURCE, "", "x"), (SOURCE, "a:b", "x"), ("oci:/dir", "bob", "x")],
)
def test_credentials_that_cannot_be_used(source: str, username: str | None, password: str | None) -> None:
    with pytest.raises(InvalidInputError, match="username"):
        credentials(source, username=username, password=password)


def test_the_password_is_not_shown() -> None:
    assert "hidden-word" not in repr(SourceOptions(source=SOURCE, username="bob", password="hidden-word"))


@pytest.mark.parametrize(
    ("policy", "source", "accepted"),
    [
        ({"default": ACCEPT}, SOURCE, True),
        ({"default": [{"type": "reject"}]}, SOURCE, False),
        ({"default": SIGNED}, "oci:/dir", False),
        ({"default": ACCEPT + SIGNED}, SOURCE, False),
        ({}, SOURCE, False),
        (None, SOURCE, False),
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
def test_policies_that_would_not_be_enforced(policy: dict[str, Any] | None, source: str, accepted: bool) -> None:
    if accepted:
        check_policy(policy, source)
        return
    with pytest.raises(SourceError, match="is not pulled"):
        check_policy(policy, source)


@pytest.mark.parametrize(
    ("platform", "flags"),
    [
        (None, []),
        ("linux/arm64", ["--override-os=linux", "--override-arch=arm64"]),
        ("linux/arm/v7", ["--override-os=linux", "--override-arch=arm", "--override-variant=v7"]),
    ],
)
def test_platforms(platform: str | None, flags: list[str]) -> None:
    assert platform_flags(platform) == flags


@pytest.mark.parametrize("platform", ["", "linux", "linux/", "a/b/c/d", "linux/arm 64", "Linux/amd64"])
def test_not_a_platform(platform: str) -> None:
    with pytest.raises(InvalidInputError, match="os/arch"):
        platform_flags(platform)


def test_protocol_versions() -> None:
    assert _image_proxy._version("0.2.3") < _image_proxy._ENFORCES_POLICY <= _image_proxy._version("0.2.10")
    for version in ("0.2.2", "0.3.0", "1.0.0", "x", None):
        with pytest.raises(SourceError, match="protocol"):
            _image_proxy._version(version)
