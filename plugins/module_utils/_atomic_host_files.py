# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host files that Atomic recorded, completed by what is on the host, so that they can be installed again (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ._deployment import Deployment, HostFile
from ._exports import HOSTFS, renamed
from ._host_places import NO_LINKS, Links, place_of_file
from ._models import HostFileState


def restorable(atomic: Deployment, found: Mapping[str, HostFileState | None], links: Links = NO_LINKS) -> Deployment:
    """Return a deployment of Atomic's with what its record lacks of its host files: modes, owners, where contents come from.

    ``found`` is what is at their places while they are in use. What is not there is not one of its files any more.
    """
    files = tuple(
        _completed(file, state, atomic.renames)
        for file in atomic.host_files
        if (state := found.get(place_of_file(file, links))) is not None
    )
    return dataclasses.replace(atomic, host_files=files)


def _completed(file: HostFile, state: HostFileState, renames: Mapping[str, str]) -> HostFile:
    """Return a host file as it is found; of one that somebody edited, the record tells the content."""
    if file.kind == "?":
        if state.kind not in ("l", "d"):
            return file
        return dataclasses.replace(
            file, kind=state.kind, mode=state.mode, uid=state.uid, gid=state.gid, target=state.target
        )
    rendered = state.text if state.sha256 == file.sha256 else None
    return dataclasses.replace(
        file,
        mode=state.mode,
        uid=state.uid,
        gid=state.gid,
        origin=_origin(file.path, renames),
        content=rendered,
    )


def _origin(path: str, renames: Mapping[str, str]) -> str:
    """Return where the image has a host file, below the root of the deployment."""
    candidates = [
        source + path[len(place) :]
        for source, place in renames.items()
        if path == place or path.startswith(place + "/")
    ]
    return HOSTFS + next((origin for origin in candidates if renamed(origin, renames) == path), path)
