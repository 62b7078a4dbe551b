# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is done about a container: from what is desired and what is observed to a list of actions and a diff.

Nothing here touches the host. Check mode and diff mode show a plan, a normal run applies the same plan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ._actions import (
    Action,
    BeginChange,
    ChangeHostFiles,
    CheckoutDeployment,
    CheckoutUnrendered,
    CreateTmpfiles,
    DaemonReload,
    DeleteRuntimeState,
    DisableUnit,
    EnableUnit,
    EndChange,
    RemoveDirectory,
    RemoveFile,
    RemoveLeftover,
    StartUnit,
    StopUnit,
    SwitchDeployment,
    WriteFile,
)
from ._deployment import Deployment, GeneratedFile, Inputs
from ._drift import active_files, problems_of
from ._host_file_changes import NO_HOST_FILES, HostFileChanges
from ._info_file import info_file
from ._models import KEEP, Journal, Observed, Paths
from ._obstacles import check_conflicts, check_tmpfiles, refuse_obstacles
from ._plan import Plan
from ._record import dataclass
from ._secrets import digest_text
from ._systemd_unit import enablement, is_unit_file


@dataclass(frozen=True)
class Desired:
    """What a task asks of a container besides its deployment; ``state`` as in the module's documentation, ``keep`` is how
    many deployments stay, the active one included, ``override_unit`` whether a unit of a package may be hidden."""

    state: str
    enabled: bool
    keep: int = KEEP
    force_host_files: bool = False
    override_unit: bool = False


def choose_deployment(observed: Observed, inputs: Inputs) -> Deployment | None:
    """Return the kept, undamaged deployment that was made from ``inputs``, the active one first; None when there is none."""
    intact = (item for item in observed.deployments if item.slot not in observed.damaged)
    candidates = sorted(intact, key=lambda item: (item.slot != observed.active_slot, -item.created))
    return next((item for item in candidates if inputs.same_as(item.inputs)), None)


def choose_slot(observed: Observed, *, keep: int = KEEP) -> int:
    """Return the slot for a new deployment: an empty one, else a broken one, else that of the oldest inactive deployment."""
    created = {item.slot: item.created for item in observed.deployments}
    created.update(dict.fromkeys([*observed.damaged, *(broken.slot for broken in observed.broken)], -1))
    candidates = [slot for slot in range(keep) if slot != observed.active_slot]
    return min(candidates, key=lambda slot: (slot in created, created.get(slot, 0), slot))


def plan_container(
    desired: Desired, observed: Observed, target: Deployment, *, texts: Mapping[str, str] | None = None
) -> Plan:
    """Return what makes ``target`` the active deployment, mends its files and brings its unit to the desired state.

    ``texts`` are small host files by the SHA-256 of their content, for the diff. Raises ``InvalidInputError`` when something
    of somebody else is in the place of the unit or of a host file.
    """
    refuse_obstacles(observed)
    if target.has_service:
        check_conflicts(observed, override_unit=desired.override_unit)
    if any(file.path == observed.paths.tmpfiles for file in target.files):
        check_tmpfiles(observed)
    host = _host_files(desired, observed, target)
    target = dataclasses.replace(target, host_files=host.host_files, created_directories=host.created_directories)
    changes = _decide(desired, observed, target, host)
    actions = _container_actions(changes, observed, target)
    diff = _diff_of(changes, observed, target, host, texts or {}) if actions else ()
    return Plan(actions, diff, edited=host.edited)


def _diff_of(
    changes: _Changes, observed: Observed, target: Deployment, host: HostFileChanges, texts: Mapping[str, str]
) -> tuple[dict[str, Any], ...]:
    """Return what the actions change; most runs have none."""
    from ._diff import render_diff, secrets_state, shown, summary, switched_files

    new, unit = changes.new, observed.own_unit
    after = summary(
        target,
        link=target.directory,
        reload=False,
        enabled=changes.enable or (unit.enabled and not changes.disable),
        running=changes.start or (unit.running and not changes.stop),
    )
    after.update(secrets_state(observed, target.inputs))
    damaged = () if new else changes.damaged
    written = switched_files(observed, target, damaged=damaged) if changes.replaced else {}
    written.update((file, shown(observed, file.path)) for file in damaged)
    files = render_diff(observed, after, written=written, removed=changes.obsolete)
    if host is NO_HOST_FILES:
        return files
    from ._host_file_diff import host_file_diff

    states, links = observed.host_files, observed.system_links
    return (
        *files,
        *host_file_diff(host, deployments=observed.deployments, found=states, texts=texts, links=links),
    )


def _host_files(desired: Desired, observed: Observed, target: Deployment) -> HostFileChanges:
    """Return what is done about host files; most containers have none."""
    deployments = (*observed.deployments, target)
    if not observed.host_leftovers and not any(item.host_files or item.created_directories for item in deployments):
        return NO_HOST_FILES
    from ._host_file_plan import host_file_changes

    return host_file_changes(observed, target, force=desired.force_host_files)


