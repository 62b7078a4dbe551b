# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When what a pull stores reaches the disk: all of it at once, before the first ref names any of it.

``ostree commit`` waits for the disk by itself, each time, as a loss of power may otherwise leave objects that are damaged,
and that it would take for good ever after. In a repository that nobody but this collection writes to, it need not: there
a mark holds the id of the boot in which something was stored and not synced yet. Whoever finds there the id of an earlier
boot removes what no ref names, before anything else is stored.
"""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ._errors import CommandError, StoreError
from ._io import write_file
from ._ostree_reader import RepositoryReader
from ._runner import run

if TYPE_CHECKING:
    from ._ostree import Repository

_MARK = "system-containers.unsynced"
"""Name of the mark: a file in each repository that this collection made, empty when all is on disk."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Another one after each boot, random(4)."""

_TIMEOUT = 600.0
_INTERVAL = 0.25
"""Seconds between two syncs while layers come in, so that the disk does not wait for the end of the last one."""


def make_mark(repository: str) -> None:
    """Mark the new repository at this path as one that nobody but this collection writes to, and sync it."""
    _write_mark(repository, "")
    sync_file_system(repository)


class DeferredSync:
    """Syncs the repository's file system while a pull goes on, as a context manager; ``finish`` before refs are written.

    The caller holds the repository's lock. Where ``per_commit`` is true, each commit has to sync by itself: others write to
    the repository as well, or what refs name already is being mended.
    """

    def __init__(self, repository: RepositoryReader) -> None:
        self._path = repository.path
        self._ended = threading.Event()
        self.per_commit = _read_mark(self._path) is None or _has_partial_commit(self._path)

    def __enter__(self) -> DeferredSync:
        if not self.per_commit:
            _write_mark(self._path, _boot_id())
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._syncing = self._pool.submit(self._sync_on)
        return self

    def __exit__(self, *unused: object) -> None:
        self._ended.set()
        self._pool.shutdown()

    def finish(self) -> None:
        """Return when all is on disk; ``StoreError`` when it cannot be, now or a while ago (the kernel says so once)."""
        self._ended.set()
        self._syncing.result()
        sync_file_system(self._path)
        if not self.per_commit:
            _write_mark(self._path, "")

    def _sync_on(self) -> None:
        while not self._ended.wait(_INTERVAL):
            sync_file_system(self._path)


def sync_file_system(repository: str) -> None:
    """Return when all of the repository's file system is on disk, syncfs(2); ``StoreError`` when it cannot be."""
    try:
        run(["sync", "--file-system", repository], timeout=_TIMEOUT)
    except CommandError as exc:
        raise StoreError(f"The OSTree repository '{repository}' cannot be written to disk: {exc}") from exc


def drop_unsynced(repository: Repository) -> None:
    """Remove what a pull stored that a loss of power interrupted; the caller holds the lock. Else it does nothing.

    What a ref names was on disk before.
    """
    boot = _read_mark(repository.path)
    if not boot or boot == _boot_id():
        return
    from ._prune_observe import unnamed_commits

    repository.prune(unnamed_commits(repository))
    _write_mark(repository.path, "")


def _has_partial_commit(path: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return any(name.endswith(".commitpartial") for name in os.listdir(os.path.join(path, "state")))
    return False


def _read_mark(path: str) -> str | None:
    with contextlib.suppress(FileNotFoundError), open(os.path.join(path, _MARK), encoding="ascii") as stream:
        return stream.read().strip()
    return None


def _write_mark(path: str, content: str) -> None:
    write_file(os.path.join(path, _MARK), content.encode("ascii"), mode=0o644)


def _boot_id() -> str:
    with open(_BOOT_ID, encoding="ascii") as stream:
        return stream.read().strip()
