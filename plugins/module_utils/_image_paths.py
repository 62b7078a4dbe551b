# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single paths of an image in the store, without listing the image."""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence

from ._gvariant import Entry, Node, children_of
from ._layer_tree import is_opaque
from ._ostree_reader import RepositoryReader

_Folder = tuple[tuple[int, Node], ...]


class ImagePaths:
    """Looks up what the layers of an image (commits, lowest first) show together at single paths.

    Only the directories on the way are read, each once.
    """

    def __init__(self, repository: RepositoryReader, commits: Sequence[str]) -> None:
        self._repository = repository
        self._commits = commits
        self._children: dict[str, dict[str, Node]] = {}
        self._found: dict[str, _Folder] = {
            "": tuple((index, repository.root(commit)) for index, commit in enumerate(commits))
        }

    def lookup(self, path: str) -> Entry | None:
        """Return the entry at an absolute path, None when there is none, or when a parent of it is no directory."""
        path = "/" + path.strip("/")
        nodes = self._find(path if path != "/" else "")
        if not nodes:
            return None
        layer, node = nodes[-1]
        if node.meta is None:
            listed = self._repository.ls(self._commits[layer], path)
            return listed[0] if listed else None
        uid, gid, mode = struct.unpack(">III", self._repository.read_object(node.meta, "dirmeta")[:12])
        return Entry(path=path, type="d", mode=stat.S_IMODE(mode), uid=uid, gid=gid)

    def _find(self, path: str) -> _Folder:
        """Return the directories of all layers that are visible at ``path``, or the one file or link."""
        if path not in self._found:
            parent, _slash, name = path.rpartition("/")
            self._found[path] = self._visible(self._find(parent), name)
        return self._found[path]

    def _visible(self, folder: _Folder, name: str) -> _Folder:
        nodes: _Folder = ()
        if name.startswith(".wh."):
            return nodes
        for layer, node in folder:
            if node.meta is None:
                return ()
            children = self._read(node)
            if is_opaque(children) or f".wh.{name}" in children:
                nodes = ()
            child = children.get(name)
            if child is None:
                continue
            merges = child.meta is not None and nodes and nodes[-1][1].meta is not None
            nodes = (*nodes, (layer, child)) if merges else ((layer, child),)
        return nodes

    def _read(self, node: Node) -> dict[str, Node]:
        if node.checksum not in self._children:
            self._children[node.checksum] = dict(children_of(self._repository.read_object(node.checksum, "dirtree")))
        return self._children[node.checksum]
