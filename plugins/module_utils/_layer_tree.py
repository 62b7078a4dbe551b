# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image's layers show together: the rules of whiteouts, applied to listings.

image-spec, layer.md: a whiteout hides what lower layers hold, never what its own layer holds.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True)
class Entry:
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
class Placed:
    """An entry and the index of the layer (0 is the lowest) that it comes from."""

    entry: Entry
    layer: int


def merge_layers(layers: Sequence[Iterable[Entry]]) -> dict[str, Placed]:
    """Return what is visible, path to entry, from the listings of the layers, lowest first."""
    merged: dict[str, Placed] = {}
    for index, listing in enumerate(layers):
        entries = list(listing)
        for entry in entries:
            folder, name = posixpath.split(entry.path)
            if name == _OPAQUE:
                _remove_below(merged, folder)
            elif name.startswith(_WHITEOUT) and name != _WHITEOUT:
                hidden = posixpath.join(folder, name[len(_WHITEOUT) :])
                _remove(merged, hidden)
        for entry in entries:
            if posixpath.basename(entry.path).startswith(_WHITEOUT):
                continue
            if entry.type != "d":
                _remove(merged, entry.path)
            merged[entry.path] = Placed(entry, index)
    return merged


def _remove(merged: dict[str, Placed], path: str) -> None:
    """Remove an entry; only a directory has anything below it, so only then all entries are looked at."""
    placed = merged.pop(path, None)
    if placed is not None and placed.entry.type == "d":
        _remove_below(merged, path)


def _remove_below(merged: dict[str, Placed], folder: str) -> None:
    prefix = folder.rstrip("/") + "/"
    for path in [path for path in merged if path.startswith(prefix)]:
        del merged[path]
