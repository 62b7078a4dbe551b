# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rendering takes from the host. Nothing here changes anything."""

from __future__ import annotations

import os

from ._capabilities import capability_names
from ._kernel import kernel_facts
from ._models import HostFacts


def observe_host(runtime: str) -> HostFacts:
    """Return what rendering takes from the host."""
    capabilities = _capabilities()
    return HostFacts(
        uid=os.getuid(),
        gid=os.getgid(),
        runtime=runtime,
        machine_id=_read_line("/etc/machine-id"),
        capabilities=capabilities,
        **kernel_facts(capabilities),
    )


def is_missing(path: str) -> bool:
    """Tell whether nothing is at ``path`` on the host."""
    return not os.path.exists(path)


def kind_of(path: str) -> str | None:
    """Return what is at ``path`` on the host: ``directory``, ``file`` for anything else, None for nothing."""
    if is_missing(path):
        return None
    return "directory" if os.path.isdir(path) else "file"


def _capabilities() -> tuple[str, ...]:
    """Return the names in the bounding set of this process (CapBnd of proc(5))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        line = next((line for line in status if line.startswith("CapBnd:")), "CapBnd: 0")
    return capability_names(int(line.split()[1], 16))


def _read_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""
