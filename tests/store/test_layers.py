# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which layers are fetched, and which are there already."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest
from lab.image_builder import Image, build_image, store_blob, tag_manifest, tar_files
from store.pulling import NAME, actions, assert_sound, checked_out, converge
from unit.plugins.module_utils.archives import archive, file

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _inflate, _pull
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SourceError, StoreError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import digest_of
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree_reader import IMPLIED_PATHS
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import layer_commits

BASE, TOP = tar_files({"base": "b" * 5000}), tar_files({"top": "t" * 3000})


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(str(tmp_path / "root/.storage/ostree"))


def counts(outcome: Any) -> tuple[int, int]:
    return outcome.result.layers_pulled, outcome.result.layers_reused


def test_a_layer_is_known_by_its_digest(repository: Repository, tmp_path: pathlib.Path) -> None:
    one = build_image(tmp_path / "oci", layers=[BASE], tag="1")
    two = build_image(tmp_path / "oci", layers=[BASE, TOP], tag="2")
    converge(repository, source=one.reference)
    (tmp_path / "oci/blobs/sha256" / two.layers[0].digest.partition(":")[2]).unlink()
    assert counts(converge(repository, "localhost/app:2", source=two.reference)) == (1, 1)


def test_metadata_does_not_grow_with_the_files(repository: Repository, tmp_path: pathlib.Path) -> None:
    """A commit's metadata is limited, so paths are listed only where they are few."""
    few, many = (archive(*(file(f"{'n' * 100}-{number}/file") for number in range(count))) for count in (5, 5000))
    outcome = converge(repository, source=build_image(tmp_path / "oci", layers=[few, many]).reference)
    assert outcome.stored is not None
    small, large = map(repository.metadata, layer_commits(repository, outcome.stored.manifest))
    assert set(small) - set(large) == {IMPLIED_PATHS}
    assert max(len(value) for value in large.values()) <= 100


@pytest.mark.parametrize("compression", ["plain", "zstd"])
def test_a_layer_is_known_by_its_diff_id(repository: Repository, tmp_path: pathlib.Path, compression: str) -> None:
    """The same archive compressed in another way is another blob; it is not fetched, which the missing file proves."""
    first = build_image(tmp_path / "a", layers=[BASE, TOP], tag="1")
    converge(repository, source=first.reference)
    other = build_image(tmp_path / "b", layers=[BASE, TOP], tag="1", compression=compression)
    for layer in other.layers:
        (tmp_path / "b/blobs/sha256" / layer.digest.partition(":")[2]).unlink()
    outcome = converge(repository, "localhost/other:1", source=other.reference)
    assert counts(outcome) == (0, 2)
    assert outcome.stored is not None
    metadata = repository.metadata(layer_commits(repository, outcome.stored.manifest)[0])
    assert metadata["docker.size"] == str(other.layers[0].size)
    assert metadata["docker.uncompressed_digest"] == first.layers[0].diff_id
    commits = layer_commits(repository, outcome.stored.manifest)
    assert set(checked_out(repository, commits, tmp_path / "root/out")) == {"base", "top"}
    assert_sound(repository)


def test_two_blobs_of_one_image_with_the_same_content(repository: Repository, tmp_path: pathlib.Path) -> None:
    layout = tmp_path / "oci"
    plain = build_image(layout, layers=[BASE], tag="plain", compression="plain").layers[0]
    image = build_image(layout, layers=[BASE, TOP], tag="1")
    manifest = json.loads((layout / "blobs/sha256" / image.manifest_digest.partition(":")[2]).read_bytes())
    config = json.loads((layout / "blobs/sha256" / image.config_digest.partition(":")[2]).read_bytes())
    manifest["layers"].append({"mediaType": plain.media_type, "digest": plain.digest, "size": plain.size})
    config["rootfs"]["diff_ids"].append(plain.diff_id)
    digest, size = store_blob(layout, json.dumps(config).encode())
    manifest["config"].update(digest=digest, size=size)
    tag_manifest(layout, "1", *store_blob(layout, json.dumps(manifest).encode()))
    outcome = converge(repository, source=image.reference)
    assert counts(outcome) == (2, 1)
    assert outcome.stored is not None
    assert len(layer_commits(repository, outcome.stored.manifest)) == 3
    assert converge(repository).plan.actions == ()


