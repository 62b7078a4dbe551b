# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images into the OSTree repository, and what is known of those that are there.

The refs and their metadata are Atomic's and skopeo's (``ostree:`` transport), so that either can use what the other
stored; one key, ``system-containers``, is this collection's own. Nothing gets a ref before the digest of every blob (checked by
the proxy) and the diff ID of every layer (checked here) were right, and the image's own refs are written last.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
import subprocess
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from ._errors import (
    InvalidInputError,
    MissingToolError,
    NewerSchemaError,
    SourceError,
    StoreError,
    SystemContainerError,
)
from ._image_name import REF_PREFIX, decode_ref, is_digest
from ._image_source import check_platform
from ._oci_image import (
    Descriptor,
    ImageConfig,
    Manifest,
    RemoteImage,
    StoredImage,
    check_layers,
    parse_config,
    parse_manifest,
)
from ._ostree import MAX_METADATA_STRING, Repository, widen_pipe
from ._ostree_reader import IMPLIED_PARENTS

if TYPE_CHECKING:
    from ._image_proxy import Blob, ImageProxy

SCHEMA = 1
"""Version of what the key ``system-containers`` of an image holds."""

_KEY = "system-containers"
_PIECE = 1024 * 1024
_INFLATERS = (
    (b"\x1f\x8b", (("igzip", "-dc"), ("unpigz", "-dc"), ("gzip", "-dc"))),
    (b"\x28\xb5\x2f\xfd", (("zstd", "-dcq"),)),
)
_RATIO, _RATIO_FROM = 500, 2**30
"""A layer may unpack to 1 GiB, and beyond that to 500 times its size."""


@dataclass(frozen=True)
class PullResult:
    """What a pull did: sizes in bytes, how many layers; ``dropped`` devices, fifos, sockets."""

    bytes_downloaded: int
    layers_pulled: int
    layers_reused: int
    dropped: int


@dataclass(frozen=True)
class _Layer:
    descriptor: Descriptor
    diff_id: str
    commit: str
    size: int
    dropped: int
    implied: int


def fetch_remote(proxy: ImageProxy) -> RemoteImage:
    """Ask the source for the manifest only; nothing is stored."""
    data, digest = proxy.manifest()
    return RemoteImage(manifest_bytes=data, manifest_digest=digest, manifest=parse_manifest(data))


