# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge one container: look, decide, apply; and go back when a new deployment does not become ready."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _apply
from ._actions import ForgetFailure
from ._describe import describe_container
from ._errors import InvalidInputError, ServiceError, SystemContainerError, message_of
from ._image_files import ImageTree, missing_source, read_image_files
from ._image_request import ImageRequest, image_request
from ._images import ImageOutcome, converge_image, stored_outcome
from ._io import LOCK_TIMEOUT, locked
from ._models import Deployment, Inputs, Observed, Value
from ._observe import is_missing, observe_containers, observe_host
from ._oci_image import StoredImage
from ._plan import (
    NOTHING_TO_DO,
    Desired,
    Plan,
    check_conflicts,
    choose_deployment,
    choose_slot,
    plan_absent,
    plan_container,
    plan_unrendered,
    refuse_obstacles,
)
from ._render import ImageIdentity, Target, render
from ._runtime import find_runtime
from ._store import Store
from ._stored_image import layer_commits, read_config
from ._systemd_unit import check_container_name
from ._tmpfiles import MissingSource, created_paths
from ._values import check_user_values

_DAY = 86400.0
_LOCK_FOLDER = "/run/system-containers"


@dataclass(frozen=True)
class ContainerRequest:
    """What a task asks of a container; ``pull`` is ``missing``, ``always`` or ``never``, the delays are in seconds."""

    name: str
    desired: Desired
    image: ImageRequest
    image_name: str
    values: Mapping[str, Value]
    pull: str
    ready_delay: float
    ready_timeout: float


@dataclass(frozen=True)
class ContainerOutcome:
    """The plan for the container, the one for its image, and the container afterwards (in check mode: as it is)."""

    plan: Plan
    observed: Observed
    image_plan: Plan = NOTHING_TO_DO
    artifacts_known: bool = True

    def results(self) -> dict[str, Any]:
        """Return the module's result, the image's part first."""
        plans = (self.image_plan, self.plan)
        results: dict[str, Any] = {
            "changed": any(plan.changed for plan in plans),
            "actions": [str(action) for plan in plans for action in plan.actions],
            "diff": [entry for plan in plans for entry in plan.diff],
            "artifacts_known": self.artifacts_known,
        }
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
    return ContainerRequest(
        name=check_container_name(params["name"]),
        desired=Desired(state=params["state"], enabled=params["enabled"]),
        image=image_request(params["image"], params),
        image_name=params["image"],
        values=check_user_values(params["values"] or {}),
        pull=params["pull"],
        ready_delay=delay,
        ready_timeout=timeout,
    )


def converge_container(store: Store, request: ContainerRequest, *, check_mode: bool) -> ContainerOutcome:
    """Bring the container to what is asked; in check mode only say what would be done."""
    with _lock(request.name, check_mode=check_mode):
        observed = _look(store, request.name)
        refuse_obstacles(observed)
        if not observed.exists:
            check_conflicts(observed)
        runtime = find_runtime()
        image = _image(store, request, check_mode=check_mode)
        inputs = Inputs(manifest_digest=image.manifest_digest, values=request.values, runtime=runtime)
        target = choose_deployment(observed, inputs)
        if target is None:
            if image.stored is None:
                plan = plan_unrendered(request.desired, observed, image=request.image_name, inputs=inputs)
                return ContainerOutcome(plan, observed, image.plan, artifacts_known=False)
            target = _render(store, request, observed, stored=image.stored, inputs=inputs)
        plan = plan_container(request.desired, observed, target)
        if plan.actions and not check_mode:
            context = _context(store, request, runtime, image.stored)
            _apply_or_go_back(plan, observed, target, context, store)
            observed = _look(store, request.name)
        return ContainerOutcome(plan, observed, image.plan)


def remove_container(store: Store, name: str, *, check_mode: bool) -> ContainerOutcome:
    """Remove the container with all that belongs to it; in check mode only say what would be done."""
    check_container_name(name)
    with _lock(name, check_mode=check_mode):
        observed = _look(store, name)
        plan = plan_absent(observed)
        if plan.actions and not check_mode:
            _apply.apply(plan.actions, _apply.Context(_recorded_runtime(observed), store.repository))
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


