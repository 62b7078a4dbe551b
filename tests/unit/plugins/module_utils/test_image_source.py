# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources as users write them, credentials, and platforms."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    SourceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_source import (
    TRANSPORTS,
    check_platform,
    check_source,
    credentials,
    lists_manifest,
    platform_flags,
    platforms_of,
    source_flags,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    ImageConfig,
    SourceOptions,
)

SOURCE = "docker://registry.example.com:5000/team/app:1"


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


HEX = "4" * 64


@pytest.mark.parametrize(
    "source",
    [
        SOURCE,
        f"docker://localhost/app@sha256:{HEX}",
        "oci:/srv/images",
        "oci:/srv/images:1",
        "oci-archive:/srv/app.tar:1",
        "docker-archive:/srv/app.tar",
        "docker-archive:/srv/app.tar:localhost/app:1",
        "docker-archive:/srv/app.tar:@1",
        "dir:/srv/app:with:colons",
        "containers-storage:localhost/app",
        f"containers-storage:quay.io/team/app@sha256:{HEX}",
        f"containers-storage:@{HEX}",
        "containers-storage:[overlay@/srv/graph+/run/storage:mount=1]localhost/app:1",
        "docker-daemon:app:1",
        "docker-daemon:registry.example.com:5000/app:1",
        f"docker-daemon:app@sha256:{HEX}",
        f"docker-daemon:sha256:{HEX}",
    ],
)
def test_sources(source: str) -> None:
    check_source(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("app", "start with one of"),
        ("ostree:app", "start with one of"),
        ("tarball:/x", "start with one of"),
        ("", "start with one of"),
        ("docker:app", "docker://REGISTRY"),
        ("docker://app", "none is guessed"),
        ("docker://library/app:1", "none is guessed"),
        ("oci:", "absolute path"),
        ("oci:images:1", "'oci:/srv/images/images:1'"),
        ("oci:./images", "'oci:/srv/images/images'"),
        ("oci-archive:app.tar", "absolute path"),
        ("docker-archive:app.tar", "absolute path"),
        ("dir:", "'dir:/srv/images/NAME'"),
        ("dir:/srv/a\nb", "control character"),
        ("docker://localhost/app\x7f", "control character"),
        ("containers-storage:app:1", "'containers-storage:localhost/app:1'"),
        ("containers-storage:", "not an image name"),
        (f"containers-storage:{HEX}", "none is guessed"),
        ("containers-storage:@4444", "not an image name"),
        ("containers-storage:[overlay@/srv]app", "none is guessed"),
        ("docker-daemon:app", "'docker-daemon:app:latest' if that is meant"),
        ("docker-daemon:localhost:5000/app", "has to say the tag"),
        ("docker-daemon:App:1", "not an image name"),
        ("docker-daemon:sha256:44", "sha256: and 64 hex digits"),
    ],
)
def test_not_a_source(source: str, text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        check_source(source)


def test_every_transport_is_named() -> None:
    with pytest.raises(InvalidInputError) as failure:
        check_source("http://r.example/app")
    assert all(f"'{transport}:'" in str(failure.value) for transport in TRANSPORTS)


def test_flags() -> None:
    options = SourceOptions(source=SOURCE, validate_certs=False, cert_dir="/c")
    assert source_flags(options, "/a") == ["--tls-verify=false", "--authfile=/a", "--cert-dir=/c"]
    assert source_flags(options, None, prefix="src-") == ["--src-tls-verify=false", "--src-cert-dir=/c"]
    assert source_flags(SourceOptions(source=SOURCE), None) == []


def entry(**platform: str) -> dict[str, object]:
    return {"digest": f"sha256:{HEX}", "platform": platform}


@pytest.mark.parametrize(
    ("index", "found"),
    [
        (
            {
                "manifests": [
                    entry(os="linux", architecture="arm", variant="v7"),
                    entry(os="linux", architecture="amd64"),
                ]
            },
            ["linux/amd64", "linux/arm/v7"],
        ),
        (
            {"manifests": [entry(os="linux", architecture="amd64"), entry(os="linux", architecture="amd64")]},
            ["linux/amd64"],
        ),
        ({"manifests": [entry(os="unknown", architecture="unknown"), {"digest": "x"}]}, []),
        ({"manifests": []}, []),
        ({"layers": []}, []),
        ({"manifests": 1}, []),
        ({"manifests": [1]}, []),
        ([], []),
    ],
)
def test_platforms_of_an_index(index: object, found: list[str]) -> None:
    assert platforms_of(json.dumps(index).encode()) == found


@pytest.mark.parametrize("index", [b"", b"{", b"\xff", b"[" * 100_000])
def test_platforms_of_no_index(index: bytes) -> None:
    assert platforms_of(index) == []


DIGESTS = ["sha256:" + digit * 64 for digit in "12"]


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param([{"digest": "sha512:" + "3" * 128}], id="a digest of another kind"),
        pytest.param([{}, 7, None, {"digest": 7}], id="what is no entry"),
    ],
)
def test_an_index_lists_a_manifest(others: list[object]) -> None:
    """Whatever else it lists: that is neither fetched nor stored."""
    index = json.dumps({"manifests": [*others, {"digest": DIGESTS[0]}]}).encode()
    assert lists_manifest(index, DIGESTS[0])
    assert not lists_manifest(index, DIGESTS[1])


@pytest.mark.parametrize("index", [b"", b"[]", b'{"manifests": 7}', b'{"layers": []}', b"<html>"])
def test_what_is_no_index_lists_nothing(index: bytes) -> None:
    assert not lists_manifest(index, DIGESTS[0])
