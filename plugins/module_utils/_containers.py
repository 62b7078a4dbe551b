# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge one container: look, decide, apply; and go back when a new deployment does not become ready."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _apply, _host_file_io
from ._actions import EndChange, ForgetFailure
from ._choice import Choice, Wanted, choose
from ._container_name import check_container_name
from ._container_plan import Desired, plan_container, plan_unrendered
from ._deployment import Deployment, UnitOptions
from ._deployments import container_names
from ._describe import describe_container
from ._drift import with_damage
from ._errors import InvalidInputError, ServiceError, SystemContainerError, message_of
from ._host_file_plan import observed_paths, shared_paths
from ._image_request import image_request
from ._io import LOCK_TIMEOUT, locked
from ._models import Observed, Readiness
from ._mounts import parse_mounts
from ._observe import observe_containers
from ._obstacles import check_conflicts, refuse_obstacles
from ._ostree import writer
from ._plan import NOTHING_TO_DO, Plan, shown
from ._plan_absent import plan_absent
from ._secrets import hide
from ._store import Store
from ._stored_image import layer_commits
from ._systemd_unit import check_unit_options
from ._values import check_user_values

_MAX_KEEP = 100
_DAY = 86400.0
_LOCK_FOLDER = "/run/system-containers"


@dataclass(frozen=True)
class ContainerRequest:
    """What a task asks of a container; ``rollback`` tells whether to go back when it does not become ready."""

    name: str
    desired: Desired
    wanted: Wanted
    readiness: Readiness
    rollback: bool


@dataclass(frozen=True)
class ContainerOutcome:
    """The plan for the container, the one for its image, and the container afterwards (in check mode: as it is)."""

    plan: Plan
    observed: Observed
    image_plan: Plan = NOTHING_TO_DO
    artifacts_known: bool = True
    warnings: tuple[str, ...] = ()
    damage: Sequence[Mapping[str, Any]] | None = None

    def results(self) -> dict[str, Any]:
        """Return the module's result, the image's part first."""
        plans = (self.image_plan, self.plan)
        results: dict[str, Any] = {
            "changed": any(plan.changed for plan in plans),
            "actions": shown(action for plan in plans for action in plan.actions),
            "diff": [entry for plan in plans for entry in plan.diff],
            "artifacts_known": self.artifacts_known,
            "interrupted": self.observed.journal.operation if self.observed.journal else None,
        }
        if self.damage is not None:
            results["damage"] = list(self.damage)
        edited = sorted({path for plan in plans for path in plan.edited})
        results["edited_files"] = edited
        results["warnings"] = [
            *self.warnings,
            *(f"The host file '{path}' was edited: it stays as it is" for path in edited),
        ]
        if self.observed.exists:
            results["container"] = describe_container(self.observed)
        return results


def container_request(params: Mapping[str, Any]) -> ContainerRequest:
    """Return what the options of a task mean; raises ``InvalidInputError`` for what cannot be accepted."""
    delay, timeout = params["ready_delay"], params["ready_timeout"]
    if not 0 <= delay < timeout < _DAY:
        raise InvalidInputError(
            f"ready_delay ({delay:g}) and ready_timeout ({timeout:g}) are seconds: the delay has to be less than the time-out"
        )
    keep, options = params["keep"], check_unit_options(params["unit_options"] or {})
    if not 2 <= keep <= _MAX_KEEP:
        raise InvalidInputError(
            f"keep: {keep} is not between 2 and {_MAX_KEEP}: an update needs the deployment before it, to go back to"
        )
    return ContainerRequest(
        name=check_container_name(params["name"]),
        desired=Desired(
            params["state"],
            params["enabled"],
            keep=keep,
            force_host_files=params["force_host_files"],
        ),
        wanted=_wanted(params, keep=keep, options=options),
        readiness=Readiness(delay=delay, timeout=timeout, health_cmd=tuple(params["health_cmd"] or ())),
        rollback=params["rollback_on_failure"],
    )


def _wanted(params: Mapping[str, Any], *, keep: int, options: UnitOptions) -> Wanted:
    values = check_user_values(params["values"] or {})
    secrets = check_user_values(params["secret_values"] or {}, option="secret_values")
    return Wanted(
        image=image_request(params["image"], params) if params["image"] is not None else None,
        image_name=params["image"] or "",
        values={name: value for name, value in values.items() if name not in secrets},
        secrets=secrets,
        mounts=parse_mounts(params["mounts"] or ()),
        runtime=params["runtime"],
        pull=params["pull"],
        keep=keep,
        unit_options=options,
        deployment=params["deployment"],
        verify=params["verify"],
    )


def converge_container(store: Store, request: ContainerRequest, *, check_mode: bool) -> ContainerOutcome:
    """Bring the container to what is asked; in check mode only say what would be done. No error repeats a secret."""
    try:
        return _converge(store, request, check_mode=check_mode)
    except SystemContainerError as exc:
        message = hide(str(exc), list(request.wanted.secrets.values()))
        if message == str(exc):
            raise
        raise SystemContainerError(message) from exc