@dataclass(frozen=True)
class _Changes:
    """What has to change: a ``new`` deployment, or one that is ``replaced`` by another, files, and the unit's state.

    ``surplus`` are the directories of deployments that are not kept any more.
    """

    new: bool
    replaced: bool
    damaged: tuple[GeneratedFile, ...]
    obsolete: tuple[str, ...]
    stop: bool
    start: bool
    enable: bool
    disable: bool
    delete_state: bool
    surplus: tuple[str, ...]
    host: HostFileChanges
    force: bool


def _decide(desired: Desired, observed: Observed, target: Deployment, host: HostFileChanges) -> _Changes:
    kept = _kept(observed, target)
    new = kept is None
    replaced = new or observed.active_slot != target.slot
    expected = (*active_files(target, observed.paths), *_expected_info(observed, target, kept))
    damaged = tuple(file for file in expected if not _is_intact(file, observed))
    wanted = {file.path for file in expected}
    obsolete = tuple(path for path in observed.own_files if path not in wanted)
    renewed = replaced or (kept is not None and kept.unit_options != target.unit_options)
    stop, start = _run_changes(desired, observed, target, renewed=renewed, damaged=damaged)
    enable, disable = _enablement(desired, observed, target)
    return _Changes(
        new=new,
        replaced=replaced,
        damaged=damaged,
        obsolete=obsolete + _dangling_links(desired, observed),
        stop=stop or _hidden_unit_runs(observed, target),
        start=start,
        enable=enable,
        disable=disable,
        delete_state=observed.stale_runtime_state and (start or desired.state == "stopped"),
        surplus=_surplus(desired, observed, target),
        host=host,
        force=desired.force_host_files,
    )


def _kept(observed: Observed, target: Deployment) -> Deployment | None:
    """Return the deployment on the host that the target is.

    Atomic's active one has no id until it is taken over, nor has it when that is taken back.
    """
    for item in observed.deployments:
        taken_over = item.slot == observed.active_slot and not (item.id and target.id)
        if item.slot == target.slot and (item.id == target.id or taken_over):
            return item
    return None


def _surplus(desired: Desired, observed: Observed, target: Deployment) -> tuple[str, ...]:
    """Return the directories of the oldest deployments, those beyond the ones to keep, and of damaged ones.

    The deployment that is left is among them only when it is damaged.
    """
    emptied = {target.slot, *({observed.active_slot} - observed.damaged)}
    others = [item for item in observed.deployments if item.slot not in emptied | observed.damaged]
    others.sort(key=lambda item: -item.created)
    room = desired.keep - len({slot for slot in emptied if slot is not None})
    return (*_damaged(observed, target.slot), *(item.directory for item in others[max(room, 0) :]))


def _damaged(observed: Observed, slot: int) -> tuple[str, ...]:
    """Return the directories of damaged deployments but for the one in ``slot``, which is replaced."""
    return tuple(item.directory for item in observed.deployments if item.slot in observed.damaged and item.slot != slot)


def _container_actions(changes: _Changes, observed: Observed, target: Deployment) -> tuple[Action, ...]:
    """Return the actions in order: all is prepared before the unit is stopped, and on disk before it is started."""
    paths, name = observed.paths, observed.paths.unit_name
    journal = Journal(_operation(changes, observed), observed.was_running, _slots(observed, target))
    prepared = target.directory + "/" if changes.new else None  # files that come with the checkout
    written = [file for file in changes.damaged if prepared is None or not file.path.startswith(prepared)]
    tmpfiles = next((file.path for file in target.files if file.path == paths.tmpfiles), None)
    retouched = any(file.path == tmpfiles for file in changes.damaged)
    switch = changes.new or observed.link_slot != target.slot
    reload = (
        _changes_units(changes)
        or observed.own_unit.need_daemon_reload
        or (target.has_service and observed.unit.packaged)
    )
    host = _change_host_files(changes, observed, target, journal, written)
    recorded = host.written if host else ()
    steps: list[tuple[bool, Action | None]] = [
        (changes.stop, StopUnit(name)),
        (changes.disable, DisableUnit(name)),
        (switch, SwitchDeployment(paths.link, target.directory)),
        (host is not None, host),
        *((True, RemoveFile(path)) for path in changes.obsolete),
        *((True, WriteFile(file)) for file in written if WriteFile(file) not in recorded),
        (reload, DaemonReload()),
        (retouched, CreateTmpfiles(paths.tmpfiles)),
        (changes.enable, EnableUnit(name)),
        (changes.delete_state, DeleteRuntimeState(target.name)),
        (changes.start, StartUnit(name, tmpfiles=None if retouched else tmpfiles)),
        *((True, RemoveDirectory(directory)) for directory in changes.surplus),
        *((True, RemoveLeftover(path)) for path in observed.leftovers),
    ]
    actions = tuple(action for needed, action in steps if needed and action is not None)
    if not actions:
        return (EndChange(paths.journal, finished=observed.journal.operation),) if observed.journal else ()
    prepare = (CheckoutDeployment(target),) if changes.new else ()
    return (*prepare, BeginChange(paths.journal, journal), *actions, EndChange(paths.journal))


