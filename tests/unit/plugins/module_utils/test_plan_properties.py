# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of plans: applied to any host they lead where they should, and planning again gives nothing."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils.builders import (
    CREATED,
    OTHER_DIGEST,
    ROOT,
    STARTED,
    UNIT_WITHOUT_INSTALL,
    deployment,
    image_files,
    inputs,
    installed,
    nothing,
    strings,
    unit_state,
)
from unit.plugins.module_utils.host_model import apply, host_file_state

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _actions as actions
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    choose_deployment,
    choose_slot,
    plan_container,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    BrokenSlot,
    Deployment,
    Inputs,
    UnitOptions,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._drift import active_files
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageFiles,
    ImageHostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    HostFileState,
    Journal,
    Observed,
    UnitState,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan import Plan, parts_of
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan_absent import plan_absent

HOST_FILES = (
    ImageHostFile("/etc/app/one", "-", 0o644, 0, 0, sha256="1" * 64),
    ImageHostFile("/etc/app/two", "-", 0o600, 7, 7, sha256="2" * 64),
    ImageHostFile("/etc/link", "l", 0o777, 0, 0, target="/etc/shadow"),
)
PLACES = ["/etc/app", *(file.path for file in HOST_FILES)]

IMAGES: dict[str, tuple[ImageFiles, Inputs]] = {
    "usual": (image_files(), inputs()),
    "other values": (image_files(), inputs({"RECEIVER": "Jane"})),
    "no tmpfiles": (image_files(tmpfiles_template=None), inputs(digest=OTHER_DIGEST)),
    "no service": (
        image_files(service_template=None, manifest=ExportsManifest(no_container_service=True)),
        inputs(digest="sha256:" + "3" * 64),
    ),
    "no [Install]": (image_files(service_template=UNIT_WITHOUT_INSTALL), inputs(digest="sha256:" + "4" * 64)),
    "detached": (image_files(service_template=None), inputs(digest="sha256:" + "5" * 64)),
    "host files": (image_files(host_files=HOST_FILES), inputs(digest="sha256:" + "6" * 64)),
    "other host files": (image_files(host_files=HOST_FILES[1:2]), inputs(digest="sha256:" + "7" * 64)),
}
OPTIONS: list[UnitOptions] = [{}, {"Service": {"MemoryMax": "1G"}}, {"Unit": {"After": ["a", "b"]}}]
STATES = ["present", "started", "stopped"]


def make(image: str, slot: int, *, created: int = CREATED) -> Deployment:
    files, made_from = IMAGES[image]
    return deployment(slot=slot, files=files, made_from=made_from, created=created)


def target_for(image: str, observed: Observed, *, keep: int = 2, options: UnitOptions | None = None) -> Deployment:
    """Choose as the module does: a kept deployment, else a new one."""
    found = choose_deployment(observed, IMAGES[image][1])
    found = found or make(image, choose_slot(observed, keep=keep), created=CREATED + 9)
    return dataclasses.replace(found, unit_options=options or {})


@st.composite
def hosts(draw: st.DrawFn) -> Observed:
    """Draw a host: nothing, or a container in one of its many states, some of them damaged."""
    if draw(st.integers(0, 9)) == 0:
        return nothing(host_files=dict.fromkeys(PLACES))
    slot = draw(st.integers(0, 1))
    active_image = draw(st.sampled_from(sorted(IMAGES)))
    kept_image = draw(st.sampled_from(["", "broken", *sorted(set(IMAGES) - {active_image})]))
    active = dataclasses.replace(make(active_image, slot), unit_options=draw(st.sampled_from(OPTIONS)))
    if active.host_files:
        active = dataclasses.replace(active, created_directories=("/etc/app",))
    kept = [make(kept_image, 1 - slot, created=CREATED - 1)] if kept_image in IMAGES else []
    older = draw(st.lists(st.sampled_from(sorted(set(IMAGES) - {active_image, kept_image})), unique=True, max_size=2))
    kept += [make(image, number + 2, created=CREATED - 2 - number) for number, image in enumerate(older)]
    observed = installed(active, *kept, unit=draw(units(active)), host_files=draw(host_file_states(active)))
    observed = dataclasses.replace(observed, journal=draw(st.sampled_from(JOURNALS)))
    if kept_image == "broken":
        broken = BrokenSlot(1 - slot, observed.paths.slot(1 - slot), "it has no info file")
        observed = dataclasses.replace(observed, broken=(broken,))
    if draw(st.booleans()):
        observed = dataclasses.replace(observed, has_link=False, link_slot=None)
    stale = draw(st.booleans()) and active.has_service and not observed.unit.running
    return draw(damaged(dataclasses.replace(observed, runtime_bundle="/srv/containers/app.0" if stale else None)))


