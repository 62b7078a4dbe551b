# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine that the benchmarks ran on, for the page."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.process import LabError, run

_VERSIONS = {
    "skopeo": ["skopeo", "--version"],
    "ostree": ["ostree", "--version"],
    "podman": ["podman", "--version"],
    "runc": ["runc", "--version"],
    "gzip": ["gzip", "--version"],
    "igzip": ["igzip", "--version"],
    "unpigz": ["unpigz", "--version"],
    "docker-registry": ["docker-registry", "--version"],
}


@dataclass(frozen=True)
class Machine:
    """What was there: pairs of a name and what it was, in the order to show."""

    facts: tuple[tuple[str, str], ...]


def describe_machine(work: Path, python: str) -> Machine:
    """Look at this machine; ``work`` is where the repositories are, ``python`` what runs the module."""
    facts = {
        "processor": f"{_cpu_model()}, {len(os.sched_getaffinity(0))} usable",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "file system": _file_system(work),
        "load average at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": run([python, "--version"]).strip().removeprefix("Python "),
        **{name: _version(argv) for name, argv in _VERSIONS.items()},
    }
    return Machine(tuple(facts.items()))


def _cpu_model() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _file_system(folder: Path) -> str:
    """Return type and mount options of the file system that a folder is on."""
    return " ".join(run(["findmnt", "-n", "-o", "FSTYPE,OPTIONS", "--target", str(folder)]).split())


def _version(argv: list[str]) -> str:
    """Return the first version number that a program tells."""
    if shutil.which(argv[0]) is None:
        return "not installed"
    try:
        found = re.search(r"\d+(?:\.\d+)+\S*", run(argv))
    except LabError:
        return "installed"
    return found[0].strip(",'") if found else "installed"
