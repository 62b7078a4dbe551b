# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between the inflated bytes of a layer and ``ostree commit --tree=tar=-``: check every entry, drop what has no place.

It works on the raw 512-byte blocks: headers are read, all else is passed on as slices of what came in. Extended headers
are written anew, with what is understood and nothing else, so that libarchive cannot read more in them. Directories that are
only implied become entries: ostree, when it makes one itself, gives those above it, up to the root, its mode and owner.
Rules: the image specification's layer.md, and what ostree refuses, or aborts at (a file as parent of another, a directory
over a file, names that are not UTF-8).
"""

from __future__ import annotations

from typing import NoReturn

from ._oci_image import LayerLimits
from ._tar_header import (
    BLOCK,
    OVERRIDES,
    canonical,
    changes_all,
    check_owner,
    check_sum,
    check_symlink,
    decimal,
    directory_header,
    empty_file_header,
    extended_header,
    fits,
    header_name,
    normalised,
    number,
    on_link,
    records,
    refuse,
    shown,
    with_link_mode,
    with_size,
    xattr_name,
)

_ZERO = bytes(BLOCK)
_PASS, _DROP, _COLLECT = range(3)
_MAX_EXTENDED = 1024 * 1024
_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_REGULAR, _LINK, _SYMLINK, _DIRECTORY, _NODE = b"0", b"1", b"2", b"5", b"6"
_LOWER = b"lower"  # a hard link to a file of a lower layer
_NOT_PASSED = (_NODE, _LOWER)
_KINDS = {
    b"\0": _REGULAR, b"0": _REGULAR, b"7": _REGULAR, b"1": _LINK, b"2": _SYMLINK, b"5": _DIRECTORY,
    b"3": _NODE, b"4": _NODE, b"6": _NODE,
}  # fmt: skip
_DEFAULTS = LayerLimits()


class TarFilter:
    """Filter one layer: ``feed`` it with pieces of any size, write what it returns, then ``close``.

    ``compressed`` is the layer's size in bytes at its source. Raises ``SourceError`` for what is broken or dangerous,
    ``StoreError`` for what ostree cannot hold. ``dropped`` counts devices and fifos, ``entries`` all entries, ``bytes``
    what was read. ``lower_links`` has the hard links, path to target, whose target this layer does not hold: they are
    left out here, as only the layers below tell what they are.
    """

    def __init__(self, *, compressed: int = 0, limits: LayerLimits = _DEFAULTS) -> None:
        self.dropped = 0
        self.entries = 0
        self.bytes = 0
        self.lower_links: dict[bytes, bytes] = {}
        self._limits = limits
        self._compressed = compressed
        self._max_bytes = limits.bytes_for(compressed)
        self._partial = bytearray()
        self._remaining = 0
        self._action = _PASS
        self._zeros = 0
        self._collected = bytearray()
        self._extended_kind = b""
        self._extended_size = 0
        self._pending = 0  # bytes of extended headers that wait for their entry
        self._overrides: dict[bytes, bytes] = {}
        self._xattrs: dict[bytes, bytes] = {}
        self._seen: dict[bytes, bytes] = {b"": _DIRECTORY}
        self._link_targets: set[bytes] = set()
        self._links: dict[bytes, bytes] = {}  # to what they lead in the end: ostree finds no link to a link
        self._implied: set[bytes] = {b""}
        self._new_parents: list[bytes] = []  # implied by the current entry, the deepest first

    @property
    def implied(self) -> list[bytes]:
        """The directories that were not entries of their own, only parents of others; the root is empty."""
        return sorted(self._implied)

    def feed(self, data: bytes) -> list[bytes | memoryview]:
        """Take the next piece of the layer and return the buffers to write (slices of ``data`` among them)."""
        self.bytes += len(data)
        if self.bytes > self._max_bytes:
            self._too_large()
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
            refuse("it is truncated")
        for path, target in self.lower_links.items():
            self._check_lower_link(path, target)
        return bytes(2 * BLOCK)

    def _too_large(self) -> NoReturn:
        what, option = f"{self._max_bytes} bytes", "max_layer_size"
        if self._max_bytes != self._limits.size:
            what, option = f"{what}, the limit for {self._compressed} compressed ones", "max_layer_ratio"
        refuse(f"it unpacks to more than {what}: set '{option}' higher if that is meant")

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
                refuse("an extended header has no entry")
            return b""
        if self._zeros:
            refuse("a block of zeros stands between its entries")
        check_sum(block)
        flag, size = block[156:157], number(block[124:136], "size")
        if flag in (b"x", b"g", b"L", b"K"):
            self._extended_begin(flag, size)
            return b""
        kind = _KINDS.get(flag)
        if kind is None:
            what = "a GNU sparse file" if flag == b"S" else f"an entry of the unknown type {flag!r}"
            refuse(f"it holds {what}: {shown(header_name(block))}")
        return self._member(block, kind, size)

    def _member(self, block: bytes, kind: bytes, size: int) -> bytes | None:
        """Check one entry and decide on it and on its payload; returns as ``_header``."""
        overrides, xattrs = self._overrides, self._xattrs
        if self._pending:
            self._overrides, self._xattrs, self._pending = {}, {}, 0
        name = overrides.get(b"path") or header_name(block)
        check_owner(block, overrides, name)
        if b"size" in overrides:
            size = decimal(overrides[b"size"], "size")
        if kind == _REGULAR and name.endswith(b"/"):
            kind = _DIRECTORY
            if size:
                refuse(f"{shown(name)} is a file and a directory")
        payload = size if kind == _REGULAR else 0
        self._remaining = payload + -payload % BLOCK
        target = overrides.get(b"linkpath") or block[157:257].partition(b"\0")[0]
        path = normalised(name)
        self._action = _PASS if self._accept(path, kind, target) else _DROP
        parents = b""
        if self._new_parents:
            parents = b"".join(map(directory_header, reversed(self._new_parents)))
            self._new_parents.clear()
        if self._action == _DROP:
            return parents + self._hidden(path)
        if kind == _LINK and self._links[path] != normalised(target):
            overrides[b"linkpath"] = self._links[path]
        if payload != size:
            block = with_size(block, 0)
            overrides.pop(b"size", None)
        elif not (parents or overrides or xattrs or kind == _SYMLINK):
            return None
        return parents + _written(block, kind, overrides, xattrs)

    def _accept(self, path: bytes, kind: bytes, target: bytes) -> bool:
        """Tell whether an entry is kept; raises when it must not come in at all."""
        self.entries += 1
        if self.entries > self._limits.entries:
            refuse(f"it has more than {self._limits.entries} entries: set 'max_layer_entries' higher if that is meant")
        if _WHITEOUT in path and not self._whiteout(path, kind):
            return False
        if kind == _NODE:
            self.dropped += 1
        self._check_place(path, kind)
        self._links.pop(path, None)
        if kind == _LINK:
            kind = self._link(path, normalised(target))
        elif kind == _SYMLINK:
            check_symlink(path, target)
        if kind == _NODE and self._seen.get(path, _NODE) not in _NOT_PASSED:
            refuse(f"{shown(path)} comes twice, once as a device or fifo and once not")
        if self.lower_links and kind != _LOWER:
            self.lower_links.pop(path, None)
        self._seen[path] = kind
        return kind not in _NOT_PASSED

    def _hidden(self, path: bytes) -> bytes:
        """Return a whiteout in place of a device or fifo that is left out: what lower layers have there is hidden at least."""
        parent, slash, name = path.rpartition(b"/")
        whiteout = parent + slash + _WHITEOUT + name
        if self._seen.get(path) != _NODE or not fits(whiteout):
            return b""
        self._seen[whiteout] = _REGULAR
        return empty_file_header(whiteout)

    def _check_place(self, path: bytes, kind: bytes) -> None:
        """Refuse an entry below something that is not a directory, and one that changes an earlier one's type."""
        parent = path.rpartition(b"/")[0]
        while self._seen.get(parent) != _DIRECTORY:
            if parent in self._seen:
                refuse(f"{shown(path)} stands below {shown(parent)}, which is not a directory in this layer")
            self._seen[parent] = _DIRECTORY
            self._implied.add(parent)
            self._new_parents.append(parent)
            parent = parent.rpartition(b"/")[0]
        self._implied.discard(path)
        earlier = self._seen.get(path)
        self._check_whiteout_of(path)
        if earlier is None or earlier in _NOT_PASSED or earlier == kind == _DIRECTORY:
            return
        if not path:
            refuse("something else stands in place of the root directory")
        if _DIRECTORY in (earlier, kind):
            refuse(f"{shown(path)} comes twice, once as a directory and once not")
        if path in self._link_targets:
            refuse(f"{shown(path)} comes twice, and a hard link to it between")

    def _check_whiteout_of(self, path: bytes) -> None:
        """Refuse an entry beside its own whiteout where ostree, which goes by name, would apply it afterwards."""
        parent, slash, name = path.rpartition(b"/")
        own = name.removeprefix(_WHITEOUT)
        if own < _WHITEOUT + own:
            other = own if own != name else _WHITEOUT + name
            if parent + slash + other in self._seen:
                refuse(f"{shown(path)} stands beside {shown(other)}, which is not supported for such a name")

    def _link(self, path: bytes, target: bytes) -> bytes:
        """Return the kind of what a hard link names; what is not there may be in a lower layer."""
        found = self._seen.get(target)
        if target == path or found == _DIRECTORY:
            what = "itself" if target == path else "a directory"
            refuse(f"{shown(path)} is a hard link to {what}")
        if found is None:
            self.lower_links[path] = target
            return _LOWER
        if found == _LOWER:
            self.lower_links[path] = self.lower_links[target]
        elif found != _NODE:
            self._link_targets.add(target)
            self._links[path] = self._links.get(target, target)
        return found

    def _check_lower_link(self, path: bytes, target: bytes) -> None:
        """Refuse a hard link whose target is not in a lower layer alone."""
        if target in self._seen:
            refuse(f"{shown(path)} is a hard link to a later entry, {shown(target)}")
        parent = target
        while parent:
            parent = parent.rpartition(b"/")[0]
            if self._seen.get(parent, _DIRECTORY) != _DIRECTORY:
                refuse(
                    f"{shown(path)} is a hard link to {shown(target)}, and {shown(parent)} is no directory in this layer"
                )

    def _whiteout(self, path: bytes, kind: bytes) -> bool:
        """Check a path that may have a whiteout in it; False when it is AUFS's own and left out."""
        parent, _slash, name = path.rpartition(b"/")
        if any(part.startswith(b".wh..wh.") and part != _OPAQUE for part in path.split(b"/")):
            return False
        if any(part.startswith(_WHITEOUT) for part in parent.split(b"/")):
            refuse(f"{shown(path)} stands below a whiteout")
        if name.startswith(_WHITEOUT):
            hidden = name[len(_WHITEOUT) :]
            if hidden in (b"", b".", b".."):
                refuse(f"{shown(path)} is a whiteout of nothing")
            if kind != _REGULAR:
                refuse(f"{shown(path)} is a whiteout but not a regular file")
        return True

    def _extended_begin(self, kind: bytes, size: int) -> None:
        if not 0 < size <= _MAX_EXTENDED - self._pending:
            refuse(f"an extended header has {size + self._pending} bytes")
        if kind != b"g":
            self._pending += size
        self._extended_kind, self._extended_size, self._action = kind, size, _COLLECT
        self._remaining = size + -size % BLOCK
        self._collected.clear()

    def _extended_end(self) -> None:
        kind, data = self._extended_kind, bytes(self._collected[: self._extended_size])
        if kind == b"g":
            if any(changes_all(key) for key, _value in records(data)):
                refuse("a global header changes all entries")
            return
        if kind == b"L":
            self._override(b"path", data.partition(b"\0")[0])
        elif kind == b"K":
            self._override(b"linkpath", data.partition(b"\0")[0])
        else:
            self._pax(data)

    def _pax(self, data: bytes) -> None:
        """Take from a PAX header what has a place in a layer; times and names of users have none."""
        for key, value in records(data):
            if key in OVERRIDES:
                self._override(key, value)
                continue
            xattr = xattr_name(key, value)
            if xattr is not None:
                self._xattrs[xattr] = canonical(xattr, value)

    def _override(self, key: bytes, value: bytes) -> None:
        if not value or b"\0" in value:
            refuse(f"an extended header has a malformed '{key.decode()}'")
        if key in self._overrides:
            refuse(f"extended headers name '{key.decode()}' twice for one entry")
        self._overrides[key] = value


def _written(block: bytes, kind: bytes, overrides: dict[bytes, bytes], xattrs: dict[bytes, bytes]) -> bytes:
    """Return an entry's header as ostree is to see it, with the extended header that it needs."""
    if kind not in (_LINK, _SYMLINK):
        overrides.pop(b"linkpath", None)  # libarchive would take any entry with it for a link
    if kind == _SYMLINK:
        block = with_link_mode(block)
        xattrs = {key: value for key, value in xattrs.items() if on_link(key)}
    return extended_header(overrides, xattrs) + block


def _flush(out: list[bytes | memoryview], piece: bytes | memoryview) -> None:
    if piece:
        out.append(piece)