def _change_host_files(
    changes: _Changes, observed: Observed, target: Deployment, journal: Journal, written: Sequence[GeneratedFile]
) -> ChangeHostFiles | None:
    """Return what changes host files; also when nothing is planned for those of a new deployment, on which others count."""
    if not changes.host.actions and (changes.host is NO_HOST_FILES or not changes.replaced):
        return None
    record = f"{target.directory}/info"
    return ChangeHostFiles(
        observed,
        target,
        changes.host.actions,
        journal=dataclasses.replace(journal, host_files=(target.slot,)),
        written=tuple(WriteFile(file) for file in written if file.path == record),
        force=changes.force,
    )


def _operation(changes: _Changes, observed: Observed) -> str:
    if not observed.exists:
        return "install"
    return "update" if changes.replaced else "change"


def _slots(observed: Observed, target: Deployment) -> tuple[int, ...]:
    return tuple(sorted({slot for slot in (observed.active_slot, target.slot) if slot is not None}))


def plan_unrendered(desired: Desired, observed: Observed, *, image: str, inputs: Inputs) -> Plan:
    """Return what is known of a new deployment whose image is not stored yet: for check mode only."""
    from ._diff import render_diff, secrets_state

    paths, running = observed.paths, observed.own_unit.running
    slot = choose_slot(observed, keep=desired.keep)
    directory = paths.slot(slot)
    wanted = {"present": observed.was_running, "stopped": False}.get(desired.state, True)
    actions: list[Action] = [CheckoutUnrendered(directory)]
    if running or (observed.unit.packaged and observed.unit.running):
        actions.append(StopUnit(paths.unit_name))
    actions.append(SwitchDeployment(paths.link, directory))
    if wanted:
        actions.append(StartUnit(paths.unit_name))
    actions += [RemoveDirectory(item) for item in _damaged(observed, slot)]
    after = {
        "state": "running" if wanted else "stopped",
        "enabled": desired.enabled,
        "image": image,
        "manifest_digest": inputs.manifest_digest,
        "link": directory,
        "needs_daemon_reload": False,
        "values": dict(inputs.values),
        **secrets_state(observed, inputs),
    }
    return Plan(tuple(actions), render_diff(observed, after, written={}, removed=()))


def _run_changes(
    desired: Desired, observed: Observed, target: Deployment, *, renewed: bool, damaged: tuple[GeneratedFile, ...]
) -> tuple[bool, bool]:
    """Return (stop the unit, start the unit). One that ran before an interrupted change is to run again."""
    unit = observed.own_unit
    if not target.has_service:
        return unit.running, False
    again = renewed or desired.state == "restarted" or _runs_from_damaged_config(observed, target, damaged)
    if desired.state == "present":
        return unit.running and again, observed.was_running and (again or not unit.running)
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


def _hidden_unit_runs(observed: Observed, target: Deployment) -> bool:
    """Tell whether the service of a package runs whose unit the container's takes the place of."""
    return target.has_service and observed.unit.packaged and observed.unit.running


def _enablement(desired: Desired, observed: Observed, target: Deployment) -> tuple[bool, bool]:
    """Return (enable the unit, disable it); both when the new unit is enabled in another way than the old one."""
    unit, active = observed.own_unit, observed.active
    ways = _ways_to_enable(target, observed.paths)
    if not desired.enabled or not ways:
        hidden = target.has_service and observed.unit.packaged and observed.unit.enabled
        return False, unit.enabled or hidden
    if unit.enabled and active is not None and active.has_service and _ways_to_enable(active, observed.paths) != ways:
        return True, True
    return not unit.enabled, False


def _ways_to_enable(deployment: Deployment, paths: Paths) -> list[tuple[str, str]]:
    """Return what ``systemctl enable`` makes of a deployment's unit and of the user's options for it."""
    parts = (file.content for file in active_files(deployment, paths) if file.path in (paths.unit, paths.unit_options))
    return enablement("\n".join(parts))


def _dangling_links(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """Return links that would enable the unit again as soon as its lost file is back."""
    if desired.enabled or observed.unit.enabled or not observed.owns_unit:
        return ()
    return observed.enablement_links


def _expected_info(observed: Observed, target: Deployment, kept: Deployment | None) -> tuple[GeneratedFile, ...]:
    """Return the record as it has to be. One that says what it should stays as it is, only its mode is checked."""
    if kept is None:
        return ()
    file = info_file(target)
    found = observed.files.get(file.path)
    if kept == target and found is not None and not found.is_link:
        file = dataclasses.replace(file, content=found.content.decode("utf-8", "surrogateescape"))
    if target.inputs is not None and target.inputs.secrets:
        file = dataclasses.replace(file, masked=digest_text(_bytes(file)))
    return (file,)


def _is_intact(file: GeneratedFile, observed: Observed) -> bool:
    return not problems_of(file, observed.files.get(file.path))


def _changes_units(changes: _Changes) -> bool:
    paths = (*changes.obsolete, *(file.path for file in changes.damaged), *changes.host.files)
    return any(is_unit_file(path) for path in paths)


def _bytes(file: GeneratedFile) -> bytes:
    return file.content.encode("utf-8", "surrogateescape")
