# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between the inflated bytes of a layer and ``ostree commit --tree=tar=-``: check every entry, drop what has no place.

It works on the raw 512-byte blocks: headers are read, all else is passed on as slices of what came in. Formats: ustar
and PAX (POSIX.1-2017, pax), GNU long names, base-256 numbers. Rules: the image specification's layer.md, and what
ostree refuses, or aborts at (a file as parent of another, a directory over a file, names that are not UTF-8).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from ._errors import SourceError, StoreError

BLOCK = 512
_ZERO = bytes(BLOCK)
_PASS, _DROP, _COLLECT = range(3)
_MAX_EXTENDED = 1024 * 1024
_MAX_NAME, _MAX_PATH = 255, 4095
_MAX_ID = 2**32 - 2
_DROPPED_XATTRS = (b"trusted.overlay.", b"user.overlay.", b"user.ostreemeta")
_XATTR_KEYS = (b"SCHILY.xattr.", b"LIBARCHIVE.xattr.")
_OVERRIDES = (b"path", b"linkpath", b"size", b"uid", b"gid")
_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_REGULAR, _LINK, _SYMLINK, _DIRECTORY, _NODE = b"0", b"1", b"2", b"5", b"6"
_KINDS = {
    b"\0": _REGULAR, b"0": _REGULAR, b"7": _REGULAR, b"1": _LINK, b"2": _SYMLINK, b"5": _DIRECTORY,
    b"3": _NODE, b"4": _NODE, b"6": _NODE,
}  # fmt: skip


