# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an OSTree repository from its own files: refs, metadata, files, listings.

A run with nothing to do starts no process, no name inside an image can confuse a parser of listings, and no symbolic
link of an image is ever followed (``ostree cat`` follows them). Every commit, dirtree and dirmeta object is checked
against its checksum when it is read. Formats: https://ostreedev.github.io/ostree/repo/ and ostree-core.h.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import stat
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ._errors import InvalidInputError, StoreError
from ._gvariant import Entry, Node, children_of, commit_root, directory_mode, string_metadata
from ._record import dataclass

if TYPE_CHECKING:
    from ._layer_tree import Replaced

IMPLIED_PARENTS, IMPLIED_PATHS = "system-containers.implied-parents", "system-containers.implied-paths"
"""Metadata of a layer: how many directories it does not list but only has as parents, and which (JSON), unless they are many."""

LOWER_LINKS = "system-containers.lower-links"
"""Metadata of a layer that has hard links to files of the layers below it: which, and what they were."""

_NOTHING = {"lost+found"}
"""What an empty file system has."""

OWN_FOLDER = ".storage"
"""Directory below the containers' that holds a repository of our own."""

_PIECE = 1024 * 1024
COMMIT = re.compile(r"[0-9a-f]{64}\Z")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*\Z")
_MODE = re.compile(r"^\s*mode\s*=\s*(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class RepositoryReader:
    """An OSTree repository at ``path``; its methods only read, and start no process."""

    path: str

    def exists(self) -> bool:
        """Tell whether there is a repository; ``OSError`` for a user who may not know, as only root may enter ours."""
        try:
            config = os.stat(os.path.join(self.path, "config"))
            objects = os.stat(os.path.join(self.path, "objects"))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(config.st_mode) and stat.S_ISDIR(objects.st_mode)

    def check(self) -> None:
        """Raise ``InvalidInputError`` unless there is a repository that can be used, or room for a new one."""
        if self.exists():
            if self.mode != "bare":
                raise InvalidInputError(
                    f"The OSTree repository '{self.path}' has mode '{self.mode}', and only 'bare' can be used, as "
                    "checkouts are hard links: choose another one with 'repo'"
                )
        elif os.path.lexists(self.path) and not (os.path.isdir(self.path) and set(os.listdir(self.path)) <= _NOTHING):
            raise InvalidInputError(
                f"'{self.path}' is neither an OSTree repository nor an empty directory: choose another place with 'repo'"
            )

    @functools.cached_property
    def mode(self) -> str:
        """The repository's mode, such as ``bare``."""
        try:
            with open(os.path.join(self.path, "config"), encoding="utf-8") as stream:
                found = _MODE.search(stream.read())
        except (OSError, ValueError) as exc:
            raise StoreError(f"The OSTree repository '{self.path}' cannot be read: {exc}") from exc
        return found.group(1) if found else "bare"

    def resolve(self, ref: str) -> str | None:
        """Return the commit that exactly ``ref`` names, or None.

        The file below ``refs/heads`` is what libostree itself reads and replaces by rename; ``ostree rev-parse`` would
        in addition guess at abbreviated checksums and remotes.
        """
        return _read_ref(os.path.join(self.path, "refs/heads", checked_ref(ref)))

    def has_ref(self, ref: str) -> bool:
        """Tell whether there is a ref, even one that cannot be read, such as an empty file after a crash."""
        return os.path.isfile(os.path.join(self.path, "refs/heads", checked_ref(ref)))

    def refs(self, prefix: str = "ociimage") -> dict[str, str | None]:
        """Return all refs below ``prefix`` with their commits, None for a ref that cannot be read."""
        found = self._refs_below(f"heads/{checked_ref(prefix)}")
        return {path[len("heads/") :]: commit for path, commit in found.items() if _REF.match(path)}

    def every_ref(self) -> dict[str, str | None]:
        """Return all refs, those of remotes and mirrors too, by their path below ``refs``; None as in ``refs``."""
        return self._refs_below("")

    def _refs_below(self, start: str) -> dict[str, str | None]:
        top = os.path.join(self.path, "refs", "")
        found: dict[str, str | None] = {}
        for folder, _folders, names in os.walk(top + start, onerror=self._cannot_list):
            for path in (os.path.join(folder, name) for name in names):
                try:
                    found[path[len(top) :]] = _read_ref(path)
                except StoreError:
                    found[path[len(top) :]] = None
        return found

    def _cannot_list(self, error: OSError) -> None:
        """Refuse to go on without some of the refs: what they name would count as named by nobody."""
        if not isinstance(error, FileNotFoundError):
            raise StoreError(f"The refs of the OSTree repository '{self.path}' cannot be listed: {error}") from error

    def metadata(self, commit: str) -> dict[str, str]:
        """Return the metadata of ``commit`` that are strings."""
        return string_metadata(self.read_object(commit, "commit"))

    def cat(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file at ``path``, None when it is absent.

        ``InvalidInputError`` when it, or one of its parents, is a symbolic link, or when it is a directory.
        """
        node = self._find(commit, path)
        if node is None:
            return None
        if node.meta is None and self._file_entry(node.checksum, path).type == "-":
            return self._read(node.checksum, "file")
        kind = "a symbolic link" if node.meta is None else "a directory"
        raise InvalidInputError(f"'{path}' in the image is {kind}, not a regular file: it is not read")

    def stream(self, commit: str, path: str) -> Iterator[bytes]:
        """Yield the content of the regular file at ``path`` in pieces; ``InvalidInputError`` when there is none."""
        node = self._find(commit, path)
        if node is None or node.meta is not None or self._file_entry(node.checksum, path).type != "-":
            raise InvalidInputError(f"'{path}' in the image is not a regular file: it is not read")
        try:
            with open(self.object_path(node.checksum, "file"), "rb", buffering=0) as stream:
                yield from iter(lambda: stream.read(_PIECE), b"")
        except OSError as exc:
            raise StoreError(f"The OSTree repository '{self.path}' lacks object {node.checksum}.file: {exc}") from exc

    def ls(self, commit: str, path: str, *, recursive: bool = False) -> list[Entry] | None:
        """Return the entry at ``path`` and what is in it (with ``recursive``, all below), None when it is absent.

        ``InvalidInputError`` when a parent of ``path`` is a symbolic link.
        """
        node = self._find(commit, path)
        if node is None:
            return None
        root = "/" + "/".join(_components(path))
        return list(self._walk(node, root, depth=-1 if recursive else 1))

    def is_intact(self, checksum: str, kind: str = "commit") -> bool:
        """Tell whether an object (of no file) is there and unchanged."""
        try:
            self.read_object(checksum, kind)
        except StoreError:
            return False
        return True

    def is_partial(self, commit: str) -> bool:
        """Tell whether a commit is marked as lacking objects, by this collection, ``ostree pull`` or ``ostree fsck``."""
        return os.path.exists(self.partial_mark(commit))

    def partial_mark(self, commit: str) -> str:
        """Return the file that marks a commit as partial (libostree's ``ostree_repo_mark_commit_partial``)."""
        return os.path.join(self.path, "state", f"{checked_commit(commit)}.commitpartial")

    def object_path(self, checksum: str, kind: str) -> str:
        """Return where an object (``commit``, ``dirtree``, ``dirmeta`` or ``file``) is, or would be."""
        return os.path.join(self.path, "objects", checksum[:2], f"{checksum[2:]}.{kind}")

    def _read(self, checksum: str, kind: str) -> bytes:
        try:
            with open(self.object_path(checked_commit(checksum), kind), "rb", buffering=0) as stream:
                return stream.read()
        except OSError as exc:
            raise StoreError(f"The OSTree repository '{self.path}' lacks object {checksum}.{kind}: {exc}") from exc

    def read_object(self, checksum: str, kind: str) -> bytes:
        """Return an object (of no file); ``StoreError`` when it is missing or was changed."""
        data = self._read(checksum, kind)
        if hashlib.sha256(data).hexdigest() != checksum:
            raise StoreError(f"The OSTree repository '{self.path}' is damaged: object {checksum}.{kind} was changed")
        return data

    def root(self, commit: str) -> Node:
        """Return the root directory of a commit."""
        return commit_root(self.read_object(commit, "commit"))

    def _find(self, commit: str, path: str) -> Node | None:
        node, reached = self.root(commit), ""
        for name in _components(path):
            if node.meta is None:
                self._check_no_link(node, reached, path)
                return None
            found = self.children(node).get(name)
            if found is None:
                return None
            node, reached = found, f"{reached}/{name}"
        return node

    def _check_no_link(self, node: Node, reached: str, path: str) -> None:
        if self._file_entry(node.checksum, reached).type == "l":
            raise InvalidInputError(f"'{reached}' in the image is a symbolic link: '{path}' is not read through it")

    def find_visible(self, commits: Sequence[str], path: str) -> Node | None:
        """Return what ``commits``, lowest first, show together at ``path``, None when it is absent or hidden.

        ``InvalidInputError`` when a parent of ``path`` is a symbolic link.
        """
        from ._layer_tree import visible

        nodes, reached = [self.root(commit) for commit in reversed(commits)], ""
        for name in _components(path):
            if nodes and nodes[0].meta is None:
                self._check_no_link(nodes[0], reached, path)
                return None
            layers = (self.children(node) for node in nodes)
            nodes, reached = visible(layers, name, is_folder=lambda node: node.meta is not None), f"{reached}/{name}"
        return nodes[0] if nodes else None

    def entry(self, node: Node, path: str) -> Entry:
        """Describe what is at ``path``; of the directories of several layers, the one that is given."""
        if node.meta is None:
            return self._file_entry(node.checksum, path)
        uid, gid, mode = directory_mode(self.read_object(node.meta, "dirmeta"))
        return Entry(path=path, type="d", mode=stat.S_IMODE(mode), uid=uid, gid=gid)

    def _walk(self, node: Node, path: str, *, depth: int) -> Iterator[Entry]:
        yield self.entry(node, path)
        if node.meta is not None and depth:
            for name, child in sorted(self.children(node).items()):
                yield from self._walk(child, f"{path.rstrip('/')}/{name}", depth=depth - 1)

    def replaced(self, commits: Sequence[str]) -> dict[int, list[str]]:
        """Return what has to be removed before each layer: files and links that its directories replace.

        Only directories that several layers have are walked, side by side; what happens in each is ``merge_folder``'s.
        """
        from ._layer_tree import merge_folder

        found: dict[int, list[str]] = {}
        folders = [("", [(index, self.root(commit)) for index, commit in enumerate(commits)])]
        while folders:
            parent, nodes = folders.pop()
            if len(nodes) < 2:
                continue
            layers = [(index, self.children(node)) for index, node in nodes]
            merge = merge_folder(layers, is_folder=lambda node: node.meta is not None)
            for item in merge.replaced:
                self._check_replaced(f"{parent}{item.name}", item, commit=commits[item.layer])
                found.setdefault(item.layer, []).append(f"{parent}{item.name}")
            folders += [(f"{parent}{name}/", below) for name, below in merge.folders]
        return found

    def _check_replaced(self, path: str, item: Replaced[Node], *, commit: str) -> None:
        """Raise unless a directory may replace what lower layers have at ``path``.

        Directories that the layer only implied would, over a symbolic link, have to follow it inside of the image.
        """
        from ._layer_tree import is_opaque

        if self._file_entry(item.file.checksum, path).type != "l" or is_opaque(self.children(item.folder)):
            return
        implied = self.implied_folders(commit)
        if implied is None or path in implied:
            raise StoreError(
                f"A layer of the image may put files below '/{path}', which is a symbolic link in a lower layer: this is "
                "not supported, build the image so that they are put where the link leads"
            )

    def implied_folders(self, commit: str) -> frozenset[str] | None:
        """Return the directories, empty for the root, that a layer has files in and no entry for; None when that is not known."""
        metadata = self.metadata(commit)
        if IMPLIED_PATHS in metadata:
            with contextlib.suppress(ValueError, TypeError):
                return frozenset(json.loads(metadata[IMPLIED_PATHS]))
        return frozenset() if metadata.get(IMPLIED_PARENTS) == "0" else None

    def children(self, folder: Node) -> dict[str, Node]:
        """Return what a directory of a commit has in it, by name."""
        return dict(children_of(self.read_object(folder.checksum, "dirtree")))

    def _file_entry(self, checksum: str, path: str) -> Entry:
        """Describe a file object: in mode ``bare`` by its inode, in ``bare-user`` by the xattr that stands for it."""
        location = self.object_path(checksum, "file")
        try:
            found = os.lstat(location)
            mode, uid, gid = found.st_mode, found.st_uid, found.st_gid
            if self.mode == "bare-user":
                uid, gid, mode = struct.unpack(">III", os.getxattr(location, "user.ostreemeta")[:12])
            target = None
            if stat.S_ISLNK(mode):
                raw = os.readlink(location) if stat.S_ISLNK(found.st_mode) else self._read(checksum, "file").decode()
                target = raw.rstrip("\0")
        except (OSError, ValueError) as exc:
            raise StoreError(f"The OSTree repository '{self.path}' lacks object {checksum}.file: {exc}") from exc
        kind, size = ("-", found.st_size) if target is None else ("l", 0)
        return Entry(path=path, type=kind, mode=stat.S_IMODE(mode), uid=uid, gid=gid, size=size, target=target)


def checked_ref(ref: str) -> str:
    if not _REF.match(ref):
        raise StoreError(f"'{ref}' is not the name of an OSTree ref")
    return ref


def checked_commit(commit: str) -> str:
    if not COMMIT.match(commit):
        raise StoreError(f"'{commit[:80]}' is not an OSTree checksum (64 hex digits)")
    return commit


def _read_ref(path: str) -> str | None:
    try:
        with open(path, "rb", buffering=0) as stream:
            commit = stream.read(128).decode("ascii").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        raise StoreError(f"The OSTree ref '{path}' cannot be read: {exc}") from exc
    return checked_commit(commit)


def _components(path: str) -> list[str]:
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise InvalidInputError(f"'{path}' is not a path inside an image: it has '..'")
    return names
