# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json made fit for the host."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from unit.plugins.module_utils.builders import host_facts, json_values, spec

from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import HostFacts
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runtime_fit import fit_runtime_spec

ALL = frozenset({"cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma"})
HOST = host_facts(controllers=ALL)


def process(**changes: Any) -> dict[str, Any]:
    return spec(process={"args": ["x"], **changes})


def linux(**changes: Any) -> dict[str, Any]:
    return spec(linux=changes)


def resources(**changes: Any) -> dict[str, Any]:
    return linux(resources=changes)


def fit(config: dict[str, Any], facts: HostFacts = HOST) -> tuple[dict[str, Any], list[str]]:
    """Fit a config.json; what was fitted must not need it again, and what came in must stay as it is."""
    before = copy.deepcopy(config)
    fitted, warnings = fit_runtime_spec(config, facts)
    assert config == before
    again, more = fit_runtime_spec(fitted, facts)
    assert again is fitted
    assert more == []
    return fitted, warnings


@pytest.mark.parametrize(
    "config",
    [
        spec(),
        process(terminal=False, capabilities={"bounding": ["CAP_CHOWN"], "ambient": []}),
        process(capabilities={"bounding": ["chown", "cap_kill"]}),
        process(capabilities=None),
        process(rlimits=[{"type": "RLIMIT_NOFILE", "hard": 2**64 - 1, "soft": 1}]),
        process(oomScoreAdj=500),
        linux(cgroupsPath="system.slice:runc:app"),
        linux(cgroupsPath="a-b.slice::app"),
        linux(cgroupsPath="-.slice:x:y"),
        linux(cgroupsPath=":runc:app"),
        linux(cgroupsPath=""),
        resources(devices=[{"allow": False, "access": "rwm"}]),
        resources(memory={"limit": 1, "swap": 1}, cpu={"shares": 1, "cpus": "0"}, pids={"limit": 5}),
        resources(memory={"kernel": None, "disableOOMKiller": False}),
        resources(unified={"memory.max": "1", "cgroup.freeze": "0"}),
    ],
)
def test_nothing_to_change(config: dict[str, Any]) -> None:
    fitted, warnings = fit(config)
    assert fitted is config
    assert warnings == []


LABELS = spec(
    process={"args": ["x"], "selinuxLabel": "a:b:c:d", "apparmorProfile": "docker-default"},
    linux={"mountLabel": "a:b:c:e"},
    mounts=[{"destination": "/t", "type": "tmpfs", "options": ["nodev", 'context="a:b:c:d"', "mode=755"]}],
)


@pytest.mark.parametrize("selinux", [True, False])
@pytest.mark.parametrize("apparmor", [True, False])
def test_labels(selinux: bool, apparmor: bool) -> None:
    """Without a warning: a host without the security module has nothing to label."""
    fitted, warnings = fit(LABELS, host_facts(selinux=selinux, apparmor=apparmor))
    assert warnings == []
    assert ("selinuxLabel" in fitted["process"]) is selinux
    assert ("mountLabel" in fitted["linux"]) is selinux
    assert ("apparmorProfile" in fitted["process"]) is apparmor
    assert fitted["mounts"][0]["options"] == (
        ["nodev", 'context="a:b:c:d"', "mode=755"] if selinux else ["nodev", "mode=755"]
    )


def test_capabilities() -> None:
    wanted = ["CAP_SYS_ADMIN", "CAP_CHOWN", "sys_time", "Cap_Kill", "CAP_NEW"]
    config = process(capabilities={name: list(wanted) for name in ("bounding", "effective", "ambient")})
    fitted, (warning,) = fit(config)
    assert fitted["process"]["capabilities"] == {
        name: ["CAP_CHOWN", "Cap_Kill"] for name in ("bounding", "effective", "ambient")
    }
    assert warning == (
        "config.json of the image: capabilities that this host does not have were left out: CAP_SYS_ADMIN, CAP_SYS_TIME,"
        " CAP_NEW"
    )


def test_capabilities_as_old_images_have_them() -> None:
    """runc refuses a list."""
    fitted, warnings = fit(process(capabilities=["CAP_CHOWN", "CAP_KILL"]))
    assert fitted["process"]["capabilities"] == {
        name: ["CAP_CHOWN", "CAP_KILL"] for name in ("bounding", "effective", "permitted")
    }
    assert warnings == []


@pytest.mark.parametrize(
    ("hard", "soft", "after"),
    [
        (1024, 512, (1024, 512)),
        (2048, 512, (1024, 512)),
        (2048, 2000, (1024, 1024)),
        (2**64 - 1, 2**64 - 1, (1024, 1024)),
    ],
)
def test_limits(hard: int, soft: int, after: tuple[int, int]) -> None:
    config = process(
        rlimits=[
            {"type": "RLIMIT_CORE", "hard": 2**64 - 1, "soft": 0},
            {"type": "RLIMIT_NOFILE", "hard": hard, "soft": soft},
        ]
    )
    fitted, warnings = fit(config, host_facts(limits={"RLIMIT_NOFILE": 1024}))
    assert fitted["process"]["rlimits"][0] == config["process"]["rlimits"][0]
    assert (fitted["process"]["rlimits"][1]["hard"], fitted["process"]["rlimits"][1]["soft"]) == after
    assert len(warnings) == (0 if after == (hard, soft) else 1)
    assert all("RLIMIT_NOFILE was lowered to 1024" in warning for warning in warnings)


