# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in memory: what each action of a plan does to what is observed.

Actions assert what the real ones need, such as a unit file that systemd has read before the unit starts.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Sequence
from typing import Any, Callable

from unit.plugins.module_utils.builders import as_found

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _actions as actions
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import HostFile
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import info_file, parse_info
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    HostFileState,
    Observed,
    UnitState,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan import parts_of
from ansible_collections.projectatomic.system_containers.plugins.module_utils._systemd_unit import enablement

NOW = 1_800_000_000.0
DIRECTORY = HostFileState("d", 0o755, 0, 0)


def apply(observed: Observed, plan: Sequence[object]) -> Observed:
    """Return the host after the actions."""
    for action in parts_of(plan):
        observed = _HANDLERS[type(action)](observed, action)
    return observed


def _with_unit(observed: Observed, **changes: Any) -> Observed:
    return dataclasses.replace(observed, unit=dataclasses.replace(observed.unit, **changes))


def _with_file(observed: Observed, path: str, state: FileState | None) -> Observed:
    observed = dataclasses.replace(observed, files={**observed.files, path: state})
    if path.startswith("/etc/systemd/system/"):
        observed = _with_unit(observed, need_daemon_reload=True)
    return observed


def _without_slot(observed: Observed, directory: str) -> Observed:
    return dataclasses.replace(
        observed,
        deployments=tuple(item for item in observed.deployments if item.directory != directory),
        broken=tuple(item for item in observed.broken if item.directory != directory),
        files={path: state for path, state in observed.files.items() if not path.startswith(directory + "/")},
    )


def _check_out(observed: Observed, action: actions.CheckoutDeployment) -> Observed:
    made = action.deployment
    assert made.slot != observed.active_slot, "the slot in use is not emptied"
    observed = _without_slot(observed, made.directory)
    files = [*made.files, info_file(made)]
    inside = {file.path: as_found(file, mtime=NOW) for file in files if file.path.startswith(made.directory + "/")}
    outside: dict[str, FileState | None] = {file.path: None for file in made.files if file.path not in inside}
    deployments = sorted((*observed.deployments, made), key=lambda item: item.slot)
    return dataclasses.replace(observed, deployments=tuple(deployments), files={**outside, **observed.files, **inside})


def _remove_directory(observed: Observed, action: actions.RemoveDirectory) -> Observed:
    if observed.active_slot is not None and action.path == observed.paths.slot(observed.active_slot):
        assert not observed.unit.running, "a running container keeps its files"
        assert not observed.has_link, "the link goes before what it points to"
    return _without_slot(observed, action.path)


def _switch(observed: Observed, action: actions.SwitchDeployment) -> Observed:
    made = next(item for item in observed.deployments if item.directory == action.directory)
    assert action.link == observed.paths.link
    assert not observed.unit.running or observed.active_slot == made.slot, "a running service is stopped before"
    return dataclasses.replace(observed, has_link=True, link_slot=made.slot, active_slot=made.slot)


def _write(observed: Observed, action: actions.WriteFile) -> Observed:
    """A record that is written is what the deployment is found as."""
    folder, _slash, name = action.file.path.rpartition("/")
    old = next((item for item in observed.deployments if item.directory == folder), None)
    if old is not None and name == "info":
        new = parse_info(action.file.content, name=old.name, slot=old.slot, directory=folder)
        if new.inputs is None:
            new = dataclasses.replace(new, files=old.files)  # they are found in the slot
        deployments = tuple(new if item is old else item for item in observed.deployments)
        observed = dataclasses.replace(observed, deployments=deployments)
    return _with_file(observed, action.file.path, as_found(action.file, mtime=NOW))


def _remove(observed: Observed, action: actions.RemoveFile) -> Observed:
    if action.path == observed.paths.link:
        return dataclasses.replace(observed, has_link=False, link_slot=None, active_slot=None)
    if action.path in observed.enablement_links:
        links = tuple(link for link in observed.enablement_links if link != action.path)
        return dataclasses.replace(observed, enablement_links=links)
    assert observed.files[action.path] is not None, "only what is there is removed"
    assert action.path != observed.paths.unit or not observed.unit.running, "a running unit keeps its file"
    return _with_file(observed, action.path, None)


def _reload(observed: Observed, action: actions.DaemonReload) -> Observed:
    state = observed.files[observed.paths.unit]
    if state is None:
        return dataclasses.replace(observed, unit=UnitState(active=observed.unit.active))
    file_state = observed.unit.file_state
    if not observed.unit.enabled:
        file_state = "disabled" if enablement(state.content.decode()) else "static"
    return _with_unit(observed, load="loaded", need_daemon_reload=False, file_state=file_state)


