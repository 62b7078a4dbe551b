# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at the host: what is there of a container, and what rendering needs to know. Nothing here changes anything."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Sequence

from ._deployment import BrokenSlot, Deployment
from ._deployments import SLOT, container_names, read_slot, slots
from ._errors import InvalidInputError
from ._io import read_state, temporary_name
from ._journal import read_journal
from ._models import (
    FileState,
    Observed,
    Paths,
    UnitState,
)
from ._runtime import container_bundle
from ._systemctl import show_units

_UNITS = "/etc/systemd/system"


def observe_containers(root: str, names: Sequence[str]) -> dict[str, Observed]:
    """Return each named container as found below ``root``, with one call of systemctl for all."""
    paths = [Paths(name=name, root=root) for name in names]
    units = show_units([item.unit_name for item in paths])
    links = _enablement_links({item.unit_name for item in paths})
    return {item.name: _observe(item, units[item.unit_name], links.get(item.unit_name, ())) for item in paths}


def observe_container(root: str, name: str) -> Observed:
    """Return one container as found below ``root``."""
    return observe_containers(root, [name])[name]


def observe_host_files(observed: Observed, target: Deployment | None = None) -> Observed:
    """Look at the places of all host files of a container, also those of a new deployment."""
    deployments = [*observed.deployments, *([target] if target is not None else [])]
    if not any(item.host_files or item.created_directories for item in deployments):
        return observed
    from . import _host_file_io
    from ._host_file_plan import observed_paths, shared_paths

    links, root = _host_file_io.system_links(), observed.paths.root
    paths = observed_paths(deployments, links)
    found = _host_file_io.observe(paths)
    # Looked at after the files: whoever has put one there was on record before.
    names = [name for name in container_names(root) if name != observed.paths.name]
    others = observe_containers(root, names).values()
    return dataclasses.replace(
        observed,
        host_files=found,
        shared=shared_paths((item for other in others for item in other.with_host_files), links),
        host_leftovers=_host_file_io.leftovers(paths),
        system_links=links,
    )


def observe_active_host_files(observed: Observed) -> Observed:
    """Look at the places of the host files of the active deployment alone."""
    active = observed.active
    if active is None or not active.host_files:
        return observed
    from . import _host_file_io
    from ._host_places import placed

    links = _host_file_io.system_links()
    found = _host_file_io.observe(file.path for file in placed(active.host_files, links))
    return dataclasses.replace(observed, host_files=found, system_links=links)


def _enablement_links(units: set[str]) -> dict[str, list[str]]:
    """Return the links by which systemd starts units at boot, by unit, sorted; each folder is listed once for all."""
    found: dict[str, list[str]] = {}
    with contextlib.suppress(OSError):
        for folder in sorted(name for name in os.listdir(_UNITS) if "." in name):
            with contextlib.suppress(OSError):  # most of what is there is no folder
                for name in units.intersection(os.listdir(f"{_UNITS}/{folder}")):
                    found.setdefault(name, []).append(f"{_UNITS}/{folder}/{name}")
    return found


def _observe(paths: Paths, unit: UnitState, links: Sequence[str]) -> Observed:
    found = [read_slot(paths.link, slot) for slot in slots(paths.link)]
    deployments = tuple(item for item in found if isinstance(item, Deployment))
    problem = None
    if os.path.lexists(paths.link) and not os.path.islink(paths.link):
        problem = f"'{paths.link}' is not a link to a deployment: move it away"
    files: dict[str, FileState | None] = {}
    try:
        files = _observe_files(paths, found)
    except InvalidInputError as exc:
        problem = str(exc)
    link_slot = _link_slot(paths)
    return Observed(
        paths=paths,
        deployments=deployments,
        broken=tuple(item for item in found if isinstance(item, BrokenSlot)),
        has_link=os.path.islink(paths.link),
        problem=problem,
        link_slot=link_slot,
        active_slot=_active_slot(paths, deployments, files, link_slot=link_slot),
        files=files,
        unit=unit,
        runtime_bundle=container_bundle(paths.name),
        enablement_links=tuple(links),
        leftovers=_leftovers(paths),
        journal=read_journal(paths.journal),
    )


def _leftovers(paths: Paths) -> tuple[str, ...]:
    """Return what an interrupted run left beside the link, the slots and the files of the container."""
    places = [paths.link, paths.unit, paths.drop_in, paths.unit_options, paths.tmpfiles, paths.journal]
    generated = ("info", "config.json", paths.unit_name, paths.tmpfiles_copy)
    places += [f"{paths.slot(slot)}/{name}" for slot in slots(paths.link) for name in generated]
    found = [temporary_name(place) for place in places if os.path.lexists(temporary_name(place))]
    slot = re.compile(rf"\.{re.escape(paths.name)}\.[0-9]+\.(new|removed)\Z")
    with contextlib.suppress(OSError):
        found += [f"{paths.root}/{entry}" for entry in sorted(os.listdir(paths.root)) if slot.match(entry)]
    return tuple(found)


def _link_slot(paths: Paths) -> int | None:
    """Return the slot that the link leads to, None when it leads to none of the container's."""
    try:
        match = SLOT.match(os.path.basename(os.readlink(paths.link).rstrip("/")))
        if match is None or match.group("name") != paths.name:
            return None
        slot = int(match.group("slot"))
        return slot if os.path.samefile(paths.link, paths.slot(slot)) else None
    except OSError:
        return None


def _active_slot(
    paths: Paths, deployments: Sequence[Deployment], files: dict[str, FileState | None], *, link_slot: int | None
) -> int | None:
    """Find the slot in use: the one whose unit is installed, else the one of the link, else the newest."""
    unit = files.get(paths.unit)
    matching = [
        deployment.slot
        for deployment in deployments
        for file in deployment.files
        if unit is not None
        and file.path == paths.unit
        and file.content.encode("utf-8", "surrogateescape") == unit.content
    ]
    if len(matching) == 1:
        return matching[0]
    if link_slot is not None:
        return link_slot
    newest = max(deployments, key=lambda item: item.created, default=None)
    return newest.slot if newest else None


def _observe_files(paths: Paths, slots: Sequence[Deployment | BrokenSlot]) -> dict[str, FileState | None]:
    known = {paths.unit, paths.drop_in, paths.unit_options, paths.tmpfiles}
    for item in slots:
        known.update(f"{item.directory}/{name}" for name in ("info", "config.json", paths.tmpfiles_copy))
        if isinstance(item, Deployment):
            known.update(file.path for file in item.files)
    return {path: read_state(path) for path in sorted(known)}
