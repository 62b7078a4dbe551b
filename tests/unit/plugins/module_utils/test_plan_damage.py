# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of deployments whose root file system was found damaged."""

from __future__ import annotations

import dataclasses

import pytest
from unit.plugins.module_utils.builders import CREATED, ROOT, deployment, inputs, installed, strings

from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    choose_deployment,
    choose_slot,
    plan_container,
    plan_unrendered,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Observed

IN_USE = inputs()
ACTIVE = deployment(slot=0)
TWIN = deployment(slot=1, created=CREATED + 9)
KEPT = deployment(slot=1, made_from=inputs({"RECEIVER": "Before"}), created=CREATED - 9)
OLDER = deployment(slot=2, made_from=inputs({"RECEIVER": "Long before"}), created=CREATED - 99)


def damaged(observed: Observed, *slots: int) -> Observed:
    return dataclasses.replace(observed, damaged=frozenset(slots))


def actions(observed: Observed, target: Deployment, *, state: str = "started", keep: int = 2) -> list[str]:
    return strings(plan_container(Desired(state, enabled=True, keep=keep), observed, target).actions)


def removed(done: list[str]) -> list[str]:
    return [action for action in done if action.startswith("remove directory")]


def test_the_active_one_is_replaced_and_removed_last() -> None:
    done = actions(damaged(installed(ACTIVE), 0), TWIN)
    assert done[0] == f"check out deployment {ROOT}/app.1"
    assert (
        done.index("stop app.service")
        < done.index(f"switch {ROOT}/app to {ROOT}/app.1")
        < done.index("start app.service")
    )
    assert done[done.index("start app.service") + 1 :] == [f"remove directory {ROOT}/app.0"]


def test_a_kept_one_is_removed_and_nothing_else_happens() -> None:
    assert actions(damaged(installed(ACTIVE, KEPT), 1), ACTIVE) == [f"remove directory {ROOT}/app.1"]
    assert actions(installed(ACTIVE, KEPT), ACTIVE) == []


def test_a_kept_one_makes_room() -> None:
    assert removed(actions(damaged(installed(ACTIVE, KEPT), 0, 1), TWIN)) == [f"remove directory {ROOT}/app.0"]


def test_damaged_ones_are_not_among_those_to_keep() -> None:
    """With three kept, the one in use damaged: the new one and both others stay."""
    fresh = deployment(slot=3, created=CREATED + 9)
    observed = damaged(installed(ACTIVE, KEPT, OLDER), 0)
    assert removed(actions(observed, fresh, keep=3)) == [f"remove directory {ROOT}/app.0"]
    assert removed(actions(observed, fresh, keep=2)) == [f"remove directory {ROOT}/app.{slot}" for slot in (0, 2)]


@pytest.mark.parametrize(
    ("observed", "chosen"),
    [
        (installed(ACTIVE), ACTIVE),
        (damaged(installed(ACTIVE), 0), None),
        (damaged(installed(ACTIVE, TWIN), 0), TWIN),
        (damaged(installed(ACTIVE, TWIN), 0, 1), None),
        (damaged(installed(ACTIVE, KEPT), 1), ACTIVE),
    ],
)
def test_none_of_them_is_chosen(observed: Observed, chosen: Deployment | None) -> None:
    assert choose_deployment(observed, IN_USE) == chosen


@pytest.mark.parametrize(
    ("observed", "slot"),
    [
        (damaged(installed(ACTIVE), 0), 1),
        (damaged(installed(ACTIVE, KEPT), 0), 2),
        (damaged(installed(ACTIVE, KEPT, OLDER), 1), 1),
        (installed(ACTIVE, KEPT, OLDER), 2),
    ],
)
def test_slot_of_a_new_deployment(observed: Observed, slot: int) -> None:
    """That of the one in use is never free; a damaged one goes before the oldest."""
    assert choose_slot(observed, keep=3) == slot


def test_going_back_to_a_damaged_one() -> None:
    """What was not looked at again counts as whole: better a damaged service than none."""
    now = installed(TWIN, ACTIVE)
    assert f"switch {ROOT}/app to {ROOT}/app.0" in actions(now, ACTIVE)


def test_an_image_that_has_to_be_mended_first() -> None:
    """Check mode has nothing to render then, and says the rest."""
    observed = damaged(installed(ACTIVE, KEPT), 0)
    plan = plan_unrendered(Desired("started", enabled=True), observed, image="localhost/app:latest", inputs=IN_USE)
    assert strings(plan.actions) == [
        f"check out deployment {ROOT}/app.1",
        "stop app.service",
        f"switch {ROOT}/app to {ROOT}/app.1",
        "start app.service",
        f"remove directory {ROOT}/app.0",
    ]
