# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans: which actions, in which order, for what is found on the host."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from unit.plugins.module_utils.builders import (
    CREATED,
    OTHER_DIGEST,
    STARTED,
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

from ansible_collections.projectatomic.system_containers.plugins.module_utils._actions import (
    StartUnit,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    choose_deployment,
    choose_slot,
    plan_container,
    plan_unrendered,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    BrokenSlot,
    Deployment,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    NewerSchemaError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    Journal,
    Observed,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._obstacles import (
    check_conflicts,
    check_tmpfiles,
    refuse_obstacles,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan_absent import (
    plan_absent,
)

LINK = "/srv/containers/app"
SLOT_0, SLOT_1 = f"{LINK}.0", f"{LINK}.1"
UNIT = "/etc/systemd/system/app.service"
DROP_IN = "/etc/systemd/system/app.service.d/10-system-containers.conf"
TMPFILES = "/etc/tmpfiles.d/app.conf"
CONFIG = f"{SLOT_0}/config.json"

OUT_0, OUT_1 = f"check out deployment {SLOT_0}", f"check out deployment {SLOT_1}"
SWITCH_0, SWITCH_1 = f"switch {LINK} to {SLOT_0}", f"switch {LINK} to {SLOT_1}"
WRITE_UNIT, WRITE_DROP_IN, WRITE_TMPFILES = f"write {UNIT}", f"write {DROP_IN}", f"write {TMPFILES}"
WRITE_CONFIG = f"write {CONFIG}"
CREATE = f"create what {TMPFILES} lists"
RELOAD = "reload systemd"
START, STOP, ENABLE, DISABLE = (f"{verb} app.service" for verb in ("start", "stop", "enable", "disable"))
FORGET = "forget the failure of app.service"
STALE = "delete stale runtime state of app"

NO_SERVICE = image_files(manifest=ExportsManifest(no_container_service=True), service_template=None)
NOT_ENABLED = image_files(service_template=UNIT_WITHOUT_INSTALL)

A = deployment()
B = deployment(slot=1, made_from=inputs({"RECEIVER": "Jane"}), created=CREATED + 5)
NEW_IMAGE = deployment(slot=1, made_from=inputs(digest=OTHER_DIGEST), files=image_files(tmpfiles_template=None))
TOOL = deployment(files=NO_SERVICE)
TOOL_1 = deployment(slot=1, files=NO_SERVICE, made_from=inputs(digest=OTHER_DIGEST))
STATIC = deployment(files=NOT_ENABLED)
ATOMIC = dataclasses.replace(A, inputs=None, files=(), id="")

INACTIVE = unit_state(active="inactive")
FAILED = unit_state(active="failed", result="exit-code")
BROKEN_0 = BrokenSlot(0, SLOT_0, "it has no info file")
STATES = ("started", "present", "stopped", "restarted")


def plan(state: str, observed: Observed, target: Deployment, *, enabled: bool = True) -> list[str]:
    return strings(plan_container(Desired(state=state, enabled=enabled), observed, target).actions)


def broken_active() -> Observed:
    """The deployment in use has lost its info file; its service runs on."""
    found = installed(A)
    return dataclasses.replace(found, deployments=(), broken=(BROKEN_0,))


INSTALL = [OUT_0, SWITCH_0, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, ENABLE]


@pytest.mark.parametrize(
    ("observed", "target", "started", "present", "stopped", "restarted"),
    [
        pytest.param(nothing(), A, [*INSTALL, START], INSTALL, INSTALL, [*INSTALL, START], id="nothing there"),
        pytest.param(installed(A), A, [], [], [STOP], [STOP, START], id="current, running"),
        pytest.param(installed(A, B), A, [], [], [STOP], [STOP, START], id="current, running, another kept"),
        pytest.param(installed(A, unit=INACTIVE), A, [START], [], [], [START], id="current, stopped"),
        pytest.param(installed(A, unit=FAILED), A, [START], [], [], [START], id="failed"),
        pytest.param(
            installed(A, unit=unit_state(active="activating")), A, [START], [], [STOP], [STOP, START], id="activating"
        ),
        pytest.param(
            installed(A, unit=unit_state(active="deactivating")),
            A,
            [START],
            [],
            [STOP],
            [STOP, START],
            id="deactivating",
        ),
        pytest.param(
            installed(A, unit=unit_state(active="reloading")), A, [], [], [STOP], [STOP, START], id="reloading"
        ),
        pytest.param(
            installed(A, unit=INACTIVE, runtime_bundle="/srv/containers/app.0"),
            A,
            [STALE, START],
            [],
            [STALE],
            [STALE, START],
            id="stale runtime state",
        ),
        pytest.param(
            installed(A, unit=FAILED, runtime_bundle="/srv/containers/app.0"),
            A,
            [STALE, START],
            [],
            [STALE],
            [STALE, START],
            id="failed, stale runtime state",
        ),
        pytest.param(
            installed(A, unit=unit_state(enabled=False)),
            A,
            [ENABLE],
            [ENABLE],
            [STOP, ENABLE],
            [STOP, ENABLE, START],
            id="disabled",
        ),
        pytest.param(
            installed(A, unit=unit_state(need_daemon_reload=True)),
            A,
            [RELOAD],
            [RELOAD],
            [STOP, RELOAD],
            [STOP, RELOAD, START],
            id="systemd has an older unit",
        ),
        pytest.param(
            installed(A, has_link=False, link_slot=None),
            A,
            [SWITCH_0],
            [SWITCH_0],
            [STOP, SWITCH_0],
            [STOP, SWITCH_0, START],
            id="link missing",
        ),
        pytest.param(
            installed(A, B, link_slot=1),
            A,
            [SWITCH_0],
            [SWITCH_0],
            [STOP, SWITCH_0],
            [STOP, SWITCH_0, START],
            id="link names the other slot",
        ),
        pytest.param(
            installed(A, link_slot=None),
            A,
            [SWITCH_0],
            [SWITCH_0],
            [STOP, SWITCH_0],
            [STOP, SWITCH_0, START],
            id="link names no slot",
        ),
        pytest.param(
            installed(A),
            NEW_IMAGE,
            [OUT_1, STOP, SWITCH_1, f"remove {TMPFILES}", WRITE_UNIT, WRITE_DROP_IN, RELOAD, START],
            [OUT_1, STOP, SWITCH_1, f"remove {TMPFILES}", WRITE_UNIT, WRITE_DROP_IN, RELOAD, START],
            [OUT_1, STOP, SWITCH_1, f"remove {TMPFILES}", WRITE_UNIT, WRITE_DROP_IN, RELOAD],
            [OUT_1, STOP, SWITCH_1, f"remove {TMPFILES}", WRITE_UNIT, WRITE_DROP_IN, RELOAD, START],
            id="image changed",
        ),
        pytest.param(
            installed(A),
            B,
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD, START],
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD, START],
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD],
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD, START],
            id="values changed",
        ),
        pytest.param(
            installed(A, unit=INACTIVE),
            B,
            [OUT_1, SWITCH_1, WRITE_UNIT, RELOAD, START],
            [OUT_1, SWITCH_1, WRITE_UNIT, RELOAD],
            [OUT_1, SWITCH_1, WRITE_UNIT, RELOAD],
            [OUT_1, SWITCH_1, WRITE_UNIT, RELOAD, START],
            id="values changed, stopped",
        ),
        pytest.param(
            installed(B, A),
            A,
            [STOP, SWITCH_0, WRITE_UNIT, RELOAD, START],
            [STOP, SWITCH_0, WRITE_UNIT, RELOAD, START],
            [STOP, SWITCH_0, WRITE_UNIT, RELOAD],
            [STOP, SWITCH_0, WRITE_UNIT, RELOAD, START],
            id="a kept deployment again",
        ),
        pytest.param(
            edited(installed(B, A), CONFIG),
            A,
            [STOP, SWITCH_0, WRITE_CONFIG, WRITE_UNIT, RELOAD, START],
            [STOP, SWITCH_0, WRITE_CONFIG, WRITE_UNIT, RELOAD, START],
            [STOP, SWITCH_0, WRITE_CONFIG, WRITE_UNIT, RELOAD],
            [STOP, SWITCH_0, WRITE_CONFIG, WRITE_UNIT, RELOAD, START],
            id="a kept deployment again, damaged",
        ),
        pytest.param(
            broken_active(),
            B,
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD, START],
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD, START],
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD],
            [OUT_1, STOP, SWITCH_1, WRITE_UNIT, RELOAD, START],
            id="the slot in use is broken",
        ),
        pytest.param(
            nothing(broken=(BROKEN_0,)),
            B,
            [OUT_1, SWITCH_1, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, ENABLE, START],
            [OUT_1, SWITCH_1, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, ENABLE],
            [OUT_1, SWITCH_1, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, ENABLE],
            [OUT_1, SWITCH_1, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, ENABLE, START],
            id="only a broken slot",
        ),
        pytest.param(*(nothing(), TOOL), *([[OUT_0, SWITCH_0, WRITE_TMPFILES, CREATE]] * 4), id="no service"),
        pytest.param(*(installed(TOOL), TOOL), *([[]] * 4), id="no service, current"),
        pytest.param(*(installed(TOOL), TOOL_1), *([[OUT_1, SWITCH_1]] * 4), id="no service, image changed"),
        pytest.param(
            *(installed(TOOL, unit=unit_state()), TOOL), *([[]] * 4), id="no service, foreign unit of the same name"
        ),
        pytest.param(
            *(installed(A), TOOL_1),
            *([[OUT_1, STOP, DISABLE, SWITCH_1, f"remove {UNIT}", f"remove {DROP_IN}", RELOAD]] * 4),
            id="the new image has no service",
        ),
        pytest.param(
            nothing(),
            STATIC,
            [OUT_0, SWITCH_0, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, START],
            [OUT_0, SWITCH_0, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE],
            [OUT_0, SWITCH_0, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE],
            [OUT_0, SWITCH_0, WRITE_TMPFILES, WRITE_UNIT, WRITE_DROP_IN, RELOAD, CREATE, START],
            id="unit without [Install]",
        ),
        pytest.param(
            installed(STATIC, unit=unit_state(file_state="static")),
            STATIC,
            [],
            [],
            [STOP],
            [STOP, START],
            id="unit without [Install], current",
        ),
    ],
)
def test_plan(
    observed: Observed,
    target: Deployment,
    started: list[str],
    present: list[str],
    stopped: list[str],
    restarted: list[str],
) -> None:
    assert {state: plan(state, observed, target) for state in STATES} == {
        "started": started,
        "present": present,
        "stopped": stopped,
        "restarted": restarted,
    }


