# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A blob, or a document, on its way out of the image proxy: a stream of bytes through a pipe."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from ._errors import SourceError, TransientSourceError
from ._oci_image import MAX_MANIFEST
from ._proxy_process import ProxyProcess, Reply
from ._runner import widen_pipe

_STALL = 1.0
"""Seconds without a byte after which the proxy is asked (FinishPipe) whether the stream has failed."""

_PIECE = 1024 * 1024
_Taken = TypeVar("_Taken", bytes, int)
_splice: Any = getattr(os, "splice", None)


class Blob:
    """One stream from the proxy; ``pieces`` yields its bytes and raises ``SourceError`` unless all were right."""

    def __init__(self, process: ProxyProcess, reply: Reply, size: int | None) -> None:
        if reply.descriptor is None:
            raise SourceError("skopeo's image proxy handed out no pipe")
        self._process = process
        self._pipe = reply.pipe
        self._size = size
        self._descriptor = reply.descriptor
        self._open = True
        self._received = 0
        self._finish: Future[Reply] | None = None
        widen_pipe(self._descriptor)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes. Only the end of the iteration says that size and digest were right.

        A stream that ends early is a ``TransientSourceError``: nothing was wrong but the connection.
        """
        while True:
            piece = self._next(_read)
            if not piece:
                return
            yield piece

    @property
    def move(self) -> Callable[[int], int] | None:
        """What takes the next bytes instead of ``pieces`` and moves them, without a copy, into a pipe: called with its
        descriptor it returns how many, 0 at the end, and raises as ``pieces`` does. None before Python 3.10."""
        return None if _splice is None else lambda sink: self._next(lambda source: int(_splice(source, sink, _PIECE)))

    def _next(self, take: Callable[[int], _Taken]) -> _Taken:
        """Return what ``take`` takes from the pipe, bytes or a number of them, when there is something to take.

        ``FinishPipe`` is sent when all has come, or nothing comes any more.
        """
        process, limit = self._process, MAX_MANIFEST if self._size is None else self._size
        asked = time.monotonic()  # what passed since the last piece is the time that its taker needed
        if self._size is None or self._received >= limit:
            self._ask_to_finish()
        while True:
            finish = self._finish
            wait = _STALL if finish is None else process.patience(finish, silent_since=asked)
            if select.select([self._descriptor], [], [], max(wait, 0))[0]:
                break
            if wait <= 0:
                raise process.stalled()
            self._ask_to_finish()
        taken = take(self._descriptor)
        if not taken:
            self._check_end()
            return taken
        process.note_bytes()
        self._received += taken if isinstance(taken, int) else len(taken)
        if self._received > limit:
            raise SourceError(f"'{process.source}' hands out more than the {limit} bytes that were announced")
        return taken

    def _check_end(self) -> None:
        """Raise the error for a stream that has ended unless all of it came, and was right."""
        source, received = self._process.source, self._received
        try:
            self._process.answer(self._ask_to_finish())
        except SourceError as exc:
            if self._size is None or received == self._size or not source.startswith("docker:") or self._process.ended:
                raise
            if "bytes in blob" in str(exc):  # said only when the digest is right
                raise SourceError(
                    f"'{source}' hands out a blob of {received} bytes, of which its manifest says that it has {self._size}: push"
                    " the image again"
                ) from exc
            raise TransientSourceError(
                f"'{source}' breaks off after {received} of {self._size} bytes: try again, and push the image again if it stays"
                " so"
            ) from exc
        if self._size is not None and received != self._size:
            raise SourceError(f"'{source}' hands out {received} bytes where {self._size} were announced")

    def _ask_to_finish(self) -> Future[Reply]:
        """Ask the proxy once whether all was right; it says so after the last byte."""
        if self._finish is None:
            self._finish = self._process.submit("FinishPipe", self._pipe)
        return self._finish

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.pieces())

    def close(self) -> None:
        """Give the pipe back; the proxy then drops what it still wanted to send."""
        if self._open:
            self._open = False
            os.close(self._descriptor)

    def __enter__(self) -> Blob:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def _read(descriptor: int) -> bytes:
    return os.read(descriptor, _PIECE)
