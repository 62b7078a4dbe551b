# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the root file systems of deployments with what the layers of their images say (reads only).

The files are hard links into the repository, so one that was written to is changed in both: a file is right when its hash is
the one that the layer's directory, whose own checksum is right, has for it. An inode is only asked so as to hash none twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._deployment import Deployment
from ._drift import Deviation, Verified
from ._errors import InvalidInputError, StoreError, SystemContainerError
from ._folder_attributes import FolderMerger
from ._gvariant import Node, directory_mode, directory_xattrs
from ._io import read_state
from ._layer_tree import merge_folder
from ._oci_image import Manifest, StoredImage, parse_manifest
from ._ostree_reader import RepositoryReader
from ._parents import parents_of
from ._stored_image import BLOB_REF, image_commits, layer_commits, stored_image
from ._verify import FileHashes, find_damage, in_parallel, without_label, xattrs_of

_DEVICES = re.compile(r"/dev/(null|zero|full|u?random|tty|console|ptmx|fd|std(in|out|err)|core)\Z")
"""What runtimes put into ``/dev`` where nothing is mounted (config-linux.md of the runtime specification, and the link to ``/proc/kcore``)."""


def verify_deployments(
    repository: RepositoryReader, deployments: Sequence[Deployment], *, objects: bool = True
) -> dict[str, Verified]:
    """Return what is wrong with the root file system of each deployment, by its directory.

    With ``objects`` all that the repository has of their images is hashed, too; what several deployments share is hashed once.
    """
    hashes, found = FileHashes(), {}
    for item in deployments:
        damage: tuple[Deviation, ...] = ()
        try:
            layers = layer_commits(repository, _manifest(repository, item))
            if objects:
                damage = _damaged_objects(repository, [item.image_commit, *layers], hashes)
            found[item.directory] = Verified(_Rootfs(repository, item, hashes).compare(layers), damage)
        except SystemContainerError as exc:
            found[item.directory] = Verified(objects=damage, reason=str(exc))
    return found


def _manifest(repository: RepositoryReader, item: Deployment) -> Manifest:
    """Return the manifest of a deployment's image: from its commit, else from another name of the same image."""
    with contextlib.suppress(SystemContainerError):
        return parse_manifest(repository.cat(item.image_commit, "/manifest.json") or b"")
    stored = _stored_image(repository, item)
    if stored is None:
        raise StoreError(f"The image '{item.image}' of '{item.directory}' is not in the store any more: pull it again")
    return stored.manifest


def _stored_image(repository: RepositoryReader, item: Deployment) -> StoredImage | None:
    """Return the stored image that a deployment was made from, whatever its name is, None when there is none."""
    for ref in repository.refs() if item.manifest_digest is not None else ():
        with contextlib.suppress(SystemContainerError):
            stored = None if BLOB_REF.match(ref) else stored_image(repository, ref)
            if stored is not None and stored.manifest_digest == item.manifest_digest:
                return stored
    return None


def intact_image(repository: RepositoryReader, item: Deployment) -> StoredImage:
    """Return the stored image of a deployment; ``StoreError`` when the repository lacks it, or has it damaged."""
    stored = _stored_image(repository, item)
    if stored is None:
        raise StoreError(
            f"'{item.directory}' is damaged, and its image '{item.image}' is not in the store any more: declare 'image' instead"
            " of 'deployment', so that it is pulled"
        )
    refuse_damage(repository, stored, way_out="declare 'image' instead of 'deployment', so that it is pulled again")
    return stored


def refuse_damage(repository: RepositoryReader, stored: StoredImage, *, way_out: str) -> None:
    """Raise ``StoreError`` when a stored image is damaged; all that it is made of is hashed again."""
    damage = find_damage(repository, image_commits(repository, stored))
    if damage:
        raise StoreError(
            f"The image '{stored.name}' is damaged in the store ('{damage[0].path}' is {damage[0].problem}, with {len(damage)}"
            f" in all): {way_out}"
        )


