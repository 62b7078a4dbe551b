# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that are in the OSTree repository: their records, configurations and layers (reads only).

The refs and their metadata are Atomic's and skopeo's (``ostree:`` transport), so that either can use what the other
stored; the keys that begin with ``system-containers`` are this collection's own.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ._errors import InvalidInputError, NewerSchemaError, SourceError, StoreError
from ._image_name import REF_PREFIX, decode_ref, is_digest
from ._oci_image import Descriptor, ImageConfig, Manifest, StoredImage, digest_of, parse_config, parse_manifest
from ._ostree_reader import LOWER_LINKS, RepositoryReader

SCHEMA = 1
"""Version of what the key ``system-containers`` of an image holds."""

DIFF_ID, UNPACKED_SIZE = "docker.uncompressed_digest", "docker.uncompressed_size"
"""Metadata of a layer."""

BLOB_REF = re.compile(REF_PREFIX + r"[0-9a-f]{64}\Z")
"""The ref of a layer or a configuration; an image's name has a tag or ``@sha256_3A``."""

OWN_KEY = "system-containers"
"""Metadata of an image: what this collection records, as JSON."""


def stored_image(repository: RepositoryReader, ref: str) -> StoredImage | None:
    """Return the image that ``ref`` names, None when there is none; starts no process.

    ``StoreError`` when it is damaged or no image, ``NewerSchemaError`` when a newer version of this collection wrote it.
    """
    commit = repository.resolve(ref)
    if commit is None:
        return None
    metadata = repository.metadata(commit)
    own = _own_metadata(ref, metadata.get(OWN_KEY, "{}"))
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


def read_config(repository: RepositoryReader, stored: StoredImage) -> ImageConfig:
    """Return the configuration of a stored image; ``StoreError`` when the repository lacks it (Atomic's prune)."""
    descriptor = stored.manifest.config
    data = stored_config(repository, descriptor)
    if data is None:
        raise StoreError(f"The configuration of '{stored.name}' is missing or damaged in the store: pull it again")
    return parse_config(data)


def is_complete(repository: RepositoryReader, stored: StoredImage) -> bool:
    """Tell whether all blobs of an image are there: the configuration as it should be, each layer's commit readable."""
    if repository.is_partial(stored.commit):
        return False
    if stored_config(repository, stored.manifest.config) is None:
        return False
    return all(layer_commit(repository, layer) is not None for layer in stored.manifest.layers)


def layer_commits(repository: RepositoryReader, manifest: Manifest) -> tuple[str, ...]:
    """Return the commits of a manifest's layers, lowest first; ``StoreError`` when one is missing."""
    commits = []
    for layer in manifest.layers:
        commit = repository.resolve(layer.ref)
        if commit is None:
            raise StoreError(f"The layer {layer.digest} is missing in '{repository.path}': pull the image again")
        commits.append(commit)
    return tuple(commits)


def image_commits(repository: RepositoryReader, stored: StoredImage) -> tuple[str, ...]:
    """Return the commits that an image is made of, those that have a ref: its own, its configuration's, its layers'."""
    blobs = (stored.manifest.config, *stored.manifest.layers)
    commits = (stored.commit, *(repository.resolve(blob.ref) for blob in blobs))
    return tuple(commit for commit in dict.fromkeys(commits) if commit is not None)


def layers_by_diff_id(repository: RepositoryReader) -> dict[str, str]:
    """Return the commits of all stored layers whose content depends on nothing but their diff ID, by that."""
    found = {}
    for ref, commit in repository.refs().items():
        if BLOB_REF.match(ref) and commit is not None and is_usable(repository, commit):
            metadata = repository.metadata(commit)
            if is_digest(metadata.get(DIFF_ID)) and LOWER_LINKS not in metadata:
                found[metadata[DIFF_ID]] = commit
    return found


def is_usable(repository: RepositoryReader, commit: str) -> bool:
    """Tell whether a commit is there, unchanged, and not known to lack anything."""
    return repository.is_intact(commit) and not repository.is_partial(commit)


def stored_config(repository: RepositoryReader, descriptor: Descriptor) -> bytes | None:
    """Return a stored configuration, None when it is missing, damaged, or not what its digest says."""
    try:
        commit = repository.resolve(descriptor.ref)
        usable = commit is not None and is_usable(repository, commit)
        data = repository.cat(commit, "/content") if commit is not None and usable else None
    except (StoreError, InvalidInputError):
        return None
    return data if data is not None and digest_of(data) == descriptor.digest else None


def layer_commit(repository: RepositoryReader, layer: Descriptor) -> str | None:
    """Return the commit of a stored layer, None when it is missing or damaged."""
    try:
        commit = repository.resolve(layer.ref)
    except StoreError:
        return None
    return commit if commit is not None and is_usable(repository, commit) else None


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
    for key in ("manifest_digest", "index_digest"):
        if own.get(key) is not None and not is_digest(own[key]):
            raise StoreError(
                f"The metadata 'system-containers' of '{ref}' has a '{key}' that is none: pull the image again"
            )
    return own
