# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image from its source into the OSTree repository.

Nothing gets a ref before the digest of every blob (checked by the proxy) and the diff ID of every layer (checked here)
were right, and the image's own refs are written last. What is written is described in ``_stored_image``.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from ._deferred_sync import DeferredSync
from ._errors import SourceError, StoreError
from ._image_source import check_platform
from ._layer_import import ImportedLayer, import_layer
from ._lower_links import place_lower_links
from ._oci_image import (
    Descriptor,
    ImageConfig,
    Manifest,
    RemoteImage,
    check_layers,
    digest_of,
    parse_config,
)
from ._ostree import MAX_METADATA_STRING, Repository
from ._ostree_reader import IMPLIED_PARENTS, IMPLIED_PATHS, LOWER_LINKS
from ._record import dataclass
from ._source_errors import naming
from ._stored_image import (
    DIFF_ID,
    OWN_KEY,
    SCHEMA,
    UNPACKED_SIZE,
    layer_commit,
    layers_by_diff_id,
    stored_config,
)

if TYPE_CHECKING:
    from ._image_proxy import ImageProxy


@dataclass(frozen=True)
class PullResult:
    """What a pull did: sizes in bytes, how many layers; ``dropped`` devices and fifos."""

    bytes_downloaded: int
    layers_pulled: int
    layers_reused: int
    dropped: int


def pull(repository: Repository, proxy: ImageProxy, remote: RemoteImage, *, refs: Sequence[str]) -> PullResult:
    """Store ``remote`` and let every one of ``refs`` name it; the caller holds ``repository.lock()``.

    Only what the repository lacks, or has damaged, is fetched, a layer for each processor at a time. Raises
    ``SourceError`` or ``StoreError``; no ref is written then.
    """
    workers = len(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming(proxy.source))
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=workers))
        aside = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        sync = stack.enter_context(DeferredSync(repository))
        try:
            image = aside.submit(_store_image, repository, proxy, remote, sync=sync.per_commit)
            config_bytes = _config_bytes(repository, proxy, remote)
            config = parse_config(config_bytes)
            check_layers(remote.manifest, config)
            check_platform(config, platform=proxy.platform, machine=platform.machine(), source=proxy.source)
            missing = _missing_layers(repository, remote.manifest, config)
            blobs = _share_layers(repository, missing)
            _check_space(repository, (layers[0] for layers in missing.values()))
            futures = [
                pool.submit(_import_and_store, repository, proxy, layers, diff_id, sync=sync.per_commit)
                for diff_id, layers in missing.items()
            ]
            config_size = 0
            if stored_config(repository, remote.manifest.config) is None:
                blobs[remote.manifest.config.ref] = _store_config(repository, config_bytes, sync=sync.per_commit)
                config_size = len(config_bytes)
            pairs = list(zip(remote.manifest.layers, config.diff_ids))
            finished = [future.result() for future in as_completed(futures)]
            imported = place_lower_links(repository, pairs, [layer for layer, _refs in finished], shared=blobs)
            for _layer, stored in finished:
                blobs.update(stored)
            # What has hard links to lower layers could not be stored before those were there.
            late = [layer for layer in imported if layer.placed_links]
            for stored in pool.map(lambda layer: _store_layer(repository, layer, missing[layer.diff_id]), late):
                blobs.update(stored)
            image_commit = image.result()
        except BaseException:
            proxy.kill()
            raise
        sync.finish()
    for ref, commit in (*blobs.items(), *((ref, image_commit) for ref in refs)):
        repository.set_ref(ref, commit)
    for layer in (*(layer for layer, _refs in finished), *imported):
        repository.forget_commit(layer.commit)
    return PullResult(
        bytes_downloaded=sum(layer.descriptor.size for layer in imported) + config_size,
        layers_pulled=len(imported),
        layers_reused=len({layer.digest for layer in remote.manifest.layers}) - len(imported),
        dropped=sum(layer.dropped for layer in imported),
    )


def _config_bytes(repository: Repository, proxy: ImageProxy, remote: RemoteImage) -> bytes:
    """Return the configuration, from the store if it is there. A converted manifest names a converted one."""
    descriptor = remote.manifest.config
    stored = stored_config(repository, descriptor)
    if stored is not None:
        return stored
    if digest_of(remote.manifest_bytes) == remote.manifest_digest:
        data = proxy.read(descriptor)
    else:
        data = proxy.converted_config()
    if digest_of(data) != descriptor.digest:
        raise SourceError(f"'{proxy.source}' hands out a configuration that is not {descriptor.digest}")
    return data