def _damaged_objects(repository: RepositoryReader, commits: Sequence[str], hashes: FileHashes) -> tuple[Deviation, ...]:
    present = [commit for commit in commits if os.path.lexists(repository.object_path(commit, "commit"))]
    places = {
        repository.object_path(item.checksum, item.kind): item.problem
        for item in find_damage(repository, present, hashes=hashes)
    }
    return tuple(Deviation(path, problem) for path, problem in places.items())


class _Rootfs:
    """The root file system of one deployment. Paths are below it: ``/bin/sh``, and empty for itself."""

    def __init__(self, repository: RepositoryReader, item: Deployment, hashes: FileHashes) -> None:
        self._repository, self._hashes = repository, hashes
        self._top = f"{item.directory}/rootfs"
        self._checked_out: dict[str, str] = {}
        places = _mount_places(item)
        self._has_devices = "/dev" not in places
        places |= {"/dev/console"} if self._has_devices else set()
        self._made = places | {folder for place in places for folder in parents_of(place)}

    def compare(self, layers: Sequence[str]) -> tuple[Deviation, ...]:
        """Return all deviations, sorted by path. A directory that is missing or extra stands for all below it.

        ``StoreError`` when the repository lacks what tells what there has to be, or a file cannot be read.
        """
        expected = dict(self._expected(layers))
        try:
            found = dict(self._found(expected))
        except FileNotFoundError:
            return (Deviation(self._top, "missing"),)
        except OSError as exc:
            raise StoreError(f"'{self._top}' cannot be read: {exc}") from exc
        problems = {
            path: ["missing"] for path in expected if path not in found and _parent_is_there(path, expected, found)
        }
        problems.update(
            (path, ["extra"]) for path in found if path not in expected and not self._is_made(path, found[path])
        )
        common = [path for path in found if path in expected]
        answers = in_parallel(lambda path: self._problems(path, found[path], expected[path]), common)
        problems.update(zip(common, answers))
        return tuple(Deviation(self._top + path, text) for path in sorted(problems) for text in problems[path])

    def _expected(self, layers: Sequence[str]) -> Iterator[tuple[str, Node]]:
        """Yield all that the layers show together."""
        merger = FolderMerger(self._repository, layers)
        folders = [("", merger.roots)]
        while folders:
            path, nodes = folders.pop()
            folder = merger.merged(path, nodes)
            self._checked_out[path] = folder.checked_out
            yield path, nodes[-1][1]._replace(meta=folder.meta)
            merge = merge_folder(folder.children, is_folder=lambda node: node.meta is not None)
            yield from ((f"{path}/{name}", node) for name, node in merge.visible_files.items())
            folders += [(f"{path}/{name}", below) for name, below in merge.visible_folders.items()]

    def _found(self, expected: Mapping[str, Node]) -> Iterator[tuple[str, os.stat_result]]:
        """Yield all that is there, links not followed. What is below an extra directory is left out."""
        todo = [("", os.lstat(self._top))]
        while todo:
            path, status = todo.pop()
            yield path, status
            node = expected.get(path)
            is_known = path in self._made if node is None else node.meta is not None
            if is_known and stat.S_ISDIR(status.st_mode):
                with os.scandir(self._top + path) as entries:
                    todo += [(f"{path}/{entry.name}", entry.stat(follow_symlinks=False)) for entry in entries]

    def _is_made(self, path: str, status: os.stat_result) -> bool:
        """Tell whether something extra is a place for a mount, or a device, as the runtime makes them."""
        if stat.S_ISCHR(status.st_mode) or stat.S_ISLNK(status.st_mode):
            return self._has_devices and _DEVICES.match(path) is not None
        is_empty_file = stat.S_ISREG(status.st_mode) and status.st_size == 0
        return path in self._made and (stat.S_ISDIR(status.st_mode) or is_empty_file)

    def _problems(self, path: str, status: os.stat_result, node: Node) -> list[str]:
        place = self._top + path
        try:
            if node.meta is not None:
                found = self._directory_problems(place, status, node.meta)
                # Atomic left directories as ostree checks them out.
                as_atomic = found and not self._directory_problems(place, status, self._checked_out[path])
                return [] if as_atomic else found
            if self._is_file(status) and self._hashes.matches(place, status, node.checksum):
                return []
            return self._file_problems(place, status, node.checksum)
        except FileNotFoundError:
            return ["missing"]
        except OSError as exc:
            raise StoreError(f"'{place}' cannot be read: {exc}") from exc

    @staticmethod
    def _is_file(status: os.stat_result) -> bool:
        return stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)

    def _directory_problems(self, place: str, status: os.stat_result, meta: str) -> list[str]:
        if not stat.S_ISDIR(status.st_mode):
            return ["type"]
        try:
            wanted = self._repository.read_object(meta, "dirmeta")
        except StoreError:
            return []  # nothing tells what it has to be; that is damage of the repository
        uid, gid, mode = directory_mode(wanted)
        return _differences(
            mode=(status.st_mode, mode),
            owner=((status.st_uid, status.st_gid), (uid, gid)),
            xattrs=(without_label(xattrs_of(place)), without_label(directory_xattrs(wanted))),
        )

    def _file_problems(self, place: str, status: os.stat_result, checksum: str) -> list[str]:
        """Say how a file differs from the one in the repository, if that is right itself."""
        stored = self._repository.object_path(checksum, "file")
        try:
            right = os.lstat(stored)
            intact = self._is_file(right) and self._hashes.matches(stored, right, checksum)
        except FileNotFoundError:
            intact = False
        if stat.S_ISDIR(status.st_mode) or not self._is_file(status):
            return ["type"]
        if not intact:
            return ["changed"]
        if stat.S_IFMT(status.st_mode) != stat.S_IFMT(right.st_mode):
            return ["type"]
        if stat.S_ISLNK(status.st_mode) and os.readlink(place) != os.readlink(stored):
            return ["target"]
        metadata = _differences(
            mode=(status.st_mode, right.st_mode),
            owner=((status.st_uid, status.st_gid), (right.st_uid, right.st_gid)),
            xattrs=(without_label(xattrs_of(place)), without_label(xattrs_of(stored))),
        )
        same = stat.S_ISLNK(status.st_mode) or (status.st_size == right.st_size and _same_content(place, stored))
        return metadata if same else ["content", *metadata]


