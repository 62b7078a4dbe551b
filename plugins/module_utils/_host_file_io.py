# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host files on the host: looked at, installed and removed. No symbolic link on the way to one is followed.

The links that distributions have in the root, such as ``/bin`` to ``usr/bin``, are the exception: each may only lead to where it
is known to. A file is written under a temporary name in its directory, synced and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ._deployment import HostFile
from ._errors import InvalidInputError, StoreError
from ._host_places import SYSTEM_LINKS
from ._models import HostFileState
from ._parents import parents_of
from ._small_text import small_text

_PIECE = 2**20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def system_links(*, root: str = "/") -> dict[str, str]:
    """Return the links of the system that are there, with where they lead."""
    return {link: place for link, place in SYSTEM_LINKS.items() if _leads_to(link, place, root)}


def observe(paths: Iterable[str], *, root: str = "/") -> dict[str, HostFileState | None]:
    """Return what is at each path, None where nothing is, and None for each directory that is missing on the way there.

    ``root`` is the directory that stands for ``/``. Reads only.
    """
    found: dict[str, HostFileState | None] = {}
    for path in paths:
        blocked = ""
        missing = False
        for folder in parents_of(_resolved(path, root)):
            if not blocked and not missing:
                status = _status(folder, root)
                missing = status is None
                blocked = folder if status is not None and not stat.S_ISDIR(status.st_mode) else ""
                if blocked:
                    continue
            if blocked or missing:
                found.setdefault(folder, None)
        if blocked:
            found[path] = HostFileState(kind="x", mode=0, uid=0, gid=0, target=blocked)
        else:
            found[path] = None if missing else _state(path, root)
    return found


def leftovers(paths: Iterable[str], *, root: str = "/") -> tuple[str, ...]:
    """Return the temporary files that killed runs left beside host files."""
    names = sorted({posixpath.join(posixpath.dirname(path), _temporary(posixpath.basename(path))) for path in paths})
    return tuple(path for path, state in observe(names, root=root).items() if state is not None and state.kind != "x")


def texts(files: Iterable[HostFile], directory: str) -> dict[str, str]:
    """Return the content of the small text files in a deployment's directory, by its SHA-256."""
    found = {}
    for file in files:
        if file.kind == "-" and file.content is None and file.origin is not None:
            state = _state(file.origin, os.path.join(directory, "rootfs"), links=False)
            if state is not None and state.sha256 is not None and state.text is not None:
                found[state.sha256] = state.text
    return found


def read_origin(origin: str, *, directory: str) -> bytes | None:
    """Return what a file below ``rootfs`` of a deployment holds, None when it is none, or too large for a template."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
        folder, name = opened.enter_context(_parent(origin, os.path.join(directory, "rootfs"), links=False))
        content = opened.enter_context(_open_file(name, folder)).read(_PIECE + 1)
        return content if len(content) <= _PIECE else None
    return None


def install(file: HostFile, directory: str, *, root: str = "/") -> None:
    """Put a file or a link in its place; ``directory`` is the deployment's, with the content unless that was rendered.

    ``StoreError`` when that content is not what was recorded.
    """
    with _explained(file.path), _parent(file.path, root) as (folder, name):
        temporary = _temporary(name)
        _remove(temporary, folder)
        try:
            if file.kind == "l":
                os.symlink(file.target or "", temporary, dir_fd=folder)
                os.chown(temporary, file.uid, file.gid, dir_fd=folder, follow_symlinks=False)
            else:
                _write(file, directory, folder=folder, temporary=temporary)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _remove(temporary, folder)
            raise
        os.fsync(folder)


def remove(path: str, *, root: str = "/") -> None:
    """Remove a file or a link, or what a killed run left, if it is there."""
    with contextlib.suppress(FileNotFoundError), _explained(path), _parent(path, root) as (folder, name):
        _remove(name, folder)
        os.fsync(folder)


def make_directory(path: str, *, directory: str, origin: str | None, root: str = "/") -> None:
    """Make a directory unless it is there, with the owner and mode of ``origin`` in the deployment; without one root's, 0755."""
    mode, uid, gid = 0o755, 0, 0
    if origin is not None:
        like = _status(origin, os.path.join(directory, "rootfs"), links=False)
        if like is not None and stat.S_ISDIR(like.st_mode):
            mode, uid, gid = stat.S_IMODE(like.st_mode) & 0o1777, like.st_uid, like.st_gid
    with _explained(path), _parent(path, root) as (folder, name):
        temporary = _temporary(name)
        _remove(temporary, folder)
        os.mkdir(temporary, 0o700, dir_fd=folder)
        descriptor = os.open(temporary, _DIRECTORY, dir_fd=folder)
        try:
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
        if _is_directory(name, folder):
            _remove(temporary, folder)
        else:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def remove_empty_directory(path: str, *, root: str = "/") -> None:
    """Remove a directory if it is there and empty."""
    with contextlib.suppress(FileNotFoundError), _explained(path), _parent(path, root) as (folder, name):
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY):
                raise
        os.fsync(folder)


