# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checksum of a file in OSTree: over a header with owner, mode, link target and xattrs, then the content (pure).

``ostree_checksum_file_from_input()` of libostree is the rule: the header is the variant ``(uuuusa(ayay))``, with numbers
in network order, after its size (big-endian, 4 bytes) and 4 bytes of padding.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ._gvariant import offset_size
from ._record import dataclass


@dataclass(frozen=True)
class Damage:
    """An object that is ``missing`` or ``changed`` (``problem``), and the path at which a commit has it."""

    commit: str
    path: str
    checksum: str
    kind: str
    problem: str


def file_header(*, uid: int, gid: int, mode: int, target: bytes = b"", xattrs: Mapping[bytes, bytes]) -> bytes:
    """Return what is hashed before the content; ``mode`` has the file type's bits, ``target`` is of a symbolic link."""
    members = [_tuple([name + b"\0", value]) for name, value in sorted(xattrs.items())]
    text = target + b"\0"
    fixed = struct.pack(">IIII", uid, gid, mode, 0) + text
    variant = _closed(fixed + _array(members), [len(fixed)])
    return struct.pack(">II", len(variant), 0) + variant


def _tuple(members: Sequence[bytes]) -> bytes:
    """Serialise byte strings: all but the last have a framing offset, the first one's stands last."""
    ends = [sum(map(len, members[: index + 1])) for index in range(len(members) - 1)]
    return _closed(b"".join(members), ends[::-1])


def _array(members: Sequence[bytes]) -> bytes:
    """Serialise elements of variable size: each has a framing offset, in order."""
    ends = [sum(map(len, members[: index + 1])) for index in range(len(members))]
    return _closed(b"".join(members), ends)


def _closed(body: bytes, offsets: Sequence[int]) -> bytes:
    """Append framing offsets, as wide as the whole needs."""
    width = next(width for width in (1, 2, 4, 8) if offset_size(len(body) + width * len(offsets)) <= width)
    return body + b"".join(offset.to_bytes(width, "little") for offset in offsets)