LINKED = FileState(content=b"/dev/null", mode=0o777, mtime=0, is_link=True)


@pytest.mark.parametrize(
    ("observed", "mended"),
    [
        pytest.param(edited(installed(A), UNIT), [WRITE_UNIT, RELOAD], id="unit edited"),
        pytest.param(with_file(installed(A), UNIT, None), [WRITE_UNIT, RELOAD], id="unit missing"),
        pytest.param(edited(installed(A), UNIT, mode=0o600), [WRITE_UNIT, RELOAD], id="mode of the unit"),
        pytest.param(with_file(installed(A), UNIT, LINKED), [WRITE_UNIT, RELOAD], id="unit is a link"),
        pytest.param(edited(installed(A), DROP_IN), [WRITE_DROP_IN, RELOAD], id="drop-in edited"),
        pytest.param(with_file(installed(A), DROP_IN, None), [WRITE_DROP_IN, RELOAD], id="drop-in missing"),
        pytest.param(edited(installed(A), TMPFILES), [WRITE_TMPFILES, CREATE], id="tmpfiles edited"),
        pytest.param(with_file(installed(A), TMPFILES, None), [WRITE_TMPFILES, CREATE], id="tmpfiles missing"),
        pytest.param(edited(installed(A), f"{SLOT_0}/app.service"), [f"write {SLOT_0}/app.service"], id="unit in slot"),
        pytest.param(with_file(installed(A), CONFIG, None), [WRITE_CONFIG], id="config.json missing"),
        pytest.param(
            edited(installed(A), CONFIG, content=b"{}", mtime=STARTED + 1),
            [WRITE_CONFIG],
            id="config.json edited after the start",
        ),
        pytest.param(edited(installed(A), f"{SLOT_0}/info", mode=0o644), [f"write {SLOT_0}/info"], id="mode of info"),
        pytest.param(
            edited(installed(A), CONFIG, mode=0o644), [WRITE_CONFIG], id="mode of config.json: what runs is right"
        ),
        pytest.param(
            edited(installed(A), CONFIG, content=b"{}", mtime=STARTED - 1),
            [STOP, WRITE_CONFIG, START],
            id="config.json edited before the start",
        ),
        pytest.param(
            edited(edited(installed(A), UNIT), DROP_IN), [WRITE_UNIT, WRITE_DROP_IN, RELOAD], id="both: one reload"
        ),
    ],
)
def test_drift_of_a_running_container(observed: Observed, mended: list[str]) -> None:
    assert plan("started", observed, A) == mended
    assert plan("present", observed, A) == mended
    only = [action for action in mended if action not in (STOP, START)]
    assert plan("stopped", observed, A) == [STOP, *only]
    assert plan("restarted", observed, A) == [STOP, *only, START]
    at_rest = dataclasses.replace(observed, unit=INACTIVE)
    assert plan("present", at_rest, A) == only
    assert plan("stopped", at_rest, A) == only
    assert plan("started", at_rest, A) == [*only, START]