JOURNALS = [None, None, None, Journal("update", running=True), Journal("update", running=False, slots=(0, 1))]


@st.composite
def host_file_states(draw: st.DrawFn, active: Deployment) -> dict[str, HostFileState | None]:
    """Draw what is at the places of the host files; some were lost or edited."""
    found: dict[str, HostFileState | None] = dict.fromkeys(PLACES)
    for file in active.host_files:
        state = host_file_state(file)
        edited = dataclasses.replace(state, kind="-", sha256="e" * 64)
        found[file.path] = draw(st.sampled_from([state, state, state, None, edited]))
    if active.host_files:
        names = tuple(
            sorted(path[len("/etc/app/") :] for path, state in found.items() if state and path.startswith("/etc/app/"))
        )
        found["/etc/app"] = HostFileState("d", 0o755, 0, 0, names=names)
    return found


def units(active: Deployment) -> st.SearchStrategy[UnitState]:
    """Draw the state of a deployment's unit."""
    if not active.has_service:
        return st.just(UnitState())
    text = next(file.content for file in active.files if file.path.startswith("/etc/systemd/system/"))
    file_states = ["enabled", "disabled"] if "[Install]" in text else ["static"]
    return st.builds(
        unit_state,
        active=st.sampled_from(["active", "inactive", "failed", "activating"]),
        file_state=st.sampled_from(file_states),
        need_daemon_reload=st.booleans(),
    )


@st.composite
def damaged(draw: st.DrawFn, observed: Observed) -> Observed:
    """Draw a host on which some files were lost or edited."""
    files = dict(observed.files)
    present = sorted(path for path, state in files.items() if state is not None and not path.endswith("/info"))
    for path in draw(st.sets(st.sampled_from(present), max_size=3)) if present else ():
        state = files[path]
        assert state is not None
        edited = FileState(b"edited", state.mode, mtime=draw(st.sampled_from([STARTED - 1, STARTED + 1])))
        other_mode = dataclasses.replace(state, mode=0o666)
        link = FileState(b"/dev/null", 0o777, mtime=0, is_link=True)
        files[path] = draw(st.sampled_from([None, edited, other_mode, link]))
    return dataclasses.replace(observed, files=files)


def check_result(state: str, before: Observed, after: Observed, target: Deployment, *, enabled: bool) -> None:
    assert after.active is not None
    known = (after.active.host_files, after.active.created_directories)
    assert after.active == dataclasses.replace(target, host_files=known[0], created_directories=known[1])
    assert after.has_link
    assert after.link_slot == target.slot
    for file in active_files(target, after.paths):
        found = after.files[file.path]
        assert found is not None
        assert (found.content, found.mode, found.is_link) == (file.content.encode(), file.mode, False)
    expected = {file.path for file in active_files(target, after.paths) if not file.path.startswith(ROOT)}
    outside = {path for path, found in after.files.items() if found is not None and not path.startswith(ROOT)}
    assert outside == expected
    assert after.journal is None
    check_host_files(before, after, target)
    running = {"present": before.was_running, "started": True, "stopped": False}[state]
    assert after.unit.running is (running and target.has_service)
    if after.unit.file_state not in ("", "static"):
        assert after.unit.enabled is enabled


def check_host_files(before: Observed, after: Observed, target: Deployment) -> None:
    """Those of the deployment are there, no other ones are left, and what was edited is as it was."""
    wanted = {file.path: host_file_state(file) for file in target.host_files}
    for path in PLACES[1:]:
        state = before.host_files[path]
        if state is not None and state.sha256 == "e" * 64:
            assert after.host_files[path] == state, "somebody edited it"
        else:
            assert after.host_files[path] == wanted.get(path)
    folder = after.host_files["/etc/app"]
    assert folder is None or folder.names, "an empty directory goes"