def _converge(store: Store, request: ContainerRequest, *, check_mode: bool) -> ContainerOutcome:
    with _lock(request.name, check_mode=check_mode):
        observed = _look(store, request.name)
        refuse_obstacles(observed)
        if not observed.exists:
            check_conflicts(observed)
        choice = choose(store, request.wanted, observed, check_mode=check_mode)
        image_plan = choice.image.plan if choice.image else NOTHING_TO_DO
        observed = with_damage(observed, choice.verified)
        damage = choice.damage if request.wanted.verify else None
        if choice.target is None:
            plan = plan_unrendered(request.desired, observed, image=request.wanted.image_name, inputs=choice.inputs)
            return ContainerOutcome(
                plan, observed, image_plan, artifacts_known=False, warnings=choice.warnings, damage=damage
            )
        observed = _with_host_files(store, observed, choice.target)
        plan = plan_container(request.desired, observed, choice.target, texts=choice.texts)
        if plan.actions and not check_mode:
            _apply_or_go_back(plan, observed, request, choice, store)
            observed = _host_file_io.with_host_files(_look(store, request.name))
        return ContainerOutcome(plan, observed, image_plan, warnings=choice.warnings, damage=damage)


def remove_container(store: Store, name: str, *, check_mode: bool) -> ContainerOutcome:
    """Remove the container with all that belongs to it; in check mode only say what would be done."""
    check_container_name(name)
    with _lock(name, check_mode=check_mode):
        observed = _with_host_files(store, _look(store, name))
        plan = plan_absent(observed)
        if plan.actions and not check_mode:
            _apply.apply(plan.actions, _apply.Context(_recorded_runtime(observed), writer(store.repository)))
            observed = _look(store, name)
        return ContainerOutcome(plan, observed)


def _lock(name: str, *, check_mode: bool) -> contextlib.AbstractContextManager[None]:
    """Return the lock on a container; check mode writes nothing, so it takes none."""
    return contextlib.nullcontext() if check_mode else container_lock(name)


def container_lock(name: str, *, timeout: float = LOCK_TIMEOUT) -> contextlib.AbstractContextManager[None]:
    """Return the lock of whoever changes a container; ``LockedError`` after ``timeout`` seconds."""
    return locked(f"{_LOCK_FOLDER}/{name}.lock", what=f"the system container '{name}'", timeout=timeout)


def _look(store: Store, name: str) -> Observed:
    return observe_containers(store.root, [name])[name]


def _with_host_files(store: Store, observed: Observed, target: Deployment | None = None) -> Observed:
    """Look at the places of all host files, also those of a new deployment."""
    deployments = [*observed.deployments, *([target] if target is not None else [])]
    paths = observed_paths(deployments)
    if not paths:
        return observed
    others = [name for name in container_names(store.root) if name != observed.paths.name]
    active = [item.active for item in observe_containers(store.root, others).values()]
    return dataclasses.replace(
        observed,
        host_files=_host_file_io.observe(paths),
        shared=shared_paths(item for item in active if item is not None),
        host_leftovers=_host_file_io.leftovers(paths),
    )


def _apply_or_go_back(plan: Plan, observed: Observed, request: ContainerRequest, choice: Choice, store: Store) -> None:
    """Apply the plan. When that fails, bring back what was there before, running or not, and raise the failure."""
    target, context = choice.target, _context(store, request, choice)
    if target is None:
        return
    try:
        _apply.apply(plan.actions, context)
    except (SystemContainerError, OSError) as failure:
        now = _with_host_files(store, _look(store, target.name), target)
        back = _plan_back(observed, now, target, keep=request.desired.keep) if request.rollback else None
        if back is None:
            if isinstance(failure, ServiceError):  # all was in place but for the service
                _apply.apply([EndChange(observed.paths.journal)], context)
            raise
        readiness = dataclasses.replace(request.readiness, health_cmd=())
        try:
            # The command for the new deployment's health may be none for the old one.
            _apply.apply(back.actions, dataclasses.replace(context, readiness=readiness))
        except (SystemContainerError, OSError) as second:
            raise ServiceError(
                f"{message_of(failure)}\nGoing back to what '{target.name}' was before failed too: {message_of(second)}"
            ) from failure
        old = observed.active
        state = "was removed again, as it was not there before"
        if old is not None:
            place = f"deployment {old.id}" if old.id else "what Atomic installed"
            state = f"is back on {place} ({'started' if observed.was_running else 'stopped'})"
            if old.slot in observed.damaged:
                state += f", whose root file system is damaged: '{old.directory}/rootfs'"
        raise ServiceError(f"{message_of(failure)}\n'{target.name}' {state}") from failure


def _plan_back(observed: Observed, now: Observed, target: Deployment, *, keep: int) -> Plan | None:
    """Return what brings back the container as observed before; None when there is nothing to go back to."""
    if not observed.exists:
        return plan_absent(now) if now.exists else None
    old, running = observed.active, observed.was_running
    if old is None or not old.files or (old.slot == target.slot and old.unit_options == target.unit_options):
        return None
    untouched = now.active_slot == old.slot and now.link_slot == old.slot and now.own_unit.running == running
    if untouched and old.slot != target.slot:
        return None
    desired = Desired("started" if running else "stopped", observed.own_unit.enabled, keep=keep)
    back = plan_container(desired, now, old)
    if now.own_unit.active != "failed" or (running and old.has_service):
        return back
    return Plan((*back.actions, ForgetFailure(now.paths.unit_name)), back.diff)


def _context(store: Store, request: ContainerRequest, choice: Choice) -> _apply.Context:
    target = choice.target
    stored = choice.image.stored if choice.image else None
    return _apply.Context(
        runtime=target.inputs.runtime if target is not None and target.inputs else "runc",
        repository=writer(store.repository),
        layers=layer_commits(store.repository, stored.manifest) if stored else (),
        readiness=request.readiness,
    )


def _recorded_runtime(observed: Observed) -> str:
    """Return the runtime that a container was made with; the usual one when no record tells."""
    for deployment in observed.deployments:
        if deployment.inputs is not None:
            return deployment.inputs.runtime
    return "runc"