@pytest.mark.parametrize(
    ("observed", "target", "actions"),
    [
        (nothing(), A, [action for action in INSTALL if action != ENABLE]),
        (installed(A), A, [DISABLE]),
        (installed(A, unit=unit_state(enabled=False)), A, []),
        (installed(STATIC, unit=unit_state(file_state="static")), STATIC, []),
        (installed(TOOL), TOOL, []),
        (installed(A), B, [OUT_1, STOP, DISABLE, SWITCH_1, WRITE_UNIT, RELOAD, START]),
    ],
)
def test_not_enabled(observed: Observed, target: Deployment, actions: list[str]) -> None:
    assert plan("present", observed, target, enabled=False) == actions


def test_enabled_until_the_next_boot_is_not_enabled() -> None:
    """enabled-runtime is a link below /run."""
    assert plan("started", installed(A, unit=unit_state(file_state="enabled-runtime")), A) == [ENABLE]


@pytest.mark.parametrize(
    ("state", "observed", "actions"),
    [
        ("started", nothing(), [OUT_0, SWITCH_0, START]),
        ("present", nothing(), [OUT_0, SWITCH_0]),
        ("stopped", nothing(), [OUT_0, SWITCH_0]),
        ("present", installed(A), [OUT_1, STOP, SWITCH_1, START]),
        ("stopped", installed(A), [OUT_1, STOP, SWITCH_1]),
        ("restarted", installed(A, unit=INACTIVE), [OUT_1, SWITCH_1, START]),
        ("started", installed(B, A), [OUT_0, STOP, SWITCH_0, START]),
    ],
)
def test_check_mode_of_an_image_that_is_not_stored(state: str, observed: Observed, actions: list[str]) -> None:
    """Only what does not depend on the image's files is known."""
    made = plan_unrendered(Desired(state, True), observed, image="a:1", inputs=inputs(digest=OTHER_DIGEST))
    assert strings(made.actions) == actions
    assert [entry["after_header"] for entry in made.diff] == ["system container app"]
    assert OTHER_DIGEST in made.diff[0]["after"]


