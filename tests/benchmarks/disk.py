# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a layer comes to rest anywhere on its way into the repository."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.results import Bar, Result
from benchmarks.session import Session

_OBJECT = re.compile(r"/(?:objects|tmp/staging-[^/]+)/[0-9a-f]{2}/[0-9a-f]+\.[a-z]+$")
_WRITABLE = os.O_WRONLY | os.O_RDWR


def disk(session: Session) -> Iterator[Result]:
    """Most bytes that were in temporary files at any time while a layer was stored, in percent of the layer as fetched.

    Files in the temporary folders and in the repository's, and unnamed files that the module's processes have open, are
    looked at every hundredth of a second. Files that are objects of the repository already do not count; one that is being written
    does, so it cannot be zero.
    """
    image = session.image(session.shape(size=350_000_000, files=12_000, even=True))
    module = session.ours(image)
    module.prepare()
    watch = TemporaryFiles([Path(session.environment["TMPDIR"]), module.repository / "tmp", module.folder / "root"])
    module.run(watch=watch)
    share = 100 * watch.peak / image.size
    note = f"{watch.samples} looks; {image}"
    yield Result("disk.temporary-files", share, "%", limit=Bar("<=", 5), note=note)


class TemporaryFiles:
    """Called with a process again and again, keeps the ``peak`` of the bytes in temporary files of it and its children.

    ``folders`` are looked through; besides count the unnamed files, on disk or in memory, that the processes can write to.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.peak = self.samples = 0
        self._folders = folders

    def __call__(self, pid: int) -> None:
        sizes: dict[tuple[int, int], int] = {}
        for folder in self._folders:
            _add_named(folder, sizes)
        for process in processes_of(pid):
            _add_open(process, sizes)
        self.samples += 1
        self.peak = max(self.peak, sum(sizes.values()))


def processes_of(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            children = _read(f"/proc/{pid}/task/{thread}/children").split()
            for child in children:
                yield from processes_of(int(child))


def _add_named(folder: Path, sizes: dict[tuple[int, int], int]) -> None:
    for parent, _folders, files in os.walk(folder):
        for name in files:
            path = f"{parent}/{name}"
            if not _OBJECT.search(path):
                _add(os.lstat, path, sizes)


def _add_open(pid: int, sizes: dict[tuple[int, int], int]) -> None:
    """Add what a process writes to and nobody else can find; output that was sent to this program does not count."""
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            flags = re.search(r"^flags:\s*([0-7]+)", _read(f"/proc/{pid}/fdinfo/{number}"), re.MULTILINE)
            with contextlib.suppress(OSError):
                if flags and int(flags[1], 8) & _WRITABLE and os.stat(path).st_nlink == 0:
                    _add(os.stat, path, sizes)


def _add(look: Callable[[str], os.stat_result], path: str, sizes: dict[tuple[int, int], int]) -> None:
    with contextlib.suppress(OSError):
        status = look(path)
        if os.path.isfile(path):
            sizes[status.st_dev, status.st_ino] = status.st_blocks * 512


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read()
    except OSError:
        return ""
