# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a config.json fit for the host: without what runc 1.1 refuses to start with there, though the image is right.

What was left out is told, except for labels of a security module that the host does not use: there is nothing to label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ._models import HostFacts

_CAPABILITY_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
_OLD_LIST_MEANS = ("bounding", "effective", "permitted")
_SELINUX_OPTION = re.compile(r"(?:fs|def|root)?context=")
# A slice that systemd knows how to create, systemd.slice(5), and what it lets a scope's name consist of, systemd.unit(5).
_CGROUPS_PATH = re.compile(
    r"(?:-\.slice|(?:[A-Za-z0-9_.\\]+(?:-[A-Za-z0-9_.\\]+)*\.slice)?):[A-Za-z0-9_.\\-]*:(?!.*\.slice\Z)[A-Za-z0-9_.\\-]*"
)
_CONTROLLERS = {"memory": "memory", "cpu": "cpu", "pids": "pids", "hugepageLimits": "hugetlb", "rdma": "rdma"}
_CPUSET = ("cpus", "mems")
_ONLY_CGROUP_V1 = {
    "memory": ("kernel", "kernelTCP", "swappiness", "disableOOMKiller"),
    "cpu": ("realtimeRuntime", "realtimePeriod"),
    "network": ("classID", "priorities"),
}


def fit_runtime_spec(spec: dict[str, Any], facts: HostFacts) -> tuple[dict[str, Any], list[str]]:
    """Return a parsed config.json as it works on the host, and warnings that say what it had to lose.

    ``spec`` is not changed; when there is nothing to change, it is what is returned.
    """
    fitted = json.loads(json.dumps(spec))
    warnings = [
        *_fit_labels(fitted, facts),
        *_fit_terminal(fitted),
        *_fit_capabilities(fitted, facts),
        *_fit_limits(fitted, facts),
        *_fit_cgroup(fitted, facts),
    ]
    return (spec if fitted == spec else fitted), [f"config.json of the image: {warning}" for warning in warnings]


def _fit_labels(spec: dict[str, Any], facts: HostFacts) -> Iterator[str]:
    process, linux = _object(spec, "process"), _object(spec, "linux")
    if not facts.apparmor:
        process.pop("apparmorProfile", None)
    if not facts.selinux:
        process.pop("selinuxLabel", None)
        linux.pop("mountLabel", None)
        for mount in spec.get("mounts") or []:
            options = mount.get("options") or []
            if any(_SELINUX_OPTION.match(option) for option in options):
                mount["options"] = [option for option in options if not _SELINUX_OPTION.match(option)]
    yield from ()


def _fit_terminal(spec: dict[str, Any]) -> Iterator[str]:
    process = _object(spec, "process")
    if process.get("terminal") is True:
        process["terminal"] = False
        process.pop("consoleSize", None)
        yield "process.terminal was set to false, as a service has no terminal"


def _fit_capabilities(spec: dict[str, Any], facts: HostFacts) -> Iterator[str]:
    process = _object(spec, "process")
    if isinstance(process.get("capabilities"), list):
        # As runtime-spec 1.0.0-rc5 and older had it, which images of that time bring.
        process["capabilities"] = {name: list(process["capabilities"]) for name in _OLD_LIST_MEANS}
    capabilities = _object(process, "capabilities")
    cut: dict[str, None] = {}
    for name in _CAPABILITY_SETS:
        wanted = capabilities.get(name)
        if not isinstance(wanted, list):
            continue
        lacking = [item for item in wanted if isinstance(item, str) and _capability(item) not in facts.capabilities]
        if lacking:
            capabilities[name] = [item for item in wanted if item not in lacking]
            cut.update(dict.fromkeys(map(_capability, lacking)))
    if cut:
        yield f"capabilities that this host does not have were left out: {', '.join(cut)}"


