# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is done: from what is desired and what is observed to a list of actions and a diff.

Nothing here touches the host. Check mode and diff mode show a plan, a normal run applies the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._actions import (
    Action,
    CheckoutDeployment,
    CheckoutUnrendered,
    CreateTmpfiles,
    DaemonReload,
    DeleteRuntimeState,
    DisableUnit,
    EnableUnit,
    ForgetFailure,
    RemoveDirectory,
    RemoveFile,
    RemoveLeftover,
    StartUnit,
    StopUnit,
    SwitchDeployment,
    WriteFile,
)
from ._deployment import Deployment, GeneratedFile, Inputs
from ._diff import render_diff, shown, summary, switched_files
from ._errors import InvalidInputError, NewerSchemaError
from ._models import KEEP, Observed
from ._systemd_unit import enablement


@dataclass(frozen=True)
class Desired:
    """What a task asks of a container besides its deployment; ``state`` as in the module's documentation."""

    state: str
    enabled: bool


@dataclass(frozen=True)
class Plan:
    """Actions in order, and the difference that they make, in the form that Ansible's diff mode shows."""

    actions: tuple[Action, ...]
    diff: tuple[dict[str, str], ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.actions)

    def results(self) -> dict[str, Any]:
        """Return the part of a module's result that every plan gives."""
        return {
            "changed": self.changed,
            "actions": [str(action) for action in self.actions],
            "diff": list(self.diff),
        }


NOTHING_TO_DO = Plan((), ())


def choose_deployment(observed: Observed, inputs: Inputs) -> Deployment | None:
    """Return the kept deployment that was made from ``inputs``, the active one first; None when there is none."""
    candidates = sorted(observed.deployments, key=lambda item: (item.slot != observed.active_slot, -item.created))
    return next((item for item in candidates if inputs.same_as(item.inputs)), None)


def choose_slot(observed: Observed) -> int:
    """Return the slot for a new deployment: an empty one, else the one with the oldest inactive deployment."""
    created = {broken.slot: -1 for broken in observed.broken}
    created.update({item.slot: item.created for item in observed.deployments})
    candidates = [slot for slot in range(KEEP) if slot != observed.active_slot]
    return min(candidates, key=lambda slot: (slot in created, created.get(slot, 0), slot))


def refuse_obstacles(observed: Observed) -> None:
    """Raise when the container cannot be changed at all: by what is in its place, or what a newer version wrote."""
    newer = next((broken for broken in observed.broken if broken.newer), None)
    if newer is not None:
        raise NewerSchemaError(f"The deployment '{newer.directory}' cannot be changed: {newer.reason}")
    if observed.problem is not None:
        raise InvalidInputError(observed.problem)


def check_conflicts(observed: Observed) -> None:
    """Raise ``InvalidInputError`` when the unit of the container would take the place of what is not its own."""
    paths = observed.paths
    way_out = "remove it, or give the container another name"
    if observed.unit_owner not in (None, paths.link):
        raise InvalidInputError(f"{paths.unit_name} belongs to the system container '{observed.unit_owner}': {way_out}")
    if observed.runtime_bundle is not None and not observed.owns_runtime_state and not observed.exists:
        raise InvalidInputError(
            f"The runtime already has a container '{paths.name}' (from '{observed.runtime_bundle}') that is no system"
            f" container: {way_out}"
        )
    if observed.files.get(paths.tmpfiles) is not None and paths.tmpfiles not in observed.own_files:
        raise InvalidInputError(f"'{paths.tmpfiles}' exists and does not belong to a system container: {way_out}")
    if observed.owns_unit:
        return
    if observed.files.get(paths.unit) is not None:
        raise InvalidInputError(f"'{paths.unit}' exists and does not belong to a system container: {way_out}")
    if observed.unit.load != "not-found":
        raise InvalidInputError(
            f"The host already has a unit {paths.unit_name} ({observed.unit.load}) that does not belong to a system"
            f" container: {way_out}"
        )


