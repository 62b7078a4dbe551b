# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply the plan for a container; when that fails, bring back what was there before."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from . import _apply
from ._actions import EndChange, ForgetFailure
from ._container_plan import Desired, plan_container
from ._deployment import Deployment
from ._errors import ServiceError, SystemContainerError, message_of
from ._models import Observed
from ._observe import observe_container, observe_host_files
from ._ostree import writer
from ._plan import Plan
from ._plan_absent import plan_absent
from ._store import Store
from ._stored_image import layer_commits

if TYPE_CHECKING:
    from ._choice import Choice
    from ._containers import ContainerRequest


def apply_or_go_back(plan: Plan, observed: Observed, request: ContainerRequest, choice: Choice, store: Store) -> None:
    """Apply the plan. When that fails, bring back what was there before, running or not, and raise the failure."""
    target, context = choice.target, _context(store, request, choice)
    if target is None:
        return
    try:
        _apply.apply(plan.actions, context)
    except (SystemContainerError, OSError) as failure:
        now = observe_host_files(observe_container(store.root, target.name), target)
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


def apply_removal(plan: Plan, observed: Observed, store: Store) -> None:
    """Apply the plan that removes a container."""
    _apply.apply(plan.actions, _apply.Context(_recorded_runtime(observed), writer(store.repository)))


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
    if old.inputs is None and old.host_files:
        from ._atomic_host_files import restorable
        from ._host_file_io import read_origin

        whole = restorable(
            old,
            observed.host_files,
            now.host_files,
            read=partial(read_origin, directory=old.directory),
            links=observed.system_links,
        )
        now = dataclasses.replace(now, deployments=tuple(whole if item == old else item for item in now.deployments))
        old = whole
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
