# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command in a container that runs, by the container's own runtime.

What the command gets is in a file that only root may read, on no disk, so that its environment is in no argument list.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._beneath import read_beneath
from ._container_name import check_container_name
from ._deployment import Deployment
from ._errors import CommandError, InvalidInputError, ServiceError
from ._exec_process import User, exec_process, resolve_user, search_path
from ._io import temporary_folder, write_file
from ._models import Observed
from ._observe import observe_containers
from ._process_tree import belonging_to, parse_stat
from ._runner import command_environment
from ._runtime import container_bundle, container_state, runtime_of

_FOLDER = "/run/system-containers"
_KILL_TIMEOUT = 5.0
"""Seconds in which what was killed has to be gone."""


@dataclass(frozen=True)
class ExecRequest:
    """A command for a container, as the module's options have it; ``timeout`` is in seconds, None for no limit."""

    argv: Sequence[str]
    chdir: str | None = None
    env: Mapping[str, Any] = field(default_factory=dict, repr=False)
    stdin: bytes | None = field(default=None, repr=False)
    user: str | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Target:
    """A container that runs: the runtime that has it, its first process, and what that was started as."""

    name: str
    runtime: str
    pid: int
    process: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``rc`` is 128 and the signal's number for one that a signal ended; ``survived`` is whether something
    outlived the kill and has the output open; ``refused`` is why it could not be started, None when it was."""

    rc: int
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    survived: bool = False
    refused: str | None = None


def find_target(root: str, name: str) -> Target:
    """Return a container that runs; ``InvalidInputError`` when there is none, ``ServiceError`` when it does not run."""
    observed = observe_containers(root, [check_container_name(name)])[name]
    if not observed.exists:
        raise InvalidInputError(
            f"There is no system container '{name}' below '{root}' on this host:"
            " install it with the module system_container, or correct 'name'"
        )
    if not observed.owns_runtime_state:
        raise ServiceError(_why_not_running(observed))
    runtime = runtime_of(name, _recorded_runtime(observed.active))
    try:
        state = container_state(runtime, name)
    except CommandError as exc:  # it ended meanwhile
        raise ServiceError(_why_not_running(observed)) from exc
    if state.get("status") == "paused":
        raise ServiceError(f"The system container '{name}' is paused: resume it, by '{runtime} resume {name}'")
    if state.get("status") != "running":
        raise ServiceError(_why_not_running(observed))
    return Target(name, runtime, int(state["pid"]), _process_of(container_bundle(name) or ""))


def process_for(target: Target, request: ExecRequest) -> dict[str, Any]:
    """Return what the runtime is told of a command; ``InvalidInputError`` for what cannot be run, such as a user that is not
    in the container."""
    user = _find_user(target, request.user) if request.user is not None else None
    return exec_process(target.process, argv=request.argv, chdir=request.chdir, env=request.env, user=user)


def execute(target: Target, process: Mapping[str, Any], request: ExecRequest) -> Ended:
    """Run a command to its end. One that takes too long is killed, with all that it started."""
    os.makedirs(_FOLDER, mode=0o755, exist_ok=True)
    with temporary_folder(_FOLDER, "exec-") as folder:
        file, pid_file, log = (f"{folder}/{name}" for name in ("process.json", "pid", "log"))
        write_file(file, json.dumps(process).encode("utf-8", "surrogateescape"), mode=0o600)
        argv = [target.runtime, "--log", log, "--log-format", "json"]
        argv += ["exec", "--process", file, "--pid-file", pid_file, target.name]
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if request.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command_environment(),
        )
        timed_out = survived = False
        try:
            stdout, stderr = child.communicate(request.stdin, timeout=request.timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            leader = _read_pid(pid_file)
            _kill_all(leader, target)
            stdout, stderr, by_itself = _end(child)
            survived = leader is not None and not by_itself
        started = os.path.exists(pid_file)
        refused = None if started or timed_out else _refusal(target, process, said=_last_error(log) or stderr.decode())
    rc = child.returncode if child.returncode >= 0 else 128 - child.returncode
    return Ended(rc, stdout, stderr, timed_out=timed_out, survived=survived, refused=refused)


def _why_not_running(observed: Observed) -> str:
    name, active = observed.paths.name, observed.active
    if active is not None and not active.has_service:
        return f"The system container '{name}' has no service, so there is nothing that runs for a command to run in"
    unit = observed.paths.unit_name
    return (
        f"The system container '{name}' does not run: its unit '{unit}' is {observed.own_unit.active}."
        f" Start it, with 'state: started' of the module system_container, or see why by 'journalctl -u {unit}'"
    )


def _recorded_runtime(active: Deployment | None) -> str:
    if active is not None and active.inputs is not None:
        return active.inputs.runtime
    recorded = active.values.get("RUNTIME") if active is not None else None
    return str(recorded) if recorded else "runc"


def _process_of(bundle: str) -> Mapping[str, Any]:
    """Return ``process`` of the config.json that a container was started from."""
    path = f"{bundle}/config.json"
    try:
        with open(path, encoding="utf-8") as file:
            process = json.load(file)["process"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ServiceError(f"'{path}', which the container was started from, cannot be read: {exc}") from exc
    if not isinstance(process, dict):
        raise ServiceError(f"'{path}', which the container was started from, says nothing of a process")
    return process


def _find_user(target: Target, wanted: str) -> User:
    root = f"/proc/{target.pid}/root"
    passwd, group = (
        (read_beneath(root, path) or b"").decode("utf-8", "replace") for path in ("etc/passwd", "etc/group")
    )
    return resolve_user(wanted, passwd=passwd, group=group, container=target.name)


def _read_pid(path: str) -> int | None:
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        return int(file.read())
    return None


def _kill_all(leader: int | None, target: Target) -> None:
    """Kill a command and all that belongs to it until nothing is left; only what is in the container is touched.

    All is stopped first, as a shell whose child is killed before it would go on with its next command.
    """
    deadline = time.monotonic() + _KILL_TIMEOUT
    known = {leader} if leader is not None else set()
    while known and time.monotonic() < deadline:
        members = set().union(*(_members(pid) for pid in known))
        inside = _mounts_of(target.pid)
        doomed = [pid for pid in members if inside is not None and _mounts_of(pid) == inside]
        if not doomed:
            return
        known |= {session for session in map(_session_of, doomed) if session is not None}
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in doomed:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        time.sleep(0.02)


def _members(leader: int) -> set[int]:
    processes = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if entry.isdigit():
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    processes.append(parse_stat(file.read()))
    return belonging_to(leader, processes)


def _session_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def _mounts_of(pid: int) -> str | None:
    """Return the mount namespace of a process, None when it is gone: another process may have its number by now."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/mnt")
    return None


