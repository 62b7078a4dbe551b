# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files, links, directories and locks on the host: written so that a crash leaves the old state or the new one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping

from ._errors import InvalidInputError, LockedError, StoreError
from ._models import FileState

_OCTAL = re.compile(r"\\([0-7]{3})")  # white space and backslashes in mountinfo, proc(5)

LOCK_FOLDER = "/run/system-containers"

LOCK_TIMEOUT = 60.0
"""Seconds to wait for another run that holds a lock."""


def read_state(path: str) -> FileState | None:
    """Return the file at ``path``, None when there is none. A link is read as a link, its target not followed."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return FileState(content=os.fsencode(os.readlink(path)), mode=0o777, mtime=status.st_mtime, is_link=True)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInputError(f"'{path}' is not a regular file: move it away")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        return FileState(content=file.read(), mode=stat.S_IMODE(status.st_mode), mtime=status.st_mtime)


def write_file(path: str, content: bytes, *, mode: int, temporary: str | None = None) -> None:
    """Write a file under a ``temporary`` name, by default one beside ``path``, sync it, and rename it into place."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    temporary = temporary_name(path) if temporary is None else temporary
    _unlink(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.rename(temporary, path)
    except BaseException as exc:
        _unlink(temporary)
        if isinstance(exc, OSError) and exc.filename is None:  # of what was written, it tells no path
            raise OSError(exc.errno, exc.strerror, path) from exc
        raise
    sync_directory(os.path.dirname(path))


def temporary_name(path: str) -> str:
    """Return the name beside ``path`` under which its next content is made; whoever holds the lock may replace it."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.new")


def replace_link(link: str, target: str) -> None:
    """Point ``link`` at ``target`` in one step, whether or not it exists."""
    folder = os.path.dirname(link)
    temporary = temporary_name(link)
    _unlink(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, link)
    sync_directory(folder)


def remove_file(path: str) -> None:
    """Remove a file or a link if it is there; an emptied drop-in folder (``*.d``) of a unit goes with it."""
    _unlink(path)
    folder = os.path.dirname(path)
    if folder.endswith(".service.d"):
        try:
            os.rmdir(folder)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.EBUSY):
                raise


def remove_tree(path: str) -> None:
    """Remove a directory (or a file or link in its place) and all below it, following no link, if it is there.

    It is renamed out of the way first, so that a crash leaves no half directory under its name; a hidden one is taken for a
    leftover as it is.
    """
    folder, name = os.path.split(path)
    doomed = path if name.startswith(".") else os.path.join(folder, f".{name}.removed")
    for place in (path, doomed):
        _refuse_mounts(place)
    try:
        _remove_anything(doomed)
        os.rename(path, doomed)
        _remove_anything(doomed)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise StoreError(
            f"'{path}' cannot be removed completely ({exc}): end what uses it, unmount what is mounted below it, and try again"
        ) from exc


def mount_points() -> list[str]:
    """Return where something is mounted, as this process sees it."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        return [_OCTAL.sub(lambda match: chr(int(match.group(1), 8)), line.split(" ")[4]) for line in mounts]


def _refuse_mounts(path: str) -> None:
    """Raise ``StoreError`` when something is mounted at or below ``path``: removing would go on into it."""
    real = os.path.realpath(path)
    below = [point for point in mount_points() if point == real or point.startswith(real + "/")]
    if below:
        raise StoreError(f"'{path}' cannot be removed, as something is mounted on '{below[-1]}': unmount it")


def _remove_anything(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        _unlink(path)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def set_folder_attributes(path: str, uid: int, gid: int, mode: int, xattrs: Mapping[bytes, bytes]) -> None:
    """Give a directory owner, permission bits, and just these xattrs; but for its SELinux label, which is the host's."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, stat.S_IMODE(mode))
        for name in map(os.fsencode, os.listxattr(descriptor)):
            if name not in xattrs and name != b"security.selinux":
                os.removexattr(descriptor, name)
        for name, value in xattrs.items():
            if name != b"security.selinux":
                os.setxattr(descriptor, name, value)
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder(parent: str, prefix: str) -> Iterator[str]:
    """Make a folder (0700) in ``parent``, locked while it is used and removed afterwards.

    Those that killed runs left, which nobody locks any more, are removed before.
    """
    for stale in stale_folders(parent, prefix):
        remove_tree(stale)
    while True:
        path = tempfile.mkdtemp(prefix=prefix, dir=parent)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.isdir(path):  # else another run took it for a stale one, before it was locked
            break
        os.close(descriptor)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def stale_folders(parent: str, prefix: str) -> list[str]:
    """Return the temporary folders of this user's in ``parent`` that no run uses."""
    try:
        names = sorted(name for name in os.listdir(parent) if name.startswith(prefix))
    except FileNotFoundError:
        return []
    return [path for path in (os.path.join(parent, name) for name in names) if _is_unlocked(path)]


def _is_unlocked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def locked(path: str, *, what: str, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the exclusive flock(2) on ``path`` (made when missing); ``LockedError`` after ``timeout`` seconds."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _wait_for_lock(descriptor, what=what, timeout=timeout)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, *, what: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        if time.monotonic() >= deadline:
            raise LockedError(
                f"Another run is changing {what}, and did not end within {timeout:g} seconds: try again later"
            )
        time.sleep(0.05)
