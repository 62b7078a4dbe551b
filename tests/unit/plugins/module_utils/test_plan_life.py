# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans over a container's life: options of the unit, kept deployments, interrupted changes, what Atomic left."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest
from unit.plugins.module_utils.builders import (
    CREATED,
    OTHER_DIGEST,
    ROOT,
    UNIT_WITHOUT_INSTALL,
    deployment,
    edited,
    image_files,
    inputs,
    installed,
    nothing,
    strings,
    unit_state,
    with_file,
)
from unit.plugins.module_utils.host_model import apply

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _actions as actions
from ansible_collections.projectatomic.system_containers.plugins.module_utils._apply_change import _plan_back
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    choose_slot,
    plan_container,
    plan_unrendered,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment, HostFile
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import ExportsManifest
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import render_info
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    HostFileState,
    Journal,
    Observed,
    UnitState,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan_absent import plan_absent
from ansible_collections.projectatomic.system_containers.plugins.module_utils._systemd_unit import check_unit_options

OPTIONS = "/etc/systemd/system/app.service.d/50-unit-options.conf"
DROP_IN = "/etc/systemd/system/app.service.d/10-system-containers.conf"
UNIT, TMPFILES = "/etc/systemd/system/app.service", "/etc/tmpfiles.d/app.conf"
INFO = f"write {ROOT}/app.0/info"
STOP, START, RELOAD = "stop app.service", "start app.service", "reload systemd"
INACTIVE = unit_state(active="inactive")

A = deployment()
LIMITED = dataclasses.replace(A, unit_options={"Service": {"MemoryMax": "1G"}})
OTHERWISE = dataclasses.replace(A, unit_options={"Service": {"MemoryMax": "2G"}, "Unit": {"After": ["a", "b"]}})
TOOL = deployment(files=image_files(manifest=ExportsManifest(no_container_service=True), service_template=None))


def kept(slot: int, receiver: str, *, age: int) -> Deployment:
    return deployment(slot=slot, made_from=inputs({"RECEIVER": receiver}), created=CREATED - age)


def plan(observed: Observed, target: Deployment, state: str = "started", **desired: Any) -> list[str]:
    return strings(plan_container(Desired(state, enabled=True, **desired), observed, target).actions)


# --- options of the unit


@pytest.mark.parametrize(
    ("observed", "target", "started", "present", "stopped"),
    [
        pytest.param(installed(LIMITED), LIMITED, [], [], [STOP], id="as declared"),
        pytest.param(
            installed(A),
            LIMITED,
            [STOP, f"write {OPTIONS}", INFO, RELOAD, START],
            [STOP, f"write {OPTIONS}", INFO, RELOAD, START],
            [STOP, f"write {OPTIONS}", INFO, RELOAD],
            id="new",
        ),
        pytest.param(
            installed(LIMITED, unit=INACTIVE),
            OTHERWISE,
            [f"write {OPTIONS}", INFO, RELOAD, START],
            [f"write {OPTIONS}", INFO, RELOAD],
            [f"write {OPTIONS}", INFO, RELOAD],
            id="other, stopped",
        ),
        pytest.param(
            installed(LIMITED),
            A,
            [STOP, f"remove {OPTIONS}", INFO, RELOAD, START],
            [STOP, f"remove {OPTIONS}", INFO, RELOAD, START],
            [STOP, f"remove {OPTIONS}", INFO, RELOAD],
            id="no longer",
        ),
        pytest.param(
            edited(installed(LIMITED), OPTIONS),
            LIMITED,
            [f"write {OPTIONS}", RELOAD],
            [f"write {OPTIONS}", RELOAD],
            [STOP, f"write {OPTIONS}", RELOAD],
            id="edited",
        ),
        pytest.param(
            with_file(installed(LIMITED), OPTIONS, None),
            LIMITED,
            [f"write {OPTIONS}", RELOAD],
            [f"write {OPTIONS}", RELOAD],
            [STOP, f"write {OPTIONS}", RELOAD],
            id="lost",
        ),
        pytest.param(
            edited(installed(LIMITED), OPTIONS, mode=0o666),
            LIMITED,
            [f"write {OPTIONS}", RELOAD],
            [f"write {OPTIONS}", RELOAD],
            [STOP, f"write {OPTIONS}", RELOAD],
            id="writable",
        ),
    ],
)
def test_unit_options(
    observed: Observed, target: Deployment, started: list[str], present: list[str], stopped: list[str]
) -> None:
    assert plan(observed, target, "started") == started
    assert plan(observed, target, "present") == present
    assert plan(observed, target, "stopped") == stopped