def plan_container(desired: Desired, observed: Observed, target: Deployment) -> Plan:
    """Return what makes ``target`` the active deployment, mends its files and brings its unit to the desired state.

    Raises ``InvalidInputError`` when it has a service, and its unit's name is taken.
    """
    refuse_obstacles(observed)
    if target.has_service:
        check_conflicts(observed)
    changes = _decide(desired, observed, target)
    new, unit = changes.new, observed.own_unit
    after = summary(
        target,
        link=target.directory,
        reload=False,
        enabled=changes.enable or (unit.enabled and not changes.disable),
        running=changes.start or (unit.running and not changes.stop),
    )
    damaged = () if new else changes.damaged
    written = switched_files(observed, target, damaged=damaged) if changes.replaced else {}
    written.update((file, shown(observed.files.get(file.path))) for file in damaged)
    return Plan(
        _container_actions(changes, observed, target),
        render_diff(observed, after, written=written, removed=changes.obsolete),
    )


@dataclass(frozen=True)
class _Changes:
    """What has to change: a ``new`` deployment, or one that is ``replaced`` by another, files, and the unit's state."""

    new: bool
    replaced: bool
    damaged: tuple[GeneratedFile, ...]
    obsolete: tuple[str, ...]
    stop: bool
    start: bool
    enable: bool
    disable: bool
    delete_state: bool


def _decide(desired: Desired, observed: Observed, target: Deployment) -> _Changes:
    new = target not in observed.deployments
    replaced = new or observed.active_slot != target.slot
    expected = (*target.files, *_recorded_info(observed, target))
    damaged = tuple(file for file in expected if not _is_intact(file, observed))
    wanted = {file.path for file in target.files}
    obsolete = tuple(path for path in observed.own_files if path not in wanted)
    stop, start = _run_changes(desired, observed, target, replaced=replaced, damaged=damaged)
    enable, disable = _enablement(desired, observed, target)
    return _Changes(
        new=new,
        replaced=replaced,
        damaged=damaged,
        obsolete=obsolete + _dangling_links(desired, observed),
        stop=stop,
        start=start,
        enable=enable,
        disable=disable,
        delete_state=observed.stale_runtime_state and (start or desired.state == "stopped"),
    )


def _container_actions(changes: _Changes, observed: Observed, target: Deployment) -> tuple[Action, ...]:
    """Return the actions in order: all is prepared before the unit is stopped, and on disk before it is started."""
    paths, name = observed.paths, observed.paths.unit_name
    prepared = target.directory + "/" if changes.new else None  # files that come with the checkout
    written = [file for file in changes.damaged if prepared is None or not file.path.startswith(prepared)]
    tmpfiles = next((file.path for file in target.files if file.path == paths.tmpfiles), None)
    retouched = any(file.path == tmpfiles for file in changes.damaged)
    switch = changes.new or observed.link_slot != target.slot
    reload = _changes_units(changes) or observed.own_unit.need_daemon_reload
    steps: list[tuple[bool, Action]] = [
        (changes.new, CheckoutDeployment(target)),
        (changes.stop, StopUnit(name)),
        (changes.disable, DisableUnit(name)),
        (switch, SwitchDeployment(paths.link, target.directory)),
        *((True, RemoveFile(path)) for path in changes.obsolete),
        *((True, WriteFile(file)) for file in written),
        (reload, DaemonReload()),
        (retouched, CreateTmpfiles(paths.tmpfiles)),
        (changes.enable, EnableUnit(name)),
        (changes.delete_state, DeleteRuntimeState(target.name)),
        (changes.start, StartUnit(name, tmpfiles=None if retouched else tmpfiles)),
    ]
    return tuple(action for needed, action in steps if needed)


def plan_unrendered(desired: Desired, observed: Observed, *, image: str, inputs: Inputs) -> Plan:
    """Return what is known of a new deployment whose image is not stored yet: for check mode only."""
    paths, running = observed.paths, observed.own_unit.running
    directory = paths.slot(choose_slot(observed))
    wanted = {"present": running, "stopped": False}.get(desired.state, True)
    actions: list[Action] = [CheckoutUnrendered(directory)]
    if running:
        actions.append(StopUnit(paths.unit_name))
    actions.append(SwitchDeployment(paths.link, directory))
    if wanted:
        actions.append(StartUnit(paths.unit_name))
    after = {
        "state": "running" if wanted else "stopped",
        "enabled": desired.enabled,
        "image": image,
        "manifest_digest": inputs.manifest_digest,
        "link": directory,
        "needs_daemon_reload": False,
        "values": dict(inputs.values),
    }
    return Plan(tuple(actions), render_diff(observed, after, written={}, removed=()))


