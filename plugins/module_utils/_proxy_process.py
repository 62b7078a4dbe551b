# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running ``skopeo experimental-image-proxy``: requests, replies, and how long to wait for them.

The protocol is described at the top of skopeo's ``cmd/skopeo/proxy.go``: JSON requests and replies over a
``SOCK_SEQPACKET`` socket, answered one after another in the order of the requests; data comes through pipes that the
proxy closes only while it handles ``FinishPipe``, which waits for the last byte and checks the digest. So a request is
sent without waiting (``submit``), one thread takes the replies, and a pipe is read on while its ``FinishPipe`` waits.
"""

from __future__ import annotations

import collections
import contextlib
import json
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from ._errors import SourceError, SystemContainerError, TransientSourceError
from ._record import dataclass
from ._runner import command_environment, find_tool
from ._skopeo_log import SkopeoLog
from ._source_errors import stalled, translate

_PACKET = 64 * 1024
_MEMORY = 2 * 1024**3
"""Bytes of data that skopeo may have: it reads a registry's error messages whole, however long they are."""


@dataclass(frozen=True)
class Reply:
    """What a request gave: ``descriptor`` is the reading end of pipe number ``pipe`` if there is one."""

    value: Any
    pipe: int
    descriptor: int | None


class ProxyProcess:
    """The process and its socket. Its methods may be called from several threads."""

    def __init__(self, argv: Sequence[str], *, source: str, timeout: float) -> None:
        """Start skopeo with these arguments; ``source`` is for messages, ``timeout`` in seconds."""
        self.source = source
        self.timeout = timeout
        self._lock = threading.Lock()
        self._pending: collections.deque[Future[Reply]] = collections.deque()
        self._ended = False
        self._killed = threading.Event()
        self._cause: SystemContainerError | None = None
        self._replied = self._heard = self._paused_until = 0.0
        self._limited = False
        with contextlib.ExitStack() as cleanup:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket = cleanup.enter_context(ours)
            self._log = cleanup.enter_context(contextlib.closing(SkopeoLog()))
            with theirs:
                self._process = subprocess.Popen(
                    [find_tool(argv[0]), *argv[1:]],
                    stdin=theirs.fileno(),
                    stdout=self._log.descriptor,
                    stderr=self._log.descriptor,
                    env=command_environment(),
                )
            _limit_memory(self._process.pid)
            receiver = threading.Thread(target=self._receive, daemon=True)
            receiver.start()
            cleanup.callback(receiver.join)
            cleanup.callback(self._process.wait)
            self._cleanup = cleanup.pop_all()

    def close(self) -> None:
        """End the process and wait for its end."""
        self.kill()
        self._cleanup.close()

    def kill(self, cause: BaseException | None = None) -> None:
        """End the process: every stream ends, every waiting call fails, with ``cause`` if that is a clear error.

        There is nothing that the proxy would have to save.
        """
        if self._cause is None and isinstance(cause, SystemContainerError):
            self._cause = cause
        self._killed.set()
        if self._process.poll() is None:
            self._process.kill()

    @property
    def ended(self) -> bool:
        """Whether no request is answered any more."""
        return self._ended or self._killed.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, at most until the process is killed."""
        self._killed.wait(seconds)

    def submit(self, method: str, *arguments: object) -> Future[Reply]:
        """Send a request and return what will hold its reply."""
        future: Future[Reply] = Future()
        request = json.dumps({"method": method, "args": arguments}).encode("utf-8")
        with self._lock:
            if self._ended:
                raise self._died()
            self._pending.append(future)
            try:
                self._socket.sendall(request)
            except OSError as exc:
                raise self._died() from exc
        return future

    def answer(self, future: Future[Reply]) -> Reply:
        """Wait for a reply."""
        asked = time.monotonic()
        while True:
            left = self.patience(future, silent_since=asked)
            if left <= 0:
                raise self.stalled()
            with contextlib.suppress(FutureTimeout):
                return future.result(left)

    def note_bytes(self) -> float:
        """Take note of bytes from a stream and return the time."""
        self._heard = time.monotonic()
        return self._heard

    def patience(self, future: Future[Reply], *, silent_since: float) -> float:
        """Return for how many seconds to go on waiting for a reply, and what comes before it; 0: no longer.

        The turn of a request may come late, as the one before it may wait for the end of a stream: until then every
        byte of any stream is a sign of life.
        """
        with self._lock:  # all of it: a pause is announced once, to whichever thread asks first
            is_next = bool(self._pending) and self._pending[0] is future
            alive = max(silent_since, self._replied, self._paused_until, 0.0 if is_next else self._heard)
            left = alive + self.timeout - time.monotonic()
            if left <= 0:
                pause = self._log.announced_pause()
                if pause > 0:
                    self._limited = True
                    self._paused_until = time.monotonic() + pause
                    left = pause + self.timeout
        return max(left, 0.0)

    def stalled(self) -> SourceError:
        """Return the error for a source from which nothing comes any more."""
        return stalled(self.source, timeout=self.timeout, limited=self._limited)

    def _receive(self) -> None:
        """Take the replies, in order, until the proxy ends (run by its own thread)."""
        try:
            while True:
                data, descriptors, _msg_flags, _address = socket.recv_fds(
                    self._socket, _PACKET, 1, socket.MSG_CMSG_CLOEXEC
                )
                if not data:
                    return
                self._deliver(data, descriptors[0] if descriptors else None)
        except (OSError, ValueError, LookupError):
            return
        finally:
            with self._lock:
                self._ended = True
                waiting = list(self._pending)
                self._pending.clear()
            for future in waiting:
                future.set_exception(self._died())

    def _deliver(self, data: bytes, descriptor: int | None) -> None:
        reply = json.loads(data)
        with self._lock:
            self._replied, self._limited = time.monotonic(), False
            future = self._pending.popleft()
        if reply["success"]:
            future.set_result(Reply(value=reply["value"], pipe=reply["pipeid"], descriptor=descriptor))
        else:
            future.set_exception(translate(str(reply["error"]), self.source))

    def _died(self) -> SystemContainerError:
        """Return why there is no process any more; whatever it was, another request to it cannot help."""
        if self._cause is not None:
            return self._cause
        error = translate(self._log.last_words() or "skopeo's image proxy ended early", self.source)
        return SourceError(str(error)) if isinstance(error, TransientSourceError) else error


def _limit_memory(pid: int) -> None:
    """Let a process end instead of taking all memory of the host (setrlimit(2), RLIMIT_DATA)."""
    with contextlib.suppress(OSError):
        _soft, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or hard > _MEMORY:
            resource.prlimit(pid, resource.RLIMIT_DATA, (_MEMORY, hard))