def test_unit_options_make_no_deployment() -> None:
    assert A.id == LIMITED.id == OTHERWISE.id


def test_unit_options_of_what_has_no_service() -> None:
    """They are recorded, and written when a service comes."""
    declared = dataclasses.replace(TOOL, unit_options={"Service": {"MemoryMax": "1G"}})
    assert plan(installed(TOOL), declared) == [INFO]
    assert plan(installed(declared), declared) == []


def test_unit_options_go_with_the_container() -> None:
    assert f"remove {OPTIONS}" in strings(plan_absent(installed(LIMITED)).actions)


# --- kept deployments


@pytest.mark.parametrize(
    ("slots", "active", "keep", "chosen"),
    [
        ([], None, 3, 0),
        ([0], 0, 3, 1),
        ([0, 1], 1, 3, 2),
        ([0, 1, 2], 2, 3, 0),
        ([0, 1, 2], 0, 3, 1),
        ([2, 0, 1], 1, 3, 2),
        ([0, 1, 2], 2, 2, 0),
        ([0, 1, 2], 1, 2, 0),
        ([1, 0, 2], 0, 2, 1),
        ([0], 0, 100, 1),
    ],
)
def test_slots(slots: list[int], active: int | None, keep: int, chosen: int) -> None:
    """``slots`` are those of the deployments, the oldest first."""
    made = [kept(slot, str(slot), age=10 - number) for number, slot in enumerate(slots)]
    observed = (
        nothing()
        if active is None
        else dataclasses.replace(installed(next(item for item in made if item.slot == active)), deployments=tuple(made))
    )
    assert choose_slot(observed, keep=keep) == chosen


OLD = [kept(slot, str(slot), age=slot) for slot in range(1, 5)]


@pytest.mark.parametrize(
    ("count", "keep", "removed"),
    [(1, 2, []), (2, 2, [2]), (2, 3, []), (3, 2, [2, 3]), (4, 3, [3, 4]), (4, 5, []), (4, 100, [])],
)
def test_surplus(count: int, keep: int, removed: list[int]) -> None:
    """The oldest go; those that stay are not touched, nor is the service."""
    expected = [f"remove directory {ROOT}/app.{slot}" for slot in removed]
    assert plan(installed(A, *OLD[:count]), A, keep=keep) == expected


@pytest.mark.parametrize("keep", [2, 3, 4])
def test_an_update_leaves_as_many_as_are_kept(keep: int) -> None:
    observed = installed(A, *OLD[: keep - 1])
    slot = choose_slot(observed, keep=keep)
    target = deployment(slot=slot, made_from=inputs(digest=OTHER_DIGEST), created=CREATED + 1)
    after = apply(observed, plan_container(Desired("started", enabled=True, keep=keep), observed, target).actions)
    assert {item.id for item in after.deployments} == {target.id, A.id, *(item.id for item in OLD[: keep - 2])}


def test_fewer_kept_at_an_update() -> None:
    """The one that is left is never removed, as that is where to go back to."""
    observed = installed(A, *OLD[:2])
    target = deployment(slot=1, made_from=inputs(digest=OTHER_DIGEST), created=CREATED + 1)
    done = plan(observed, target, keep=2)
    assert done[-2:] == [START, f"remove directory {ROOT}/app.2"]