def plan_absent(observed: Observed) -> Plan:
    """Return what removes a container with all that belongs to it; its image stays in the store."""
    if not observed.exists:
        return NOTHING_TO_DO
    refuse_obstacles(observed)
    paths, unit = observed.paths, observed.own_unit
    files = list(observed.own_files)
    actions: list[Action] = []
    if unit.running:
        actions.append(StopUnit(paths.unit_name))
    if observed.stale_runtime_state and not unit.running:
        actions.append(DeleteRuntimeState(paths.name))
    if unit.enabled:
        actions.append(DisableUnit(paths.unit_name))
    elif observed.owns_unit:
        files += observed.enablement_links
    actions += [RemoveFile(path) for path in files]
    if any(_is_unit_file(path) for path in files) or (unit.load != "not-found" and unit.need_daemon_reload):
        actions.append(DaemonReload())
    if unit.active == "failed":
        actions.append(ForgetFailure(paths.unit_name))
    if observed.has_link:
        actions.append(RemoveFile(paths.link))
    directories = [item.directory for item in observed.deployments] + [item.directory for item in observed.broken]
    actions += [RemoveDirectory(directory) for directory in sorted(directories)]
    actions += [RemoveLeftover(path) for path in observed.leftovers]
    return Plan(tuple(actions), render_diff(observed, {"state": "absent"}, written={}, removed=tuple(files)))


def _run_changes(
    desired: Desired, observed: Observed, target: Deployment, *, replaced: bool, damaged: tuple[GeneratedFile, ...]
) -> tuple[bool, bool]:
    """Return (stop the unit, start the unit)."""
    unit = observed.own_unit
    if not target.has_service:
        return unit.running, False
    again = replaced or desired.state == "restarted" or _runs_from_damaged_config(observed, target, damaged)
    if desired.state == "present":
        return unit.running and again, unit.running and again
    if desired.state == "stopped":
        return unit.running, False
    return unit.running and again, again or not unit.up


def _runs_from_damaged_config(observed: Observed, target: Deployment, damaged: tuple[GeneratedFile, ...]) -> bool:
    """Tell whether the running service was started after its config.json had been changed."""
    path = f"{target.directory}/config.json"
    found, unit = observed.files.get(path), observed.own_unit
    recorded = next((file for file in damaged if file.path == path), None)
    if recorded is None or found is None or unit.since is None or _bytes(recorded) == found.content:
        return False
    return unit.running and found.mtime <= unit.since


def _enablement(desired: Desired, observed: Observed, target: Deployment) -> tuple[bool, bool]:
    """Return (enable the unit, disable it); both when the new unit is enabled in another way than the old one."""
    unit, path = observed.own_unit, observed.paths.unit
    ways = enablement(next((file.content for file in target.files if file.path == path), ""))
    if not desired.enabled or not ways:
        return False, unit.enabled
    active = observed.active
    before = next((file.content for file in (active.files if active else ()) if file.path == path), None)
    if unit.enabled and before is not None and enablement(before) != ways:
        return True, True
    return not unit.enabled, False


def _dangling_links(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """Return links that would enable the unit again as soon as its lost file is back."""
    if desired.enabled or observed.unit.enabled or not observed.owns_unit:
        return ()
    return observed.enablement_links


def _recorded_info(observed: Observed, target: Deployment) -> tuple[GeneratedFile, ...]:
    """Return a kept deployment's own record as it is: only its mode is checked, as it may hold secret values."""
    path = f"{target.directory}/info"
    found = observed.files.get(path)
    if found is None or found.is_link or target not in observed.deployments:
        return ()
    return (GeneratedFile(path, found.content.decode("utf-8", "surrogateescape"), 0o600),)


def _is_intact(file: GeneratedFile, observed: Observed) -> bool:
    found = observed.files.get(file.path)
    if found is None or found.is_link or found.mode != file.mode:
        return False
    return found.content == _bytes(file)


def _in_slot(path: str, observed: Observed) -> bool:
    return path.startswith(observed.paths.root + "/")


def _is_unit_file(path: str) -> bool:
    return path.startswith("/etc/systemd/system/")


def _changes_units(changes: _Changes) -> bool:
    return any(_is_unit_file(path) for path in (*changes.obsolete, *(file.path for file in changes.damaged)))


def _bytes(file: GeneratedFile) -> bytes:
    return file.content.encode("utf-8", "surrogateescape")
