# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel of the host offers a container."""

from __future__ import annotations

import os
import resource
from typing import Any

_CGROUP = "/sys/fs/cgroup"


def kernel_facts(capabilities: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of ``HostFacts`` that are the kernel's: ``selinux``, ``apparmor``, ``cgroup2``, ``controllers``
    and ``limits``. ``capabilities`` are those of the host's bounding set."""
    unified = _read(f"{_CGROUP}/cgroup.controllers")
    return {
        "selinux": os.path.exists("/sys/fs/selinux/enforce") and _read("/proc/self/attr/current") != "kernel",
        "apparmor": os.path.isdir("/sys/kernel/security/apparmor")
        and (_read("/sys/module/apparmor/parameters/enabled") or "").startswith("Y"),
        "cgroup2": unified is not None,
        "controllers": frozenset(unified.split()) if unified is not None else _cgroup1_controllers(),
        "limits": _limits(may_raise="CAP_SYS_RESOURCE" in capabilities),
    }


def _cgroup1_controllers() -> frozenset[str] | None:
    """Return the enabled controllers of cgroup v1 (cgroups(7): /proc/cgroups), None when that cannot be told."""
    lines = [line.split() for line in (_read("/proc/cgroups") or "").splitlines() if not line.startswith("#")]
    return frozenset(fields[0] for fields in lines if len(fields) == 4 and fields[3] == "1") or None


def _limits(*, may_raise: bool) -> dict[str, int]:
    """Return the most that a service may get of each resource (RLIMIT_* to number); missing: as much as it likes.

    The limits are those of the first process: services have theirs from it. Who may raise them is held by the kernel's
    own limit on open files only (fs.nr_open, getrlimit(2)).
    """
    if may_raise:
        most = _read("/proc/sys/fs/nr_open") or ""
        return {"RLIMIT_NOFILE": int(most)} if most.isdecimal() else {}
    found = {}
    for name in (name for name in dir(resource) if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"):
        try:
            hard = resource.prlimit(1, getattr(resource, name))[1]
        except (OSError, ValueError):
            continue
        if hard != resource.RLIM_INFINITY:
            found[name] = hard
    return found


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip("\0\n ")
    except OSError:
        return None