def test_check_mode_without_the_image_chooses_the_same_slot() -> None:
    observed = installed(A, OLD[0])
    done = strings(plan_unrendered(Desired("started", True, keep=3), observed, image="i", inputs=inputs()).actions)
    assert done[0] == f"check out deployment {ROOT}/app.2"


# --- changes that were interrupted

STOPPED_BEFORE, RAN_BEFORE = Journal("update", running=False), Journal("update", running=True)


def interrupted(observed: Observed, journal: Journal) -> Observed:
    return dataclasses.replace(observed, journal=journal)


FINISH = "finish the interrupted update"


@pytest.mark.parametrize(
    ("observed", "journal", "started", "present", "stopped"),
    [
        pytest.param(installed(A), RAN_BEFORE, [FINISH], [FINISH], [STOP], id="all is done"),
        pytest.param(installed(A, unit=INACTIVE), RAN_BEFORE, [START], [START], [FINISH], id="ran before"),
        pytest.param(installed(A, unit=INACTIVE), STOPPED_BEFORE, [START], [FINISH], [FINISH], id="did not run before"),
        pytest.param(installed(TOOL), RAN_BEFORE, [FINISH], [FINISH], [FINISH], id="no service"),
    ],
)
def test_interrupted(
    observed: Observed, journal: Journal, started: list[str], present: list[str], stopped: list[str]
) -> None:
    target = observed.active
    assert target is not None
    observed = interrupted(observed, journal)
    assert plan(observed, target, "started") == started
    assert plan(observed, target, "present") == present
    assert plan(observed, target, "stopped") == stopped


def test_what_ran_before_is_known_until_it_runs_again() -> None:
    """A second interruption, before anything else was done, does not forget it."""
    made = plan_container(Desired("present", True), interrupted(installed(A, unit=INACTIVE), RAN_BEFORE), A)
    (begin,) = [action for action in made.actions if isinstance(action, actions.BeginChange)]
    assert begin.journal.running


def test_a_removal_is_finished() -> None:
    observed = interrupted(nothing(), Journal("remove", running=False))
    kinds = [type(action) for action in plan_absent(observed).actions]
    assert kinds == [actions.BeginChange, actions.RemoveEmptyDirectory, actions.EndChange]
    assert not apply(observed, plan_absent(observed).actions).exists


@pytest.mark.parametrize(
    ("observed", "target", "operation", "slots"),
    [
        (nothing(), A, "install", (0,)),
        (installed(A), dataclasses.replace(kept(1, "x", age=0)), "update", (0, 1)),
        (installed(A, OLD[0]), OLD[0], "update", (0, 1)),
        (edited(installed(A), UNIT), A, "change", (0,)),
        (installed(A, unit=INACTIVE), A, "change", (0,)),
    ],
)
def test_the_record_of_a_change(observed: Observed, target: Deployment, operation: str, slots: tuple[int, ...]) -> None:
    made = plan_container(Desired("started", True), observed, target).actions
    kinds = [type(action) for action in made]
    begin = kinds.index(actions.BeginChange)
    assert set(kinds[:begin]) <= {actions.CheckoutDeployment}, "a checkout is in nobody's way"
    assert kinds[-1] is actions.EndChange
    assert made[begin] == actions.BeginChange(
        f"{ROOT}/.app.journal", Journal(operation, running=observed.own_unit.running, slots=slots)
    )


# --- [Install] in the options of the unit

LINKED = deployment(files=image_files(service_template=UNIT_WITHOUT_INSTALL))
ENABLE, DISABLE = "enable app.service", "disable app.service"


def with_install(wanted_by: object) -> Deployment:
    return dataclasses.replace(LINKED, unit_options=check_unit_options({"Install": {"WantedBy": wanted_by}}))