def _write(file: HostFile, directory: str, *, folder: int, temporary: str) -> None:
    """Write the content to a new file, with owner and mode; owner first, so that nobody reads what is not for them."""
    descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as stream:
        total = hashlib.sha256()
        for piece in _content(file, directory):
            total.update(piece)
            stream.write(piece)
        if total.hexdigest() != file.sha256:
            raise StoreError(
                f"'{directory}/rootfs{file.origin}' is not what was recorded for the host file '{file.path}': install the image"
                " again with 'verify: true'"
            )
        stream.flush()
        os.fchown(descriptor, file.uid, file.gid)
        os.fchmod(descriptor, file.mode)
        os.fsync(descriptor)


def _content(file: HostFile, directory: str) -> Iterator[bytes]:
    if file.content is not None:
        yield file.content.encode("utf-8", "surrogateescape")
        return
    rootfs = os.path.join(directory, "rootfs")
    with contextlib.ExitStack() as opened:
        folder, name = opened.enter_context(_parent(file.origin or "", rootfs, links=False))
        stream = opened.enter_context(_open_file(name, folder))
        yield from iter(lambda: stream.read(_PIECE), b"")


def _temporary(name: str) -> str:
    """Return the name under which a new file is made; whoever holds the container's lock may replace it."""
    return f".system-containers-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.new"


def _remove(name: str, folder: int) -> None:
    """Remove a file, a link or an empty directory if it is there."""
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            os.rmdir(name, dir_fd=folder)


@contextlib.contextmanager
def _parent(path: str, root: str, *, links: bool = True) -> Iterator[tuple[int, str]]:
    """Open the directory that a path is in, one step after the other below ``root``; yield it and the last name.

    Of symbolic links only the system's are followed, and only with ``links``.
    """
    *folders, name = (_resolved(path, root) if links else path).split("/")[1:] or [""]
    if not {"", ".", ".."}.isdisjoint((*folders, name)):
        raise InvalidInputError(f"'{path}' is no path of a host file: somebody changed the container's record")
    descriptor = os.open(root, _DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor, name
    finally:
        os.close(descriptor)


def _resolved(path: str, root: str) -> str:
    """Return a path with the system's own links on the way there replaced by where they lead."""
    for link, place in SYSTEM_LINKS.items():
        if path.startswith(link + "/") and _leads_to(link, place, root):
            return place + path[len(link) :]
    return path


def _leads_to(link: str, place: str, root: str) -> bool:
    with contextlib.suppress(OSError):
        target = posixpath.join(posixpath.dirname(link), os.readlink(root.rstrip("/") + link))
        return posixpath.normpath(target) == place
    return False


def _status(path: str, root: str, *, links: bool = True) -> os.stat_result | None:
    """Return the status of what is at a path, of a link itself; None when nothing is there."""
    try:
        with _parent(path, root, links=links) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_directory(name: str, folder: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    return False


def _state(path: str, root: str, *, links: bool = True) -> HostFileState | None:
    """Return what is at a path, its parents being directories; None when nothing is there."""
    try:
        with _parent(path, root, links=links) as (folder, name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
            if stat.S_ISLNK(status.st_mode):
                return HostFileState("l", mode, uid, gid, target=os.readlink(name, dir_fd=folder))
            if stat.S_ISDIR(status.st_mode):
                return HostFileState("d", mode, uid, gid, names=_names(name, folder))
            if not stat.S_ISREG(status.st_mode):
                return HostFileState("?", mode, uid, gid)
            with _open_file(name, folder) as stream:
                digest, text = _digest(stream)
            return HostFileState("-", mode, uid, gid, sha256=digest, text=text)
    except FileNotFoundError:
        return None


def _names(name: str, folder: int) -> tuple[str, ...]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=folder)
    try:
        return tuple(sorted(os.listdir(descriptor)))
    finally:
        os.close(descriptor)


def _open_file(name: str, folder: int) -> BinaryIO:
    """Open a regular file to read it; a fifo in its place does not hold us up."""
    return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder), "rb")


def _digest(stream: BinaryIO) -> tuple[str, str | None]:
    """Return the SHA-256 (hex) of a file, and its text when it is a small one."""
    total, begin = hashlib.sha256(), b""
    for piece in iter(lambda: stream.read(_PIECE), b""):
        total.update(piece)
        begin = begin or piece
    return total.hexdigest(), small_text(begin)


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Have errors of the operating system name the whole path, and say what is in the way."""
    try:
        yield
    except OSError as exc:
        if exc.errno == errno.EROFS:
            raise InvalidInputError(
                f"The host file '{path}' cannot be changed, as its file system is read-only: mount it writable, or use an image"
                " that puts nothing there"
            ) from exc
        if exc.errno in (errno.ENOTDIR, errno.ELOOP):
            raise InvalidInputError(
                f"The host file '{path}' is below a link or a file, and links are not followed: put a directory there"
            ) from exc
        raise OSError(exc.errno, exc.strerror, path) from exc
