# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where containers and images are on the host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ._errors import InvalidInputError
from ._ostree_reader import OWN_FOLDER, RepositoryReader
from ._record import dataclass

_HOST_REPOSITORY = "/ostree/repo"


@dataclass(frozen=True)
class Store:
    """The directory of the containers, and the repository of their images; ``writer`` of ``_ostree`` writes to it."""

    root: str
    repository: RepositoryReader


def locate_store(params: Mapping[str, Any]) -> Store:
    """Return the store that the options ``root`` and ``repo`` mean.

    Without ``repo`` it is the host's own repository when checkouts below ``root`` can be hard links into it. Raises
    ``InvalidInputError`` for a path that is not absolute, or for a repository that is on another file system, that has
    a mode in which no hard link can lead into it, or whose place something else has.
    """
    root, repo = params["root"], params.get("repo")
    for option, path in (("root", root), ("repo", repo)):
        if path is not None and not os.path.isabs(path):
            raise InvalidInputError(f"{option}: '{path}' is not an absolute path")
    root = os.path.realpath(root)  # one container has one name, by whatever link it is reached
    if repo is None:
        same = os.path.isdir(_HOST_REPOSITORY) and _device(_HOST_REPOSITORY) == _device(root)
        repo = _HOST_REPOSITORY if same else f"{root}/{OWN_FOLDER}/ostree"
    elif _device(repo) != _device(root):
        raise InvalidInputError(
            f"repo: '{repo}' is on another file system than root '{root}', so no hard link can lead into it:"
            " choose both on one file system"
        )
    repository = RepositoryReader(os.path.normpath(repo))
    repository.check()
    return Store(root=root, repository=repository)


def _device(path: str) -> int:
    """Return the file system of ``path``, or of the nearest parent that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev
