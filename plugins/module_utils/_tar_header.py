# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers, names and extended headers of tar archives, read strictly and written (pure).

Formats: ustar and PAX (POSIX.1-2017, pax), GNU's long names and base-256 numbers. ``SourceError`` says what is malformed,
``StoreError`` what ostree cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from ._errors import SourceError, StoreError

BLOCK = 512
OVERRIDES = (b"path", b"linkpath", b"size", b"uid", b"gid")
"""Keys of a PAX header that go before fields of the header itself."""

_XATTR = b"SCHILY.xattr."
_FOREIGN_XATTR = b"LIBARCHIVE.xattr."
_SPARSE = (b"GNU.sparse.", b"SCHILY.realsize")
_KEPT_XATTRS = (b"user.", b"trusted.", b"security.")
_DROPPED_XATTRS = (b"trusted.overlay.", b"user.overlay.", b"user.ostreemeta")
_MAX_NAME, _MAX_PATH, _MAX_TARGET = 255, 3500, 4095
"""Bytes of one name, of a path inside of the image, and of a link's target. Linux takes 4095 in all (limits.h, PATH_MAX), and a
path has the deployment's in front of it on the host."""

_MAX_DEPTH = 500
"""Names that a path may have."""

_MAX_ID = 2**32 - 2
_SIZE, _MODE = slice(124, 136), slice(100, 108)
_LINK_MODE = b"0000777\0"


def header_name(block: bytes) -> bytes:
    """Return the name in a header. Which magic has a prefix is libarchive's rule: all but GNU's and none."""
    name = block[:100].partition(b"\0")[0]
    has_prefix = block[257:262] == b"ustar" and block[262:265] != b"  \0"
    prefix = block[345:500].partition(b"\0")[0] if has_prefix else b""
    return prefix + b"/" + name if prefix else name


def check_sum(block: bytes) -> None:
    """The sum of all bytes, with spaces for the sum itself; some writers added them as signed numbers."""
    expected = number(block[148:156], "checksum")
    covered = block[:148] + block[156:]
    unsigned = sum(covered) + 256
    if expected != unsigned and expected != unsigned - 256 * sum(byte > 127 for byte in covered):
        refuse("the checksum of a tar header is wrong")


