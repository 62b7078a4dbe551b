# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a file as a container sees it: its links lead to what is in the container, never to the host."""

from __future__ import annotations

import contextlib
import os
import stat

from ._errors import InvalidInputError

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40  # as path_resolution(7)


def read_beneath(root: str, path: str, *, limit: int = 1024 * 1024) -> bytes | None:
    """Return the content of the regular file ``path`` of the root file system ``root``, None when there is none.

    The way there is walked step by step, each opened below the one before, so also what changes meanwhile leads nowhere else.
    Raises ``InvalidInputError`` when it has more than ``limit`` bytes, or too many links.
    """
    with contextlib.ExitStack() as opened:
        descriptor = _walk(root, path, opened)
        if descriptor is None or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:
            content = file.read(limit + 1)
    if len(content) > limit:
        raise InvalidInputError(f"'{path}' of the container has more than {limit} bytes")
    return content


def _walk(root: str, path: str, opened: contextlib.ExitStack) -> int | None:
    """Return an O_PATH descriptor of what is at ``path``, no link itself; None when nothing is there."""

    def step(name: str, folder: int | None) -> int:
        descriptor = os.open(name, _STEP if folder is not None else os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
        opened.callback(os.close, descriptor)
        return descriptor

    parents = [step(root, None)]
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            parents = parents[:-1] or parents
            continue
        try:
            found = step(name, parents[-1])
            target = os.readlink("", dir_fd=found) if stat.S_ISLNK(os.fstat(found).st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        if target is None:
            parents.append(found)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise InvalidInputError(f"'{path}' of the container leads through too many links")
        parents = parents[:1] if target.startswith("/") else parents
        todo += target.split("/")[::-1]
    return parents[-1]
