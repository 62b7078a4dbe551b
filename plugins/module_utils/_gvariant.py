# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GVariant, as far as OSTree's commit and dirtree objects need it (pure).

Little-endian framing offsets stand at the end of a container, as wide as the container's size needs:
https://docs.gtk.org/glib/gvariant-specification-1.0.html section 2.5. The types are in libostree's ostree-core.h.
``StoreError`` says that an object, though its checksum may be right, is none of ostree's making.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ._errors import StoreError
from ._record import dataclass


class Node(NamedTuple):
    """Where the content of an entry is: checksum of its file or dirtree object, and of its dirmeta object."""

    checksum: str
    meta: str | None


class Entry(NamedTuple):
    """One entry of a commit: absolute ``path``, ``type`` (``-`` file, ``d`` directory, ``l`` symbolic link), permission
    bits with setuid, setgid and sticky in ``mode``, ``size`` in bytes, ``target`` of a link."""

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    size: int = 0
    target: str | None = None


@dataclass(frozen=True)
class CommitHeader:
    """What a commit says about itself: those of its metadata that are strings.

    ``is_bare`` when it says nothing: no metadata, no parent, no related commits, no text, and 0 as its time.
    """

    metadata: Mapping[str, str]
    is_bare: bool = False


def offset_size(size: int) -> int:
    return 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4 if size <= 0xFFFFFFFF else 8


def offset(data: bytes, index: int) -> int:
    """Return the framing offset that is ``index`` before the last one."""
    width = offset_size(len(data))
    end = len(data) - index * width
    return int.from_bytes(data[end - width : end], "little")


def elements(data: bytes, *, alignment: int) -> Iterator[bytes]:
    """Yield the elements, of variable size, of an array."""
    if not data:
        return
    start, width, ends = 0, offset_size(len(data)), offset(data, 0)
    for position in range(ends, len(data), width):
        end = int.from_bytes(data[position : position + width], "little")
        yield data[start:end]
        start = end + -end % alignment


def string_metadata(commit: bytes) -> dict[str, str]:
    """Return the strings of a commit's metadata: ``a{sv}``, the first member of ``(a{sv}aya(say)sstayay)``."""
    found = {}
    for entry in elements(commit[: offset(commit, 0)], alignment=8):
        end = offset(entry, 0)
        value, _zero, kind = entry[end + -end % 8 : len(entry) - offset_size(len(entry))].rpartition(b"\0")
        if kind == b"s":
            found[_text(entry[: end - 1])] = _text(value[:-1])
    return found


def commit_header(commit: bytes) -> CommitHeader:
    """Return what a commit ``(a{sv}aya(say)sstayay)`` says about itself; its time is big-endian, 8 bytes, aligned."""
    ends = [offset(commit, index) for index in range(5)]  # metadata, parent, related commits, subject, body
    when = ends[4] + -ends[4] % 8
    nothing = ends[0] == ends[1] == ends[2] == 0 and commit[: ends[4]] == b"\0\0" and not any(commit[when : when + 8])
    return CommitHeader(metadata=string_metadata(commit), is_bare=nothing)


def children_of(dirtree: bytes) -> Iterator[tuple[str, Node]]:
    """Yield name and node of all that a dirtree ``(a(say)a(sayay))`` lists: files, then directories."""
    end = offset(dirtree, 0)
    for entry in elements(dirtree[:end], alignment=1):
        first = offset(entry, 0)
        checksum = entry[first : len(entry) - offset_size(len(entry))]
        yield _name(entry[: first - 1]), Node(checksum=checksum.hex(), meta=None)
    for entry in elements(dirtree[end : len(dirtree) - offset_size(len(dirtree))], alignment=1):
        first, second, width = offset(entry, 0), offset(entry, 1), offset_size(len(entry))
        meta = entry[second : len(entry) - 2 * width]
        yield _name(entry[: first - 1]), Node(checksum=entry[first:second].hex(), meta=meta.hex())


def directory_mode(dirmeta: bytes) -> tuple[int, int, int]:
    """Return uid, gid and mode of a dirmeta object ``(uuua(ayay))``, whose numbers are in network order."""
    if len(dirmeta) < 12:
        raise StoreError("The OSTree repository is damaged: a directory has no mode")
    uid, gid, mode = struct.unpack(">III", dirmeta[:12])
    return uid, gid, mode


def directory_xattrs(dirmeta: bytes) -> dict[bytes, bytes]:
    """Return the xattrs of a dirmeta object ``(uuua(ayay))``."""
    found = {}
    for entry in elements(dirmeta[12:], alignment=1):
        end = offset(entry, 0)
        found[entry[: end - 1]] = entry[end : len(entry) - offset_size(len(entry))]
    return found


def commit_root(commit: bytes) -> Node:
    """Return the root directory of a commit ``(a{sv}aya(say)sstayay)``: the last two members."""
    end = offset(commit, 5)
    return Node(checksum=commit[end - 32 : end].hex(), meta=commit[end : end + 32].hex())


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise StoreError("The OSTree repository is damaged: an object has a text that is not UTF-8") from exc


def _name(data: bytes) -> str:
    name = _text(data)
    if name in ("", ".", "..") or "/" in name:
        raise StoreError(f"The OSTree repository is damaged: a directory has an entry of the name {name!r}")
    return name