@pytest.mark.parametrize(
    ("observed", "target", "done"),
    [
        (nothing(), LINKED, []),
        (nothing(), with_install("a.target"), [ENABLE]),
        (installed(with_install("a.target"), unit=unit_state(enabled=False)), with_install("a.target"), [ENABLE]),
        (installed(with_install("a.target")), with_install("a.target"), []),
        (installed(with_install("a.target")), with_install("b.target"), [DISABLE, ENABLE]),
        (installed(with_install("a.target")), with_install(["b.target", "", "a.target"]), []),
        (installed(with_install("a.target")), LINKED, [DISABLE]),
    ],
)
def test_install_in_the_options(observed: Observed, target: Deployment, done: list[str]) -> None:
    assert [line for line in plan(observed, target) if line in (ENABLE, DISABLE)] == done


# --- going back

NEW = deployment(slot=1, made_from=inputs(digest=OTHER_DIGEST), created=CREATED + 1)


def after_failure(observed: Observed, target: Deployment, *, steps: int | None = None, keep: int = 2) -> Observed:
    """Return the host after some steps of an update, or all, with a service that failed then."""
    made = plan_container(Desired("started", True, keep=keep), observed, target).actions
    until = [type(action) for action in made].index(actions.StartUnit) if steps is None else steps
    found = apply(observed, made[: until + (steps is None)])
    if steps is None:
        found = dataclasses.replace(
            found, unit=dataclasses.replace(found.unit, active="failed", sub="failed", pid=None)
        )
    return found


def going_back(before: Observed, failed: Observed, target: Deployment, *, keep: int = 2) -> Observed:
    back = _plan_back(before, failed, target, keep=keep)
    assert back is not None
    return apply(failed, back.actions)


@pytest.mark.parametrize(
    ("before", "target"),
    [
        pytest.param(installed(A), NEW, id="update"),
        pytest.param(installed(A, unit=INACTIVE), NEW, id="update of what did not run"),
        pytest.param(installed(A, unit=unit_state(enabled=False)), NEW, id="update of what was not enabled"),
        pytest.param(installed(A, NEW), NEW, id="to a kept one"),
        pytest.param(installed(LIMITED), NEW, id="without its options"),
        pytest.param(installed(A), OTHERWISE, id="other options alone"),
        pytest.param(installed(LIMITED), OTHERWISE, id="options changed"),
        pytest.param(installed(TOOL), NEW, id="from no service"),
        pytest.param(interrupted(installed(A, unit=INACTIVE), RAN_BEFORE), NEW, id="it ran before an interruption"),
    ],
)
def test_going_back(before: Observed, target: Deployment) -> None:
    after = going_back(before, after_failure(before, target), target)
    assert after.active == before.active
    assert after.link_slot == before.link_slot
    assert after.unit.running is before.was_running
    assert after.unit.active in ("active", "inactive"), "no failure is left behind"
    assert after.own_unit.enabled is before.own_unit.enabled
    assert after.journal is None
    outside = (UNIT, DROP_IN, OPTIONS, TMPFILES)
    contents = [[state and state.content for state in map(item.files.get, outside)] for item in (before, after)]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("steps", range(1, 12))
def test_going_back_from_the_middle(steps: int) -> None:
    before = installed(A)
    failed = after_failure(before, NEW, steps=steps)
    back = _plan_back(before, failed, NEW, keep=2)
    after = failed if back is None else apply(failed, back.actions)
    assert (after.active, after.link_slot, after.unit.running) == (A, 0, True)
    assert plan(dataclasses.replace(after, journal=None), A) == []


def test_going_back_removes_no_kept_deployment() -> None:
    before = installed(A, OLD[0])
    target = dataclasses.replace(deployment(slot=2, made_from=inputs(digest=OTHER_DIGEST), created=CREATED + 1))
    after = going_back(before, after_failure(before, target, keep=3), target, keep=3)
    assert [item.slot for item in after.deployments] == [0, 1, 2]


def test_a_first_install_is_removed() -> None:
    after = going_back(nothing(), after_failure(nothing(), A), A)
    assert not after.exists