def _image(store: Store, request: ContainerRequest, *, check_mode: bool) -> ImageOutcome:
    if request.pull == "never":
        return stored_outcome(store.repository, request.image.name)
    return converge_image(store.repository, request.image, refresh=request.pull == "always", check_mode=check_mode)


def _render(
    store: Store, request: ContainerRequest, observed: Observed, *, stored: StoredImage, inputs: Inputs
) -> Deployment:
    """Render the deployment that the inputs make of a stored image, in the slot that comes next."""
    tree = ImageTree(store.repository, layer_commits(store.repository, stored.manifest))
    active = observed.active
    slot = choose_slot(observed)
    identity = ImageIdentity(
        name=request.image_name,
        image_id=stored.docker_digest.partition(":")[2],
        commit=stored.commit,
        index_digest=stored.index_digest,
        config=read_config(store.repository, stored),
    )
    recorded = active.values.get("UUID") if active and "UUID" not in active.user_values else None
    listed = _generated_paths(active)

    def find_missing(binds: Sequence[tuple[str, str]]) -> list[MissingSource]:
        # What an earlier deployment's lines made exists by now, and is still needed after a boot.
        return [
            missing_source(tree, source=source, destination=destination)
            for source, destination in binds
            if source in listed or is_missing(source)
        ]

    return render(
        image=identity,
        files=read_image_files(tree),
        inputs=inputs,
        target=Target(paths=observed.paths, slot=slot, recorded_uuid=recorded, created=int(time.time())),
        facts=observe_host(inputs.runtime),
        find_missing=find_missing,
    )


def _apply_or_go_back(
    plan: Plan, observed: Observed, target: Deployment, context: _apply.Context, store: Store
) -> None:
    """Apply the plan. When that fails, bring back what was there before, running or not, and raise the failure."""
    try:
        _apply.apply(plan.actions, context)
    except (SystemContainerError, OSError) as failure:
        back = _plan_back(observed, _look(store, target.name), target)
        if back is None:
            raise
        try:
            _apply.apply(back.actions, context)
        except (SystemContainerError, OSError) as second:
            raise ServiceError(
                f"{message_of(failure)}\nGoing back to what '{target.name}' was before failed too: {message_of(second)}"
            ) from failure
        old = observed.active
        state = "was removed again, as it was not there before"
        if old is not None:
            state = f"is back on deployment {old.id} ({'started' if observed.own_unit.running else 'stopped'})"
        raise ServiceError(f"{message_of(failure)}\n'{target.name}' {state}") from failure


def _plan_back(observed: Observed, now: Observed, target: Deployment) -> Plan | None:
    """Return what brings back the container as observed before; None when there is nothing to go back to."""
    if not observed.exists:
        return plan_absent(now)
    old, running = observed.active, observed.own_unit.running
    if old is None or not old.files or old.slot == target.slot:
        return None
    if now.active_slot == old.slot and now.link_slot == old.slot and now.own_unit.running == running:
        return None
    back = plan_container(Desired("started" if running else "stopped", observed.own_unit.enabled), now, old)
    if running or not old.has_service:
        return back
    return Plan((*back.actions, ForgetFailure(now.paths.unit_name)), back.diff)


def _context(store: Store, request: ContainerRequest, runtime: str, stored: StoredImage | None) -> _apply.Context:
    return _apply.Context(
        runtime=runtime,
        repository=store.repository,
        layers=layer_commits(store.repository, stored.manifest) if stored else (),
        ready_delay=request.ready_delay,
        ready_timeout=request.ready_timeout,
    )


def _recorded_runtime(observed: Observed) -> str:
    """Return the runtime that a container was made with; the usual one when no record tells."""
    for deployment in observed.deployments:
        if deployment.inputs is not None:
            return deployment.inputs.runtime
    return "runc"


def _generated_paths(deployment: Deployment | None) -> set[str]:
    if deployment is None:
        return set()
    suffix = f"/tmpfiles-{deployment.name}.conf"
    return {path for file in deployment.files if file.path.endswith(suffix) for path in created_paths(file.content)}