@settings(max_examples=400)
@given(
    observed=hosts(),
    image=st.sampled_from(sorted(IMAGES)),
    state=st.sampled_from(STATES),
    enabled=st.booleans(),
    keep=st.integers(2, 4),
    options=st.sampled_from(OPTIONS),
)
def test_a_plan_converges(
    observed: Observed, image: str, state: str, enabled: bool, keep: int, options: UnitOptions
) -> None:
    desired = Desired(state=state, enabled=enabled, keep=keep)
    target = target_for(image, observed, keep=keep, options=options)
    after = apply(observed, plan_container(desired, observed, target).actions)
    check_result(state, observed, after, target, enabled=enabled)
    assert len(after.deployments) <= max(keep, 2)
    if after.unit.active == "activating":
        return  # a service on its way is started again until it is up
    again_target = target_for(image, after, keep=keep, options=options)
    assert again_target == after.active
    again = plan_container(desired, after, again_target)
    assert strings(again.actions) == []
    assert again.diff == ()


@settings(max_examples=200)
@given(observed=hosts(), image=st.sampled_from(sorted(IMAGES)))
def test_restarted_always_runs_anew(observed: Observed, image: str) -> None:
    target = target_for(image, observed)
    desired = Desired(state="restarted", enabled=True)
    after = apply(observed, plan_container(desired, observed, target).actions)
    check_result("started", observed, after, target, enabled=True)
    made = strings(plan_container(desired, after, target).actions)
    assert made == (["stop app.service", "start app.service"] if target.has_service else [])


@settings(max_examples=200)
@given(observed=hosts())
def test_absent_leaves_nothing(observed: Observed) -> None:
    after = apply(observed, plan_absent(observed).actions)
    assert not after.exists
    assert not after.stale_runtime_state
    assert not after.unit.running
    assert not any(after.files.values())
    assert (after.deployments, after.broken) == ((), ())
    assert plan_absent(after) == Plan((), ())


@settings(max_examples=200)
@given(observed=hosts(), image=st.sampled_from(sorted(IMAGES)), state=st.sampled_from(STATES), enabled=st.booleans())
def test_a_diff_shows_what_is_written_and_removed(observed: Observed, image: str, state: str, enabled: bool) -> None:
    made = plan_container(Desired(state=state, enabled=enabled), observed, target_for(image, observed))
    shown = {entry["after_header"] for entry in made.diff}
    for action in parts_of(made.actions):
        if isinstance(action, actions.WriteFile):
            assert action.file.path in shown
        elif isinstance(action, actions.RemoveFile):
            assert action.path in shown
        elif isinstance(action, (actions.CheckoutDeployment, actions.SwitchDeployment)):
            assert "system container app" in shown
    assert all(entry["before"] != entry["after"] for entry in made.diff)
    assert made.actions or not made.diff


@settings(max_examples=200)
@given(observed=hosts(), image=st.sampled_from(sorted(IMAGES)), state=st.sampled_from(STATES))
def test_everything_is_prepared_before_the_stop(observed: Observed, image: str, state: str) -> None:
    """Promise 5: down time is stop and start alone, so the checkout comes first."""
    kinds = [
        type(action) for action in plan_container(Desired(state, True), observed, target_for(image, observed)).actions
    ]
    assert actions.CheckoutDeployment not in kinds[1:]
    if actions.StartUnit in kinds:
        assert set(kinds[kinds.index(actions.StartUnit) + 1 :]) <= {actions.RemoveDirectory, actions.EndChange}


@pytest.mark.parametrize("image", sorted(IMAGES))
def test_check_mode_shows_the_same_plan(image: str) -> None:
    """A plan depends on what it is given alone."""
    observed = nothing(host_files=dict.fromkeys(PLACES))
    first = plan_container(Desired("started", True), observed, target_for(image, observed))
    assert plan_container(Desired("started", True), observed, target_for(image, observed)) == first
