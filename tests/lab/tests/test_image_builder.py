# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests of the image builder: what it writes is right, and the same every time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from lab import image
from lab.image_builder import MEDIA_TYPES, build_image, tar_files, tar_folder
from lab.process import LabError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o755)
    os.link(root / "bin" / "tool", root / "bin" / "twin")
    (root / "link").symlink_to("bin/tool")
    return root


def blob(layout: Path, digest: str) -> bytes:
    content = (layout / "blobs" / "sha256" / digest.split(":")[1]).read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    return content


def manifest_of(layout: Path, tag: str) -> dict[str, Any]:
    for entry in json.loads((layout / "index.json").read_bytes())["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"] == tag:
            content = blob(layout, entry["digest"])
            assert entry["size"] == len(content)
            return dict(json.loads(content))
    raise AssertionError(f"no tag {tag}")


def test_folder_becomes_a_sorted_archive_without_times_owned_by_root(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_folder(folder))) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == ["bin", "bin/tool", "bin/twin", "link"]
    assert {(entry.uid, entry.gid, entry.uname, entry.mtime) for entry in entries} == {(0, 0, "", 0)}
    assert entries[1].mode == 0o755
    assert entries[2].islnk()
    assert entries[2].linkname == "bin/tool"
    assert entries[3].issym()


def test_same_input_gives_same_digest_whatever_the_times(folder: Path, tmp_path: Path) -> None:
    first = build_image(tmp_path / "a", layers=[folder], labels={"x": "1"})
    os.utime(folder / "bin" / "tool", (1, 1))
    second = build_image(tmp_path / "b", layers=[folder], labels={"x": "1"})
    assert first.manifest_digest == second.manifest_digest


def test_config_holds_labels_entrypoint_cmd_and_environment(folder: Path, tmp_path: Path) -> None:
    image_ = build_image(
        tmp_path / "oci",
        layers=[folder, tar_files({"etc/x": "y"})],
        labels={"a": "b"},
        entrypoint=["/bin/tool"],
        cmd=["run"],
        env={"K": "v=1"},
        config={"User": "7"},
        architecture="arm64",
    )
    config = json.loads(blob(tmp_path / "oci", image_.config_digest))
    assert config["config"] == {
        "Labels": {"a": "b"},
        "Entrypoint": ["/bin/tool"],
        "Cmd": ["run"],
        "Env": ["K=v=1"],
        "User": "7",
    }
    assert config["architecture"] == "arm64"
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in image_.layers]
    assert len(config["history"]) == 2


@pytest.mark.parametrize("compression", sorted(MEDIA_TYPES))
def test_layers_are_compressed_as_asked(compression: str, tmp_path: Path) -> None:
    archive = tar_files({"etc/x": "y" * 1000})
    build_image(tmp_path, layers=[archive], compression=compression)
    entry = manifest_of(tmp_path, "latest")["layers"][0]
    stored = blob(tmp_path, entry["digest"])
    assert entry["mediaType"] == MEDIA_TYPES[compression]
    assert entry["size"] == len(stored)
    if compression == "gzip":
        stored = gzip.decompress(stored)
    elif compression == "zstd":
        stored = subprocess.run(["zstd", "-dc"], input=stored, stdout=subprocess.PIPE, check=True).stdout
    assert stored == archive


def test_bytes_are_taken_as_they_are(tmp_path: Path) -> None:
    image_ = build_image(tmp_path, layers=[b"no archive at all"])
    assert image_.layers[0].diff_id == f"sha256:{hashlib.sha256(b'no archive at all').hexdigest()}"


def test_layout_keeps_other_tags_and_replaces_its_own(tmp_path: Path) -> None:
    build_image(tmp_path, layers=[tar_files({"a": "1"})], tag="one")
    build_image(tmp_path, layers=[tar_files({"a": "2"})], tag="two")
    again = build_image(tmp_path, layers=[tar_files({"a": "3"})], tag="one")
    index = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert len(index) == 2
    assert manifest_of(tmp_path, "one")["layers"][0]["digest"] == again.layers[0].digest
    assert not list((tmp_path / "blobs" / "sha256").glob(".*"))


def test_tar_files_adds_folders_and_modes() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_files({"a/b/c": b"1", "d": "2"}, executable=["d"]))) as archive:
        assert [(entry.name, entry.mode) for entry in archive] == [
            ("a", 0o755),
            ("a/b", 0o755),
            ("a/b/c", 0o644),
            ("d", 0o755),
        ]


def test_unknown_compression_and_missing_folder_leave_no_blobs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lzma"):
        build_image(tmp_path, layers=[b""], compression="lzma")
    with pytest.raises(NotADirectoryError, match="nowhere"):
        build_image(tmp_path, layers=[tmp_path / "nowhere"])
    assert not list((tmp_path / "blobs" / "sha256").iterdir())


def test_skopeo_reads_the_layout(folder: Path, tmp_path: Path) -> None:
    image_ = build_image(tmp_path / "oci", layers=[folder], tag="1.0", labels={"a": "b"})
    shown = subprocess.run(["skopeo", "inspect", image_.reference], stdout=subprocess.PIPE, check=True).stdout
    assert json.loads(shown)["Labels"] == {"a": "b"}
    assert json.loads(shown)["Digest"] == image_.manifest_digest


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("dir", ("dir", "latest")),
        ("/a/dir:1.0", ("/a/dir", "1.0")),
        ("/a:b/dir", ("/a:b/dir", "latest")),
    ],
)
def test_target_is_split_at_the_tag(target: str, expected: tuple[str, str]) -> None:
    assert image.split_target(target) == (Path(expected[0]), expected[1])


def test_wrong_options_are_explained() -> None:
    with pytest.raises(LabError, match="--label 'x': not KEY=VALUE"):
        image.key_values(["x"], option="--label")
    with pytest.raises(LabError, match="--cmd 'sh': not a JSON list"):
        image.json_list("sh", option="--cmd")
    assert image.key_values(["a=b=c"], option="--label") == {"a": "b=c"}
    assert image.json_list('["a"]', option="--cmd") == ["a"]


def test_an_image_on_another_one_has_its_layers_and_settings(folder: Path, tmp_path: Path) -> None:
    first = build_image(tmp_path / "oci", layers=[folder], tag="1", labels={"a": "b"}, entrypoint=["/bin/tool"])
    second = build_image(tmp_path / "oci", layers=[tar_files({"etc/motd": "hello"})], base="1", tag="2", cmd=["more"])
    assert second.layers[0] == first.layers[0]
    assert len(second.layers) == 2
    config = json.loads(blob(second.layout, second.config_digest))
    assert config["config"] == {"Labels": {"a": "b"}, "Entrypoint": ["/bin/tool"], "Cmd": ["more"]}
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in second.layers]
    with pytest.raises(KeyError, match="no-such"):
        build_image(tmp_path / "oci", layers=[], base="no-such")