# --- absent

RM_FILES = [f"remove {UNIT}", f"remove {DROP_IN}", f"remove {TMPFILES}"]
RM_LINK = f"remove {LINK}"
RM_0, RM_1 = f"remove directory {SLOT_0}", f"remove directory {SLOT_1}"
WANTS = "/etc/systemd/system/multi-user.target.wants/app.service"
FOREIGN = FileState(content=b"[Service]\nExecStart=/usr/bin/app\n", mode=0o644, mtime=0)
OURS = FileState(content=f"WorkingDirectory={SLOT_0}\n".encode(), mode=0o644, mtime=0)
OTHER_DROP_IN = dataclasses.replace(OURS, content=b"# Container: /srv/elsewhere/app\n[Service]\n")
OUR_DROP_IN = dataclasses.replace(OURS, content=b"# Container: /srv/containers/app\n[Service]\n")


@pytest.mark.parametrize(
    ("observed", "actions"),
    [
        pytest.param(nothing(), [], id="nothing there"),
        pytest.param(
            with_file(nothing(unit=unit_state()), UNIT, FOREIGN), [], id="foreign unit in /etc, running, enabled"
        ),
        pytest.param(nothing(unit=unit_state()), [], id="foreign unit of a package"),
        pytest.param(with_file(nothing(), TMPFILES, FOREIGN), [], id="foreign tmpfiles"),
        pytest.param(installed(A), [STOP, DISABLE, *RM_FILES, RELOAD, RM_LINK, RM_0], id="running"),
        pytest.param(installed(A, B), [STOP, DISABLE, *RM_FILES, RELOAD, RM_LINK, RM_0, RM_1], id="another kept"),
        pytest.param(
            installed(A, unit=unit_state(active="inactive", enabled=False)),
            [*RM_FILES, RELOAD, RM_LINK, RM_0],
            id="stopped, disabled",
        ),
        pytest.param(installed(A, unit=FAILED), [DISABLE, *RM_FILES, RELOAD, FORGET, RM_LINK, RM_0], id="failed"),
        pytest.param(
            installed(A, unit=unit_state(active="activating")),
            [STOP, DISABLE, *RM_FILES, RELOAD, RM_LINK, RM_0],
            id="activating",
        ),
        pytest.param(
            installed(A, unit=INACTIVE, runtime_bundle="/srv/containers/app.0"),
            [STALE, DISABLE, *RM_FILES, RELOAD, RM_LINK, RM_0],
            id="stale runtime state",
        ),
        pytest.param(installed(TOOL), [f"remove {TMPFILES}", RM_LINK, RM_0], id="no service"),
        pytest.param(
            installed(TOOL, unit=unit_state()),
            [f"remove {TMPFILES}", RM_LINK, RM_0],
            id="no service, foreign unit of the same name",
        ),
        pytest.param(nothing(broken=(BROKEN_0,)), [RM_0], id="only a broken slot"),
        pytest.param(nothing(has_link=True), [RM_LINK], id="only the link"),
        pytest.param(with_file(nothing(), DROP_IN, OUR_DROP_IN), [f"remove {DROP_IN}", RELOAD], id="only the drop-in"),
        pytest.param(with_file(nothing(), DROP_IN, OTHER_DROP_IN), [], id="the drop-in of another root"),
        pytest.param(nothing(runtime_bundle="/root/own"), [], id="somebody else's container of the same name"),
        pytest.param(
            nothing(leftovers=("/srv/containers/.app.1.new",)),
            ["remove leftover /srv/containers/.app.1.new"],
            id="only what an interrupted run left",
        ),
        pytest.param(
            with_file(nothing(unit=unit_state(active="inactive", enabled=False)), UNIT, OURS),
            [f"remove {UNIT}", RELOAD],
            id="only our unit (TRAPS 22)",
        ),
        pytest.param(
            with_file(installed(A, unit=unit_state(file_state=""), enablement_links=(WANTS,)), UNIT, None),
            [STOP, f"remove {DROP_IN}", f"remove {TMPFILES}", f"remove {WANTS}", RELOAD, RM_LINK, RM_0],
            id="unit file lost, link that enables it left",
        ),
        pytest.param(broken_active(), [STOP, DISABLE, *RM_FILES, RELOAD, RM_LINK, RM_0], id="broken, running"),
    ],
)
def test_absent(observed: Observed, actions: list[str]) -> None:
    made = plan_absent(observed)
    assert strings(made.actions) == actions
    assert made.changed is bool(actions)
    assert bool(made.diff) is bool(actions)


