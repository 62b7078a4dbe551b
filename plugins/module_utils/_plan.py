# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is done: from what is desired and what is observed to a list of actions and a diff.

Nothing here touches the host. Check mode and diff mode show a plan, a normal run applies the same plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    StartUnit,
    StopUnit,
    SwitchDeployment,
    WriteFile,
)
from ._errors import InvalidInputError, NewerSchemaError
from ._models import KEEP, Deployment, FileState, GeneratedFile, Inputs, Observed
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


def refuse_newer(observed: Observed) -> None:
    """Raise ``NewerSchemaError`` when a newer version of this collection wrote a deployment."""
    newer = next((broken for broken in observed.broken if broken.newer), None)
    if newer is not None:
        raise NewerSchemaError(f"The deployment '{newer.directory}' cannot be changed: {newer.reason}")


def check_conflicts(observed: Observed, *, has_service: bool = True) -> None:
    """Raise ``InvalidInputError`` when a container of this name would take the place of what is not its own."""
    refuse_newer(observed)
    paths = observed.paths
    if observed.link_is_blocked:
        raise InvalidInputError(f"'{paths.link}' is not a link to a deployment: move it away")
    if observed.owns_unit or not has_service:
        return
    taken = [path for path in (paths.unit, paths.tmpfiles) if observed.files.get(path) is not None]
    foreign = [path for path in taken if path not in observed.own_files]
    if foreign:
        raise InvalidInputError(
            f"'{foreign[0]}' exists and does not belong to a system container: remove it, or give the container another name"
        )
    if observed.unit.load != "not-found":
        raise InvalidInputError(
            f"The host already has a unit {paths.unit_name} ({observed.unit.load}) that does not belong to a system"
            " container: remove it, or give the container another name"
        )


def plan_container(desired: Desired, observed: Observed, target: Deployment) -> Plan:
    """Return what makes ``target`` the active deployment, mends its files and brings its unit to the desired state.

    Raises ``InvalidInputError`` when it has a service, and its unit's name is taken.
    """
    check_conflicts(observed, has_service=target.has_service)
    paths, unit = observed.paths, observed.own_unit
    new = target not in observed.deployments
    replaced = new or observed.active_slot != target.slot
    expected = (*target.files, *_recorded_info(observed, target))
    damaged = tuple(file for file in expected if not _is_intact(file, observed))
    wanted = {file.path for file in target.files}
    obsolete = tuple(path for path in observed.own_files if path not in wanted)
    stop, start = _run_changes(desired, observed, target, replaced=replaced, damaged=damaged)
    enable, disable = _enablement(desired, observed, target)

    actions: list[Action] = []
    if new:
        actions.append(CheckoutDeployment(target))
    if stop:
        actions.append(StopUnit(paths.unit_name))
    if disable:
        actions.append(DisableUnit(paths.unit_name))
    if new or observed.link_slot != target.slot:
        actions.append(SwitchDeployment(paths.link, target.directory))
    actions += [RemoveFile(path) for path in obsolete]
    actions += [WriteFile(file) for file in damaged if not (new and file.path.startswith(target.directory + "/"))]
    if _changes_units(obsolete, damaged) or unit.need_daemon_reload:
        actions.append(DaemonReload())
    if any(file.path == paths.tmpfiles for file in damaged):
        actions.append(CreateTmpfiles(paths.tmpfiles))
    if enable:
        actions.append(EnableUnit(paths.unit_name))
    if (start or desired.state == "stopped") and observed.stale_runtime_state and not unit.running:
        actions.append(DeleteRuntimeState(target.name))
    if start:
        actions.append(StartUnit(paths.unit_name))
    after = _summary(
        target,
        link=target.directory,
        reload=False,
        enabled=enable or (unit.enabled and not disable),
        running=start or (unit.running and not stop),
    )
    switched = _switched_files(observed, target, damaged=() if new else damaged) if replaced else {}
    written = {} if new else {file: _shown(observed.files.get(file.path)) for file in damaged}
    return Plan(tuple(actions), _diff(observed, after, written={**switched, **written}, removed=obsolete))


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
        "values": dict(inputs.values),
    }
    return Plan(tuple(actions), _diff(observed, after, written={}, removed=()))


