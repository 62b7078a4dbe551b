# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at the store for what may be pruned, and at how much that would free. Nothing here changes anything."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ._deployments import container_names
from ._errors import StoreError, SystemContainerError
from ._gvariant import CommitHeader, Node, children_of, commit_header
from ._io import mount_points, stale_folders
from ._models import Observed
from ._observe import observe_containers
from ._ostree import NEW_REPOSITORY, Repository
from ._ostree_reader import RepositoryReader
from ._prune_plan import ContainersSeen, RepositorySeen, leftover_owner
from ._stored_image import BLOB_REF, stored_image

TRANSACTION = "staging-"
"""Begin of the names, in ``tmp`` of a repository, of what ostree commits; each has a lock file, ``NAME-lock``."""

_COPY = "system-containers-"
"""Begin of the names there of this collection's own temporary folders and files."""

_KINDS = ("commit", "dirtree", "dirmeta", "file")
_BLOCK = 512  # unit of st_blocks, stat(3type)


def observe_repository(repository: Repository) -> RepositorySeen:
    """Return what a repository holds; nothing when there is none."""
    if not repository.exists():
        return RepositorySeen()
    images, unreadable = {}, {}
    for ref in repository.refs():
        if BLOB_REF.match(ref) or ref.count("/") != 1:  # no image has a slash in its encoded name
            continue
        try:
            stored = stored_image(repository, ref)
        except SystemContainerError as exc:
            unreadable[ref] = str(exc)
        else:
            if stored is not None:
                images[ref] = stored.manifest
    return RepositorySeen(
        refs=repository.every_ref(),
        images=images,
        unreadable=unreadable,
        commits=dict(_headers(repository)),
        leftovers=(*_stale(repository), *_killed_transactions(repository)),
    )


def observe_checkouts(root: str, *, names: Sequence[str], busy: Sequence[str]) -> ContainersSeen:
    """Return what is below the directory of the containers, of those in ``names`` that are not ``busy``."""
    free = [name for name in names if name not in busy]
    containers = observe_containers(root, free) if free else {}
    leftovers = tuple(path for path, owner in _container_leftovers(root) if owner in containers)
    slots = [path for observed in containers.values() for path in _slot_paths(observed)]
    return ContainersSeen(
        containers=containers,
        checkouts=frozenset(path for path in slots if _has_root(path)),
        in_use=frozenset(_in_use([*slots, *leftovers])),
        leftovers=leftovers,
        busy=tuple(busy),
    )


def names_below(root: str) -> list[str]:
    """Return the names of all containers that something below ``root`` belongs to, sorted."""
    return sorted({*container_names(root), *(owner for _path, owner in _container_leftovers(root))})


def unreachable_objects(repository: RepositoryReader, *, gone: Iterable[str]) -> list[str]:
    """Return the objects (``CHECKSUM.KIND``) that no commit reaches but those that are ``gone``.

    Every commit counts that is there, with a ref or without. ``StoreError`` when one cannot be followed: then it cannot be
    told what it reaches. A commit that is marked as partial may lack directories.
    """
    found = set(_objects(repository))
    commits = {name[:64] for name in found if name.endswith(".commit")} - set(gone)
    reached: set[str] = set()
    for commit in sorted(commits):
        reached.add(f"{commit}.commit")
        _reach(repository, repository.root(commit), reached, partial=repository.is_partial(commit))
    return sorted(found - reached)


def unnamed_commits(repository: RepositoryReader) -> list[str]:
    """Return all commits that no ref names, whether or not they can be read."""
    named = set(repository.every_ref().values())
    commits = (name[:64] for name in _objects(repository, kinds=("commit",)))
    return [commit for commit in commits if commit not in named]


def reclaimable(repository: RepositoryReader, *, objects: Iterable[str], folders: Iterable[str]) -> int:
    """Return the allocated bytes that removing objects and folders frees: those of files with no link elsewhere."""
    files: dict[tuple[int, int], os.stat_result] = {}
    links: Counter[tuple[int, int]] = Counter()
    total = 0
    paths = (repository.object_path(*name.split(".")) for name in objects)
    for status in _statuses([*paths, *(path for folder in folders for path in _walk(folder))]):
        if stat.S_ISDIR(status.st_mode):
            total += status.st_blocks * _BLOCK
            continue
        inode = (status.st_dev, status.st_ino)
        files[inode] = status
        links[inode] += 1
    return total + sum(status.st_blocks * _BLOCK for inode, status in files.items() if links[inode] >= status.st_nlink)


@contextlib.contextmanager
def killed_transaction(path: str) -> Iterator[bool]:
    """Hold the lock of a folder in which ostree commits; tell whether it could be had, which is when nobody uses it.

    libostree locks ``NAME-lock`` by fcntl(2), for an open file description (libglnx, ``glnx_make_lock_file``).
    """
    descriptor = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file())
        yield True
    except OSError as exc:
        if exc.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        yield False
    finally:
        os.close(descriptor)


