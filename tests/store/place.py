# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where archives are pulled as layers, and checked out: a repository, a place for it, and what must not change."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from lab.image_builder import (
    CONFIG_TYPE,
    MANIFEST_TYPE,
    MEDIA_TYPES,
    store_blob,
    tag_manifest,
)
from store.pulling import assert_sound, converge

from ansible_collections.projectatomic.system_containers.plugins.module_utils._images import ImageOutcome
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import digest_of
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import (
    layer_commits,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._verify import (
    find_damage,
)

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""cap_net_bind_service=ep, as the kernel keeps it."""

Blob = tuple[bytes, bytes]
"""A layer as its source hands it out, and what it is meant to unpack to."""


class Place:
    """A repository, a place for a checkout of the same file system, and beside them what must not change."""

    def __init__(self, root: pathlib.Path) -> None:
        self.repository = Repository(str(root / "store/ostree"))
        self.layout = root / "oci"
        self.checkout = root / "store/checkout"
        self.canary = root / "store/canary"
        (self.canary / "d").mkdir(parents=True)
        for name in ("file", "passwd", "d/file"):
            (self.canary / name).write_text("untouched", encoding="ascii")
        self._before = (listing(self.canary), self._beside())

    def pull(self, *layers: bytes | Blob, tag: str = "1", **options: Any) -> ImageOutcome:
        """Pull an image of archives, or of blobs."""
        blobs = [layer if isinstance(layer, tuple) else (gzip.compress(layer, 1, mtime=0), layer) for layer in layers]
        make_image(self.layout, blobs, tag=tag)
        return converge(self.repository, f"localhost/app:{tag}", source=f"oci:{self.layout}:{tag}", **options)

    def check_out(self, outcome: ImageOutcome) -> dict[str, str]:
        """Check an image out, after a look at the repository, and list it."""
        assert outcome.stored is not None
        commits = layer_commits(self.repository, outcome.stored.manifest)
        assert_sound(self.repository)
        assert find_damage(self.repository, commits) == ()
        shutil.rmtree(self.checkout, ignore_errors=True)
        self.repository.checkout(commits, str(self.checkout))
        return listing(self.checkout)

    def assert_untouched(self) -> None:
        assert (listing(self.canary), self._beside()) == self._before

    def _beside(self) -> list[str]:
        own = {"ostree", "checkout"}
        return sorted({str(path) for path in self.canary.parent.iterdir() if path.name not in own})

    def assert_nothing_stored(self) -> None:
        assert self.repository.refs() == {}
        assert_sound(self.repository)


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.assert_untouched()


def listing(root: pathlib.Path) -> dict[str, str]:
    """Describe a tree: mode, owner, content or target, and xattrs of everything but the root itself."""
    found = {}
    # Not by rglob(): some versions of Python look where links lead, and their targets may be too long for that.
    below = [pathlib.Path(folder, name) for folder, *names in os.walk(root) for name in (*names[0], *names[1])]
    for path in sorted(below):
        status = path.lstat()
        words = [f"{stat.S_IMODE(status.st_mode):04o}"]
        if status.st_uid or status.st_gid:
            words.append(f"{status.st_uid}:{status.st_gid}")
        if stat.S_ISREG(status.st_mode):
            words = ["-", *words, path.read_text(encoding="utf-8")]
        elif stat.S_ISLNK(status.st_mode):
            words = ["l", os.readlink(path)]
        else:
            assert stat.S_ISDIR(status.st_mode), path
            words = ["d", *words]
        for name in os.listxattr(path, follow_symlinks=False):
            words.append(f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}")
        found[str(path.relative_to(root))] = " ".join(words)
    return found


def make_image(
    layout: pathlib.Path,
    layers: Sequence[Blob],
    *,
    tag: str = "1",
    diff_ids: Sequence[str] | None = None,
    lie: int = 0,
    padding: int = 0,
) -> None:
    """Write an image; ``lie`` is added to the size of each layer, ``padding`` bytes to the manifest."""
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    found = [digest_of(unpacked) for _blob, unpacked in layers] if diff_ids is None else diff_ids
    config = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": list(found)}}).encode()
    described = []
    for kind, blob in [(CONFIG_TYPE, config), *((MEDIA_TYPES["gzip"], blob) for blob, _unpacked in layers)]:
        digest, size = store_blob(layout, blob)
        described.append({"mediaType": kind, "digest": digest, "size": size + (lie if kind != CONFIG_TYPE else 0)})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": described[0], "layers": described[1:]}
    manifest["annotations"] = {"padding": "x" * padding}
    tag_manifest(layout, tag, *store_blob(layout, json.dumps(manifest).encode()))


def xattrs(**values: bytes) -> dict[str, Any]:
    """Attributes of a member with xattrs, whose names have '_' for '.'."""
    named = {name.replace("_", "."): value.decode("utf-8", "surrogateescape") for name, value in values.items()}
    return {"pax_headers": {f"SCHILY.xattr.{name}": value for name, value in named.items()}}