def plan_absent(observed: Observed) -> Plan:
    """Return what removes a container with all that belongs to it; its image stays in the store."""
    if not observed.exists:
        return NOTHING_TO_DO
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
    return Plan(tuple(actions), _diff(observed, {"state": "absent"}, written={}, removed=tuple(files)))


def describe_state(observed: Observed) -> dict[str, Any]:
    """Return the short form of a container that a diff shows."""
    unit, active = observed.own_unit, observed.active
    if not observed.exists:
        return {"state": "absent"}
    if active is None:
        return {"state": "running" if unit.running else "broken"}
    link = observed.paths.slot(observed.link_slot) if observed.link_slot is not None else None
    return _summary(active, link=link, reload=unit.need_daemon_reload, enabled=unit.enabled, running=unit.running)


def text_diff(*, header: str, before: str, after: str) -> dict[str, str]:
    """Return one entry of Ansible's diff."""
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def state_diff(before: dict[str, Any], after: dict[str, Any], *, header: str) -> tuple[dict[str, str], ...]:
    """Return the diff of two summaries, none when they are equal."""
    if before == after:
        return ()
    return (text_diff(header=header, before=_pretty(before), after=_pretty(after)),)


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
    up = unit.active in ("active", "reloading", "refreshing")
    return unit.running and again, again or not up


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


def _changes_units(removed: tuple[str, ...], written: tuple[GeneratedFile, ...]) -> bool:
    return any(_is_unit_file(path) for path in (*removed, *(file.path for file in written)))


def _bytes(file: GeneratedFile) -> bytes:
    return file.content.encode("utf-8", "surrogateescape")


def _summary(deployment: Deployment, *, link: str | None, reload: bool, enabled: bool, running: bool) -> dict[str, Any]:
    values = deployment.inputs.values if deployment.inputs else {}
    return {
        "state": ("running" if running else "stopped") if deployment.has_service else "present",
        "enabled": enabled,
        "image": deployment.image,
        "manifest_digest": deployment.manifest_digest,
        "deployment": deployment.id,
        "link": link,
        "needs_daemon_reload": reload,
        "values": dict(values),
    }


def _diff(
    observed: Observed, after: dict[str, Any], *, written: Mapping[GeneratedFile, str], removed: tuple[str, ...]
) -> tuple[dict[str, str], ...]:
    """Return the diff: the summary, then each file that is written (with its text before) or removed."""
    entries = list(state_diff(describe_state(observed), after, header=f"system container {observed.paths.name}"))
    for file, before in written.items():
        new = _with_mode(file.content, file.mode)
        if before != new:
            entries.append(text_diff(header=file.path, before=before, after=new))
    entries += [text_diff(header=path, before=_shown(observed.files.get(path)), after="") for path in removed]
    return tuple(entries)


def _switched_files(
    observed: Observed, target: Deployment, *, damaged: tuple[GeneratedFile, ...]
) -> dict[GeneratedFile, str]:
    """Return the files by which a deployment differs from the one in use, each with its text before.

    These are its config.json and the files outside of the slots. ``damaged`` ones are left to be shown as they are.
    """
    active = observed.active
    compared = {f"{target.directory}/config.json": f"{active.directory}/config.json" if active else ""}
    return {
        file: _shown(observed.files.get(compared.get(file.path, file.path)))
        for file in target.files
        if file not in damaged and (file.path in compared or not _in_slot(file.path, observed))
    }


def _shown(found: FileState | None) -> str:
    """Return a file as a diff shows it."""
    if found is None:
        return ""
    text = found.content.decode("utf-8", "replace")
    return f"link to {text}\n" if found.is_link else _with_mode(text, found.mode)


def _with_mode(text: str, mode: int) -> str:
    return f"mode: {mode:04o}\n{text}"


def _pretty(summary: dict[str, Any]) -> str:
    return json.dumps(summary, indent=2, sort_keys=True) + "\n"
