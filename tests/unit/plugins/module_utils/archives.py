# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives for tests: by Python's tarfile, or field by field where that refuses."""

from __future__ import annotations

import io
import tarfile
from typing import Any

FILE, LINK, SYMLINK, DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
Member = tuple[str, bytes, dict[str, Any]]
OPAQUE = ".wh..wh..opq"


def file(name: str, content: bytes = b"content", **attributes: Any) -> Member:
    return name, FILE, {"content": content, **attributes}


def link(name: str, target: str) -> Member:
    return name, LINK, {"linkname": target}


def symlink(name: str, target: str, **attributes: Any) -> Member:
    return name, SYMLINK, {"linkname": target, **attributes}


def folder(name: str, **attributes: Any) -> Member:
    return name, DIRECTORY, {"mode": 0o755, **attributes}


def archive(*members: Member, layout: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=layout, encoding="utf-8", errors="surrogateescape") as tar:
        for name, kind, attributes in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            content = attributes.get("content", b"") if kind == FILE else b""
            info.size = len(content)
            for key, value in attributes.items():
                if key != "content":
                    setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def block(
    name: bytes = b"f", *, size: bytes = b"00000000000\0", kind: bytes = b"0", uid: bytes = b"0000000\0",
    checksum: bytes | None = None, content: bytes = b"",
) -> bytes:  # fmt: skip
    """One entry, field by field, as no library would write it."""
    header = bytearray(512)
    fields = ((0, name), (100, b"0000644\0"), (108, uid), (116, b"0000000\0"), (124, size), (136, b"0" * 11))
    for start, field in (*fields, (148, b" " * 8), (156, kind), (257, b"ustar\x0000")):
        header[start : start + len(field)] = field
    header[148:156] = checksum or b"%06o\0 " % sum(header)
    return bytes(header) + content + bytes(-len(content) % 512)


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    return block(b"pax", size=b"%011o\0" % len(records), kind=kind, content=records)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body
