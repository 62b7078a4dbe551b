# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hash again what the OSTree repository holds of some commits, and find what is missing or was changed (reads only)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from ._errors import StoreError
from ._file_object import Damage, file_header
from ._gvariant import Node, children_of
from ._ostree_reader import RepositoryReader

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")
_BATCH = 32  # most files are small: handing them out one by one costs more than hashing them
_PIECE = 1024 * 1024
SELINUX = b"security.selinux"
"""A host with SELinux may add this one by itself to files that were stored without it."""


class FileHashes:
    """Whether files are what their checksums say, by inode: what several names lead to is hashed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str], bool] = {}

    def matches(self, path: str, status: os.stat_result, checksum: str) -> bool:
        """Tell whether a regular file or a link has a checksum; ``status`` is its own. Raises ``OSError``."""
        key = (status.st_dev, status.st_ino, checksum)
        if key not in self._known:
            self._known[key] = _matches(path, status, checksum)
        return self._known[key]


def in_parallel(function: Callable[[_Item], _Answer], items: Sequence[_Item]) -> list[_Answer]:
    """Return what a function says of each item; hashing leaves Python's lock, so that all cores are used."""
    batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        return [answer for answers in pool.map(lambda batch: list(map(function, batch)), batches) for answer in answers]


def find_damage(
    repository: RepositoryReader, commits: Sequence[str], *, hashes: FileHashes | None = None, files: bool = True
) -> tuple[Damage, ...]:
    """Return the damaged objects of ``commits``, in their order, each once for every path that has it.

    What stands below a directory that cannot be read is not looked at: nothing tells what it is. Without ``files``, only
    directories, and the commits themselves, are.
    """
    verifier = _Verifier(repository, hashes or FileHashes())
    places = [
        (commit, *place)
        for commit in dict.fromkeys(commits)
        for place in verifier.walk(commit)
        if files or place[2] != "file"
    ]
    looked_at = list({checksum for _commit, _path, checksum, kind in places if kind == "file"})
    problems = dict(zip(looked_at, in_parallel(verifier.file_problem, looked_at)))
    return tuple(
        Damage(commit, path, checksum, kind, problem)
        for commit, path, checksum, kind in places
        for problem in [problems[checksum] if kind == "file" else verifier.object_problem(checksum, kind)]
        if problem is not None
    )


class _Verifier:
    """Looks at the objects of one repository; those of directories are looked at once."""

    def __init__(self, repository: RepositoryReader, hashes: FileHashes) -> None:
        self._repository, self._hashes = repository, hashes
        self._problems: dict[tuple[str, str], str | None] = {}

    def walk(self, commit: str) -> Iterator[tuple[str, str, str]]:
        """Yield path, checksum and kind of all objects of a commit."""
        yield "/", commit, "commit"
        if self.object_problem(commit, "commit") is None:
            yield from self._tree("", self._repository.root(commit))

    def _tree(self, path: str, node: Node) -> Iterator[tuple[str, str, str]]:
        if node.meta is None:
            yield path, node.checksum, "file"
            return
        yield path or "/", node.meta, "dirmeta"
        yield path or "/", node.checksum, "dirtree"
        if self.object_problem(node.checksum, "dirtree") is None:
            for name, child in children_of(self._repository.read_object(node.checksum, "dirtree")):
                yield from self._tree(f"{path}/{name}", child)

    def object_problem(self, checksum: str, kind: str) -> str | None:
        """Return what is wrong with an object that is no file, None when nothing is."""
        key = (checksum, kind)
        if key not in self._problems:
            if not os.path.lexists(self._repository.object_path(checksum, kind)):
                self._problems[key] = "missing"
            else:
                self._problems[key] = None if self._repository.is_intact(checksum, kind) else "changed"
        return self._problems[key]

    def file_problem(self, checksum: str) -> str | None:
        """Return what is wrong with a file object of a repository of mode ``bare``, None when nothing is."""
        path = self._repository.object_path(checksum, "file")
        try:
            return None if self._hashes.matches(path, os.lstat(path), checksum) else "changed"
        except FileNotFoundError:
            return "missing"
        except OSError as exc:
            raise StoreError(f"The OSTree repository '{self._repository.path}' cannot be read: {exc}") from exc


def _matches(path: str, status: os.stat_result, checksum: str) -> bool:
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        return False
    xattrs = xattrs_of(path)
    if _checksum(path, status, xattrs) == checksum:
        return True
    return SELINUX in xattrs and _checksum(path, status, without_label(xattrs)) == checksum


def xattrs_of(path: str) -> dict[bytes, bytes]:
    """Return the xattrs of a file, link or directory, no link followed."""
    names = os.listxattr(path, follow_symlinks=False)
    return {os.fsencode(name): os.getxattr(path, name, follow_symlinks=False) for name in names}


def stored_xattrs(path: str, status: os.stat_result, checksum: str) -> dict[bytes, bytes]:
    """Return the xattrs that a file object was stored with: without SELinux's label, if the host added that."""
    xattrs = xattrs_of(path)
    labelled = SELINUX in xattrs and _checksum(path, status, xattrs) == checksum
    return xattrs if labelled else without_label(xattrs)


def without_label(xattrs: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return xattrs without SELinux's label."""
    return {name: value for name, value in xattrs.items() if name != SELINUX}


def _checksum(path: str, status: os.stat_result, xattrs: Mapping[bytes, bytes]) -> str:
    link = stat.S_ISLNK(status.st_mode)
    target = os.fsencode(os.readlink(path)) if link else b""
    header = file_header(uid=status.st_uid, gid=status.st_gid, mode=status.st_mode, target=target, xattrs=xattrs)
    total = hashlib.sha256(header)
    if not link:
        with open(path, "rb", buffering=0) as file:
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    break
                total.update(piece)
    return total.hexdigest()
