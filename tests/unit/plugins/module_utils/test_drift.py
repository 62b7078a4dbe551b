# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a container: where it deviates from its records, and what of it is never shown."""

from __future__ import annotations

import dataclasses
import json
from typing import Callable

import pytest
from unit.plugins.module_utils.builders import (
    CREATED,
    ROOT,
    STARTED,
    deployment,
    edited,
    inputs,
    installed,
    nothing,
    unit_state,
    with_file,
)

from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    plan_container,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    BrokenSlot,
    HostFile,
    Mount,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._describe import describe_container
from ansible_collections.projectatomic.system_containers.plugins.module_utils._drift import (
    Deviation,
    Verified,
    find_drift,
    with_damage,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    HostFileState,
    Journal,
    Observed,
)

ACTIVE = deployment()
KEPT = deployment(slot=1, made_from=inputs({"RECEIVER": "Before"}), created=CREATED - 9)
HOST = installed(ACTIVE, KEPT)
PATHS = HOST.paths

DRIFT: dict[str, tuple[Callable[[], Observed], list[tuple[str, str]]]] = {
    "nothing": (lambda: HOST, []),
    "stopped and not enabled": (lambda: dataclasses.replace(HOST, unit=unit_state(active="failed", enabled=False)), []),
    "no container": (nothing, []),
    "unit edited": (lambda: edited(HOST, PATHS.unit), [(PATHS.unit, "content")]),
    "unit's mode": (lambda: edited(HOST, PATHS.unit, mode=0o600), [(PATHS.unit, "mode")]),
    "both": (
        lambda: edited(HOST, PATHS.unit, mode=0o600, content=b""),
        [(PATHS.unit, "content"), (PATHS.unit, "mode")],
    ),
    "unit gone": (lambda: with_file(HOST, PATHS.unit, None), [(PATHS.unit, "missing")]),
    "drop-in gone": (lambda: with_file(HOST, PATHS.drop_in, None), [(PATHS.drop_in, "missing")]),
    "a link instead": (
        lambda: edited(HOST, PATHS.tmpfiles, is_link=True, content=b"/dev/null"),
        [(PATHS.tmpfiles, "type")],
    ),
    "options that nobody declared": (
        lambda: with_file(HOST, PATHS.unit_options, FileState(b"[Service]\n", 0o644, 0.0)),
        [(PATHS.unit_options, "extra")],
    ),
    "config.json of a kept one": (
        lambda: edited(HOST, f"{ROOT}/app.1/config.json"),
        [(f"{ROOT}/app.1/config.json", "content")],
    ),
    "others can read it": (lambda: edited(HOST, f"{ROOT}/app.0/info", mode=0o644), [(f"{ROOT}/app.0/info", "mode")]),
    "link gone": (
        lambda: dataclasses.replace(HOST, has_link=False, link_slot=None),
        [(PATHS.link, "missing")],
    ),
    "link to the other": (lambda: dataclasses.replace(HOST, link_slot=1), [(PATHS.link, "target")]),
    "systemd has not read it": (
        lambda: dataclasses.replace(HOST, unit=unit_state(need_daemon_reload=True)),
        [(PATHS.unit, "not reloaded")],
    ),
    "a slot that cannot be used": (
        lambda: dataclasses.replace(HOST, broken=(BrokenSlot(2, f"{ROOT}/app.2", "it has no info file"),)),
        [(f"{ROOT}/app.2", "it has no info file")],
    ),
}
MENDED = set(DRIFT) - {"nothing", "no container", "config.json of a kept one", "a slot that cannot be used"}


@pytest.mark.parametrize("name", DRIFT)
def test_drift(name: str) -> None:
    observed, expected = DRIFT[name]
    assert [(item.path, item.problem) for item in find_drift(observed())] == expected


@pytest.mark.parametrize("name", sorted(MENDED))
def test_drift_is_what_the_next_run_mends(name: str) -> None:
    observed = DRIFT[name][0]()
    plan = plan_container(Desired("present", observed.unit.enabled), observed, ACTIVE)
    assert plan.changed == bool(DRIFT[name][1])


def test_options_of_the_unit_that_were_declared() -> None:
    limited = dataclasses.replace(ACTIVE, unit_options={"Service": {"MemoryMax": "1G"}})
    assert find_drift(installed(limited)) == ()
    lost = with_file(installed(limited), PATHS.unit_options, None)
    assert find_drift(lost) == (Deviation(PATHS.unit_options, "missing"),)