def number(field: bytes, what: str) -> int:
    """Read octal digits, or GNU's base-256 with the high bit set; a negative number is refused."""
    if field[0] & 0x80:
        if field[0] & 0x40:
            refuse(f"a tar header has a negative {what}")
        return int.from_bytes(bytes((field[0] & 0x3F,)) + field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        refuse(f"a tar header has a malformed {what}")
    return int(digits, 8) if digits else 0


def decimal(text: bytes, what: str) -> int:
    """Read the number of a PAX record."""
    if not text.isdigit() or len(text) > 19:
        refuse(f"a PAX header has a malformed {what}")
    return int(text)


def check_owner(block: bytes, overrides: Mapping[bytes, bytes], name: bytes) -> None:
    """Refuse a uid or gid that Linux does not have; a PAX record (``overrides``) goes before the header's field."""
    for key, start in ((b"uid", 108), (b"gid", 116)):
        override = overrides.get(key)
        owner = number(block[start : start + 8], "owner") if override is None else decimal(override, "owner")
        if owner > _MAX_ID:
            refuse(f"{shown(name)} has the owner {owner}, which Linux does not know")


def with_size(block: bytes, size: int) -> bytes:
    """Return a header with another size, and the checksum that fits it."""
    return _with_field(block, _SIZE, b"%011o\0" % size)


def with_link_mode(block: bytes) -> bytes:
    """Return the header of a symbolic link with the mode that Linux gives all of them.

    ostree hashes the mode that the archive says, and later the one on disk: another one would show as damage.
    """
    return block if block[_MODE] == _LINK_MODE else _with_field(block, _MODE, _LINK_MODE)


def _with_field(block: bytes, field: slice, value: bytes) -> bytes:
    changed = block[: field.start] + value + block[field.stop : 148] + b" " * 8 + block[156:]
    return changed[:148] + b"%06o\0 " % sum(changed) + changed[156:]


def _new_header(name: bytes, mode: bytes, kind: bytes) -> bytes:
    fields = name[:100].ljust(100, b"\0") + mode + b"0000000\0" * 2 + b"%011o\0" % 0 * 2 + b" " * 8 + kind
    return with_size((fields.ljust(257, b"\0") + b"ustar\x0000").ljust(BLOCK, b"\0"), 0)


_EXTENDED = _new_header(b"PaxHeader", b"0000644\0", b"x")


def directory_header(path: bytes) -> bytes:
    """Return an entry for a directory of root's, 0755."""
    return _entry(path, b"0000755\0", b"5")


def empty_file_header(path: bytes) -> bytes:
    """Return an entry for an empty file of root's, 0644."""
    return _entry(path, b"0000644\0", b"0")


def _entry(path: bytes, mode: bytes, kind: bytes) -> bytes:
    extended = extended_header({b"path": path}, {}) if len(path) > 100 else b""
    return extended + _new_header(path, mode, kind)


def fits(path: bytes) -> bool:
    """Tell whether a path is short enough."""
    return len(path) <= _MAX_PATH and len(path.rpartition(b"/")[2]) <= _MAX_NAME


def extended_header(overrides: Mapping[bytes, bytes], xattrs: Mapping[bytes, bytes]) -> bytes:
    """Return a PAX header with its records, nothing when there are none.

    The xattrs stand in falling order: libarchive turns them round, ostree hashes them as they come, and later as the
    disk has them, sorted. Names are bytes: without ``hdrcharset`` libarchive would compose what Unicode lets be decomposed.
    """
    ascii_only = all(value.isascii() for value in overrides.values())
    body = b"".join(
        ([] if ascii_only else [_record(b"hdrcharset", b"BINARY")])
        + [_record(key, value) for key, value in overrides.items()]
        + [_record(_XATTR + name, xattrs[name]) for name in sorted(xattrs, reverse=True)]
    )
    return with_size(_EXTENDED, len(body)) + body + bytes(-len(body) % BLOCK) if body else b""


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    return b"%d %s=%s\n" % (rest + len(b"%d" % (rest + len(b"%d" % rest))), key, value)


def records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of the records of a PAX header: ``LENGTH KEY=VALUE\\n``; those of sparse files are refused."""
    position = 0
    while position < len(data):
        digits = data[position : position + 10].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = data[position : position + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if len(record) != length or not record.endswith(b"\n") or not equals or not key:
            refuse("a PAX header is malformed")
        if key.startswith(_SPARSE):
            refuse("it holds a sparse file")
        yield key, value
        position += length


def changes_all(key: bytes) -> bool:
    """Tell whether a record of a global header says something of entries that would have to be kept."""
    return key in OVERRIDES or key.startswith((_XATTR, _FOREIGN_XATTR))


def xattr_name(key: bytes, value: bytes) -> bytes | None:
    """Return the xattr that a PAX record stands for, None when it is no xattr, or one that has no place in a layer.

    Left out are what overlay and ostree keep for themselves, namespaces that Linux lacks (macOS has some), access
    control lists, and empty ones, which ostree loses. bsdtar writes each a second time under a key of its own.
    """
    name = key[len(_XATTR) :]
    if not value or not key.startswith(_XATTR) or name.startswith(_DROPPED_XATTRS) or b"\0" in name:
        return None
    return name if name.startswith(_KEPT_XATTRS) and len(name) <= _MAX_NAME else None


def canonical(xattr: bytes, value: bytes) -> bytes:
    """Return the value of an xattr as Linux gives it back: file capabilities of version 3 whose root is 0 as version 2.

    ostree compares what it hashed with what is on disk. The structure is ``vfs_ns_cap_data`` of linux/capability.h.
    """
    if xattr == b"security.capability" and len(value) == 24 and value[3] == 3 and not any(value[20:]):
        return value[:3] + b"\2" + value[4:20]
    return value


def on_link(xattr: bytes) -> bool:
    """Tell whether Linux lets a symbolic link have an xattr."""
    return not xattr.startswith(b"user.")


def normalised(name: bytes) -> bytes:
    """Return a name without leading slash, ``.`` and empty components; empty for the root."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        refuse(f"{shown(name)} has '..' in its path")
    if not name:
        refuse("an entry has no name")
    path = b"/".join(parts)
    if len(path) > _MAX_NAME and (len(path) > _MAX_PATH or max(map(len, parts)) > _MAX_NAME or len(parts) > _MAX_DEPTH):
        refuse(f"the name {shown(name)} is too long, or has too many directories")
    _check_text(path)
    return path


def check_symlink(path: bytes, target: bytes) -> None:
    """Refuse a symbolic link that cannot be made, or that stands in place of the root directory."""
    if not path or not target or len(target) > _MAX_TARGET:
        refuse(f"{shown(path)} is a symbolic link with a malformed target, or in place of the root directory")
    _check_text(target)


def _check_text(text: bytes) -> None:
    if not text.isascii():
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise StoreError(f"The image's layer is refused: the name {shown(text)} is not UTF-8") from exc


def shown(name: bytes) -> str:
    """Return a name as messages have it."""
    text = name.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 200 else text[:197] + "...")


def refuse(reason: str) -> NoReturn:
    """Raise the error for a layer that is broken or dangerous."""
    raise SourceError(f"The image's layer is refused: {reason}")
