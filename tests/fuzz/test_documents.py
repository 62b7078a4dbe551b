# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, indexes, configurations, names of images and objects of a repository, all of them damaged."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    SourceError,
    StoreError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import (
    decode_ref,
    encode_ref,
    is_digest,
    parse_image_name,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_source import (
    lists_manifest,
    platforms_of,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    layer_compression,
    parse_config,
    parse_manifest,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree_reader import checked_ref

OCI = "application/vnd.oci.image."
DIGEST = "sha256:" + "0a" * 32


def descriptor(kind: str) -> dict[str, Any]:
    return {"mediaType": OCI + kind, "digest": DIGEST, "size": 5}


MANIFEST = {
    "schemaVersion": 2,
    "mediaType": OCI + "manifest.v1+json",
    "config": descriptor("config.v1+json"),
    "layers": [descriptor("layer.v1.tar+gzip"), descriptor("layer.v1.tar")],
    "annotations": {"a": "b"},
}
INDEX = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [descriptor("manifest.v1+json")]}
CONFIG = {
    "os": "linux",
    "architecture": "amd64",
    "created": "1970-01-01T00:00:00Z",
    "config": {"Env": ["A=b"], "Cmd": ["x"], "Entrypoint": None, "Labels": {"a": "b"}, "User": "0", "WorkingDir": "/"},
    "rootfs": {"type": "layers", "diff_ids": [DIGEST, DIGEST]},
}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([DIGEST, DIGEST + "\n", DIGEST.upper(), "sha512:" + "0" * 128, 2**64, -1, 1e400, OCI, "layers"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from([*MANIFEST, *CONFIG, "digest", "size", "manifests", "fsLayers"]), below)
    ),
    max_leaves=6,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every member and element."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    found = [path] if path else []
    for key, value in items:
        found += places(value, (*path, key))
    return found


@st.composite
def damaged(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """Some members changed, removed or added; or the text itself."""
    changed = copy.deepcopy(document)
    for _number in range(draw(st.integers(0, 3))):
        *parents, last = draw(st.sampled_from(places(changed) or [("x",)]))
        parent: Any = changed
        for key in parents:
            parent = parent[key]
        if draw(st.booleans()) and parents:
            del parent[last]
        else:
            parent[last] = draw(ANYTHING)
    text = json.dumps(changed).encode()
    if draw(st.booleans()):
        return text
    position = draw(st.integers(0, len(text)))
    return text[:position] + draw(st.binary(max_size=8)) + text[position + draw(st.integers(0, 8)) :]


@given(damaged(MANIFEST) | damaged(INDEX) | st.binary(max_size=300))
def test_manifests(data: bytes) -> None:
    try:
        manifest = parse_manifest(data)
    except SourceError as exc:
        assert str(exc).startswith("The image's manifest is refused: ")  # noqa: PT017
        return
    for one in (manifest.config, *manifest.layers):
        assert is_digest(one.digest)
        assert isinstance(one.size, int)
        assert not isinstance(one.size, bool)
        assert 0 <= one.size < 2**53
        assert checked_ref(one.ref)
    assert {layer_compression(layer.media_type) for layer in manifest.layers} <= {"gzip", "zstd", "none"}
    # No document is a manifest to one and an index to another (CVE-2021-41190).
    assert not lists_manifest(data, DIGEST)
    assert platforms_of(data) == []


@given(damaged(INDEX) | damaged(MANIFEST) | st.binary(max_size=300))
def test_indexes(data: bytes) -> None:
    if lists_manifest(data, DIGEST) or platforms_of(data):
        with pytest.raises(SourceError):
            parse_manifest(data)


@given(damaged(CONFIG) | st.binary(max_size=300))
def test_configs(data: bytes) -> None:
    try:
        config = parse_config(data)
    except SourceError as exc:
        assert str(exc).startswith("The image's config is refused: ")  # noqa: PT017
        return
    assert all(is_digest(diff_id) for diff_id in config.diff_ids)
    for texts in (config.env, config.cmd, config.entrypoint, (config.os, config.user, config.working_dir)):
        assert all(isinstance(text, str) for text in texts)
    assert all(isinstance(text, str) for item in config.labels.items() for text in item)


PIECES = st.sampled_from(
    ["a", "App", "r.example", "localhost", ":", "/", "@", "5000", "[::1]", "..", ".", "_", "__", "-", DIGEST, "é", "\n", "%", " "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=40))
def test_names(text: str) -> None:
    try:
        name = parse_image_name(text)
    except InvalidInputError as exc:
        assert "is not an image name" in str(exc)  # noqa: PT017
        return
    assert parse_image_name(str(name)) == name
    assert (name.tag is None) is (name.digest is not None)
    assert str(name).startswith(text)
    assert checked_ref(name.ref)
    assert decode_ref(name.ref.partition("/")[2]) == str(name)


@given(st.text())
def test_refs(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return
    assert decode_ref(encode_ref(text)) == text


@given(st.text())
def test_refs_that_others_wrote(text: str) -> None:
    assert isinstance(decode_ref(text), str)


@pytest.fixture(scope="module")
def commit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, str]:
    """A repository with one commit that has files, directories and metadata."""
    root = tmp_path_factory.mktemp("objects")
    for name in ("a/b/f", "a/g", "h"):
        path = root / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="ascii")
    repository = Repository(str(root / "repository"))
    repository.create()
    command = [
        "ostree",
        "commit",
        f"--repo={repository.path}",
        "--orphan",
        "--subject=s",
        f"--tree=dir={root / 'tree'}",
    ]
    done = subprocess.run([*command, "--add-metadata-string=a=b"], check=True, stdout=subprocess.PIPE, text=True)
    return repository, done.stdout.strip()


READERS: dict[str, Callable[[Repository, str], object]] = {
    "metadata": lambda repository, commit: repository.metadata(commit),
    "cat": lambda repository, commit: repository.cat(commit, "/a/b/f"),
    "ls": lambda repository, commit: repository.ls(commit, "/", recursive=True),
    "find_visible": lambda repository, commit: repository.find_visible([commit, commit], "/a/b/f"),
    "replaced": lambda repository, commit: repository.replaced([commit, commit]),
}


@given(data=st.data())
def test_objects_of_nobodys_making(commit: tuple[Repository, str], data: st.DataObject) -> None:
    """Objects are compared with their checksums before they are parsed; here that is left out."""
    repository, checksum = commit

    class Damaged(Repository):
        def read_object(self, checksum: str, kind: str) -> bytes:
            intact = Path(self.object_path(checksum, kind))
            if not intact.exists():
                raise StoreError("missing")
            content = intact.read_bytes()
            position = data.draw(st.integers(0, len(content)))
            damage, length = data.draw(st.binary(max_size=4)), data.draw(st.integers(0, 4))
            return content[:position] + damage + content[position + length :]

    reader = data.draw(st.sampled_from(sorted(READERS)))
    try:
        found = READERS[reader](Damaged(repository.path), checksum)
    except (StoreError, InvalidInputError):
        return
    if isinstance(found, list):
        assert all(".." not in entry.path.split("/") for entry in found)
    if isinstance(found, dict) and reader == "replaced":
        assert not any({"", "..", "."} & set(path.split("/")) for paths in found.values() for path in paths)
