# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Owner, mode and xattrs of directories that several layers have (reads only).

Those of the highest layer with the directory count (image-spec, layer.md: Change Types). A layer may have files in a directory
without an entry for the directory itself, though. ``ostree commit`` makes up such parents, like ``PLAIN``; they say nothing.
``ostree checkout`` keeps those of the lowest layer, or of the last one that is opaque.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ._gvariant import Node
from ._layer_tree import is_opaque, merge_folder
from ._ostree_reader import RepositoryReader

PLAIN = hashlib.sha256(struct.pack(">III", 0, 0, 0o40755)).hexdigest()
"""Checksum of the dirmeta object ``(uuua(ayay))`` of a directory of root's with mode 0755 and no xattrs."""


class MergedFolder(NamedTuple):
    """A directory in a checkout: its ``path`` below the root, which ``layers`` (index and node) it is merged from, what these
    have in it, and the dirmeta objects that count (``meta``) and that ``ostree checkout`` uses (``checked_out``)."""

    path: str
    children: Sequence[tuple[int, dict[str, Node]]]
    meta: str
    checked_out: str


class FolderMerger:
    """Merges the directories of layers (commits, lowest first)."""

    def __init__(self, repository: RepositoryReader, commits: Sequence[str]) -> None:
        self._repository = repository
        self._implied = [repository.implied_folders(commit) for commit in commits]
        self._roots = [(index, repository.root(commit)) for index, commit in enumerate(commits)]

    @property
    def roots(self) -> Sequence[tuple[int, Node]]:
        """The root directory in each layer."""
        return self._roots

    def merged(self, path: str, nodes: Sequence[tuple[int, Node]]) -> MergedFolder:
        """Return what the ``nodes`` of layers, lowest first, are together."""
        children = [(index, self._repository.children(node)) for index, node in nodes]
        opaque = (position for position in reversed(range(len(nodes))) if is_opaque(children[position][1]))
        checked_out = nodes[next(opaque, 0)][1]
        said = (node for index, node in reversed(nodes) if not (node.meta == PLAIN and self._is_implied(index, path)))
        return MergedFolder(path, children, next(said, checked_out).meta or "", checked_out.meta or "")

    def _is_implied(self, index: int, path: str) -> bool:
        """Tell whether a layer may have no entry for a directory: who stored it did not say, or said so."""
        implied = self._implied[index]
        return implied is None or path.lstrip("/") in implied

    def to_change(self) -> Iterator[MergedFolder]:
        """Yield the directories that have to be changed after ``ostree checkout``, parents first."""
        todo = [("", self._roots)]
        while todo:
            path, nodes = todo.pop()
            if len(nodes) < 2:
                continue
            folder = self.merged(path, nodes)
            if folder.meta != folder.checked_out:
                yield folder
            below = merge_folder(folder.children, is_folder=lambda node: node.meta is not None).visible_folders
            todo += [(f"{path}/{name}", found) for name, found in below.items()]