def _differences(**pairs: tuple[Any, Any]) -> list[str]:
    return [name for name, (found, wanted) in pairs.items() if found != wanted]


def _same_content(path: str, other: str) -> bool:
    with open(path, "rb") as one, open(other, "rb") as two:
        while True:
            pieces = one.read(1 << 20), two.read(1 << 20)
            if pieces[0] != pieces[1] or not pieces[0]:
                return pieces[0] == pieces[1]


def _parent_is_there(path: str, expected: Mapping[str, Node], found: Mapping[str, os.stat_result]) -> bool:
    """Tell whether nothing above says already that ``path`` cannot be there."""
    parent = found.get(posixpath.dirname(path).rstrip("/"))
    return parent is not None and stat.S_ISDIR(parent.st_mode)


def _mount_places(item: Deployment) -> set[str]:
    """Return where a deployment has mounts; the runtime makes these places where they are missing."""
    path = f"{item.directory}/config.json"
    content = next((file.content for file in item.files if file.path == path), None)
    try:
        if content is None:  # Atomic's
            state = read_state(path)
            content = state.content.decode("utf-8") if state is not None else "{}"
        mounts = json.loads(content).get("mounts") or ()
        return {posixpath.normpath(str(mount["destination"])) for mount in mounts}
    except (InvalidInputError, ValueError, LookupError, TypeError, AttributeError):
        return set()
