# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which credentials an authfile has for an image, and where files are looked for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._registry_credentials import (
    default_authfiles,
    find_credentials,
)


def entry(name: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:password of {name}".encode()).decode()}


def write(path: Path, auths: Any) -> Path:
    path.write_text(json.dumps({"auths": auths}))
    return path


@pytest.mark.parametrize(
    ("image", "keys", "expected"),
    [
        ("registry.test/team/app:1", ["registry.test"], "registry.test"),
        ("registry.test/team/app:1", ["registry.test", "registry.test/team"], "registry.test/team"),
        ("registry.test/team/app:1", ["registry.test/team", "registry.test/team/app"], "registry.test/team/app"),
        ("registry.test/team/app:1", ["registry.test/team/ap", "registry.test/other"], None),
        ("registry.test/team/app:1", ["registry.test:5000"], None),
        ("registry.test:5000/app:1", ["registry.test", "registry.test:5000"], "registry.test:5000"),
        ("registry.test/app:1", ["https://registry.test"], "https://registry.test"),
        ("registry.test/app:1", ["https://registry.test/v2/"], "https://registry.test/v2/"),
        ("registry.test/app:1", ["https://registry.test", "registry.test"], "registry.test"),
        ("docker.io/library/app:1", ["https://index.docker.io/v1/"], "https://index.docker.io/v1/"),
        ("docker.io/team/app:1", ["docker.io", "https://index.docker.io/v1/"], "docker.io"),
        ("registry.test/app:1", [], None),
    ],
)
def test_the_most_specific_key_counts(tmp_path: Path, image: str, keys: list[str], expected: str | None) -> None:
    path = write(tmp_path / "auth.json", {key: entry(key) for key in keys})
    found = find_credentials(parse_image_name(image), [path])
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.username == expected.partition(":")[0]
    assert found.origin == f"the file '{path}'"
    assert "password" not in repr(found)


def test_the_first_file_with_credentials_counts(tmp_path: Path) -> None:
    files = [
        tmp_path / "missing.json",
        write(tmp_path / "other.json", {"other.test": entry("other")}),
        write(tmp_path / "empty.json", {"registry.test": {}}),  # as a credential helper leaves it
        write(tmp_path / "first.json", {"registry.test": entry("first")}),
        write(tmp_path / "second.json", {"registry.test": entry("second")}),
    ]
    found = find_credentials(parse_image_name("registry.test/app"), files)
    assert found is not None
    assert (found.username, found.password) == ("first", "password of first")


def test_an_identity_token(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.json", {"registry.test": {**entry("me"), "identitytoken": "abc"}})
    found = find_credentials(parse_image_name("registry.test/app"), [path])
    assert found is not None
    assert found.identity_token == "abc"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "has no object 'auths'"),
        ('{"auths": []}', "has no object 'auths'"),
        ('{"auths": {"registry.test": "x"}}', "has an entry that cannot be read"),
        ('{"auths": {"registry.test": {"auth": 1}}}', "has an entry that cannot be read"),
        ('{"auths": {"registry.test": {"auth": "secret:!"}}}', "has an entry that cannot be read"),
        ('{"auths": {"registry.test": {"identitytoken": 1}}}', "has an entry that cannot be read"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(content)
    with pytest.raises(InvalidInputError, match=reason) as caught:
        find_credentials(parse_image_name("registry.test/app"), [path])
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_where_files_are_looked_for() -> None:
    places = default_authfiles({"HOME": "/home/me", "XDG_RUNTIME_DIR": "/run/user/7"})
    assert [str(place) for place in places] == [
        "/run/user/7/containers/auth.json",
        "/home/me/.config/containers/auth.json",
        "/home/me/.docker/config.json",
    ]
    assert [str(place) for place in default_authfiles({"REGISTRY_AUTH_FILE": "/a.json"})] == ["/a.json"]
