# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image names by grammar alone, and the refs that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import (
    decode_ref,
    encode_ref,
    is_digest,
    parse_image_name,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest"),
    [
        ("app", None, "app", "latest", None),
        ("app:1.0", None, "app", "1.0", None),
        ("library/app", None, "library/app", "latest", None),
        ("a/b/c/d:x", None, "a/b/c/d", "x", None),
        ("localhost/app", "localhost", "app", "latest", None),
        ("localhost:5000/app:1", "localhost:5000", "app", "1", None),
        ("registry.example.com/app", "registry.example.com", "app", "latest", None),
        ("registry.example.com:443/team/app:v2", "registry.example.com:443", "team/app", "v2", None),
        ("Registry.Example.COM/app", "Registry.Example.COM", "app", "latest", None),
        ("192.0.2.1:5000/app", "192.0.2.1:5000", "app", "latest", None),
        ("[2001:db8::1]/app", "[2001:db8::1]", "app", "latest", None),
        ("[::1]:5000/app:1", "[::1]:5000", "app", "1", None),
        ("host:1/app", "host:1", "app", "latest", None),
        ("cafe:beef", None, "cafe", "beef", None),
        ("localhost:5000", None, "localhost", "5000", None),
        ("example/app", None, "example/app", "latest", None),
        ("a.b/c", "a.b", "c", "latest", None),
        ("a__b", None, "a__b", "latest", None),
        ("a---b", None, "a---b", "latest", None),
        ("a.b_c-d", None, "a.b_c-d", "latest", None),
        ("app:UPPER_tag.1-x", None, "app", "UPPER_tag.1-x", None),
        ("app:_x", None, "app", "_x", None),
        ("app:" + "t" * 128, None, "app", "t" * 128, None),
        (f"app@{DIGEST}", None, "app", None, DIGEST),
        (f"localhost:5000/team/app@{DIGEST}", "localhost:5000", "team/app", None, DIGEST),
        ("a" * 255, None, "a" * 255, "latest", None),
    ],
)
def test_valid(text: str, registry: str | None, path: str, tag: str | None, digest: str | None) -> None:
    name = parse_image_name(text)
    assert (name.registry, name.path, name.tag, name.digest) == (registry, path, tag, digest)
    assert name.qualified is (registry is not None)
    assert name.repository == (f"{registry}/{path}" if registry else path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not a path component"),
        ("App", "'App' is not a path component"),
        ("localhost/App", "'App' is not a path component"),
        ("/app", "not a path component"),
        ("app/", "not a path component"),
        ("a//b", "not a path component"),
        ("-app", "'-app' is not a path component"),
        ("app-", "'app-' is not a path component"),
        ("a..b", "'a..b' is not a path component"),
        ("a___b", "'a___b' is not a path component"),
        ("..", "'..' is not a path component"),
        ("../app", "'..' is not a registry"),
        ("a/../b", "'..' is not a path component"),
        ("app name", "not a path component"),
        ("app\n", "not a path component"),
        ("äpp", "not a path component"),
        ("app;x", "not a path component"),
        ("app:", "'' is not a tag"),
        ("app:-x", "'-x' is not a tag"),
        ("app:.x", "'.x' is not a tag"),
        ("app:a b", "'a b' is not a tag"),
        ("app:1\n", "is not a tag"),
        ("app:" + "t" * 129, "is not a tag"),
        ("a:b:c", "not a path component"),
        ("docker://localhost/app", "not a registry"),
        ("-a.example.com/app", "'-a.example.com' is not a registry"),
        ("a..b/app", "'a..b' is not a registry"),
        ("a_b.example.com/app", "not a registry"),
        ("localhost:port/app", "'localhost:port' is not a registry"),
        ("localhost:/app", "'localhost:' is not a registry"),
        ("[::1/app", "not a registry"),
        ("[::g]/app", "not a registry"),
        ("::1/app", "not a registry"),
        ("localhost/", "'' is not a path component"),
        ("app@", "'' is not a digest"),
        ("app@latest", "'latest' is not a digest"),
        ("app@sha256:" + "A" * 64, "is not a digest"),
        ("app@sha256:" + "a" * 63, "is not a digest"),
        ("app@sha256:" + "a" * 65, "is not a digest"),
        (f"app@{DIGEST}\n", "is not a digest"),
        ("app@sha512:" + "a" * 128, "is not a digest"),
        (f"app@{DIGEST}@{DIGEST}", "is not a digest"),
        (f"app:1@{DIGEST}", "both a tag and a digest"),
        ("a" * 256, "longer than 255"),
        ("localhost/" + "a" * 250, "longer than 255"),
    ],
)
def test_invalid(text: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_image_name(text)
    assert str(caught.value).startswith(f"'{text}' is not an image name: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("localhost/app", "ociimage/localhost_2Fapp_3Alatest"),
        ("localhost/app:latest", "ociimage/localhost_2Fapp_3Alatest"),
        ("localhost:5000/team/app:1.0", "ociimage/localhost_3A5000_2Fteam_2Fapp_3A1.0"),
        ("hello-world", "ociimage/hello-world_3Alatest"),
        ("cafe:beef", "ociimage/cafe_3Abeef"),
        ("a_b", "ociimage/a_5Fb_3Alatest"),
        ("app:a_2F", "ociimage/app_3Aa_5F2F"),
        ("[::1]:5000/app", "ociimage/_5B_3A_3A1_5D_3A5000_2Fapp_3Alatest"),
        (f"localhost/app@{DIGEST}", f"ociimage/localhost_2Fapp_40sha256_3A{DIGEST[7:]}"),
    ],
)
def test_ref(text: str, ref: str) -> None:
    name = parse_image_name(text)
    assert name.ref == ref
    assert parse_image_name(decode_ref(ref.partition("/")[2])) == name


def test_str_adds_the_tag() -> None:
    assert str(parse_image_name("localhost/app")) == "localhost/app:latest"
    assert str(parse_image_name(f"localhost/app@{DIGEST}")) == f"localhost/app@{DIGEST}"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_encoding_goes_round(text: str) -> None:
    encoded = encode_ref(text)
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")
    assert decode_ref(encoded) == text


@given(st.text(max_size=30))
def test_any_ref_is_decoded(text: str) -> None:
    """Somebody else's refs may be in the repository; listing them must not fail."""
    assert isinstance(decode_ref(text), str)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = parse_image_name(text)
    except InvalidInputError:
        return
    assert parse_image_name(str(name)) == name
    assert (name.tag is None) != (name.digest is None)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (DIGEST, True),
        (DIGEST.upper(), False),
        (DIGEST + "\n", False),
        (DIGEST[7:], False),
        ("sha256:", False),
        ("", False),
        (None, False),
        (b"sha256:", False),
        (5, False),
    ],
)
def test_is_digest(value: object, good: bool) -> None:
    assert is_digest(value) is good


LONGEST = "localhost/" + "a" * (255 - len("localhost_2F_3Alatest"))


@pytest.mark.parametrize("name", [LONGEST + "a", "localhost/" + "a_b/" * 40 + "c", "localhost/app:" + "_" * 80])
def test_too_long_to_be_stored(name: str) -> None:
    """The ref is the name of a file, and what is no letter and no digit takes three of its bytes."""
    assert len(parse_image_name(LONGEST).ref) == len("ociimage/") + 255
    with pytest.raises(InvalidInputError, match=r"is not an image name: it is too long to be stored.*as 'source'"):
        _unused = parse_image_name(name).ref
