# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of real sources share: a host's configuration in a folder of its own, images, and pulling them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from lab.image_builder import INDEX_TYPE, Image, build_image, store_blob, tag_manifest, tar_files

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _argspec, _images
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import image_request
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository

NAME = "localhost/app:1"
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class Host:
    """The host that pulls: its repository, and its containers configuration, as skopeo reads it."""

    def __init__(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = tmp_path
        self.environment = monkeypatch
        self.repository = Repository(str(tmp_path / "root/.storage/ostree"))
        self.temporary = tmp_path / "tmp"
        self.temporary.mkdir()
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        for name in ("XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        self.write(
            "storage.conf", f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
        )
        monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
        self.registries("")
        self.policy(POLICY)

    def write(self, name: str, content: str) -> pathlib.Path:
        """Write a file below the host's folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def policy(self, policy: Mapping[str, Any]) -> None:
        """Set the user's policy.json, which goes before the host's."""
        self.write(".config/containers/policy.json", json.dumps(policy))

    def registries(self, text: str) -> None:
        """Set the user's registries.conf, which skopeo reads instead of the host's."""
        self.write(".config/containers/registries.conf", text)

    def wrap_skopeo(self, script: str) -> None:
        """Put a skopeo first on PATH that runs ``script``, which ends with running the real one."""
        path = self.write("bin/skopeo", f'#!/bin/sh -e\n{script}\nexec {shutil.which("skopeo")} "$@"\n')
        path.chmod(0o755)
        self.environment.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    def names(self, *names: str) -> None:
        """Let these names, and no others, stand for loopback, for skopeo alone; nothing is asked of DNS."""
        hosts = self.write("hosts", f"127.0.0.1 {' '.join(names)}\n")
        resolver = self.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        mounts = f"mount --bind {hosts} /etc/hosts; mount --bind {resolver} /etc/resolv.conf"
        self.wrap_skopeo(f"""[ -n "$PRIVATE" ] || PRIVATE=1 exec unshare -m -- "$0" "$@"\n{mounts}""")

    def converge(
        self, source: str | None, *, name: str = NAME, refresh: bool = False, check_mode: bool = False, **changes: Any
    ) -> _images.ImageOutcome:
        """Do what ``system_container_image`` does; without TLS unless ``changes`` say so."""
        defaults = {key: spec.get("default") for key, spec in _argspec.PULL.items()}
        parameters = {**defaults, "max_layer_size": 2**37, "validate_certs": False, "source": source, **changes}
        request = image_request(name, parameters)
        return _images.converge_image(self.repository, request, refresh=refresh, check_mode=check_mode)

    def files(self, outcome: _images.ImageOutcome) -> dict[str, bytes]:
        """Return the regular files of a stored image by path."""
        assert outcome.stored is not None
        commits = [self.repository.resolve(layer.ref) or "" for layer in outcome.stored.manifest.layers]
        target = self.path / f"checkout-{outcome.manifest_digest[7:19]}"
        self.repository.checkout(commits, str(target))
        return {str(file.relative_to(target)): file.read_bytes() for file in target.rglob("*") if file.is_file()}

    def refs(self) -> set[str]:
        """Return all refs, which an unsuccessful pull must not have made."""
        heads = pathlib.Path(self.repository.path, "refs/heads")
        return {str(ref.relative_to(heads)) for ref in heads.rglob("*") if ref.is_file()}

    def leftovers(self) -> list[str]:
        """Return the temporary files that are still there."""
        folders = (self.temporary, pathlib.Path(self.repository.path, "tmp"))
        return [
            entry.name for folder in folders if folder.exists() for entry in folder.glob("*") if entry.name != "cache"
        ]


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def skopeo(*arguments: str) -> bytes:
    return subprocess.run(["skopeo", *arguments], check=True, capture_output=True).stdout


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


FILES = {"etc/one": "one", "etc/two": "two"}


def two_layers(layout: pathlib.Path, *, tag: str = "1", text: str = "", **options: Any) -> Image:
    """Build an image of two layers that together hold ``FILES``; ``text`` makes another image of it."""
    layers = [tar_files({"etc/one": "one"}), tar_files({"etc/two": "two" + text})]
    return build_image(layout, layers=layers, tag=tag, **options)


def add_document(layout: pathlib.Path, tag: str, document: Mapping[str, Any]) -> str:
    """Tag any manifest or index and return its digest."""
    digest, size = store_blob(layout, json.dumps(document).encode())
    tag_manifest(layout, tag, digest, size)
    index = layout / "index.json"
    content = json.loads(index.read_bytes())
    content["manifests"][-1]["mediaType"] = document["mediaType"]
    index.write_text(json.dumps(content), encoding="utf-8")
    return digest


def manifest_of(image: Image) -> dict[str, Any]:
    """Return the manifest of an image that was built."""
    content = (image.layout / "blobs/sha256" / image.manifest_digest[7:]).read_bytes()
    return dict(json.loads(content))


def as_docker(image: Image, tag: str) -> Image:
    """Tag the image with a manifest of Docker's schema 2 and return it."""
    manifest = manifest_of(image)
    manifest["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for layer in manifest["layers"]:
        layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    digest = add_document(image.layout, tag, manifest)
    return dataclasses.replace(image, tag=tag, manifest_digest=digest)


def add_index(layout: pathlib.Path, tag: str, platforms: Mapping[str, Image], media_type: str = INDEX_TYPE) -> str:
    """Tag an index of images by platform (``os/arch[/variant]``) and return its digest."""
    entries = []
    for name, image in platforms.items():
        content = (layout / "blobs/sha256" / image.manifest_digest[7:]).read_bytes()
        platform = dict(zip(("os", "architecture", "variant"), name.split("/")))
        entries.append(
            {
                "mediaType": json.loads(content)["mediaType"],
                "digest": image.manifest_digest,
                "size": len(content),
                "platform": platform,
            }
        )
    return add_document(layout, tag, {"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