class TarFilter:
    """Filter one layer: ``feed`` it with pieces of any size, write what it returns, then ``close``.

    Raises ``SourceError`` for what is broken or dangerous, ``StoreError`` for what ostree cannot hold. ``dropped`` counts
    devices, fifos and sockets, ``entries`` what was kept, ``bytes`` what was read.
    """

    def __init__(self, *, max_entries: int = 2_000_000, max_bytes: int = 128 * 2**30) -> None:
        self.dropped = 0
        self.entries = 0
        self.bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._partial = bytearray()
        self._remaining = 0
        self._action = _PASS
        self._zeros = 0
        self._collected = bytearray()
        self._extended_header = b""
        self._pending = False  # an extended header waits for its entry
        self._extended: list[bytes] = []
        self._overrides: dict[bytes, bytes] = {}
        self._seen: dict[bytes, bytes] = {b"": _DIRECTORY}
        self._link_targets: set[bytes] = set()
        self._implied: set[bytes] = set()

    @property
    def implied(self) -> int:
        """How many directories were not entries of their own, only parents of others."""
        return len(self._implied)

    def feed(self, data: bytes) -> list[bytes | memoryview]:
        """Take the next piece of the layer and return the buffers to write (slices of ``data`` among them)."""
        self.bytes += len(data)
        if self.bytes > self._max_bytes:
            _refuse(f"it unpacks to more than {self._max_bytes} bytes")
        view = memoryview(data)
        out: list[bytes | memoryview] = []
        start = position = 0  # view[start:position] is to be passed on as it is
        while position < len(view) and self._zeros < 2:
            if self._remaining:
                step = min(self._remaining, len(view) - position)
                if self._action != _PASS:
                    _flush(out, view[start:position])
                    start = position + step
                self._payload(view[position : position + step])
            elif self._partial or len(view) - position < BLOCK:
                step = min(BLOCK - len(self._partial), len(view) - position)
                _flush(out, view[start:position])
                self._partial += view[position : position + step]
                start = position + step
                if len(self._partial) == BLOCK:
                    block = bytes(self._partial)
                    self._partial.clear()
                    replaced = self._header(block)
                    _flush(out, block if replaced is None else replaced)
            else:
                step = BLOCK
                replaced = self._header(bytes(view[position : position + BLOCK]))
                if replaced is not None:
                    _flush(out, view[start:position])
                    _flush(out, replaced)
                    start = position + BLOCK
            position += step
        _flush(out, view[start:position])
        return out

    def close(self) -> bytes:
        """Return the end of the archive; ``SourceError`` when the layer stops in the middle of an entry."""
        if self._remaining or self._partial or self._pending:
            _refuse("it is truncated")
        return bytes(2 * BLOCK)

    def _payload(self, piece: memoryview) -> None:
        self._remaining -= len(piece)
        if self._action == _COLLECT:
            self._collected += piece
            if not self._remaining:
                self._extended_end()

    def _header(self, block: bytes) -> bytes | None:
        """Handle one header block; return what replaces it, None when it is passed on as it is."""
        if block == _ZERO:
            self._zeros += 1
            if self._pending:
                _refuse("an extended header has no entry")
            return b""
        if self._zeros:
            _refuse("a block of zeros stands between its entries")
        _check_sum(block)
        flag, size = block[156:157], _number(block[124:136], "size")
        if flag in (b"x", b"g", b"L", b"K"):
            self._extended_begin(block, size)
            return b""
        kind = _KINDS.get(flag)
        if kind is None:
            what = "a GNU sparse file" if flag == b"S" else f"an entry of the unknown type {flag!r}"
            _refuse(f"it holds {what}: {_shown(_header_name(block))}")
        return self._member(block, kind, size)

    def _member(self, block: bytes, kind: bytes, size: int) -> bytes | None:
        """Check one entry and decide on it and on its payload; returns as ``_header``."""
        overrides, extended = self._overrides, self._extended
        self._overrides, self._extended, self._pending = {}, [], False
        name = overrides.get(b"path") or _header_name(block)
        for key, start in ((b"uid", 108), (b"gid", 116)):
            _check_id(overrides.get(key), block[start : start + 8], name)
        if b"size" in overrides:
            size = _decimal(overrides[b"size"], "size")
        if kind == _REGULAR and name.endswith(b"/"):
            kind = _DIRECTORY
            if size:
                _refuse(f"{_shown(name)} is a file and a directory")
        header_only = kind != _REGULAR and size != 0
        payload = 0 if kind != _REGULAR else size
        self._remaining = payload + -payload % BLOCK
        path = _normalised(name)
        target = overrides.get(b"linkpath") or block[157:257].partition(b"\0")[0]
        self._action = _PASS if self._accept(path, kind, target) else _DROP
        if self._action == _DROP:
            return b""
        if header_only:
            if b"size" in overrides:
                _refuse(f"{_shown(name)} is not a regular file but has a size")
            block = _with_size(block, 0)
        return b"".join(extended) + block if extended or header_only else None

    def _accept(self, path: bytes, kind: bytes, target: bytes) -> bool:
        """Tell whether an entry is kept; raises when it must not come in at all."""
        self.entries += 1
        if self.entries > self._max_entries:
            _refuse(f"it has more than {self._max_entries} entries")
        if _WHITEOUT in path and not self._whiteout(path, kind):
            return False
        if kind == _NODE:
            self.dropped += 1
            self._seen.setdefault(path, _NODE)
            return False
        self._check_place(path, kind)
        if kind == _LINK:
            found = self._link(path, target)
            if found == _NODE:
                return False
            kind = found
        elif kind == _SYMLINK:
            _check_symlink(path, target)
        self._seen[path] = kind
        return True

    def _check_place(self, path: bytes, kind: bytes) -> None:
        """Refuse an entry below something that is not a directory, and one that changes an earlier one's type."""
        parent = path.rpartition(b"/")[0]
        while self._seen.get(parent) != _DIRECTORY:
            if parent in self._seen:
                _refuse(f"{_shown(path)} stands below {_shown(parent)}, which is not a directory in this layer")
            self._seen[parent] = _DIRECTORY
            self._implied.add(parent)
            parent = parent.rpartition(b"/")[0]
        self._implied.discard(path)
        earlier = self._seen.get(path)
        self._check_whiteout_of(path)
        if earlier is None or earlier == kind == _DIRECTORY:
            return
        if not path:
            _refuse("something else stands in place of the root directory")
        if _DIRECTORY in (earlier, kind):
            _refuse(f"{_shown(path)} comes twice, once as a directory and once not")
        if path in self._link_targets:
            _refuse(f"{_shown(path)} comes twice, and a hard link to it between")

    def _check_whiteout_of(self, path: bytes) -> None:
        """Refuse an entry beside its own whiteout where ostree, which goes by name, would apply it afterwards."""
        parent, slash, name = path.rpartition(b"/")
        own = name.removeprefix(_WHITEOUT)
        if own[:1] < b".":
            other = own if own != name else _WHITEOUT + name
            if parent + slash + other in self._seen:
                _refuse(f"{_shown(path)} stands beside {_shown(other)}, which is not supported for such a name")

    def _link(self, path: bytes, target: bytes) -> bytes:
        """Return the kind of what a hard link names; lower layers are not searched."""
        name = _normalised(target)
        found = self._seen.get(name)
        if name == path or found == _DIRECTORY:
            what = "itself" if name == path else "a directory"
            _refuse(f"{_shown(path)} is a hard link to {what}")
        if found is None:
            raise StoreError(
                f"The image's layer is refused: {_shown(path)} is a hard link to {_shown(name)}, which this layer does not "
                "hold before it; hard links to other layers are not supported"
            )
        self._link_targets.add(name)
        return found

    def _whiteout(self, path: bytes, kind: bytes) -> bool:
        """Check a path that may have a whiteout in it; False when it is AUFS's own and left out."""
        parent, _slash, name = path.rpartition(b"/")
        if any(part.startswith(b".wh..wh.") and part != _OPAQUE for part in path.split(b"/")):
            return False
        if any(part.startswith(_WHITEOUT) for part in parent.split(b"/")):
            _refuse(f"{_shown(path)} stands below a whiteout")
        if name.startswith(_WHITEOUT):
            hidden = name[len(_WHITEOUT) :]
            if hidden in (b"", b".", b".."):
                _refuse(f"{_shown(path)} is a whiteout of nothing")
            if kind != _REGULAR:
                _refuse(f"{_shown(path)} is a whiteout but not a regular file")
        return True

    def _extended_begin(self, block: bytes, size: int) -> None:
        if not 0 < size <= _MAX_EXTENDED:
            _refuse(f"an extended header has {size} bytes")
        self._extended_header, self._action = block, _COLLECT
        self._remaining = size + -size % BLOCK
        self._collected.clear()

    def _extended_end(self) -> None:
        block, flag = self._extended_header, self._extended_header[156:157]
        data = bytes(self._collected[: _number(block[124:136], "size")])
        if flag == b"g":
            if any(
                key in _OVERRIDES or key.startswith((*_XATTR_KEYS, b"GNU.sparse.")) for key, _v, _r in _records(data)
            ):
                _refuse("a global header changes all entries")
            return
        self._pending = True
        if flag == b"x":
            self._pax(block, data)
        else:
            self._override(b"path" if flag == b"L" else b"linkpath", data.partition(b"\0")[0])
            self._extended.append(block + bytes(self._collected))

    def _pax(self, block: bytes, data: bytes) -> None:
        """Take the overrides of a PAX header and keep it, without the xattrs that have no place in a layer."""
        kept = []
        for key, value, record in _records(data):
            if key.startswith((b"GNU.sparse.", b"SCHILY.realsize")):
                _refuse("it holds a sparse file")
            if key in _OVERRIDES:
                self._override(key, value)
            if not _dropped_xattr(key):
                kept.append(record)
        body = b"".join(kept)
        if body:
            self._extended.append(_with_size(block, len(body)) + body + bytes(-len(body) % BLOCK))

    def _override(self, key: bytes, value: bytes) -> None:
        if not value or b"\0" in value:
            _refuse(f"an extended header has a malformed '{key.decode()}'")
        if key in self._overrides:
            _refuse(f"extended headers name '{key.decode()}' twice for one entry")
        self._overrides[key] = value


