# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large what the store holds is, layer by layer, from the records that were written when they were pulled.

Nothing is walked or measured: a layer counts with the size of its unpacked archive. A name is no image of its own: names
of the same manifest are one image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ._errors import StoreError, SystemContainerError
from ._oci_image import Manifest, parse_manifest
from ._ostree_reader import RepositoryReader
from ._record import dataclass
from ._stored_image import BLOB_REF, UNPACKED_SIZE


@dataclass(frozen=True)
class ImageSizes:
    """Unpacked bytes of an image's layers: all, those that no other image has, the rest. None: a size is not known."""

    unpacked: int | None = None
    unique: int | None = None
    shared: int | None = None


@dataclass(frozen=True)
class StoreSizes:
    """Sizes of a store: of its images by commit (those that can be read), and of all together.

    ``unique`` are bytes of layers that one image has, ``shared`` of those that several have, ``reclaimable`` of layers
    and configurations that none has: None when an image cannot be read, as it cannot be told then.
    """

    images: Mapping[str, ImageSizes]
    count: int = 0
    unique: int = 0
    shared: int = 0
    reclaimable: int | None = 0

    def describe(self) -> dict[str, int | None]:
        """Return what ``system_container_info`` shows."""
        return {
            "images": self.count,
            "unique": self.unique,
            "shared": self.shared,
            "reclaimable": self.reclaimable,
        }


def store_sizes(repository: RepositoryReader) -> StoreSizes:
    """Return the sizes of a store, zeroes when there is none."""
    if not repository.exists():
        return StoreSizes({})
    refs = repository.refs()
    names = {ref: commit for ref, commit in refs.items() if not BLOB_REF.match(ref)}
    manifests = {commit: _manifest(repository, commit) for commit in names.values() if commit is not None}
    unreadable = [ref for ref, commit in names.items() if commit is None]
    configs = {manifest.config.ref for manifest in manifests.values() if manifest is not None}
    sizes = {ref: _size(repository, commit) for ref, commit in refs.items() if ref not in names and ref not in configs}
    return sum_up(manifests, sizes, count=len(manifests) + len(unreadable))


def sum_up(manifests: Mapping[str, Manifest | None], sizes: Mapping[str, int | None], *, count: int) -> StoreSizes:
    """Add up ``sizes`` of blobs, by ref, over the manifests of images, by commit (None: cannot be read).

    ``count`` is how many images there are, those included of which not even the commit is known.
    """
    layers = {
        commit: {layer.ref for layer in manifest.layers}
        for commit, manifest in manifests.items()
        if manifest is not None
    }
    users = Counter(ref for refs in layers.values() for ref in refs)
    named = users.keys() | {manifest.config.ref for manifest in manifests.values() if manifest is not None}

    def total(refs: Iterable[str]) -> int:
        return sum(sizes.get(ref) or 0 for ref in refs)

    def of_image(refs: set[str]) -> ImageSizes:
        if any(sizes.get(ref) is None for ref in refs):
            return ImageSizes()
        unique = total(ref for ref in refs if users[ref] == 1)
        return ImageSizes(total(refs), unique, total(refs) - unique)

    return StoreSizes(
        images={commit: of_image(refs) for commit, refs in layers.items()},
        count=count,
        unique=total(ref for ref, number in users.items() if number == 1),
        shared=total(ref for ref, number in users.items() if number > 1),
        reclaimable=total(sizes.keys() - named) if count == len(layers) else None,
    )


def _manifest(repository: RepositoryReader, commit: str) -> Manifest | None:
    """Return an image's manifest, None when it cannot be read; most have it in their metadata."""
    try:
        text = repository.metadata(commit).get("docker.manifest")
        data = repository.cat(commit, "/manifest.json") if text is None else text.encode()
        return parse_manifest(data or b"")
    except (SystemContainerError, ValueError):
        return None


def _size(repository: RepositoryReader, commit: str | None) -> int | None:
    """Return the recorded size of a layer or a configuration, None when it is not known."""
    if commit is None:
        return None
    try:
        metadata = repository.metadata(commit)
        return int(metadata.get(UNPACKED_SIZE) or metadata["docker.size"])
    except (StoreError, ValueError, KeyError):
        return None
