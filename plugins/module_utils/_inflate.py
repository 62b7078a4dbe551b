# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers unpacked in the fastest way that the host has; zlib, which Python brings, needs less time than gzip(1)."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO, cast

from ._errors import MissingToolError
from ._runner import command_environment, find_tool, widen_pipe

Move = Callable[[int], int]
"""Moves the next bytes of a blob into a pipe and returns how many; 0 at the end."""

_PIECE, _INPUT = 1024 * 1024, 128 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
"""End of the magic number of a frame that says nothing of the content; it begins with 0x50 to 0x5f (RFC 8878, 3.1.2)."""

_WINDOW = "--long=29"
"""Lets zstd take the memory that an image asks for, 512 MiB at most, as podman does; by default these are 128."""

_FASTER_THAN_ZLIB = (("igzip", "-dc"), ("unpigz", "-dc"))
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""Lets zlib expect gzip's header and check its trailer (zlib.h, inflateInit2)."""


def inflated(pieces: Iterator[bytes], *, move: Move | None = None) -> Generator[bytes, None, None]:
    """Yield the bytes of a layer unpacked. The content tells how: archives of Docker name plain layers 'gzip'.

    What is damaged ends early, without an error: the diff ID decides. ``pieces`` is read to its end all the same, as
    that checks the blob; an error of the source, such as a wrong digest, is raised then. ``move`` may be used for what
    another program unpacks: it takes what ``pieces`` would yield next.
    """
    first = next(pieces, b"")
    while 0 < len(first) < 4:
        more = next(pieces, b"")
        if not more:
            break
        first += more
    pieces = itertools.chain([first], pieces)
    if first.startswith(_ZSTD) or (first[1:4] == _SKIPPABLE and first[0] & 0xF0 == 0x50):
        yield from _through([find_tool("zstd"), "-dcq", _WINDOW], pieces, move)
    elif first.startswith(_GZIP):
        command = _installed(_FASTER_THAN_ZLIB)
        yield from _through(command, pieces, move) if command else _gunzipped(pieces)
    else:
        yield from pieces


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack all members of a gzip file (RFC 1952, 2.2); junk that follows them is left out, as gzip(1) does."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    damaged = False
    for piece in _slices(pieces):
        while piece and not damaged:
            try:
                unpacked = member.decompress(piece, _PIECE)
            except zlib.error:
                damaged = True
                break
            yield unpacked
            piece = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = zlib.decompressobj(_GZIP_WINDOW)
    if not damaged:
        yield member.flush()


def _slices(pieces: Iterator[bytes]) -> Iterator[bytes | memoryview]:
    """Yield smaller pieces: zlib copies, each time, what it has not used up yet."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _INPUT):
            yield view[start : start + _INPUT]


def _through(argv: Sequence[str], pieces: Iterator[bytes], move: Move | None) -> Iterator[bytes]:
    """Run an inflater, feed it from a thread of its own, and yield what it unpacks."""
    from concurrent.futures import ThreadPoolExecutor

    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=command_environment(),
        bufsize=0,
    )
    sink, source = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with process, ThreadPoolExecutor(max_workers=1) as pool:
        try:
            widen_pipe(sink.fileno())
            widen_pipe(source.fileno())
            feeding = pool.submit(_feed, sink, pieces, move)
            while True:
                piece = os.read(source.fileno(), _PIECE)
                if not piece:
                    break
                yield piece
            feeding.result()
        finally:
            process.kill()


def _feed(sink: IO[bytes], pieces: Iterator[bytes], move: Move | None) -> None:
    """Write a blob to an inflater. One that ends early (junk follows) does not stop the reading."""
    with sink, contextlib.suppress(BrokenPipeError):
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(sink.fileno(), rest) :]
            while move is not None and move(sink.fileno()):
                pass
    for _unused in pieces:
        pass


def _installed(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the first of ``commands`` that is installed, with its path; empty when none is."""
    for name, *arguments in commands:
        with contextlib.suppress(MissingToolError):
            return [find_tool(name), *arguments]
    return []
