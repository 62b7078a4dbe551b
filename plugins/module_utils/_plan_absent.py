# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide how a container is removed (pure)."""

from __future__ import annotations

from ._actions import (
    Action,
    BeginChange,
    ChangeHostFiles,
    DaemonReload,
    DeleteRuntimeState,
    DisableUnit,
    EndChange,
    ForgetFailure,
    RemoveDirectory,
    RemoveEmptyDirectory,
    RemoveFile,
    RemoveLeftover,
    StopUnit,
)
from ._diff import render_diff
from ._host_file_changes import HostFileChanges
from ._host_file_diff import host_file_diff
from ._host_file_plan import host_file_changes, observed_paths
from ._models import Journal, Observed
from ._obstacles import refuse_obstacles
from ._plan import NOTHING_TO_DO, Plan
from ._systemd_unit import is_unit_file


def plan_absent(observed: Observed) -> Plan:
    """Return what removes a container with all that belongs to it; its image stays in the store."""
    if not observed.exists:
        return NOTHING_TO_DO
    refuse_obstacles(observed)
    paths, unit = observed.paths, observed.own_unit
    files = list(observed.own_files)
    host = host_file_changes(observed, None)
    actions: list[Action] = [BeginChange(paths.journal, Journal("remove", running=False))]
    if unit.running:
        actions.append(StopUnit(paths.unit_name))
    if observed.stale_runtime_state and not unit.running:
        actions.append(DeleteRuntimeState(paths.name))
    if unit.enabled:
        actions.append(DisableUnit(paths.unit_name))
    elif observed.owns_unit:
        files += observed.enablement_links
    actions += [*_host_file_actions(observed, host), *(RemoveFile(path) for path in files)]
    if observed.journal is not None:  # a run that was killed may have left it empty
        actions.append(RemoveEmptyDirectory(f"{paths.unit}.d"))
    if any(is_unit_file(path) for path in (*files, *host.files)) or (
        unit.load != "not-found" and unit.need_daemon_reload
    ):
        actions.append(DaemonReload())
    if unit.active == "failed":
        actions.append(ForgetFailure(paths.unit_name))
    if observed.has_link:
        actions.append(RemoveFile(paths.link))
    directories = [item.directory for item in observed.deployments] + [item.directory for item in observed.broken]
    actions += [RemoveDirectory(directory) for directory in sorted(directories)]
    actions += [RemoveLeftover(path) for path in observed.leftovers]
    actions.append(EndChange(paths.journal))
    diff = (
        *render_diff(observed, {"state": "absent"}, written={}, removed=tuple(files)),
        *host_file_diff(
            host,
            deployments=observed.deployments,
            found=observed.host_files,
            texts={},
            links=observed.system_links,
        ),
    )
    return Plan(tuple(actions), diff, edited=host.edited)


def _host_file_actions(observed: Observed, host: HostFileChanges) -> tuple[Action, ...]:
    if not host.actions and not observed_paths(observed.deployments):
        return ()
    return (ChangeHostFiles(observed, None, host.actions, Journal("remove", running=False, host_files=())),)
