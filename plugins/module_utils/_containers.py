# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge one container: look, decide, apply. What is needed only for a change is imported for it alone."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from ._choice import Wanted, choose
from ._container_name import check_container_name
from ._container_plan import Desired, plan_container, plan_unrendered
from ._deployment import Mount, UnitOptions
from ._describe import describe_container
from ._drift import with_damage
from ._errors import InvalidInputError, SystemContainerError
from ._image_request import image_request
from ._io import LOCK_FOLDER, LOCK_TIMEOUT, locked
from ._models import Observed, Readiness
from ._observe import observe_active_host_files, observe_container, observe_host_files
from ._obstacles import check_conflicts, check_tmpfiles, refuse_obstacles
from ._plan import NOTHING_TO_DO, Plan, shown
from ._record import dataclass
from ._secrets import hide
from ._store import Store
from ._systemd_unit import check_unit_options
from ._user_values import check_user_values

_MAX_KEEP = 100
_DAY = 86400.0


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
            override_unit=params["override_unit"],
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
        mounts=_mounts(params["mounts"] or ()),
        runtime=params["runtime"],
        pull=params["pull"],
        keep=keep,
        unit_options=options,
        deployment=params["deployment"],
        verify=params["verify"],
    )


def _mounts(entries: Sequence[Mapping[str, Any]]) -> tuple[Mount, ...]:
    if not entries:
        return ()
    from ._mounts import parse_mounts

    return parse_mounts(entries)


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
        observed = observe_container(store.root, request.name)
        refuse_obstacles(observed)
        if not observed.exists:
            check_conflicts(observed, override_unit=request.desired.override_unit)
            check_tmpfiles(observed)
        choice = choose(store, request.wanted, observed, check_mode=check_mode)
        image_plan = choice.image.plan if choice.image else NOTHING_TO_DO
        observed = with_damage(observed, choice.verified)
        damage = choice.damage if request.wanted.verify else None
        if choice.target is None:
            plan = plan_unrendered(request.desired, observed, image=request.wanted.image_name, inputs=choice.inputs)
            return ContainerOutcome(
                plan, observed, image_plan, artifacts_known=False, warnings=choice.warnings, damage=damage
            )
        observed = observe_host_files(observed, choice.target)
        plan = plan_container(request.desired, observed, choice.target, texts=choice.texts)
        if plan.actions and not check_mode:
            from ._apply_change import apply_or_go_back

            apply_or_go_back(plan, observed, request, choice, store)
            observed = observe_active_host_files(observe_container(store.root, request.name))
        return ContainerOutcome(plan, observed, image_plan, warnings=choice.warnings, damage=damage)


def remove_container(store: Store, name: str, *, check_mode: bool) -> ContainerOutcome:
    """Remove the container with all that belongs to it; in check mode only say what would be done."""
    from ._plan_absent import plan_absent

    check_container_name(name)
    with _lock(name, check_mode=check_mode):
        observed = observe_host_files(observe_container(store.root, name))
        plan = plan_absent(observed)
        if plan.actions and not check_mode:
            from ._apply_change import apply_removal

            apply_removal(plan, observed, store)
            observed = observe_container(store.root, name)
        return ContainerOutcome(plan, observed)


def _lock(name: str, *, check_mode: bool) -> contextlib.AbstractContextManager[None]:
    """Return the lock on a container; check mode writes nothing, so it takes none."""
    return contextlib.nullcontext() if check_mode else container_lock(name)


def container_lock(name: str, *, timeout: float = LOCK_TIMEOUT) -> contextlib.AbstractContextManager[None]:
    """Return the lock of whoever changes a container; ``LockedError`` after ``timeout`` seconds."""
    return locked(f"{LOCK_FOLDER}/{name}.lock", what=f"the system container '{name}'", timeout=timeout)
