# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers change host files one after the other, as they share some: each looks again when it is its turn.

What they count on is known by then: a deployment is on record before its host files are changed. So a plan may be old, and a
container may be stopped in the meantime, without holding up all others.
"""

from __future__ import annotations

import contextlib
import dataclasses

from ._actions import Action, ChangeHostFiles, DaemonReload, WriteFile
from ._deployment import Deployment
from ._errors import InvalidInputError
from ._host_file_changes import HostFileChanges
from ._host_file_plan import host_file_changes
from ._host_places import Links, place_of, placed
from ._info_file import info_file
from ._io import LOCK_FOLDER, LOCK_TIMEOUT, locked
from ._observe import observe_host_files
from ._parents import parents_of
from ._systemd_unit import is_unit_file


def turn(*, timeout: float = LOCK_TIMEOUT) -> contextlib.AbstractContextManager[None]:
    """Return the lock of whoever changes host files; ``LockedError`` after ``timeout`` seconds. It is the last one taken."""
    return locked(f"{LOCK_FOLDER}/.host-files.lock", what="host files", timeout=timeout)


def settled(action: ChangeHostFiles) -> tuple[Action, ...]:
    """Return what is done about host files as they are now; ``InvalidInputError`` when another run put something in the way."""
    target = action.target
    now = observe_host_files(action.observed, target)
    try:
        changes = host_file_changes(now, target, force=action.force)
    except InvalidInputError as exc:
        name = action.observed.paths.name
        raise InvalidInputError(
            f"Host files of '{name}' cannot be put in place any more, as another run was faster: {exc}"
        ) from exc
    record = _record(target, changes, now.system_links) if target is not None else None
    if changes.actions == action.planned and record == target:
        return action.parts
    written = (WriteFile(info_file(record)),) if record is not None else ()
    parts = dataclasses.replace(action, planned=changes.actions, written=written).parts
    return (*parts, DaemonReload()) if any(map(is_unit_file, changes.files)) else parts


def _record(target: Deployment, changes: HostFileChanges, links: Links) -> Deployment:
    """Return the deployment with its host files as they become. What it said to be its own, others have left to it."""
    parents = {folder for file in placed(target.host_files, links) for folder in parents_of(file.path)}
    made = (path for path in target.created_directories if place_of(path, links) in parents)
    return dataclasses.replace(
        target,
        host_files=tuple(
            dataclasses.replace(new, ours=new.ours or old.ours)
            for old, new in zip(target.host_files, changes.host_files)
        ),
        created_directories=tuple(sorted({*made, *changes.created_directories})),
    )
