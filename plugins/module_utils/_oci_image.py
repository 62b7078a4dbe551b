# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCI manifests and image configurations: strict parsing, nothing else.

Sources of the rules: the image specification (https://github.com/opencontainers/image-spec, manifest.md,
config.md) and Docker's manifest schema 2. Every digest has to be ``sha256:`` and 64 hex digits
(CVE-2024-3727), and what a document holds has to fit the media type that it claims (CVE-2021-41190).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from typing import Any, NoReturn

from ._errors import SourceError
from ._image_name import REF_PREFIX, is_digest
from ._record import dataclass
from ._strict_json import parse_json

MAX_MANIFEST = 4 * 1024 * 1024
"""Bytes that a manifest, an index or a configuration may have at most."""

MAX_LAYERS = 1000
"""Layers that an image may have at most."""

_OCI = "application/vnd.oci.image."
_DOCKER = "application/vnd.docker."
OCI_MANIFEST = _OCI + "manifest.v1+json"
_MANIFEST_TYPES = (OCI_MANIFEST, _DOCKER + "distribution.manifest.v2+json")
_CONFIG_TYPES = (_OCI + "config.v1+json", _DOCKER + "container.image.v1+json")
_LAYER_COMPRESSION = {
    _OCI + "layer.v1.tar": "none",
    _OCI + "layer.v1.tar+gzip": "gzip",
    _OCI + "layer.v1.tar+zstd": "zstd",
    _DOCKER + "image.rootfs.diff.tar": "none",
    _DOCKER + "image.rootfs.diff.tar.gzip": "gzip",
    _DOCKER + "image.rootfs.diff.tar.zstd": "zstd",
}


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of a blob: its media type, its digest and its size in bytes."""

    media_type: str
    digest: str
    size: int

    @property
    def hex(self) -> str:
        """The 64 hex digits of the digest."""
        return self.digest.partition(":")[2]

    @property
    def ref(self) -> str:
        """The OSTree ref that the blob is stored under, such as ``ociimage/<hex>``."""
        return REF_PREFIX + self.hex


@dataclass(frozen=True)
class Manifest:
    """The manifest of one image for one platform; ``layers`` from the lowest to the highest."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str


@dataclass(frozen=True)
class ImageConfig:
    """The parts of an image's configuration that matter here; ``env`` is a list of ``NAME=value``."""

    os: str
    architecture: str
    variant: str | None = None
    created: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    diff_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredImage:
    """An image in the OSTree repository; ``index_digest`` and ``source`` are unknown for what Atomic stored."""

    ref: str
    name: str
    commit: str
    manifest_digest: str
    index_digest: str | None
    docker_digest: str
    manifest: Manifest
    source: str | None


@dataclass(frozen=True)
class RemoteImage:
    """An image at its source; ``manifest_digest`` is the source's own, also where the manifest was converted."""

    manifest_bytes: bytes
    manifest_digest: str
    manifest: Manifest


@dataclass(frozen=True)
class LayerLimits:
    """What one layer may have when it is unpacked: bytes, entries, and how many times its compressed size (which counts
    only above 1 GiB)."""

    size: int = 128 * 2**30
    entries: int = 2_000_000
    ratio: int = 500

    def bytes_for(self, compressed: int) -> int:
        """Return the bytes that a layer of this compressed size may unpack to."""
        return min(self.size, max(2**30, compressed * self.ratio))


