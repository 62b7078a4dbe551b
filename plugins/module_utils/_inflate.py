# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers unpacked by the fastest program that the host has."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Generator, Iterator, Sequence
from typing import IO, cast

from ._errors import MissingToolError
from ._runner import command_environment, find_tool, widen_pipe

_PIECE = 1024 * 1024
_INFLATERS = (
    (b"\x1f\x8b", (("igzip", "-dc"), ("unpigz", "-dc"), ("gzip", "-dc"))),
    (b"\x28\xb5\x2f\xfd", (("zstd", "-dcq"),)),
)


def inflated(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield the bytes of a layer unpacked. The content tells how: archives of Docker name plain layers 'gzip'."""
    first = next(pieces, b"")
    while 0 < len(first) < 4:
        more = next(pieces, b"")
        if not more:
            break
        first += more
    for magic, commands in _INFLATERS:
        if first.startswith(magic):
            yield from _inflate(_inflater(commands), first, pieces)
            return
    yield first
    yield from pieces


def _inflate(argv: Sequence[str], first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Run an inflater, feed it from a thread of its own, and yield what it unpacks.

    Its exit code does not count (junk after the end makes gzip complain): the diff ID decides. An error of the
    source, such as a wrong digest, is raised at the end.
    """
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
            feeding = pool.submit(_feed, sink, first, pieces)
            while True:
                piece = os.read(source.fileno(), _PIECE)
                if not piece:
                    break
                yield piece
            feeding.result()
        finally:
            process.kill()


def _feed(sink: IO[bytes], first: bytes, pieces: Iterator[bytes]) -> None:
    """Write a blob to an inflater. One that ends early (junk follows) does not stop the reading: its end checks."""
    with sink:
        open_still = True
        for piece in itertools.chain([first], pieces):
            rest = memoryview(piece)
            while open_still and rest:
                try:
                    rest = rest[os.write(sink.fileno(), rest) :]
                except BrokenPipeError:
                    open_still = False


def _inflater(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the first of ``commands`` that is installed."""
    for name, *arguments in commands:
        with contextlib.suppress(MissingToolError):
            return [find_tool(name), *arguments]
    return [find_tool(commands[-1][0])]
