# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single paths of an image in the store, without listing the image."""

from __future__ import annotations

from collections.abc import Sequence

from ._gvariant import Entry, Node
from ._layer_tree import visible
from ._ostree_reader import RepositoryReader


class ImagePaths:
    """Looks up what the layers of an image (commits, lowest first) show together at single paths.

    Only the directories on the way are read, each once.
    """

    def __init__(self, repository: RepositoryReader, commits: Sequence[str]) -> None:
        self._repository = repository
        self._children: dict[str, dict[str, Node]] = {}
        self._found = {"": [repository.root(commit) for commit in reversed(commits)]}

    def lookup(self, path: str) -> Entry | None:
        """Return the entry at an absolute path, None when there is none, or when a parent of it is no directory."""
        path = path.strip("/")
        nodes = self._find(f"/{path}" if path else "")
        return self._repository.entry(nodes[0], f"/{path}") if nodes else None

    def _find(self, path: str) -> list[Node]:
        """Return the directories of all layers that are visible at ``path``, the highest first, or the one file or link."""
        if path not in self._found:
            parent, _slash, name = path.rpartition("/")
            folders = self._find(parent)
            if name.startswith(".wh.") or (folders and folders[0].meta is None):
                self._found[path] = []
            else:
                layers = map(self._read, folders)
                self._found[path] = visible(layers, name, is_folder=lambda node: node.meta is not None)
        return self._found[path]

    def _read(self, node: Node) -> dict[str, Node]:
        if node.checksum not in self._children:
            self._children[node.checksum] = self._repository.children(node)
        return self._children[node.checksum]