def test_nothing_to_go_back_to() -> None:
    assert _plan_back(nothing(), nothing(), A, keep=2) is None, "nothing was done yet"
    failed = after_failure(installed(A, unit=INACTIVE), A)
    assert _plan_back(installed(A, unit=INACTIVE), failed, A, keep=2) is None, "the same deployment"
    before = installed(A)
    assert _plan_back(before, after_failure(before, NEW, steps=1), NEW, keep=2) is None, "only a checkout was made"


# --- with a service and without one

FOREIGN = FileState(b"somebody else's\n", 0o644, mtime=0)
BARE = deployment(files=image_files(manifest=ExportsManifest(no_container_service=True), tmpfiles_template=None))


def test_a_tmpfiles_file_of_somebody_else_is_not_overwritten() -> None:
    observed = with_file(installed(BARE), TMPFILES, FOREIGN)
    assert plan(observed, BARE) == []
    with pytest.raises(InvalidInputError, match=f"'{TMPFILES}' exists and does not belong to a system container"):
        plan(observed, dataclasses.replace(TOOL, slot=1, directory=f"{ROOT}/app.1"))


@pytest.mark.parametrize("path", [UNIT, TMPFILES])
def test_a_file_of_somebody_else_where_only_a_kept_deployment_had_one(path: str) -> None:
    bare = dataclasses.replace(BARE, slot=1, directory=f"{ROOT}/app.1")
    observed = with_file(installed(bare, A, unit=unit_state() if path == UNIT else None), path, FOREIGN)
    assert plan(observed, bare) == []
    if path == TMPFILES:
        service = deployment(slot=1, files=image_files(tmpfiles_template=None))
        assert plan(with_file(installed(service, A), path, FOREIGN), service) == []
    with pytest.raises(InvalidInputError, match=f"'{path}' exists and does not belong"):
        plan(observed, A)
    assert apply(observed, plan_absent(observed).actions).files[path] == FOREIGN


def test_a_unit_file_on_the_host_is_forgotten_with_its_container() -> None:
    unit = HostFile("/etc/systemd/system/x.service", "-", 0o644, 0, 0, sha256="a" * 64, origin="/exports/hostfs/x")
    there = HostFileState("-", 0o644, 0, 0, sha256="a" * 64)
    observed = installed(dataclasses.replace(BARE, host_files=(unit,)), host_files={unit.path: there})
    done = strings(plan_absent(observed).actions)
    assert done.index(f"remove host file {unit.path}") < done.index(RELOAD)


# --- what Atomic left

ATOMIC = dataclasses.replace(
    A, inputs=None, id="", files=tuple(file for file in A.files if file.path != DROP_IN), created=CREATED
)


def atomic(**changes: Any) -> Observed:
    """Return a host as Atomic left it: no drop-in, and files that all may read."""
    observed = with_file(installed(ATOMIC, **changes), DROP_IN, None)
    return edited(edited(observed, f"{ROOT}/app.0/config.json", mode=0o644), f"{ROOT}/app.0/info", mode=0o644)


TAKE_OVER = [f"write {ROOT}/app.0/config.json", f"write {DROP_IN}", INFO, RELOAD]


@pytest.mark.parametrize("state", ["started", "present"])
def test_taking_over(state: str) -> None:
    """The same deployment is recorded, and the service does not notice."""
    assert plan(atomic(), A, state) == TAKE_OVER
    after = apply(atomic(), plan_container(Desired(state, True), atomic(), A).actions)
    assert plan(after, A, state) == []
    assert after.active == A


def test_taking_over_with_options_restarts() -> None:
    assert plan(atomic(), LIMITED) == [STOP, *TAKE_OVER[:2], f"write {OPTIONS}", INFO, RELOAD, START]


def test_taking_over_what_ran_from_an_edited_config() -> None:
    observed = edited(atomic(), f"{ROOT}/app.0/config.json")
    assert plan(observed, A) == [STOP, *TAKE_OVER, START]


