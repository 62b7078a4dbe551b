# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at the host: what is there of a container, and what rendering needs to know. Nothing here changes anything."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Sequence

from ._capabilities import capability_names
from ._deployment import BrokenSlot, Deployment
from ._deployments import SLOT, read_slot, slots
from ._errors import InvalidInputError
from ._io import read_state, temporary_name
from ._journal import read_journal
from ._kernel import kernel_facts
from ._models import (
    FileState,
    HostFacts,
    Observed,
    Paths,
    UnitState,
)
from ._runtime import container_bundle
from ._systemctl import show_units


def observe_containers(root: str, names: Sequence[str]) -> dict[str, Observed]:
    """Return each named container as found below ``root``, with one call of systemctl for all."""
    paths = [Paths(name=name, root=root) for name in names]
    units = show_units([item.unit_name for item in paths])
    links = _enablement_links({item.unit_name for item in paths})
    return {item.name: _observe(item, units[item.unit_name], links.get(item.unit_name, ())) for item in paths}


def observe_host(runtime: str) -> HostFacts:
    """Return what rendering takes from the host."""
    capabilities = _capabilities()
    return HostFacts(
        uid=os.getuid(),
        gid=os.getgid(),
        runtime=runtime,
        machine_id=_read_line("/etc/machine-id"),
        capabilities=capabilities,
        **kernel_facts(capabilities),
    )


def is_missing(path: str) -> bool:
    """Tell whether nothing is at ``path`` on the host."""
    return not os.path.exists(path)


def kind_of(path: str) -> str | None:
    """Return what is at ``path`` on the host: ``directory``, ``file`` for anything else, None for nothing."""
    if is_missing(path):
        return None
    return "directory" if os.path.isdir(path) else "file"


def _enablement_links(units: set[str]) -> dict[str, list[str]]:
    """Return the links by which systemd starts units at boot, by unit, sorted; each folder is listed once for all."""
    found: dict[str, list[str]] = {}
    for folder in sorted(glob.glob("/etc/systemd/system/*.*/")):
        with contextlib.suppress(OSError):
            for name in units.intersection(os.listdir(folder)):
                found.setdefault(name, []).append(folder + name)
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


def _capabilities() -> tuple[str, ...]:
    """Return the names in the bounding set of this process (CapBnd of proc(5))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        line = next((line for line in status if line.startswith("CapBnd:")), "CapBnd: 0")
    return capability_names(int(line.split()[1], 16))


def _read_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""