def _end(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes, bool]:
    """Return the output of a runtime whose command was killed, and whether it came to its end by that.

    It does not where something else has the output open, such as a daemon: runc, which passes the output on, then waits and is
    killed too; crun is gone, but what the daemon has is the output itself.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        return (*child.communicate(timeout=_KILL_TIMEOUT), True)
    child.kill()
    try:
        return (*child.communicate(timeout=_KILL_TIMEOUT), False)
    except subprocess.TimeoutExpired as exc:
        child.wait()
        return exc.stdout or b"", exc.stderr or b"", False


def _last_error(log: str) -> str:
    """Return the last error in a runtime's log, empty when there is none."""
    said = ""
    with contextlib.suppress(OSError), open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError, AttributeError):
                entry = json.loads(line)
                said = str(entry["msg"]) if entry.get("level") in ("error", "fatal") else said
    return said


def _refusal(target: Target, process: Mapping[str, Any], *, said: str) -> str:
    command = process["args"][0]
    where = "" if "/" in command else f" in its PATH, which is '{search_path(process)}'"
    reason = said.strip().rpartition("container process: ")[2] or f"{target.runtime} does not say why"
    hint = f": there may be no such program{where}" if "no such file" in said.lower() or "not found" in said else ""
    return f"The command '{command}' could not be started in the system container '{target.name}'{hint} ({reason})"
