# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers unpacked by zlib, as on a host without a faster program, and by a program; beside gzip(1)."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _inflate
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    MissingToolError,
    SourceError,
)

MEBIBYTE = 1024 * 1024
TEXT = b"a layer of some text\n" * 9000
MIXED = random.Random(1).randbytes(300_000) + bytes(3 * MEBIBYTE) + TEXT
ONE = gzip.compress(MIXED)
DAMAGED = bytearray(ONE)
DAMAGED[len(ONE) // 2] ^= 0x55
WRONG_CHECKSUM = bytearray(ONE)
WRONG_CHECKSUM[-8] ^= 1


PROGRAM = shutil.which("gzip") or ""


@pytest.fixture(autouse=True)
def faster_programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the faster programs that the host has: none, unless a test adds one, which is gzip(1) then."""
    found: set[str] = set()

    def find_tool(name: str) -> str:
        if name not in found:
            raise MissingToolError(name)
        return PROGRAM

    monkeypatch.setattr(_inflate, "find_tool", find_tool)
    return found


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def gunzip(data: bytes) -> bytes:
    return subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=False).stdout


STREAMS = pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(b""), id="empty"),
        pytest.param(gzip.compress(TEXT), id="text"),
        pytest.param(gzip.compress(TEXT, 0), id="stored"),
        pytest.param(gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"more"), id="members"),
        pytest.param(gzip.compress(TEXT) + b"junk that is no member", id="junk"),
        pytest.param(gzip.compress(TEXT) + bytes(1024), id="padding"),
        pytest.param(gzip.compress(TEXT) + b"\x1f", id="begin of a member"),
    ],
)


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 64 * 1024, 16 * MEBIBYTE])
@STREAMS
def test_as_gzip(data: bytes, size: int) -> None:
    assert b"".join(_inflate.inflated(pieces(data, size))) == gunzip(data)


class Mover:
    """Moves what ``source`` would yield next into a pipe; ``moved`` are its bytes."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source, self.moved = source, 0

    def __call__(self, sink: int) -> int:
        piece = next(self._source, b"")
        for start in range(0, len(piece), 4096):  # of a pipe that nobody reads any more, some is moved before the error
            self.moved += os.write(sink, piece[start : start + 4096])
        return len(piece)


@pytest.mark.parametrize("program", ["igzip", "unpigz"])
@pytest.mark.parametrize("size", [3, 1000, 16 * MEBIBYTE])
@STREAMS
def test_by_a_program(data: bytes, size: int, program: str, faster_programs: set[str]) -> None:
    faster_programs.add(program)
    read, moved = pieces(data, size), pieces(data, size)
    move = Mover(moved)
    assert b"".join(_inflate.inflated(read)) == gunzip(data)
    assert b"".join(_inflate.inflated(moved, move=move)) == gunzip(data)
    assert move.moved == max(0, len(data) - max(size, 6 if size == 3 else 0))
    assert list(read) == list(moved) == []


def test_a_program_that_ends_early(faster_programs: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the blob is read all the same."""
    faster_programs.add("igzip")
    monkeypatch.setattr(_inflate, "_FASTER_THAN_ZLIB", (("igzip", "--version"),))
    data = gzip.compress(random.Random(2).randbytes(4 * MEBIBYTE))
    read, moved = pieces(data, 64 * 1024), pieces(data, 64 * 1024)
    assert b"".join(_inflate.inflated(read)) == b"".join(_inflate.inflated(moved, move=Mover(moved)))
    assert list(read) == list(moved) == []


@pytest.mark.parametrize("size", [1000, 16 * MEBIBYTE])
def test_pieces_are_bounded(size: int) -> None:
    """However well it was packed, no more than this is in memory at a time."""
    unpacked = list(_inflate.inflated(pieces(gzip.compress(bytes(64 * MEBIBYTE)), size)))
    assert max(map(len, unpacked)) <= MEBIBYTE
    assert sum(map(len, unpacked)) == 64 * MEBIBYTE


@pytest.mark.parametrize("length", range(0, 3 * MEBIBYTE + 2, MEBIBYTE // 2 + 1))
def test_ends_at_any_place(length: int) -> None:
    data = MIXED[:length]
    assert b"".join(_inflate.inflated(pieces(gzip.compress(data), 4096))) == data


@pytest.mark.parametrize(
    "data", [pytest.param(bytes(DAMAGED), id="damaged"), pytest.param(ONE[:-5000], id="truncated")]
)
def test_what_is_damaged_ends_early_and_is_read_to_its_end(data: bytes) -> None:
    read = []

    def source() -> Iterator[bytes]:
        for piece in pieces(data, 4096):
            read.append(piece)
            yield piece

    unpacked = b"".join(_inflate.inflated(source()))
    assert unpacked != MIXED
    assert b"".join(read) == data


def test_a_wrong_checksum_alone_loses_nothing_that_could_be_right() -> None:
    unpacked = b"".join(_inflate.inflated(pieces(bytes(WRONG_CHECKSUM), 4096)))
    assert MIXED.startswith(unpacked)


@pytest.mark.parametrize("programs", [(), ("igzip",)])
@pytest.mark.parametrize("data", [ONE, bytes(DAMAGED), gzip.compress(TEXT) + b"junk", TEXT])
def test_an_error_of_the_source_is_raised(data: bytes, programs: tuple[str, ...], faster_programs: set[str]) -> None:
    faster_programs.update(programs)

    def source() -> Iterator[bytes]:
        yield from pieces(data, 4096)
        raise SourceError("a wrong digest")

    for moves in (False, True):
        blob = source()
        with pytest.raises(SourceError, match="a wrong digest"):
            list(_inflate.inflated(blob, move=Mover(blob) if moves else None))


@pytest.mark.parametrize("data", [b"", b"a", b"abc", b"\x1f", TEXT])
def test_what_is_not_packed_stays(data: bytes) -> None:
    assert b"".join(_inflate.inflated(pieces(data, 2))) == data
