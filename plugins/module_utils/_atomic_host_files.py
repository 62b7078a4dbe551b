# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host files that Atomic recorded, completed by what is on the host, so that they can be installed again (pure)."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Callable

from ._deployment import Deployment, HostFile
from ._errors import InvalidInputError
from ._exports import HOSTFS, digest_of, renamed
from ._host_files import fill
from ._host_places import NO_LINKS, Links, place_of_file
from ._models import HostFileState

Found = Mapping[str, "HostFileState | None"]
Read = Callable[[str], "bytes | None"]
"""Returns what a file of the deployment holds, by its path below ``rootfs``; None when it is none, or a large one."""


def restorable(atomic: Deployment, before: Found, now: Found, *, read: Read, links: Links = NO_LINKS) -> Deployment:
    """Return a deployment of Atomic's with what its record lacks of its host files: modes, owners, where contents come from.

    ``before`` and ``now`` are what was at their places while they were in use, and what is now. What was not there is not one
    of its files any more. A file whose content is lost stays as it is now.
    """
    files = []
    for file in atomic.host_files:
        place = place_of_file(file, links)
        state = before.get(place)
        if state is not None:
            made = _completed(file, state, atomic, read)
            files.append(made if made is not None else _as_it_is(file, now.get(place) or state))
    return dataclasses.replace(atomic, host_files=tuple(files))


def _completed(file: HostFile, state: HostFileState, atomic: Deployment, read: Read) -> HostFile | None:
    """Return a host file with the content that the record tells of, None when that is not to be had."""
    if file.kind == "?":
        return _as_it_is(file, state)
    origin = _origin(file.path, atomic.renames)
    content = state.text if state.sha256 == file.sha256 else None
    if content is None:
        stored = read(origin)
        if stored is not None and digest_of([stored]) != file.sha256:
            content = _rendered(stored, atomic)
            if content is None or digest_of([content.encode("utf-8")]) != file.sha256:
                return None
    return dataclasses.replace(file, mode=state.mode, uid=state.uid, gid=state.gid, origin=origin, content=content)


def _as_it_is(file: HostFile, state: HostFileState) -> HostFile:
    if state.kind not in ("-", "l", "d"):
        return file
    facts = {name: getattr(state, name) for name in ("kind", "mode", "uid", "gid", "sha256", "target")}
    return dataclasses.replace(file, **facts)


def _rendered(template: bytes, atomic: Deployment) -> str | None:
    """Return a template as Atomic filled it in."""
    with contextlib.suppress(InvalidInputError, UnicodeDecodeError):
        return fill(template.decode("utf-8"), atomic.values, file="a template of a host file")
    return None


def _origin(path: str, renames: Mapping[str, str]) -> str:
    """Return where the image has a host file, below the root of the deployment."""
    candidates = [
        source + path[len(place) :]
        for source, place in renames.items()
        if path == place or path.startswith(place + "/")
    ]
    return HOSTFS + next((origin for origin in candidates if renamed(origin, renames) == path), path)
