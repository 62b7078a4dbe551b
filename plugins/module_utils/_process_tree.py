# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find which processes belong to a command that a runtime started in a container (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_DEAD = ("Z", "X")


@dataclass(frozen=True)
class Process:
    """A process as ``/proc/PID/stat`` shows it, see proc(5)."""

    pid: int
    state: str
    parent: int
    session: int


def parse_stat(text: str) -> Process:
    """Return the process of a ``/proc/PID/stat``; raises ``ValueError`` for what is none."""
    pid, _bracket, rest = text.partition(" (")
    fields = rest.rpartition(") ")[2].split()  # the name in brackets may hold brackets and white space itself
    if len(fields) < 4:
        raise ValueError("not a line of /proc/PID/stat")
    return Process(pid=int(pid), state=fields[0], parent=int(fields[1]), session=int(fields[3]))


def belonging_to(leader: int, processes: Iterable[Process]) -> set[int]:
    """Return the pids of a command, of all below it, and of all in its session, also when their parents are gone.

    ``leader`` is the command's process: a runtime starts it in a session of its own, which with crun has the number of a process
    before it. Those that are dead but for their exit code are left out.
    """
    table = list(processes)
    found = {leader, *(item.session for item in table if item.pid == leader)}
    while True:
        more = {item.pid for item in table if item.parent in found or item.session in found}
        if more <= found:
            break
        found |= more
    alive = {item.pid for item in table if item.state not in _DEAD}
    return found & alive
