# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images as results and ``system_container_image_info`` show them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._errors import StoreError, SystemContainerError
from ._exports import template_variables
from ._image_files import ImageTree, read_image_files
from ._image_name import REF_PREFIX, ImageName, decode_ref
from ._image_plan import Held, UsedImage, users_of
from ._oci_image import RemoteImage, StoredImage
from ._ostree_reader import RepositoryReader
from ._stored_image import layer_commits, read_config, stored_image

if TYPE_CHECKING:
    from ._image_request import ImageRequest
    from ._images import ImageOutcome
    from ._pull import PullResult

_BLOB_REF = re.compile(REF_PREFIX + r"[0-9a-f]{64}\Z")


def list_images(
    repository: RepositoryReader, names: Sequence[ImageName] | None, containers: Mapping[str, Sequence[UsedImage]]
) -> list[dict[str, Any]]:
    """Return the named images that are stored, all of them without names, sorted by name."""
    from ._store_sizes import ImageSizes, store_sizes

    if not repository.exists():
        return []
    refs = [name.ref for name in names] if names is not None else image_refs(repository)
    images = [image for image in (_describe_ref(repository, ref, containers) for ref in set(refs)) if image]
    sizes = store_sizes(repository).images if images else {}
    for image in images:
        size = sizes.get(str(image["commit"]), ImageSizes())
        image.update(unpacked_size=size.unpacked, unique_size=size.unique, shared_size=size.shared)
    return sorted(images, key=lambda image: str(image["name"]))


def describe_remote(name: str, remote: RemoteImage) -> dict[str, Any]:
    """Return what is known of an image at its source."""
    return {
        "name": name,
        "manifest_digest": remote.manifest_digest,
        "config_digest": remote.manifest.config.digest,
        "layers": [{"digest": layer.digest, "size": layer.size} for layer in remote.manifest.layers],
        "size": sum(layer.size for layer in remote.manifest.layers),
    }


def describe_stored(repository: RepositoryReader, stored: StoredImage, *, used_by: Sequence[str]) -> dict[str, Any]:
    """Return a stored image as ``system_container_image_info`` lists it; a damaged one with the reason."""
    manifest = stored.manifest
    described: dict[str, Any] = {
        "name": stored.name,
        "ref": stored.ref,
        "commit": stored.commit,
        "manifest_digest": stored.manifest_digest,
        "index_digest": stored.index_digest,
        "config_digest": manifest.config.digest,
        "layers": [{"digest": layer.digest, "size": layer.size} for layer in manifest.layers],
        "size": sum(layer.size for layer in manifest.layers),
        "source": stored.source,
        "used_by": list(used_by),
        "broken": None,
    }
    try:
        config = read_config(repository, stored)
        files = read_image_files(ImageTree(repository, layer_commits(repository, manifest)), digests=False)
        described.update(created=config.created, labels=dict(config.labels), variables=template_variables(files))
        described["platform"] = "/".join(part for part in (config.os, config.architecture, config.variant) if part)
    except SystemContainerError as exc:
        described.update(created=None, labels={}, variables={}, platform=None, broken=str(exc))
    return described


def image_refs(repository: RepositoryReader) -> list[str]:
    """Return the refs that are names of images; layers and config blobs are 64 hex digits (an image has a tag)."""
    return [ref for ref in repository.refs() if not _BLOB_REF.match(ref)]


def _describe_ref(
    repository: RepositoryReader, ref: str, containers: Mapping[str, Sequence[UsedImage]]
) -> dict[str, Any] | None:
    try:
        stored = stored_image(repository, ref)
    except SystemContainerError as exc:
        return _describe_broken(repository, ref, str(exc), containers)
    return describe_stored(repository, stored, used_by=users_of_stored(stored, containers)) if stored else None


def _describe_broken(
    repository: RepositoryReader, ref: str, reason: str, containers: Mapping[str, Sequence[UsedImage]]
) -> dict[str, Any]:
    """Return an image that cannot be read with the keys of all others: loops over images go on."""
    name = decode_ref(ref[len(REF_PREFIX) :])
    try:
        commit = repository.resolve(ref)
    except StoreError:
        commit = None
    unknown = ("manifest_digest", "index_digest", "config_digest", "size", "source", "created", "platform")
    return {
        "name": name,
        "ref": ref,
        "commit": commit,
        **dict.fromkeys(unknown),
        "layers": [],
        "labels": {},
        "variables": {},
        "used_by": users_of(name, Held("incomplete", commit), containers),
        "broken": reason,
    }


def users_of_stored(stored: StoredImage, containers: Mapping[str, Sequence[UsedImage]]) -> list[str]:
    return users_of(stored.name, Held("present", stored.commit, stored), containers)


def inspect_remote(request: ImageRequest) -> dict[str, Any]:
    """Return what the source says of an image; nothing is stored."""
    from ._image_proxy import ImageProxy

    with ImageProxy(request.source()) as proxy:
        return describe_remote(str(request.name), proxy.image())


def describe_outcome(
    repository: RepositoryReader, name: ImageName, outcome: ImageOutcome, containers: Mapping[str, Sequence[UsedImage]]
) -> dict[str, Any]:
    """Return the image after it was converged: as stored, or in check mode as its source has it."""
    if outcome.stored is not None:
        return describe_stored(repository, outcome.stored, used_by=users_of_stored(outcome.stored, containers))
    return describe_remote(str(name), outcome.remote) if outcome.remote is not None else {}


def describe_pull(result: PullResult | None) -> dict[str, int]:
    """Return what a pull did, zeroes when there was none."""
    return {
        "bytes_downloaded": result.bytes_downloaded if result else 0,
        "layers_pulled": result.layers_pulled if result else 0,
        "layers_reused": result.layers_reused if result else 0,
        "dropped_entries": result.dropped if result else 0,
    }
