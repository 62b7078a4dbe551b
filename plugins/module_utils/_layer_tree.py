# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image's layers show together: the rules of whiteouts, applied to listings.

image-spec, layer.md: a whiteout hides what lower layers hold, never what its own layer holds.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Generic, NamedTuple, TypeVar

from ._gvariant import Entry
from ._record import dataclass

_Item = TypeVar("_Item")

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class Placed(NamedTuple):
    """An entry and the index of the layer (0 is the lowest) that it comes from."""

    entry: Entry
    layer: int


@dataclass(frozen=True)
class Replaced(Generic[_Item]):
    """A file or link of lower layers, by name, in whose place ``layer`` has a directory."""

    layer: int
    name: str
    file: _Item
    folder: _Item


@dataclass(frozen=True)
class FolderMerge(Generic[_Item]):
    """What putting one directory's layers one over the other meets, step by step.

    ``folders`` are all directories in it, each with the layers that are put into it; ``replaced`` what is in the way of
    one. Both have also what a higher layer hides again, as it is there when the layers below are put in place.
    ``visible_files`` and ``visible_folders`` are what is left in the end, by name.
    """

    folders: list[tuple[str, list[tuple[int, _Item]]]] = field(default_factory=list)
    replaced: list[Replaced[_Item]] = field(default_factory=list)
    visible_files: dict[str, _Item] = field(default_factory=dict)
    visible_folders: dict[str, list[tuple[int, _Item]]] = field(default_factory=dict)


def is_opaque(names: Iterable[str]) -> bool:
    """Tell whether a directory with these names hides all that lower layers have in it."""
    return _OPAQUE in names


def merge_folder(
    layers: Sequence[tuple[int, Mapping[str, _Item]]], *, is_folder: Callable[[_Item], bool]
) -> FolderMerge[_Item]:
    """Put what layers (lowest first, each with its index) have in one directory one over the other."""
    merge: FolderMerge[_Item] = FolderMerge()
    files, folders = merge.visible_files, merge.visible_folders
    for index, children in layers:
        hidden = [*files, *folders] if is_opaque(children) else list(filter(None, map(_hidden, children)))
        for name in hidden:
            files.pop(name, None)
            folders.pop(name, None)
        for name, item in children.items():
            if name.startswith(_WHITEOUT):
                continue
            if not is_folder(item):
                folders.pop(name, None)
                files[name] = item
                continue
            if name in files:
                merge.replaced.append(Replaced(index, name, files.pop(name), item))
            if name not in folders:
                folders[name] = []
                merge.folders.append((name, folders[name]))
            folders[name].append((index, item))
    return merge


def visible(layers: Iterable[Mapping[str, _Item]], name: str, *, is_folder: Callable[[_Item], bool]) -> list[_Item]:
    """Return what ``name`` stands for where layers, **the highest first**, have one directory together.

    It is one file or link, or directories that are put one over the other, the highest first, or nothing.
    """
    found: list[_Item] = []
    for children in layers:
        item = children.get(name)
        if item is not None:
            if not is_folder(item):
                return found or [item]
            found.append(item)
        if _WHITEOUT + name in children or is_opaque(children):
            break
    return found


def merge_layers(layers: Sequence[Iterable[Entry]]) -> dict[str, Placed]:
    """Return what is visible, path to entry, from the listings of the layers, lowest first."""
    merged: dict[str, Placed] = {}
    for index, listing in enumerate(layers):
        entries = list(listing)
        for entry in entries:
            folder, name = posixpath.split(entry.path)
            if name == _OPAQUE:
                _remove_below(merged, folder)
            elif _hidden(name):
                _remove(merged, posixpath.join(folder, _hidden(name)))
        for entry in entries:
            if posixpath.basename(entry.path).startswith(_WHITEOUT):
                continue
            if entry.type != "d":
                _remove(merged, entry.path)
            merged[entry.path] = Placed(entry, index)
    return merged


def _hidden(name: str) -> str:
    """Return the name that a whiteout hides, nothing for any other name."""
    return name[len(_WHITEOUT) :] if name.startswith(_WHITEOUT) and name != _OPAQUE else ""


def _remove(merged: dict[str, Placed], path: str) -> None:
    """Remove an entry; only a directory has anything below it, so only then all entries are looked at."""
    placed = merged.pop(path, None)
    if placed is not None and placed.entry.type == "d":
        _remove_below(merged, path)


def _remove_below(merged: dict[str, Placed], folder: str) -> None:
    prefix = folder.rstrip("/") + "/"
    for path in [path for path in merged if path.startswith(prefix)]:
        del merged[path]
