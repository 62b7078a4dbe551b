# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image from its source into the OSTree repository.

Nothing gets a ref before the digest of every blob (checked by the proxy) and the diff ID of every layer (checked here)
were right, and the image's own refs are written last. What is written is described in ``_stored_image``.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._errors import SourceError
from ._image_source import check_platform
from ._layer_import import ImportedLayer, import_layer, wrong_diff_id
from ._oci_image import (
    Descriptor,
    ImageConfig,
    Manifest,
    RemoteImage,
    check_layers,
    digest_of,
    parse_config,
    parse_manifest,
)
from ._ostree import MAX_METADATA_STRING, Repository
from ._ostree_reader import IMPLIED_PARENTS
from ._stored_image import OWN_KEY, SCHEMA, layer_commit, stored_config

if TYPE_CHECKING:
    from ._image_proxy import ImageProxy


@dataclass(frozen=True)
class PullResult:
    """What a pull did: sizes in bytes, how many layers; ``dropped`` devices, fifos, sockets."""

    bytes_downloaded: int
    layers_pulled: int
    layers_reused: int
    dropped: int


def fetch_remote(proxy: ImageProxy) -> RemoteImage:
    """Ask the source for the manifest only; nothing is stored."""
    data, digest = proxy.manifest()
    return RemoteImage(manifest_bytes=data, manifest_digest=digest, manifest=parse_manifest(data))


def pull(repository: Repository, proxy: ImageProxy, remote: RemoteImage, *, refs: Sequence[str]) -> PullResult:
    """Store ``remote`` and let every one of ``refs`` name it; the caller holds ``repository.lock()``.

    Only what the repository lacks, or has damaged, is fetched, a layer for each processor at a time. Raises
    ``SourceError`` or ``StoreError``; no ref is written then.
    """
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(max_workers=workers) as pool, ThreadPoolExecutor(max_workers=1) as aside:
        try:
            index = aside.submit(proxy.index_digest, remote.manifest_digest)
            config_bytes = _config_bytes(repository, proxy, remote)
            config = parse_config(config_bytes)
            check_layers(remote.manifest, config)
            check_platform(config, platform=proxy.platform, machine=platform.machine(), source=proxy.source)
            missing = _missing_layers(repository, remote.manifest, config)
            futures = [pool.submit(import_layer, repository, proxy, *item) for item in missing]
            layers = [future.result() for future in as_completed(futures)]
            list(pool.map(lambda layer: _store_layer(repository, layer), layers))
            index_digest = index.result()
        except BaseException:
            proxy.kill()
            raise
    config_size = _store_config(repository, remote.manifest.config, config_bytes)
    _store_image(repository, remote, index_digest=index_digest, source=proxy.source, refs=refs)
    return PullResult(
        bytes_downloaded=sum(layer.descriptor.size for layer in layers) + config_size,
        layers_pulled=len(layers),
        layers_reused=len({layer.digest for layer in remote.manifest.layers}) - len(layers),
        dropped=sum(layer.dropped for layer in layers),
    )


def _config_bytes(repository: Repository, proxy: ImageProxy, remote: RemoteImage) -> bytes:
    """Return the configuration, from the store if it is there. A converted manifest names a converted one."""
    descriptor = remote.manifest.config
    stored = stored_config(repository, descriptor)
    if stored is not None:
        return stored
    if digest_of(remote.manifest_bytes) == remote.manifest_digest:
        with proxy.blob(descriptor) as blob:
            data = blob.read()
    else:
        data = proxy.converted_config()
    if digest_of(data) != descriptor.digest:
        raise SourceError(f"'{proxy.source}' hands out a configuration that is not {descriptor.digest}")
    return data


def _missing_layers(
    repository: Repository, manifest: Manifest, config: ImageConfig
) -> Iterator[tuple[Descriptor, str]]:
    """Yield each layer that the repository lacks, once, with its diff ID, the largest first."""
    missing: dict[str, tuple[Descriptor, str]] = {}
    diff_ids: dict[str, str] = {}
    for layer, diff_id in zip(manifest.layers, config.diff_ids):
        if diff_ids.setdefault(layer.digest, diff_id) != diff_id:
            raise SourceError(f"The image's config is refused: it has two diff IDs for layer {layer.digest}")
        commit = layer_commit(repository, layer)
        if commit is None:
            missing[layer.digest] = (layer, diff_id)
        elif repository.metadata(commit).get("docker.uncompressed_digest", diff_id) != diff_id:
            raise wrong_diff_id(layer, diff_id)
    return iter(sorted(missing.values(), key=lambda item: -item[0].size))


def _store_layer(repository: Repository, layer: ImportedLayer) -> None:
    metadata = {
        "docker.size": str(layer.descriptor.size),
        "docker.uncompressed_size": str(layer.size),
        "docker.uncompressed_digest": layer.diff_id,
        IMPLIED_PARENTS: str(layer.implied),
    }
    repository.commit_tree_of(layer.commit, metadata=metadata, ref=layer.descriptor.ref)


def _store_config(repository: Repository, descriptor: Descriptor, data: bytes) -> int:
    """Store a configuration unless it is there; return the bytes that were stored."""
    if stored_config(repository, descriptor) is not None:
        return 0
    repository.commit_files({"content": data}, metadata={"docker.size": str(len(data))}, ref=descriptor.ref)
    return len(data)


def _store_image(
    repository: Repository, remote: RemoteImage, *, index_digest: str | None, source: str, refs: Sequence[str]
) -> None:
    own = {
        "schema": SCHEMA,
        "manifest_digest": remote.manifest_digest,
        "index_digest": index_digest,
        "source": source,
    }
    metadata = {"docker.digest": remote.manifest_digest, "signatures": "0", OWN_KEY: json.dumps(own)}
    if len(remote.manifest_bytes) <= MAX_METADATA_STRING:
        metadata["docker.manifest"] = remote.manifest_bytes.decode("utf-8")
    commit = repository.commit_files({"manifest.json": remote.manifest_bytes}, metadata=metadata)
    for ref in refs:
        repository.set_ref(ref, commit)