def _enable(observed: Observed, action: actions.EnableUnit) -> Observed:
    state = observed.files[observed.paths.unit]
    assert state is not None
    assert enablement(state.content.decode())
    assert observed.unit.load == "loaded"
    return _with_unit(observed, file_state="enabled")


def _disable(observed: Observed, action: actions.DisableUnit) -> Observed:
    assert observed.unit.enabled
    state = observed.files[observed.paths.unit]
    possible = state is None or enablement(state.content.decode())
    return _with_unit(observed, file_state="disabled" if possible else "static")


def _start(observed: Observed, action: actions.StartUnit) -> Observed:
    assert observed.unit.load == "loaded", "systemd has read the unit"
    assert not observed.unit.need_daemon_reload, "systemd has read the unit as it is now"
    assert not observed.stale_runtime_state, "the runtime would refuse the container's id"
    assert observed.has_link
    return _with_unit(observed, active="active", sub="running", since=NOW)


def _stop(observed: Observed, action: actions.StopUnit) -> Observed:
    assert observed.unit.running
    observed = _with_unit(observed, active="inactive", sub="dead", since=None)
    return dataclasses.replace(observed, runtime_bundle=None)


def _delete_runtime_state(observed: Observed, action: actions.DeleteRuntimeState) -> Observed:
    assert not observed.unit.running, "only what is stale is deleted"
    return dataclasses.replace(observed, runtime_bundle=None)


def _forget_failure(observed: Observed, action: actions.ForgetFailure) -> Observed:
    assert observed.unit.active == "failed"
    return _with_unit(observed, active="inactive", sub="dead", result="success")


def _begin(observed: Observed, action: actions.BeginChange) -> Observed:
    assert action.path == observed.paths.journal
    return dataclasses.replace(observed, journal=action.journal)


def _end(observed: Observed, action: actions.EndChange) -> Observed:
    assert observed.journal is not None
    return dataclasses.replace(observed, journal=None)


def _with_host_file(observed: Observed, path: str, state: HostFileState | None) -> Observed:
    """Change what is at one place, and with it what the directories have in them."""
    found = {**observed.host_files, path: state}
    for folder, old in found.items():
        if old is not None and old.kind == "d":
            names = {
                posixpath.basename(item) for item, there in found.items() if there and posixpath.dirname(item) == folder
            }
            found[folder] = dataclasses.replace(old, names=tuple(sorted(names)))
    return dataclasses.replace(observed, host_files=found)


def host_file_state(file: HostFile) -> HostFileState:
    """Return what is at the place of a host file that nobody touched."""
    return HostFileState(file.kind, file.mode, file.uid, file.gid, sha256=file.sha256, target=file.target)


def _install(observed: Observed, action: actions.InstallHostFile) -> Observed:
    old, folder = observed.host_files.get(action.file.path), posixpath.dirname(action.file.path)
    assert old is None or old.kind in "-l", "only a file or a link is replaced"
    assert observed.host_files.get(folder, DIRECTORY) is not None, "the directory is there"
    directories = {item.directory for item in observed.deployments}
    assert action.directory in directories, "the content is in a deployment"
    return _with_host_file(observed, action.file.path, host_file_state(action.file))


def _remove_host_file(observed: Observed, action: actions.RemoveHostFile) -> Observed:
    assert observed.host_files[action.path] is not None, "only what is there is removed"
    return _with_host_file(observed, action.path, None)


def _make_directory(observed: Observed, action: actions.MakeHostDirectory) -> Observed:
    assert observed.host_files.get(action.path) is None
    return _with_host_file(observed, action.path, DIRECTORY)


def _remove_empty(observed: Observed, action: actions.RemoveEmptyDirectory) -> Observed:
    state = observed.host_files.get(action.path)
    return observed if state is None or state.names else _with_host_file(observed, action.path, None)


_HANDLERS: dict[type, Callable[[Observed, Any], Observed]] = {
    actions.BeginChange: _begin,
    actions.EndChange: _end,
    actions.CheckoutDeployment: _check_out,
    actions.RemoveDirectory: _remove_directory,
    actions.SwitchDeployment: _switch,
    actions.WriteFile: _write,
    actions.RemoveFile: _remove,
    actions.InstallHostFile: _install,
    actions.RemoveHostFile: _remove_host_file,
    actions.MakeHostDirectory: _make_directory,
    actions.RemoveEmptyDirectory: _remove_empty,
    actions.DaemonReload: _reload,
    actions.CreateTmpfiles: lambda observed, action: observed,
    actions.EnableUnit: _enable,
    actions.DisableUnit: _disable,
    actions.StartUnit: _start,
    actions.StopUnit: _stop,
    actions.ForgetFailure: _forget_failure,
    actions.DeleteRuntimeState: _delete_runtime_state,
}