def lying_image(image: Image, *, diff_id: str) -> None:
    """Tag an image whose config claims another diff ID for its only layer as 'lie'."""
    blobs = image.layout / "blobs/sha256"
    manifest = json.loads((blobs / image.manifest_digest.partition(":")[2]).read_bytes())
    config = json.loads((blobs / image.config_digest.partition(":")[2]).read_bytes())
    config["rootfs"]["diff_ids"] = [diff_id]
    digest, size = store_blob(image.layout, json.dumps(config).encode())
    manifest["config"].update(digest=digest, size=size)
    tag_manifest(image.layout, "lie", *store_blob(image.layout, json.dumps(manifest).encode()))


def test_an_image_that_lies_about_a_stored_layer(repository: Repository, tmp_path: pathlib.Path) -> None:
    image = build_image(tmp_path / "oci", layers=[BASE], tag="1")
    first = converge(repository, source=image.reference)
    lying_image(image, diff_id=digest_of(TOP))
    with pytest.raises(SourceError, match="does not unpack to what its config says"):
        converge(repository, "localhost/lie", source=f"oci:{image.layout}:lie")
    assert not repository.has_ref(parse_image_name("localhost/lie").ref)
    assert converge(repository).stored == first.stored
    assert_sound(repository)


def test_a_store_with_a_wrong_diff_id_is_mended(repository: Repository, tmp_path: pathlib.Path) -> None:
    """What another tool recorded may be wrong; the layer is fetched again, and both digests are checked."""
    image = build_image(tmp_path / "oci", layers=[BASE], tag="1")
    stored = converge(repository, source=image.reference).stored
    assert stored is not None
    layer = stored.manifest.layers[0]
    commit = layer_commits(repository, stored.manifest)[0]
    wrong = {**repository.metadata(commit), "docker.uncompressed_digest": digest_of(TOP)}
    repository.commit_tree_of(commit, metadata=wrong, ref=layer.ref)
    assert counts(converge(repository, "localhost/again", source=image.reference)) == (1, 0)
    assert repository.resolve(layer.ref) == commit


def test_what_does_not_fit_is_not_fetched(
    repository: Repository, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = build_image(tmp_path / "oci", layers=[BASE, TOP], tag="1")
    total = sum(layer.size for layer in image.layers)

    def free(size: int) -> None:
        status = list(os.statvfs(tmp_path))
        status[0:2], status[4] = [1, 1], size
        monkeypatch.setattr(_pull.os, "statvfs", lambda path: os.statvfs_result(status))

    free(total - 1)
    with pytest.raises(StoreError, match=rf"does not fit into the store.* {total} bytes.* {total - 1} are free.*prune"):
        converge(repository, source=image.reference)
    assert repository.refs() == {}
    free(total)
    assert actions(converge(repository, source=image.reference)) == ["pull"]
    build_image(tmp_path / "oci", layers=[BASE, TOP], tag="1", labels={"a": "b"})
    free(0)
    assert actions(converge(repository, NAME, refresh=True, source=image.reference)) == ["pull"]


def test_gzip_without_a_faster_program(
    repository: Repository, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_inflate, "_FASTER_THAN_ZLIB", ())
    image = build_image(tmp_path / "oci", layers=[BASE, TOP], tag="1", compression="gzip")
    outcome = converge(repository, source=image.reference)
    assert outcome.stored is not None
    commits = layer_commits(repository, outcome.stored.manifest)
    assert checked_out(repository, commits, tmp_path / "root/out") == {"base": "b" * 5000, "top": "t" * 3000}