@dataclass(frozen=True)
class SourceOptions:
    """Where an image comes from, and how it is reached. ``source`` is in containers-transports(5) syntax,
    ``platform`` is ``os/arch[/variant]`` (the host's when None), ``timeout`` is in seconds."""

    source: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    authfile: str | None = None
    validate_certs: bool = True
    cert_dir: str | None = None
    platform: str | None = None
    timeout: float = 60.0
    retries: int = 3
    limits: LayerLimits = field(default_factory=LayerLimits)


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest (OCI or Docker schema 2); ``SourceError`` says what is wrong with it."""
    document = _load(data, "manifest")
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        _refuse("manifest", "it has Docker's schema 1, which is no longer supported: push the image again")
    if "manifests" in document:
        both = "layers" in document or "config" in document
        _refuse("manifest", "it is both a manifest and an index" if both else "it is an index of several platforms")
    media_type = _media_type(document)
    config = _descriptor(document.get("config"), "config")
    if config.media_type not in _CONFIG_TYPES:
        _refuse("manifest", f"config: '{config.media_type}' is not the media type of a container image")
    if config.size > MAX_MANIFEST:
        _refuse("manifest", f"config: it has {config.size} bytes, more than {MAX_MANIFEST}")
    entries = document.get("layers")
    if not isinstance(entries, list):
        _refuse("manifest", "it has no list 'layers'")
    if len(entries) > MAX_LAYERS:
        _refuse("manifest", f"it has {len(entries)} layers, more than {MAX_LAYERS}")
    layers = tuple(_descriptor(entry, f"layers[{number}]") for number, entry in enumerate(entries))
    for layer in layers:
        layer_compression(layer.media_type)
    return Manifest(config=config, layers=layers, media_type=media_type)


def parse_config(data: bytes) -> ImageConfig:
    """Parse an image configuration; ``SourceError`` says what is wrong with it."""
    document = _load(data, "config")
    config = document.get("config")
    config = {} if config is None else config
    rootfs = document.get("rootfs")
    if not isinstance(config, dict) or not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        _refuse("config", "'config' and 'rootfs' (of type 'layers') have to be objects")
    labels = config.get("Labels")
    labels = {} if labels is None else labels
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        _refuse("config", "'Labels' is not an object of strings")
    diff_ids = _strings(rootfs, "diff_ids")
    for diff_id in diff_ids:
        if not is_digest(diff_id):
            _refuse("config", f"diff ID '{diff_id[:80]}' is not sha256: and 64 hex digits")
    return ImageConfig(
        os=_string(document, "os"),
        architecture=_string(document, "architecture"),
        variant=_string(document, "variant") or None,
        created=_string(document, "created") or None,
        labels=labels,
        entrypoint=_strings(config, "Entrypoint"),
        cmd=_strings(config, "Cmd"),
        env=_strings(config, "Env"),
        user=_string(config, "User"),
        working_dir=_string(config, "WorkingDir"),
        diff_ids=diff_ids,
    )


def check_layers(manifest: Manifest, config: ImageConfig) -> None:
    """Raise ``SourceError`` unless the configuration has exactly one diff ID for each layer."""
    if len(config.diff_ids) != len(manifest.layers):
        _refuse("config", f"it lists {len(config.diff_ids)} diff IDs for {len(manifest.layers)} layers")


def layer_compression(media_type: str) -> str:
    """Return ``gzip``, ``zstd`` or ``none``; ``SourceError`` for what is not a layer, or must not be handed out."""
    compression = _LAYER_COMPRESSION.get(media_type)
    if compression is None:
        if "foreign" in media_type or "nondistributable" in media_type:
            _refuse("manifest", f"a layer is not distributable ('{media_type}'): such layers are not supported")
        if media_type.endswith("+encrypted"):
            _refuse("manifest", "a layer is encrypted: such layers are not supported")
        _refuse("manifest", f"'{media_type}' is not the media type of a layer")
    return compression


def digest_of(data: bytes) -> str:
    """Return the digest of ``data`` as manifests write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _load(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > MAX_MANIFEST:
        _refuse(what, f"it has {len(data)} bytes, more than {MAX_MANIFEST}")
    try:
        # Names that differ in case only are no twins here: labels and annotations may have such.
        document = parse_json(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        _refuse(what, f"it is not valid JSON ({str(exc)[:120]})")
    if not isinstance(document, dict):
        _refuse(what, "it is not a JSON object")
    return document


def _media_type(document: Mapping[str, Any]) -> str:
    """Return the media type that a manifest claims; OCI allows it to be missing."""
    media_type = document.get("mediaType")
    if document.get("schemaVersion") != 2 or isinstance(document.get("schemaVersion"), float):
        _refuse("manifest", "its 'schemaVersion' is not 2")
    if media_type in (None, ""):
        return OCI_MANIFEST
    if media_type not in _MANIFEST_TYPES:
        _refuse("manifest", f"its media type '{str(media_type)[:80]}' does not fit what it holds")
    return str(media_type)


def _descriptor(entry: Any, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        _refuse("manifest", f"{where} is not an object")
    media_type, digest, size = entry.get("mediaType"), entry.get("digest"), entry.get("size")
    if not isinstance(media_type, str):
        _refuse("manifest", f"{where} has no media type")
    if not is_digest(digest):
        _refuse("manifest", f"{where}: '{str(digest)[:80]}' is not a digest (sha256: and 64 hex digits)")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**53:
        _refuse("manifest", f"{where}: '{str(size)[:80]}' is not a size")
    return Descriptor(media_type=media_type, digest=str(digest), size=size)


def _string(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        _refuse("config", f"'{key}' is not a string")
    return value or ""


def _strings(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key)
    value = [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        _refuse("config", f"'{key}' is not a list of strings")
    return tuple(value)


def _refuse(what: str, reason: str) -> NoReturn:
    raise SourceError(f"The image's {what} is refused: {reason}")