def _missing_layers(
    repository: Repository, manifest: Manifest, config: ImageConfig
) -> dict[str, tuple[Descriptor, ...]]:
    """Return the layers that the repository lacks by diff ID, the largest first; two blobs may unpack to the same.

    A stored layer with another diff ID is fetched again: either it or this image is wrong about the blob.
    """
    missing: dict[str, dict[str, Descriptor]] = {}
    diff_ids: dict[str, str] = {}
    for layer, diff_id in zip(manifest.layers, config.diff_ids):
        if diff_ids.setdefault(layer.digest, diff_id) != diff_id:
            raise SourceError(f"The image's config is refused: it has two diff IDs for layer {layer.digest}")
        commit = layer_commit(repository, layer)
        if commit is None or repository.metadata(commit).get(DIFF_ID, diff_id) != diff_id:
            missing.setdefault(diff_id, {})[layer.digest] = layer
    largest = sorted(missing.items(), key=lambda item: -max(layer.size for layer in item[1].values()))
    return {diff_id: tuple(layers.values()) for diff_id, layers in largest}


def _check_space(repository: Repository, layers: Iterable[Descriptor]) -> None:
    """Raise ``StoreError`` when not even the compressed layers would fit on the repository's file system."""
    needed = sum(layer.size for layer in layers)
    status = os.statvfs(repository.path)
    free = status.f_bavail * status.f_frsize
    if needed > free:
        raise StoreError(
            f"The image does not fit into the store '{repository.path}': the layers that it lacks have {needed} bytes, before"
            f" they are unpacked, and {free} are free: make room, for example with system_container_prune"
        )


def _share_layers(repository: Repository, missing: dict[str, tuple[Descriptor, ...]]) -> dict[str, str]:
    """Commit missing layers whose content is stored under another digest; they are missing no more. Return refs and commits."""
    stored = layers_by_diff_id(repository) if missing else {}
    refs = {}
    for diff_id in missing.keys() & stored.keys():
        for layer in missing.pop(diff_id):
            metadata = {**repository.metadata(stored[diff_id]), "docker.size": str(layer.size)}
            refs[layer.ref] = repository.commit_tree_of(stored[diff_id], metadata=metadata)
    return refs


def _import_and_store(
    repository: Repository, proxy: ImageProxy, layers: Sequence[Descriptor], diff_id: str, *, sync: bool
) -> tuple[ImportedLayer, dict[str, str]]:
    """Import a layer and commit it for each of its blobs; return refs and commits, none when hard links to lower layers are missing."""
    layer = import_layer(repository, proxy, layers[0], diff_id, sync=sync)
    return layer, {} if layer.lower_links else _store_layer(repository, layer, layers)


def _store_layer(repository: Repository, layer: ImportedLayer, descriptors: Sequence[Descriptor]) -> dict[str, str]:
    """Commit a layer with its metadata, for each blob that unpacks to it; return refs and commits."""
    refs = {}
    for descriptor in descriptors:
        metadata = {
            "docker.size": str(descriptor.size),
            UNPACKED_SIZE: str(layer.size),
            DIFF_ID: layer.diff_id,
            IMPLIED_PARENTS: str(len(layer.implied)),
            **_implied_paths(layer),
            **({LOWER_LINKS: layer.placed_links} if layer.placed_links else {}),
        }
        refs[descriptor.ref] = repository.commit_tree_of(layer.commit, metadata=metadata)
    return refs


def _implied_paths(layer: ImportedLayer) -> dict[str, str]:
    """Return the metadata that names the directories that a layer implies, unless these are too many."""
    text = json.dumps(layer.implied)
    return {IMPLIED_PATHS: text} if len(text) <= MAX_METADATA_STRING else {}


def _store_config(repository: Repository, data: bytes, *, sync: bool) -> str:
    return repository.commit_files({"content": data}, metadata={"docker.size": str(len(data))}, sync=sync)


def _store_image(repository: Repository, proxy: ImageProxy, remote: RemoteImage, *, sync: bool) -> str:
    own = {
        "schema": SCHEMA,
        "manifest_digest": remote.manifest_digest,
        "index_digest": proxy.index_digest(remote.manifest_digest),
        "source": proxy.source,
    }
    metadata = {"docker.digest": remote.manifest_digest, "signatures": "0", OWN_KEY: json.dumps(own)}
    if len(remote.manifest_bytes) <= MAX_METADATA_STRING:
        metadata["docker.manifest"] = remote.manifest_bytes.decode("utf-8")
    return repository.commit_files({"manifest.json": remote.manifest_bytes}, metadata=metadata, sync=sync)
