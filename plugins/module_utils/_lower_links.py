# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hard links of a layer to files of the layers below it: ``ostree commit --tree=tar`` does not know those.

A layer's commit is made again with the file itself in place of the link, so what the layer holds depends on the layers
that it was pulled with. These are recorded in its metadata (``LOWER_LINKS``: path to target and checksum, as JSON), and
compared when another image has the same layer.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ._errors import InvalidInputError, SourceError, StoreError
from ._layer_import import ImportedLayer
from ._oci_image import Descriptor
from ._ostree import MAX_METADATA_STRING, Repository
from ._ostree_reader import LOWER_LINKS, RepositoryReader
from ._verify import find_damage, stored_xattrs

_PIECE = 1024 * 1024


def place_lower_links(
    repository: Repository,
    layers: Sequence[tuple[Descriptor, str]],
    imported: Sequence[ImportedLayer],
    *,
    shared: Mapping[str, str],
) -> list[ImportedLayer]:
    """Return ``imported`` with their hard links to lower layers in place; check those of layers that were stored before.

    ``layers`` are all layers of an image, lowest first, with their diff IDs; ``shared`` the commits, by ref, of those that
    are stored under another digest. Raises ``SourceError`` for a link to what is no file of a lower layer, ``StoreError``
    when a stored layer was pulled with other files below it, as another image may need it as it is.
    """
    known = {layer.diff_id: layer for layer in imported}
    below: list[str] = []
    for descriptor, diff_id in layers:
        layer = known.get(diff_id)
        if layer is not None and layer.lower_links:
            _check_stored(repository, below, descriptor, _recorded(repository, descriptor))
        if layer is not None and layer.lower_links and layer.placed_links is None:
            layer = known[diff_id] = _placed(repository, below, layer)
        elif layer is None:
            commit = shared.get(descriptor.ref) or repository.resolve(descriptor.ref)
            if commit is None:
                raise StoreError(
                    f"The layer {descriptor.digest} is missing in '{repository.path}': pull the image again"
                )
            _check_stored(repository, below, descriptor, repository.metadata(commit).get(LOWER_LINKS))
            below.append(commit)
            continue
        else:
            _check_stored(repository, below, descriptor, layer.placed_links)
        below.append(layer.commit)
    return list(known.values())


def _placed(repository: Repository, below: Sequence[str], layer: ImportedLayer) -> ImportedLayer:
    """Commit a layer again with its hard links to lower layers in place."""
    found = {path: _found(repository, below, path, target) for path, target in layer.lower_links.items()}
    record = json.dumps({path: (layer.lower_links[path], checksum) for path, checksum in found.items()})
    if len(record) > MAX_METADATA_STRING:
        raise StoreError(
            f"The image's layer is refused: it has {len(found)} hard links to files of lower layers, and not more than "
            f"{MAX_METADATA_STRING} bytes of names can be recorded: build the image with copies of them"
        )
    _check_folders(repository, layer)
    running = repository.commit_tar(over=layer.commit)
    try:
        for piece in _tar(repository, found):
            running.write([piece])
        commit = running.finish()
    finally:
        running.abort()
    for path, checksum in found.items():
        node = repository.find_visible([commit], path)
        if node is None or node.checksum != checksum:
            raise StoreError(
                f"The OSTree repository '{repository.path}' is damaged: object {checksum}.file was changed: mend the "
                "images that have it with 'verify: true', then try again"
            )
    return replace(layer, commit=commit, placed_links=record)


def _check_folders(repository: Repository, layer: ImportedLayer) -> None:
    """Raise ``StoreError`` when ostree kept a damaged directory: made anew from it, the layer would be sound, and wrong."""
    damage = find_damage(repository, [layer.commit], files=False)
    if damage:
        raise StoreError(
            f"The OSTree repository '{repository.path}' is damaged: object {damage[0].checksum}.{damage[0].kind} is"
            f" {damage[0].problem}: mend the images that have it with 'verify: true', or, if none has, prune the store; then"
            " try again"
        )


def _recorded(repository: RepositoryReader, layer: Descriptor) -> str | None:
    """Return the record of a stored layer that is about to be replaced, None when there is none, or it cannot be read."""
    try:
        commit = repository.resolve(layer.ref)
        return repository.metadata(commit).get(LOWER_LINKS) if commit is not None else None
    except StoreError:
        return None


def _check_stored(repository: RepositoryReader, below: Sequence[str], layer: Descriptor, record: str | None) -> None:
    """Raise ``StoreError`` unless the hard links of a stored layer lead to the same files in this image."""
    for path, (target, checksum) in json.loads(record or "{}").items():
        if _found(repository, below, path, target) != checksum:
            raise StoreError(
                f"The layer {layer.digest} is stored as part of another image, where its hard link '{path}' leads to "
                f"another file '{target}' of the layers below: remove that image and prune the store, then try again"
            )


def _found(repository: RepositoryReader, below: Sequence[str], path: str, target: str) -> str:
    """Return the checksum of the file or symbolic link that a hard link leads to."""
    try:
        node = repository.find_visible(below, target)
    except InvalidInputError as exc:
        raise _refused(path, target, str(exc)) from exc
    if node is None:
        raise _refused(path, target, "neither this layer holds it before the link, nor do the layers below")
    if node.meta is not None:
        raise _refused(path, target, "that is a directory")
    return node.checksum


def _refused(path: str, target: str, reason: str) -> SourceError:
    return SourceError(f"The image's layer is refused: {path!r} is a hard link to {target!r}: {reason}")


def _tar(repository: RepositoryReader, links: Mapping[str, str]) -> Iterator[bytes]:
    """Yield an archive with the file objects ``links`` (path to checksum) of a repository of mode ``bare``."""
    import tarfile

    for path, checksum in links.items():
        location = repository.object_path(checksum, "file")
        status = os.lstat(location)
        member = tarfile.TarInfo(path)
        xattrs = {"hdrcharset": "BINARY"}  # as _tar_header.extended_header() has it
        member.pax_headers = xattrs
        member.mode, member.uid, member.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
        # In falling order, as _tar_header.extended_header() has them.
        for name, value in sorted(stored_xattrs(location, status, checksum).items(), reverse=True):
            xattrs["SCHILY.xattr." + os.fsdecode(name)] = value.decode("utf-8", "surrogateescape")
        if stat.S_ISLNK(status.st_mode):
            member.type, member.linkname = tarfile.SYMTYPE, os.readlink(location)
            yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            continue
        member.size = status.st_size
        yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        with open(location, "rb", buffering=0) as file:
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    break
                yield piece
        yield bytes(-status.st_size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
