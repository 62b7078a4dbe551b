# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A layer's archive on its way into ``ostree commit``."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import IO, cast

from ._errors import StoreError
from ._ostree_reader import COMMIT
from ._runner import command_environment, find_tool, widen_pipe

TIMEOUT = 600.0
"""Seconds that one call of ostree may take: a large layer on a slow disk takes minutes."""

ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""libarchive, and ostree with it, aborts at a UTF-8 name in a PAX header unless the locale is UTF-8."""

_NO_SPACE = re.compile(r"No space left on device|min-free-space|Disk quota exceeded")
_STUMBLED = re.compile(r"opendir\(staging-[^)]*\): No such file or directory")
_STAGING_POLL, _STAGING_TIMEOUT = 0.002, 5.0

_PAUSE = 0.002
"""Seconds to wait when the pipe is full. Blocked in write(2) instead, this process would wake up, and stop ostree, for each
of the 8 KiB that ostree reads at a time."""

ATTEMPTS = 3
"""How often ostree is started, if another process keeps removing the staging folder that it is about to use."""


def no_space(repository: str, reason: str) -> StoreError | None:
    """Return the error for a full disk when that is what ostree says, else None."""
    if not _NO_SPACE.search(reason):
        return None
    return StoreError(
        f"There is no space left for the OSTree repository '{repository}' ({reason}): free some, for example with "
        "system_container_prune, then try again"
    )


def stumbled(reason: str) -> bool:
    """Tell whether ostree failed, before it did anything, at the staging folder that another process just removed."""
    return _STUMBLED.search(reason) is not None


def _wait_for_staging(process: subprocess.Popen[bytes]) -> None:
    """Return when ostree has its staging folder open, or has ended, or does without one for long.

    It looks into those of others for a moment first: its own is the one that stays open.
    """
    deadline = time.monotonic() + _STAGING_TIMEOUT
    before: set[str] = set()
    while process.poll() is None and time.monotonic() < deadline:
        now = {path for path in _open_files(process.pid) if "/staging-" in path}
        if now & before:
            return
        before = now
        time.sleep(_STAGING_POLL)


def _open_files(pid: int) -> Iterator[str]:
    """Yield the paths that a process has open."""
    descriptors = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(descriptors):
            with contextlib.suppress(OSError):
                yield os.readlink(f"{descriptors}/{name}")


class TarCommit:
    """A running ``ostree commit --tree=tar=-``: ``write`` a tar, then ``finish``; ``abort`` ends it on every path.

    ``repository`` is its path, for messages.
    """

    def __init__(self, argv: Sequence[str], repository: str) -> None:
        self._repository = repository
        self._start(argv)
        for _attempt in range(ATTEMPTS - 1):
            if self._process.poll() is None or not stumbled(self._last_line()):
                break
            self.abort()
            self._start(argv)
        widen_pipe(self._stdin())
        os.set_blocking(self._stdin(), False)

    def _start(self, argv: Sequence[str]) -> None:
        # In memory: where temporary files go may be the disk that is full.
        self._stderr: IO[bytes] = os.fdopen(os.memfd_create("ostree-stderr", os.MFD_CLOEXEC), "w+b")
        self._process = subprocess.Popen(
            [find_tool(argv[0]), *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=command_environment(ENVIRONMENT),
        )
        _wait_for_staging(self._process)

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Write ``buffers``; ``StoreError`` with what ostree said when it takes no more."""
        data = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
        try:
            while data:
                try:
                    data = data[os.write(self._stdin(), data) :]
                except BlockingIOError:
                    time.sleep(_PAUSE)
        except BrokenPipeError as exc:
            with self._in_time():
                self._process.wait(TIMEOUT)
            raise self._failed() from exc

    def finish(self) -> str:
        """Close the stream and return the commit; ``StoreError`` with what ostree said when there is none."""
        with self._in_time():
            output, _unused = self._process.communicate(timeout=TIMEOUT)
        commit = output.decode("ascii", "replace").strip()
        if self._process.returncode != 0 or not COMMIT.match(commit):
            raise self._failed()
        return commit

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except subprocess.TimeoutExpired as exc:
            raise StoreError(
                f"A layer cannot be stored in the OSTree repository '{self._repository}': ostree did not end within "
                f"{TIMEOUT:g} seconds: check the disk, then try again"
            ) from exc

    def _stdin(self) -> int:
        return cast("IO[bytes]", self._process.stdin).fileno()

    def _failed(self) -> StoreError:
        """Return the error with the last line that ostree wrote."""
        reason = self._last_line() or f"ostree ended with exit code {self._process.poll()}"
        return no_space(self._repository, reason) or StoreError(
            f"A layer cannot be stored in the OSTree repository '{self._repository}': {reason}"
        )

    def _last_line(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def abort(self) -> None:
        """Kill the process if it still runs and wait for its end; harmless after ``finish``."""
        if self._process.poll() is None:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()
        self._stderr.close()