def pull(repository: Repository, proxy: ImageProxy, remote: RemoteImage, *, refs: Sequence[str]) -> PullResult:
    """Store ``remote`` and let every one of ``refs`` name it; the caller holds ``repository.lock()``.

    Only what the repository lacks, or has damaged, is fetched, a layer for each processor at a time. Raises
    ``SourceError`` or ``StoreError``; no ref is written then.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(max_workers=workers) as pool, ThreadPoolExecutor(max_workers=1) as aside:
        try:
            index = aside.submit(proxy.index_digest, remote.manifest_digest)
            config_bytes = _config_bytes(repository, proxy, remote)
            config = parse_config(config_bytes)
            check_layers(remote.manifest, config)
            check_platform(config, platform=proxy.platform, machine=platform.machine(), source=proxy.source)
            missing = _missing_layers(repository, remote.manifest, config)
            futures = [pool.submit(_import_layer, repository, proxy, *item) for item in missing]
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


def stored_image(repository: Repository, ref: str) -> StoredImage | None:
    """Return the image that ``ref`` names, None when there is none; starts no process.

    ``StoreError`` when it is damaged or no image, ``NewerSchemaError`` when a newer version of this collection wrote it.
    """
    commit = repository.resolve(ref)
    if commit is None:
        return None
    metadata = repository.metadata(commit)
    own = _own_metadata(ref, metadata.get(_KEY, "{}"))
    try:
        data = repository.cat(commit, "/manifest.json") or b""
        manifest = parse_manifest(data)
    except (InvalidInputError, SourceError) as exc:
        raise StoreError(f"The ref '{ref}' of '{repository.path}' is not an image: {exc}") from exc
    if metadata.get("docker.manifest") not in (None, data.decode("utf-8", "replace")):
        raise StoreError(f"The OSTree repository '{repository.path}' is damaged: the manifest of '{ref}' was changed")
    docker_digest = metadata.get("docker.digest")
    if not is_digest(docker_digest):
        raise StoreError(f"The ref '{ref}' of '{repository.path}' is not an image: it has no digest")
    return StoredImage(
        ref=ref,
        name=decode_ref(ref[len(REF_PREFIX) :]),
        commit=commit,
        manifest_digest=own.get("manifest_digest") or str(docker_digest),
        index_digest=own.get("index_digest"),
        docker_digest=str(docker_digest),
        manifest=manifest,
        source=own.get("source"),
    )


def read_config(repository: Repository, stored: StoredImage) -> ImageConfig:
    """Return the configuration of a stored image; ``StoreError`` when the repository lacks it (Atomic's prune)."""
    descriptor = stored.manifest.config
    data = _stored_config(repository, descriptor)
    if data is None:
        raise StoreError(f"The configuration of '{stored.name}' is missing or damaged in the store: pull it again")
    return parse_config(data)


def is_complete(repository: Repository, stored: StoredImage) -> bool:
    """Tell whether all blobs of an image are there: the configuration as it should be, each layer's commit readable."""
    if _stored_config(repository, stored.manifest.config) is None:
        return False
    return all(_layer_commit(repository, layer) is not None for layer in stored.manifest.layers)


def layer_commits(repository: Repository, manifest: Manifest) -> tuple[str, ...]:
    """Return the commits of a manifest's layers, lowest first; ``StoreError`` when one is missing."""
    commits = []
    for layer in manifest.layers:
        commit = repository.resolve(layer.ref)
        if commit is None:
            raise StoreError(f"The layer {layer.digest} is missing in '{repository.path}': pull the image again")
        commits.append(commit)
    return tuple(commits)


def _config_bytes(repository: Repository, proxy: ImageProxy, remote: RemoteImage) -> bytes:
    """Return the configuration, from the store if it is there. A converted manifest names a converted one."""
    descriptor = remote.manifest.config
    stored = _stored_config(repository, descriptor)
    if stored is not None:
        return stored
    if _digest(remote.manifest_bytes) == remote.manifest_digest:
        with proxy.blob(descriptor) as blob:
            data = blob.read()
    else:
        data = proxy.converted_config()
    if _digest(data) != descriptor.digest:
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
        commit = _layer_commit(repository, layer)
        if commit is None:
            missing[layer.digest] = (layer, diff_id)
        elif repository.metadata(commit).get("docker.uncompressed_digest", diff_id) != diff_id:
            raise _wrong_diff_id(layer, diff_id)
    return iter(sorted(missing.values(), key=lambda item: -item[0].size))


def _import_layer(repository: Repository, proxy: ImageProxy, layer: Descriptor, diff_id: str) -> _Layer:
    """Fetch, check and commit one layer; the commit has no ref, and there is none when anything was wrong."""
    from ._tar_filter import TarFilter

    limit = max(_RATIO_FROM, layer.size * _RATIO)
    layer_filter = TarFilter(max_bytes=limit)
    digest = hashlib.sha256()
    commit = repository.commit_tar()
    try:
        with proxy.blob(layer) as blob, contextlib.closing(_inflated(blob)) as pieces:
            try:
                for piece in pieces:
                    digest.update(piece)
                    commit.write(layer_filter.feed(piece))
            except BaseException as exc:
                proxy.kill(exc)  # so that the thread that feeds the inflater ends at once
                raise
        if f"sha256:{digest.hexdigest()}" != diff_id:
            raise _wrong_diff_id(layer, diff_id)
        commit.write([layer_filter.close()])
        return _Layer(layer, diff_id, commit.finish(), layer_filter.bytes, layer_filter.dropped, layer_filter.implied)
    finally:
        commit.abort()


def _inflated(blob: Blob) -> Generator[bytes, None, None]:
    """Yield the bytes of a layer unpacked. The content tells how: archives of Docker name plain layers 'gzip'."""
    pieces = blob.pieces()
    first = next(pieces, b"")
    while 0 < len(first) < 4:
        more = next(pieces, b"")
        if not more:
            break
        first += more
    for magic, commands in _INFLATERS:
        if first.startswith(magic):
            yield from _inflate(_inflater(commands), first, pieces)
            return
    yield first
    yield from pieces


def _inflate(argv: Sequence[str], first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Run an inflater, feed it from a thread of its own, and yield what it unpacks.

    Its exit code does not count (junk after the end makes gzip complain): the diff ID decides. An error of the
    source, such as a wrong digest, is raised at the end.
    """
    from concurrent.futures import ThreadPoolExecutor

    from ._runner import command_environment

    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=command_environment(),
        bufsize=0,
    )
    sink, source = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with process, ThreadPoolExecutor(max_workers=1) as pool:
        try:
            widen_pipe(sink.fileno())
            widen_pipe(source.fileno())
            feeding = pool.submit(_feed, sink, first, pieces)
            while True:
                piece = os.read(source.fileno(), _PIECE)
                if not piece:
                    break
                yield piece
            feeding.result()
        finally:
            process.kill()


def _feed(sink: IO[bytes], first: bytes, pieces: Iterator[bytes]) -> None:
    """Write a blob to an inflater. One that ends early (junk follows) does not stop the reading: its end checks."""
    with sink:
        open_still = True
        for piece in itertools.chain([first], pieces):
            rest = memoryview(piece)
            while open_still and rest:
                try:
                    rest = rest[os.write(sink.fileno(), rest) :]
                except BrokenPipeError:
                    open_still = False


def _inflater(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the first of ``commands`` that is installed."""
    from ._runner import find_tool

    for name, *arguments in commands:
        with contextlib.suppress(MissingToolError):
            return [find_tool(name), *arguments]
    return [find_tool(commands[-1][0])]


def _store_layer(repository: Repository, layer: _Layer) -> None:
    metadata = {
        "docker.size": str(layer.descriptor.size),
        "docker.uncompressed_size": str(layer.size),
        "docker.uncompressed_digest": layer.diff_id,
        IMPLIED_PARENTS: str(layer.implied),
    }
    repository.commit_tree_of(layer.commit, metadata=metadata, ref=layer.descriptor.ref)


def _stored_config(repository: Repository, descriptor: Descriptor) -> bytes | None:
    """Return a stored configuration, None when it is missing, damaged, or not what its digest says."""
    try:
        commit = repository.resolve(descriptor.ref)
        data = repository.cat(commit, "/content") if commit is not None else None
    except (StoreError, InvalidInputError):
        return None
    return data if data is not None and _digest(data) == descriptor.digest else None


def _layer_commit(repository: Repository, layer: Descriptor) -> str | None:
    """Return the commit of a stored layer, None when it is missing or damaged."""
    try:
        commit = repository.resolve(layer.ref)
    except StoreError:
        return None
    return commit if commit is not None and repository.is_intact(commit) else None


def _store_config(repository: Repository, descriptor: Descriptor, data: bytes) -> int:
    """Store a configuration unless it is there; return the bytes that were stored."""
    if _stored_config(repository, descriptor) is not None:
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
    metadata = {"docker.digest": remote.manifest_digest, "signatures": "0", _KEY: json.dumps(own)}
    if len(remote.manifest_bytes) <= MAX_METADATA_STRING:
        metadata["docker.manifest"] = remote.manifest_bytes.decode("utf-8")
    commit = repository.commit_files({"manifest.json": remote.manifest_bytes}, metadata=metadata)
    for ref in refs:
        repository.set_ref(ref, commit)


def _own_metadata(ref: str, text: str) -> dict[str, Any]:
    """Parse the key ``system-containers`` of an image."""
    try:
        own = json.loads(text)
    except ValueError:
        own = None
    if not isinstance(own, dict) or not isinstance(own.get("schema", SCHEMA), int):
        raise StoreError(f"The metadata 'system-containers' of '{ref}' cannot be read: pull the image again")
    if own.get("schema", SCHEMA) > SCHEMA:
        raise NewerSchemaError(f"'{ref}' was stored by a newer version of this collection: update the collection")
    return own


def _wrong_diff_id(layer: Descriptor, diff_id: str) -> SystemContainerError:
    return SourceError(
        f"The image is damaged: layer {layer.digest} does not unpack to what its config says ({diff_id})"
    )


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
