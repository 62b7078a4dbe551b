# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prune the store: look, decide, remove what is not needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from . import _actions as actions
from . import _image_actions as image_actions
from . import _io
from ._containers import container_lock
from ._errors import InvalidInputError, LockedError, StoreError
from ._ostree import Repository, writer
from ._plan import Plan
from ._prune_observe import (
    TRANSACTION,
    killed_transaction,
    names_below,
    observe_checkouts,
    observe_repository,
    reclaimable,
    unreachable_objects,
)
from ._prune_plan import ContainersSeen, Doomed, choose, plan_prune, with_objects, without_repository
from ._record import dataclass
from ._store import Store


@dataclass(frozen=True)
class PruneOutcome:
    """What is removed, the plan by which, and how many bytes that frees."""

    doomed: Doomed
    plan: Plan
    size: int

    def results(self) -> dict[str, Any]:
        """Return the module's result, without the warnings."""
        return {**self.plan.results(), "removed": self.doomed.describe(), "bytes_reclaimed": self.size}


def prune_store(store: Store, *, keep: int | None, check_mode: bool) -> PruneOutcome:
    """Remove from the store what nothing needs; in check mode, which takes no lock, only say what.

    ``keep`` is how many deployments each container keeps (None: all). ``LockedError`` when a pull goes on for too long.
    """
    if keep is not None and keep < 1:
        raise InvalidInputError(f"keep: {keep} is less than 1, which is the deployment in use")
    repository = writer(store.repository)
    with contextlib.ExitStack() as locks:
        # In this order: who changes a container waits for the repository with the container's lock in hand.
        if repository.exists() and not check_mode:
            locks.enter_context(repository.lock())
        names = names_below(store.root)
        with contextlib.ExitStack() as container_locks:
            busy = [] if check_mode else _lock_containers(names, container_locks)
            doomed = _decide(repository, observe_checkouts(store.root, names=names, busy=busy), keep=keep)
            size = reclaimable(repository, objects=doomed.objects, folders=doomed.folders)
            plan = plan_prune(doomed, header=f"store {store.root}, {repository.path}", size=size)
            if not check_mode:
                _apply([action for action in plan.actions if _is_folder(action)], repository)
        if not check_mode:
            _apply([action for action in plan.actions if not _is_folder(action)], repository)
    return PruneOutcome(doomed, plan, size)


def _lock_containers(names: Sequence[str], locks: contextlib.ExitStack) -> list[str]:
    """Lock the containers without waiting; return those that another run holds."""
    busy = []
    for name in names:
        try:
            locks.enter_context(container_lock(name, timeout=0))
        except LockedError:
            busy.append(name)
    return busy


def _decide(repository: Repository, containers: ContainersSeen, *, keep: int | None) -> Doomed:
    interrupted = [seen for seen in containers.containers.values() if seen.journal is not None]
    protected = {seen.paths.slot(slot) for seen in interrupted if seen.journal for slot in seen.journal.slots}
    doomed = choose(observe_repository(repository), containers, keep=keep, protected=frozenset(protected))
    if not repository.exists():
        return doomed
    try:
        return with_objects(doomed, unreachable_objects(repository, gone=doomed.commits))
    except StoreError as exc:
        return without_repository(doomed, str(exc))


def _is_folder(action: object) -> bool:
    return isinstance(action, (actions.RemoveDirectory, actions.RemoveLeftover))


def _apply(plan: Sequence[object], repository: Repository) -> None:
    for action in plan:
        _HANDLERS[type(action)](action, repository)


def _remove_leftover(action: actions.RemoveLeftover, repository: Repository) -> None:
    """Remove a leftover; one of ostree's only under ostree's lock, as another program may use it by now."""
    if not os.path.basename(action.path).startswith(TRANSACTION):
        _io.remove_tree(action.path)
        return
    with killed_transaction(action.path) as killed:
        if killed:
            _io.remove_tree(action.path)
            _io.remove_file(f"{action.path}-lock")


_HANDLERS: Mapping[type, Callable[[Any, Repository], None]] = {
    actions.RemoveDirectory: lambda action, repository: _io.remove_tree(action.path),
    actions.RemoveLeftover: _remove_leftover,
    image_actions.RemoveBlob: lambda action, repository: repository.delete_ref(action.ref),
    image_actions.PruneObjects: lambda action, repository: repository.prune(action.commits),
}
