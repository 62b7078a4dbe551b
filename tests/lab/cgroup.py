# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cgroups: every process that a lab leaves running is in a cgroup of the lab's, which proves whose it is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from .process import LabError

# Puts itself into cgroups (the arguments up to --), then becomes the program named after it.
_JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'


def hierarchies(mounts: Path = Path("/proc/self/mounts")) -> list[Path]:
    """Return the roots of the cgroup hierarchies that systemd uses: the unified one, and systemd's own of version 1.

    systemd-nspawn makes cgroups in both, relative to its own: hosts that share one disturb each other.

    Raises:
        LabError: the machine has no unified hierarchy.
    """
    unified: list[Path] = []
    named: list[Path] = []
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        _device, target, kind, options = line.split(" ")[:4]
        if kind == "cgroup2" and not unified:
            unified.append(Path(target))
        if kind == "cgroup" and "name=systemd" in options.split(",") and not named:
            named.append(Path(target))
    if not unified:
        raise LabError("this machine has no cgroup v2 hierarchy; try: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
    return unified + named


def spawn(
    cgroup: str,
    argv: Sequence[str],
    *,
    output: IO[bytes],
    errors: IO[bytes] | None = None,
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a cgroup (made when missing), in a session of its own, so that it outlives this process.

    Returns once it is in the cgroup, or has ended.

    Args:
        cgroup: path below the hierarchies' roots.
        argv: the program and its arguments.
        output: where its standard output goes.
        errors: where its standard error goes; with its output by default.
        stdin: as in subprocess.
        environment: its whole environment, this process's by default.
    """
    folders = [root / cgroup for root in hierarchies()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    child = subprocess.Popen(
        ["/bin/sh", "-c", _JOIN, "join", *map(str, folders), "--", *argv],
        stdin=stdin,
        stdout=output,
        stderr=errors or subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        start_new_session=True,
        cwd="/",
    )
    while child.poll() is None and not all(child.pid in _read_processes(folder) for folder in folders):
        time.sleep(0.002)
    return child


def members(cgroup: str) -> list[int]:
    """Return the ids of the processes in a cgroup and in those below it, in any hierarchy."""
    found = set()
    for root in hierarchies():
        for folder, _folders, _files in os.walk(root / cgroup):
            found.update(_read_processes(Path(folder)))
    return sorted(found)


def leader(cgroup: str) -> int | None:
    """Return the machine's id of the process that is PID 1 of the host in a cgroup, or None."""
    for pid in members(cgroup):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
                numbers = line.split()[1:] if line.startswith("NSpid:") else []
                if len(numbers) == 2 and numbers[1] == "1":
                    return pid
    return None


def kill(cgroup: str, *, timeout: float = 20.0) -> None:
    """Kill every process in a cgroup, wait for their end and remove the cgroup in all hierarchies.

    Raises:
        LabError: processes are left after timeout seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        alive = members(cgroup)
        for pid in alive:
            _kill_member(cgroup, pid)
        if not alive and _remove(cgroup):
            return
        if time.monotonic() > deadline:
            raise LabError(f"processes {alive} in cgroup {cgroup} do not end")
        time.sleep(0.01)


def _read_processes(folder: Path) -> list[int]:
    try:
        return [int(word) for word in (folder / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:  # removed, or of a threaded cgroup
        return []


def _kill_member(cgroup: str, pid: int) -> None:
    """Kill a process if it is in the cgroup: the handle is opened first, so its id cannot change hands in between."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        paths = [line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()]
        if any(f"{path}/".startswith(f"/{cgroup}/") for path in paths):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(handle)


def _remove(cgroup: str) -> bool:
    """Remove an empty cgroup everywhere; return False when the kernel still holds one of its processes."""
    for root in hierarchies():
        for folder, _folders, _files in os.walk(root / cgroup, topdown=False):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError:
                return False
    return True