def _capability(name: str) -> str:
    """Return a capability's name as the kernel's documentation has it; crun takes others too."""
    upper = name.upper()
    return upper if upper.startswith("CAP_") else f"CAP_{upper}"


def _fit_limits(spec: dict[str, Any], facts: HostFacts) -> Iterator[str]:
    process = _object(spec, "process")
    rlimits = process.get("rlimits")
    for item in rlimits if isinstance(rlimits, list) else ():
        highest = facts.limits.get(str(item.get("type"))) if isinstance(item, dict) else None
        above = [key for key in ("hard", "soft") if highest is not None and _number(item.get(key)) > highest]
        if above:
            item.update(dict.fromkeys(above, highest))
            yield f"{item['type']} was lowered to {highest}, which is the most that this host allows"
    if "CAP_SYS_RESOURCE" not in facts.capabilities and _number(process.get("oomScoreAdj")) < 0:
        del process["oomScoreAdj"]
        yield "process.oomScoreAdj was left out: nothing on this host may lower it, for lack of CAP_SYS_RESOURCE"


def _fit_cgroup(spec: dict[str, Any], facts: HostFacts) -> Iterator[str]:
    linux = _object(spec, "linux")
    path = linux.get("cgroupsPath")
    if isinstance(path, str) and path and not _CGROUPS_PATH.fullmatch(path):
        del linux["cgroupsPath"]
        yield (
            f"linux.cgroupsPath '{path}' was left out: systemd manages the host's cgroups, so it would have to be of the"
            " form 'NAME.slice:PREFIX:NAME'"
        )
    resources = _object(linux, "resources")
    if facts.cgroup2:
        for section, keys in _ONLY_CGROUP_V1.items():
            values = _object(resources, section)
            gone = [key for key in keys if values.get(key) not in (None, False)]
            yield from _left_out(resources, section, gone, why="it needs cgroup v1")
    if facts.controllers is not None:
        yield from _fit_controllers(resources, facts.controllers, block="io" if facts.cgroup2 else "blkio")


def _fit_controllers(resources: dict[str, Any], controllers: frozenset[str], *, block: str) -> Iterator[str]:
    """Leave out limits whose controller the host lacks, as container engines do; ones that ask for nothing may stay."""
    cpu = _object(resources, "cpu")
    if "cpuset" not in controllers:
        gone = [key for key in _CPUSET if cpu.get(key)]
        yield from _left_out(resources, "cpu", gone, why=_lacks("cpuset"))
    for section, controller in {**_CONTROLLERS, "blockIO": block}.items():
        asked = resources.get(section)
        if section == "cpu":
            asked = {key: value for key, value in cpu.items() if key not in _CPUSET}
        if controller not in controllers and _asks(asked):
            keep = {key: cpu[key] for key in _CPUSET if key in cpu} if section == "cpu" else {}
            resources.pop(section)
            if keep:
                resources[section] = keep
            yield f"linux.resources.{section} was left out: {_lacks(controller)}"
    unified = _object(resources, "unified")
    for key in list(unified):
        controller = key.partition(".")[0]
        if controller != "cgroup" and controller not in controllers:
            yield from _left_out(resources, "unified", [key], why=_lacks(controller))


def _left_out(resources: dict[str, Any], section: str, keys: list[str], *, why: str) -> Iterator[str]:
    if not keys:
        return
    for key in keys:
        del resources[section][key]
    if not resources[section]:
        del resources[section]
    yield f"linux.resources.{section} lost {', '.join(keys)}: {why}"


def _lacks(controller: str) -> str:
    return f"this host has no cgroup controller '{controller}'"


def _asks(value: Any) -> bool:
    """Tell whether anything in a part of ``linux.resources`` is a limit: not null, false, 0 or empty."""
    if isinstance(value, Mapping):
        return any(map(_asks, value.values()))
    return any(map(_asks, value)) if isinstance(value, list) else bool(value)


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a member that is an object; an empty one that belongs to nothing when it is none."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