def test_out_of_memory_score() -> None:
    config = process(oomScoreAdj=-500)
    assert fit(config, host_facts(capabilities=("CAP_SYS_RESOURCE",))) == (config, [])
    fitted, (warning,) = fit(config)
    assert "oomScoreAdj" not in fitted["process"]
    assert "CAP_SYS_RESOURCE" in warning


def test_terminal() -> None:
    fitted, (warning,) = fit(process(terminal=True, consoleSize={"height": 1, "width": 1}))
    assert fitted["process"]["terminal"] is False
    assert "consoleSize" not in fitted["process"]
    assert "a service has no terminal" in warning


@pytest.mark.parametrize(
    "path",
    [
        "/system.slice/app",
        "app",
        "a:b",
        "machine:runc:app",
        "-:runc:app",
        "a--b.slice:runc:app",
        "-a.slice:runc:app",
        "system.slice:runc:app/x",
        "system.slice:runc:app.slice",
        "system.slice:runc:a b",
        "a.slice:b:c:d",
        "system.slice:runc:app\n",
        "/",
    ],
)
def test_cgroups_path(path: str) -> None:
    """Each of them is refused by runc 1.1.5 with --systemd-cgroup."""
    fitted, (warning,) = fit(linux(cgroupsPath=path, namespaces=[]))
    assert fitted["linux"] == {"namespaces": []}
    assert f"linux.cgroupsPath '{path}' was left out" in warning


V1_ONLY = {
    "memory": {"limit": 5, "kernel": 1, "kernelTCP": 1, "swappiness": 60, "disableOOMKiller": True},
    "cpu": {"realtimeRuntime": 1, "realtimePeriod": 2},
    "network": {"classID": 1},
}


def test_limits_of_cgroup_v1() -> None:
    fitted, warnings = fit(resources(**V1_ONLY))
    assert fitted["linux"]["resources"] == {"memory": {"limit": 5}}
    assert warnings == [
        f"config.json of the image: linux.resources.{lost}: it needs cgroup v1"
        for lost in (
            "memory lost kernel, kernelTCP, swappiness, disableOOMKiller",
            "cpu lost realtimeRuntime, realtimePeriod",
            "network lost classID",
        )
    ]
    config = resources(**V1_ONLY)
    assert fit(config, host_facts(cgroup2=False, controllers=ALL | {"net_cls"})) == (config, [])


ASKED: dict[str, dict[str, Any]] = {
    "memory": {"limit": 5},
    "cpu": {"shares": 5, "cpus": "0"},
    "pids": {"limit": 5},
    "blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 5}]},
    "hugepageLimits": {"x": [{"pageSize": "2MB", "limit": 5}]},
    "rdma": {"mlx5": {"hcaHandles": 3}},
    "unified": {"memory.high": "5"},
}


@pytest.mark.parametrize(
    ("lacking", "after"),
    [
        ("memory", {"memory", "unified"}),
        ("pids", {"pids"}),
        ("io", {"blockIO"}),
        ("hugetlb", {"hugepageLimits"}),
        ("rdma", {"rdma"}),
    ],
)
def test_missing_controller(lacking: str, after: set[str]) -> None:
    fitted, warnings = fit(resources(**ASKED), host_facts(controllers=ALL - {lacking}))
    assert set(ASKED) - set(fitted["linux"]["resources"]) == after
    assert len(warnings) == len(after)
    assert all(f"this host has no cgroup controller '{lacking}'" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("lacking", "after", "count"),
    [("cpu", {"cpus": "0"}, 1), ("cpuset", {"shares": 5}, 1), ("cpu cpuset", None, 2)],
)
def test_missing_controllers_of_cpu(lacking: str, after: dict[str, Any] | None, count: int) -> None:
    fitted, warnings = fit(resources(**ASKED), host_facts(controllers=ALL - set(lacking.split())))
    assert fitted["linux"]["resources"].get("cpu") == after
    assert len(warnings) == count


def test_a_limit_that_asks_for_nothing_needs_no_controller() -> None:
    config = resources(
        memory={"limit": None, "disableOOMKiller": False}, pids={"limit": 0}, blockIO={"weight": 0, "weightDevice": []}
    )
    assert fit(config, host_facts(controllers=frozenset())) == (config, [])


def test_controllers_that_are_not_known() -> None:
    config = resources(**ASKED)
    assert fit(config, host_facts()) == (config, [])


@given(json_values)
def test_any_json(value: Any) -> None:
    """What is no error of parsing is left to the runtime, but never a traceback."""
    facts = host_facts(controllers=frozenset(), limits={"RLIMIT_NOFILE": 1})
    parts = ("capabilities", "rlimits", "oomScoreAdj", "terminal", "selinuxLabel")
    for part in parts:
        fit_runtime_spec(process(**{part: value}), facts)
    fit_runtime_spec(process(capabilities={"bounding": value}, rlimits=[value]), facts)
    fit_runtime_spec(spec(linux=value), facts)
    for part in ("resources", "cgroupsPath", "mountLabel"):
        fit_runtime_spec(linux(**{part: value}), facts)
    for part in ("memory", "cpu", "pids", "blockIO", "hugepageLimits", "network", "unified"):
        fit_runtime_spec(resources(**{part: value}), facts)
        fit_runtime_spec(resources(**{part: {"limit": value, "cpus": value, "kernel": value}}), facts)