# --- conflicts and choices


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (with_file(nothing(), UNIT, FOREIGN), f"'{UNIT}' exists and does not belong"),
        (with_file(nothing(), DROP_IN, OTHER_DROP_IN), "belongs to the system container '/srv/elsewhere/app'"),
        (nothing(runtime_bundle="/root/own"), "already has a container 'app' \\(from '/root/own'\\)"),
        (nothing(unit=unit_state()), r"already has a unit app.service \(loaded\)"),
        (nothing(unit=unit_state(load="masked", active="inactive")), r"already has a unit app.service \(masked\)"),
    ],
)
def test_conflict(observed: Observed, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        check_conflicts(observed)


def test_a_tmpfiles_file_of_somebody_else() -> None:
    observed = with_file(nothing(), TMPFILES, FOREIGN)
    check_conflicts(observed)
    for check in (check_tmpfiles, lambda seen: plan_container(Desired("started", True), seen, A)):
        with pytest.raises(InvalidInputError, match=f"'{TMPFILES}' exists and does not belong"):
            check(observed)


# A package's unit of the same name, with its service running.
PACKAGED = nothing(unit=unit_state(fragment="/lib/systemd/system/app.service"))


def test_the_unit_of_a_package_is_taken_the_place_of_only_when_asked_to() -> None:
    with pytest.raises(InvalidInputError, match="another name, or set 'override_unit'"):
        check_conflicts(PACKAGED)
    check_conflicts(PACKAGED, override_unit=True)
    with pytest.raises(InvalidInputError, match=r"another name$"):
        check_conflicts(nothing(unit=unit_state(fragment="/run/systemd/transient/app.service")), override_unit=True)
    with pytest.raises(InvalidInputError, match="exists and does not belong"):
        check_conflicts(with_file(PACKAGED, UNIT, FOREIGN), override_unit=True)


@pytest.mark.parametrize("state", ["present", "started", "stopped"])
def test_the_service_of_a_package_is_stopped_before_its_unit_is_hidden(state: str) -> None:
    desired = Desired(state, enabled=True, override_unit=True)
    done = strings(plan_container(desired, PACKAGED, A).actions)
    assert done.index("stop app.service") < done.index(f"write {UNIT}") < done.index("reload systemd")
    assert ("start app.service" in done) is (state == "started")
    unrendered = strings(plan_unrendered(desired, PACKAGED, image="a:1", inputs=inputs()).actions)
    assert "stop app.service" in unrendered


def test_the_unit_of_a_package_does_not_stay_enabled() -> None:
    """A link that enables it would enable the container's."""
    desired = Desired("started", enabled=False, override_unit=True)
    made = plan_container(desired, PACKAGED, A)
    assert strings(made.actions).index("disable app.service") < strings(made.actions).index(f"write {UNIT}")
    assert json.loads(str(made.diff[0]["after"]))["enabled"] is False
    not_enabled = nothing(unit=dataclasses.replace(PACKAGED.unit, file_state="disabled"))
    assert "disable app.service" not in strings(plan_container(desired, not_enabled, A).actions)


def test_a_package_whose_service_runs_in_place_of_an_interrupted_installation_is_no_running_container() -> None:
    observed = with_file(dataclasses.replace(installed(A), unit=PACKAGED.unit), UNIT, None)
    done = strings(plan_container(Desired("started", True, override_unit=True), observed, A).actions)
    assert [line for line in done if line.endswith(("app.service", "systemd"))] == [
        "stop app.service",
        f"write {UNIT}",
        "reload systemd",
        "enable app.service",
        "start app.service",
    ]


@pytest.mark.parametrize("check", [refuse_obstacles])
def test_a_newer_deployment_is_left_alone(check: Callable[[Observed], None]) -> None:
    newer = BrokenSlot(1, SLOT_1, "a newer version of this collection wrote it", newer=True)
    with pytest.raises(NewerSchemaError, match=f"'{SLOT_1}' cannot be changed: a newer version"):
        check(dataclasses.replace(installed(A), broken=(newer,)))


@pytest.mark.parametrize(
    "plan", [lambda seen: plan_container(Desired("started", True), seen, A), plan_absent, refuse_obstacles]
)
def test_what_a_newer_version_began_is_left_alone(plan: Callable[[Observed], object]) -> None:
    began = Journal("graft", running=False, newer=True)
    with pytest.raises(NewerSchemaError, match=r"interrupted while it changed 'app' .*/\.app\.journal\): upgrade"):
        plan(dataclasses.replace(installed(A), journal=began))


@pytest.mark.parametrize(
    "observed", [nothing(), installed(A), nothing(broken=(BROKEN_0,)), with_file(nothing(unit=INACTIVE), UNIT, OURS)]
)
def test_no_conflict(observed: Observed) -> None:
    check_conflicts(observed)


@pytest.mark.parametrize(
    ("observed", "slot"),
    [
        (nothing(), 0),
        (installed(A), 1),
        (installed(A, B), 1),
        (installed(B), 0),
        (installed(B, A), 0),
        (broken_active(), 1),
        (nothing(broken=(BROKEN_0,)), 1),
        (dataclasses.replace(installed(B), broken=(BROKEN_0,)), 0),
        (dataclasses.replace(installed(A, B), active_slot=None), 0),
        (dataclasses.replace(installed(A), broken=(BrokenSlot(1, SLOT_1, "x"),), active_slot=None), 1),
    ],
)
def test_slot_of_a_new_deployment(observed: Observed, slot: int) -> None:
    assert choose_slot(observed) == slot


@pytest.mark.parametrize(
    ("observed", "wanted", "chosen"),
    [
        (nothing(), A.inputs, None),
        (installed(A), A.inputs, A),
        (installed(B, A), A.inputs, A),
        (installed(A, B), B.inputs, B),
        (installed(A), B.inputs, None),
        (installed(A), inputs(digest=OTHER_DIGEST), None),
        (installed(ATOMIC), A.inputs, None),
        (broken_active(), A.inputs, None),
        (installed(A, dataclasses.replace(A, slot=1, directory=SLOT_1)), A.inputs, A),
    ],
)
def test_kept_deployment(observed: Observed, wanted: Any, chosen: Deployment | None) -> None:
    assert choose_deployment(observed, wanted) == chosen


@pytest.mark.parametrize(("before", "after"), [(1, True), (True, 1), (0, False), (1, 1.0), (0, -0.0), (10**20, 1e20)])
def test_values_that_python_takes_for_equal(before: Any, after: Any) -> None:
    """They are rendered differently (1, true, 1.0), so they are another deployment."""
    observed = installed(deployment(made_from=inputs({"RECEIVER": before})))
    assert choose_deployment(observed, inputs({"RECEIVER": after})) is None


# --- diffs


def headers(state: str, observed: Observed, target: Deployment) -> list[str]:
    made = plan_container(Desired(state=state, enabled=True), observed, target)
    return [entry["after_header"] for entry in made.diff]


STATE = "system container app"


@pytest.mark.parametrize(
    ("state", "observed", "target", "shown"),
    [
        ("started", nothing(), A, [STATE, CONFIG, TMPFILES, UNIT, DROP_IN]),
        ("started", installed(A), A, []),
        ("stopped", installed(A), A, [STATE]),
        ("restarted", installed(A), A, []),
        ("started", installed(A, unit=unit_state(enabled=False)), A, [STATE]),
        ("started", edited(installed(A), UNIT), A, [UNIT]),
        ("started", edited(installed(A), UNIT, mode=0o600), A, [UNIT]),
        ("started", with_file(installed(A), UNIT, LINKED), A, [UNIT]),
        ("started", edited(installed(A), CONFIG), A, [CONFIG]),
        ("started", edited(installed(A), f"{SLOT_0}/app.service"), A, [f"{SLOT_0}/app.service"]),
        ("started", installed(A), B, [STATE, f"{SLOT_1}/config.json", UNIT]),
        ("started", installed(B, A), A, [STATE, f"{SLOT_0}/config.json", UNIT]),
        ("started", installed(A), NEW_IMAGE, [STATE, UNIT, DROP_IN, TMPFILES]),
        ("started", installed(A), TOOL_1, [STATE, UNIT, DROP_IN]),
        ("started", installed(A, has_link=False, link_slot=None), A, [STATE]),
    ],
)
def test_what_a_diff_shows(state: str, observed: Observed, target: Deployment, shown: list[str]) -> None:
    assert headers(state, observed, target) == shown


def test_diff_of_an_edited_file() -> None:
    made = plan_container(Desired("started", True), edited(installed(A), UNIT, content=b"x\n", mode=0o600), A)
    (entry,) = made.diff
    assert entry["before"] == "mode: 0600\nx\n"
    assert entry["after"].startswith("mode: 0644\n[Unit]\nDescription=An app for World\n")


def test_diff_of_a_link() -> None:
    (entry,) = plan_container(Desired("started", True), with_file(installed(A), UNIT, LINKED), A).diff
    assert entry["before"] == "link to /dev/null\n"


def test_diff_of_a_new_deployment_compares_with_the_one_in_use() -> None:
    made = plan_container(Desired("started", True), installed(A), B)
    config = next(entry for entry in made.diff if entry["after_header"].endswith("config.json"))
    assert '"World"' in config["before"]
    assert '"Jane"' in config["after"]


def test_diff_of_absent_shows_every_file() -> None:
    made = plan_absent(installed(A, B))
    assert [entry["after_header"] for entry in made.diff] == [STATE, UNIT, DROP_IN, TMPFILES]
    assert all(entry["after"] == "" for entry in made.diff[1:])
    assert made.diff[0]["after"] == '{\n  "state": "absent"\n}\n'


def test_results() -> None:
    results = plan_container(Desired("stopped", True), installed(A), A).results()
    assert results["changed"] is True
    assert results["actions"] == [STOP]
    assert list(results["diff"][0]) == ["before_header", "after_header", "before", "after"]
    assert plan_container(Desired("started", True), installed(A), A).results() == {
        "changed": False,
        "actions": [],
        "diff": [],
    }


def test_nothing_is_changed_where_something_is_in_the_way() -> None:
    observed = installed(A, problem="'/srv/containers/app' is not a link to a deployment: move it away")
    with pytest.raises(InvalidInputError, match="move it away"):
        plan_container(Desired("started", True), observed, A)
    with pytest.raises(InvalidInputError, match="move it away"):
        plan_absent(observed)


def test_links_that_would_enable_a_lost_unit_again_go() -> None:
    lost = installed(A, unit=unit_state(enabled=False), enablement_links=("/etc/systemd/system/a.wants/app.service",))
    made = plan_container(Desired("started", False), with_file(lost, UNIT, None), A)
    assert "remove /etc/systemd/system/a.wants/app.service" in [str(action) for action in made.actions]
    made = plan_container(Desired("started", True), with_file(lost, UNIT, None), A)
    assert "enable app.service" in [str(action) for action in made.actions]


def test_start_creates_what_tmpfiles_lists() -> None:
    _begin, start, _end = plan_container(Desired("started", True), installed(A, unit=INACTIVE), A).actions
    assert start == StartUnit("app.service", tmpfiles=TMPFILES)