def test_an_update_goes_back_to_what_atomic_installed() -> None:
    before = atomic()
    after = going_back(before, after_failure(before, NEW), NEW)
    assert (after.active, after.link_slot, after.unit.running) == (ATOMIC, 0, True)
    assert after.files[DROP_IN] is None
    assert after.files[UNIT] == dataclasses.replace(before.files[UNIT], mtime=after.files[UNIT].mtime)  # type: ignore[type-var,union-attr]


def test_options_that_fail_leave_what_atomic_installed() -> None:
    """No new checkout stands in the place of the deployment in use."""
    before = atomic()
    failed = after_failure(before, LIMITED)
    back = _plan_back(before, failed, LIMITED, keep=2)
    assert back is not None
    assert actions.CheckoutDeployment not in map(type, back.actions)
    after = apply(failed, back.actions)
    assert after.active is not None
    assert (after.active.id, after.active.inputs, after.active.unit_options) == ("", None, {})
    assert (after.unit.running, after.files[OPTIONS], after.files[DROP_IN]) == (True, None, None)


def test_atomics_record_comes_back_to_the_byte() -> None:
    text = render_info(ATOMIC).replace('"runtime": null', '"runtime": "/bin/runc", "more": 1')
    recorded = dataclasses.replace(ATOMIC, atomic_info=text)
    before = dataclasses.replace(atomic(), deployments=(recorded,))
    before = edited(before, f"{ROOT}/app.0/info", content=text.encode())
    back = _plan_back(before, after_failure(before, LIMITED), LIMITED, keep=2)
    assert back is not None
    written = [action.file.content for action in back.actions if isinstance(action, actions.WriteFile)]
    assert text in written


def test_removing_what_atomic_installed() -> None:
    observed = atomic()
    after = apply(observed, plan_absent(observed).actions)
    assert not after.exists
    assert not any(after.files.values())


@pytest.mark.parametrize("unit", [UnitState(), unit_state(), INACTIVE])
def test_every_order_of_states_is_stable(unit: UnitState) -> None:
    """From one state to any other and back, nothing is left to do after each."""
    observed = installed(A, unit=unit) if unit.load == "loaded" else nothing()
    for state, options in itertools.product(("stopped", "present", "started"), ({}, {"Unit": {"After": "x"}})):
        target = dataclasses.replace(A, unit_options=options)
        observed = apply(observed, plan_container(Desired(state, True), observed, target).actions)
        made = plan_container(Desired(state, True), observed, target)
        assert (made.actions, made.diff) == ((), ())


def test_the_diff_names_a_drop_in_that_goes() -> None:
    entries = {
        entry["after_header"]: entry for entry in plan_container(Desired("started", True), installed(LIMITED), A).diff
    }
    assert "MemoryMax=1G" in entries[OPTIONS]["before"]
    assert entries[OPTIONS]["after"] == ""
    assert "MemoryMax" in entries[f"{ROOT}/app.0/info"]["before"]
    assert "MemoryMax" not in json.dumps(entries[f"{ROOT}/app.0/info"]["after"])


@pytest.mark.parametrize(
    ("observed", "before"),
    [
        pytest.param(nothing(), "", id="first deployment"),
        pytest.param(installed(A), "", id="another deployment"),
        pytest.param(installed(LIMITED), "MemoryMax=1G", id="another deployment, other options"),
    ],
)
def test_the_diff_shows_a_drop_in_that_comes_with_a_deployment(observed: Observed, before: str) -> None:
    target = dataclasses.replace(kept(1, "other", age=0), unit_options={"Service": {"MemoryMax": "2G"}})
    made = plan_container(Desired("started", True), observed, target)
    entries = {entry["after_header"]: entry for entry in made.diff}
    assert "MemoryMax=2G" in entries[OPTIONS]["after"]
    assert before in entries[OPTIONS]["before"]
    assert f"write {OPTIONS}" in strings(made.actions)