def _flush(out: list[bytes | memoryview], piece: bytes | memoryview) -> None:
    if piece:
        out.append(piece)


def _records(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield key, value and raw record of a PAX header: ``LENGTH KEY=VALUE\\n``."""
    position = 0
    while position < len(data):
        digits = data[position : position + 10].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = data[position : position + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if len(record) != length or not record.endswith(b"\n") or not equals or not key:
            _refuse("a PAX header is malformed")
        yield key, value, record
        position += length


def _dropped_xattr(key: bytes) -> bool:
    for prefix in _XATTR_KEYS:
        if key.startswith(prefix):
            return key[len(prefix) :].startswith(_DROPPED_XATTRS) or (prefix[:1] == b"L" and b"%" in key)
    return False


def _normalised(name: bytes) -> bytes:
    """Return a name without leading slash, ``.`` and empty components; empty for the root."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        _refuse(f"{_shown(name)} has '..' in its path")
    if not name:
        _refuse("an entry has no name")
    path = b"/".join(parts)
    if len(path) > _MAX_NAME and (len(path) > _MAX_PATH or max(map(len, parts)) > _MAX_NAME):
        _refuse(f"the name {_shown(name)} is too long")
    _check_text(path)
    return path


def _check_text(text: bytes) -> None:
    if not text.isascii():
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise StoreError(f"The image's layer is refused: the name {_shown(text)} is not UTF-8") from exc


def _check_symlink(path: bytes, target: bytes) -> None:
    if not path or not target or len(target) > _MAX_PATH:
        _refuse(f"{_shown(path)} is a symbolic link with a malformed target, or in place of the root directory")
    _check_text(target)


def _header_name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _check_sum(block: bytes) -> None:
    """The sum of all bytes, with spaces for the sum itself; some writers added them as signed numbers."""
    expected = _number(block[148:156], "checksum")
    covered = block[:148] + block[156:]
    unsigned = sum(covered) + 256
    if expected != unsigned and expected != unsigned - 256 * sum(byte > 127 for byte in covered):
        _refuse("the checksum of a tar header is wrong")


def _number(field: bytes, what: str) -> int:
    """Read octal digits, or GNU's base-256 with the high bit set; a negative number is refused."""
    if field[0] & 0x80:
        if field[0] & 0x40:
            _refuse(f"a tar header has a negative {what}")
        return int.from_bytes(bytes((field[0] & 0x3F,)) + field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        _refuse(f"a tar header has a malformed {what}")
    return int(digits, 8) if digits else 0


def _decimal(text: bytes, what: str) -> int:
    if not text.isdigit() or len(text) > 19:
        _refuse(f"a PAX header has a malformed {what}")
    return int(text)


def _check_id(override: bytes | None, field: bytes, name: bytes) -> None:
    number = _number(field, "owner") if override is None else _decimal(override, "owner")
    if number > _MAX_ID:
        _refuse(f"{_shown(name)} has the owner {number}, which Linux does not know")


def _with_size(block: bytes, size: int) -> bytes:
    """Return a header with another size, and the checksum that fits it."""
    changed = block[:124] + b"%011o\0" % size + block[136:148] + b" " * 8 + block[156:]
    return changed[:148] + b"%06o\0 " % sum(changed) + changed[156:]


def _shown(name: bytes) -> str:
    text = name.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 200 else text[:197] + "...")


def _refuse(reason: str) -> NoReturn:
    raise SourceError(f"The image's layer is refused: {reason}")
