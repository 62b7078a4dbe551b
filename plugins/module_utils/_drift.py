# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a container on the host is not as its record says (pure). What runs, and what starts at boot, is no part of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from ._deployment import Deployment, GeneratedFile
from ._models import FileState, Observed, Paths
from ._record import dataclass
from ._systemd_unit import render_unit_options


@dataclass(frozen=True)
class Deviation:
    """An absolute ``path`` on the host, and what is wrong there.

    ``problem`` is ``missing``, ``extra``, ``type``, ``content``, ``mode``, ``owner``, ``xattrs``, ``target`` (of a link),
    ``changed`` (in a way that nothing tells any more), ``not reloaded`` (a unit file that systemd knows as it was before), or
    of a deployment's directory why that cannot be used.
    """

    path: str
    problem: str


@dataclass(frozen=True)
class Verified:
    """What hashing a deployment again found: in its ``rootfs``, and among the ``objects`` of the repository behind it.

    ``reason`` says why the root file system could not be compared, None when it was.
    """

    rootfs: tuple[Deviation, ...] = ()
    objects: tuple[Deviation, ...] = ()
    reason: str | None = None


def active_files(target: Deployment, paths: Paths) -> tuple[GeneratedFile, ...]:
    """Return the files of a deployment that is active: its own, and the drop-in with the user's options."""
    options = render_unit_options(target.unit_options, paths=paths) if target.has_service else None
    return target.files if options is None else (*target.files, options)


def problems_of(file: GeneratedFile, found: FileState | None) -> tuple[str, ...]:
    """Return what is wrong with a generated file as found, nothing when it is as recorded."""
    if found is None:
        return ("missing",)
    if found.is_link:
        return ("type",)
    content = file.content.encode("utf-8", "surrogateescape")
    checks = (("content", found.content == content), ("mode", found.mode == file.mode))
    return tuple(problem for problem, is_right in checks if not is_right)


def find_drift(observed: Observed) -> tuple[Deviation, ...]:
    """Return where the host deviates from the records, sorted by path; nothing is known of what Atomic recorded.

    Host files that somebody edited are no drift, see ``edited_host_files``.
    """
    found = [*_link(observed), *(Deviation(item.directory, item.reason) for item in observed.broken)]
    for item in observed.deployments:
        if item.inputs is not None:
            found += _files(item, observed)
    active = observed.active
    if active is not None and active.inputs is not None:
        wanted = {file.path for file in active_files(active, observed.paths)}
        found += (Deviation(path, "extra") for path in observed.own_files if path not in wanted)
        found += (Deviation(path, "missing") for path in _host_files(observed)[0])
    if observed.own_unit.need_daemon_reload:
        found.append(Deviation(observed.paths.unit, "not reloaded"))
    return tuple(sorted(found, key=lambda item: item.path))


def with_damage(observed: Observed, verified: Mapping[str, Verified]) -> Observed:
    """Return a container with what is known of its damaged deployments."""
    damaged = {
        item.slot for item in observed.deployments if item.directory in verified and verified[item.directory].rootfs
    }
    return dataclasses.replace(observed, damaged=frozenset(damaged))


def edited_host_files(observed: Observed) -> tuple[str, ...]:
    """Return the host files of the active deployment that somebody edited, sorted."""
    return tuple(sorted(_host_files(observed)[1]))


def _link(observed: Observed) -> Iterator[Deviation]:
    if observed.active_slot is not None and observed.link_slot != observed.active_slot:
        yield Deviation(observed.paths.link, "target" if observed.has_link else "missing")


def _files(item: Deployment, observed: Observed) -> Iterator[Deviation]:
    """Yield what is wrong with the files of a deployment, outside of its directory only for the active one."""
    is_active = item.slot == observed.active_slot
    slot = f"{item.directory}/"
    for file in active_files(item, observed.paths) if is_active else item.files:
        if is_active or file.path.startswith(slot):
            for problem in problems_of(file, observed.files.get(file.path)):
                yield Deviation(file.path, problem)
    info = observed.files.get(f"{slot}info")
    if info is not None and info.mode != 0o600:  # its content is what all else is compared with
        yield Deviation(f"{slot}info", "mode")


def _host_files(observed: Observed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the host files of the active deployment that are missing, and those that were edited."""
    active = observed.active
    if active is None or not observed.host_files:  # most have none, or nobody looked
        return (), ()
    from ._host_file_plan import edited_files, missing_files

    found, links = observed.host_files, observed.system_links
    return missing_files(active, found, links), edited_files(active, found, links)