def _whole_file() -> bytes:
    """Return a ``struct flock`` for writing to all of a file."""
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def _is_killed(path: str) -> bool:
    """Tell, without taking the lock, whether nobody uses a folder in which ostree commits."""
    try:
        descriptor = os.open(f"{path}-lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file())
    finally:
        os.close(descriptor)
    return struct.unpack("hhqqi4x", answer)[0] == fcntl.F_UNLCK


def _killed_transactions(repository: RepositoryReader) -> list[str]:
    """Return the folders in which nobody commits any more; of one that was being removed, only the lock may be left."""
    found = [entry for entry in _entries(os.path.join(repository.path, "tmp")) if entry.name.startswith(TRANSACTION)]
    folders = {entry.path for entry in found if _is_folder(entry)}
    locks = {entry.path[: -len("-lock")] for entry in found if entry.name.endswith("-lock") and not _is_folder(entry)}
    return [path for path in sorted(folders | locks) if _is_killed(path)]


def _stale(repository: RepositoryReader) -> list[str]:
    """Return what killed runs left in the repository, and repositories that they left half made beside it."""
    tmp = os.path.join(repository.path, "tmp")
    beside = os.path.dirname(repository.path)
    places = [(tmp, _COPY), (beside, NEW_REPOSITORY)]
    # Removing a folder puts a dot before its name first.
    places += [(tmp, f".{_COPY}"), (tmp, f".{TRANSACTION}"), (beside, f".{NEW_REPOSITORY}")]
    folders = [path for parent, prefix in places for path in stale_folders(parent, prefix)]
    # Files there are written by who has the repository's lock.
    files = (entry for entry in _entries(tmp) if entry.name.startswith(_COPY))
    return [*folders, *(entry.path for entry in files if entry.is_file(follow_symlinks=False))]


def _headers(repository: RepositoryReader) -> Iterator[tuple[str, CommitHeader]]:
    for name in _objects(repository, kinds=("commit",)):
        commit = name[:64]
        try:
            yield commit, commit_header(repository.read_object(commit, "commit"))
        except (StoreError, ValueError, IndexError):
            continue  # neither ours for certain, nor of use to anybody


def _objects(repository: RepositoryReader, *, kinds: Sequence[str] = _KINDS) -> Iterator[str]:
    """Yield ``CHECKSUM.KIND`` of all objects."""
    for folder in _entries(os.path.join(repository.path, "objects")):
        for entry in _entries(folder.path) if len(folder.name) == 2 else ():
            rest, _dot, kind = entry.name.partition(".")
            if len(rest) == 62 and kind in kinds:
                yield f"{folder.name}{rest}.{kind}"


def _reach(repository: RepositoryReader, root: Node, reached: set[str], *, partial: bool) -> None:
    """Add all that a directory leads to; each directory is read once, whatever commits have it."""
    todo = [root]
    while todo:
        node = todo.pop()
        name = f"{node.checksum}.{'file' if node.meta is None else 'dirtree'}"
        if node.meta is not None:
            reached.add(f"{node.meta}.dirmeta")
        if name in reached:
            continue
        if node.meta is not None:
            if partial and not os.path.exists(repository.object_path(node.checksum, "dirtree")):
                continue
            todo += [child for _name, child in children_of(repository.read_object(node.checksum, "dirtree"))]
        reached.add(name)


def _container_leftovers(root: str) -> list[tuple[str, str]]:
    """Return what interrupted runs left below ``root``: path and container."""
    found = []
    for entry in _entries(root):
        owner = leftover_owner(entry.name, is_link=entry.is_symlink())
        if owner is not None and (entry.is_symlink() or _is_folder(entry)):
            found.append((entry.path, owner))
    return sorted(found)


def _slot_paths(observed: Observed) -> list[str]:
    return [*(item.directory for item in observed.deployments), *(item.directory for item in observed.broken)]


def _has_root(directory: str) -> bool:
    path = os.path.join(directory, "rootfs")
    return os.path.isdir(path) and not os.path.islink(path)


def _in_use(directories: Sequence[str]) -> Iterator[str]:
    """Yield the directories with a process whose root is in it, or with a mount, whatever the runtime knows."""
    mounts = mount_points()
    roots = {(status.st_dev, status.st_ino) for status in _process_roots()}
    for directory in directories:
        real = os.path.realpath(directory)
        own = {(status.st_dev, status.st_ino) for status in _statuses([os.path.join(directory, "rootfs")])}
        if own & roots or any(mount == real or mount.startswith(real + "/") for mount in mounts):
            yield directory


def _process_roots() -> Iterator[os.stat_result]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                yield os.stat(f"/proc/{name}/root")


def _statuses(paths: Iterable[str]) -> Iterator[os.stat_result]:
    for path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            yield os.lstat(path)


def _walk(top: str) -> Iterator[str]:
    """Yield a path and all that is below it; no link is followed."""
    yield top
    if os.path.islink(top):
        return
    for folder, folders, files in os.walk(top):
        yield from (os.path.join(folder, name) for name in (*folders, *files))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