def test_host_files() -> None:
    """A missing one is drift, an edited one is not; where nobody looked, nothing is said."""
    files = tuple(
        HostFile(f"/etc/app/{name}", "-", 0o644, 0, 0, sha256="1" * 64) for name in ("as-is", "edited", "gone")
    )
    observed = installed(dataclasses.replace(ACTIVE, host_files=files))
    assert describe_container(observed)["drift"] == []
    state = HostFileState("-", 0o644, 0, 0, sha256="1" * 64)
    found = {
        "/etc/app/as-is": state,
        "/etc/app/edited": dataclasses.replace(state, sha256="2" * 64),
        "/etc/app/gone": None,
    }
    shown = describe_container(dataclasses.replace(observed, host_files=found))
    assert shown["drift"] == [{"path": "/etc/app/gone", "problem": "missing"}]
    assert shown["edited_files"] == ["/etc/app/edited"]


def test_what_atomic_left_has_no_record() -> None:
    atomics = dataclasses.replace(ACTIVE, inputs=None, files=(), id="")
    assert find_drift(installed(ACTIVE, deployments=(atomics,))) == ()


def test_nothing_shows_a_secret() -> None:
    secret = dataclasses.replace(inputs({"RECEIVER": "World"}), secrets={"TOKEN": "hunter2"})
    active = deployment(made_from=secret)
    assert active.values["TOKEN"] == "hunter2"
    shown = describe_container(installed(active))
    assert "hunter2" not in json.dumps(shown)
    assert shown["secret_values"] == ["TOKEN"]
    assert shown["deployments"][0]["secret_values"] == ["TOKEN"]
    assert shown["values"] == {"RECEIVER": "World"}
    assert shown["computed_values"]["NAME"] == "app"


def test_deployments_with_what_they_are_made_from() -> None:
    mount = Mount("/data", "/srv/data", options=("ro",), create="directory")
    active = deployment(made_from=dataclasses.replace(inputs(), mounts=(mount,)))
    shown = describe_container(installed(active, KEPT, unit=unit_state(pid=7)))
    described = {
        "destination": "/data",
        "source": "/srv/data",
        "type": "bind",
        "options": ["ro"],
        "create": "directory",
    }
    assert shown["mounts"] == [described]
    assert shown["started_at"] == "2023-11-14T22:15:00Z"
    assert shown["since"] == STARTED
    assert [(item["active"], item["mounts"], item["values"]) for item in shown["deployments"]] == [
        (True, [described], {"RECEIVER": "World"}),
        (False, [], {"RECEIVER": "Before"}),
    ]
    assert all(item["runtime"] == "/usr/bin/runc" and item["has_service"] for item in shown["deployments"])
    assert all(item["verified"] is None and item["unverified_reason"] is None for item in shown["deployments"])


def test_an_interrupted_change() -> None:
    assert describe_container(HOST)["interrupted"] is None
    observed = dataclasses.replace(HOST, journal=Journal("update", running=True))
    assert describe_container(observed)["interrupted"] == "update"


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (None, 0, None),
        ("exited", 3, {"code": "exited", "status": 3, "signal": None, "at": "2023-11-14T22:15:00Z"}),
        ("killed", 9, {"code": "killed", "status": None, "signal": 9, "at": "2023-11-14T22:15:00Z"}),
    ],
)
def test_how_the_service_ended(code: str | None, status: int, expected: object) -> None:
    unit = unit_state(active="failed", exit_code=code, exit_status=status, exited=STARTED if code else None)
    assert describe_container(installed(ACTIVE, unit=unit))["last_exit"] == expected


def test_what_hashing_again_found() -> None:
    """Each container shows its own."""
    wrong, lost = Deviation(f"{ROOT}/app.0/rootfs/a", "content"), Deviation("/ostree/repo/objects/00/1.file", "missing")
    verified = {
        ACTIVE.directory: Verified(rootfs=(wrong,), objects=(lost,)),
        KEPT.directory: Verified(objects=(lost,), reason="its image is gone"),
        f"{ROOT}/other.0": Verified(rootfs=(Deviation(f"{ROOT}/other.0/rootfs", "missing"),)),
    }
    shown = describe_container(HOST, verified=verified)
    assert shown["drift"] == [dataclasses.asdict(item) for item in (wrong, lost)]
    assert [(item["verified"], item["unverified_reason"]) for item in shown["deployments"]] == [
        (True, None),
        (False, "its image is gone"),
    ]
    assert with_damage(HOST, verified).damaged == {0}
