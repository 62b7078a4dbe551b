# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd through ``systemctl``, ``systemd-tmpfiles`` and ``journalctl``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Callable, Union

from ._errors import CommandError, ServiceError, SystemContainerError
from ._models import Readiness, UnitState
from ._runner import run

STOP_TIMEOUT = 300.0
"""Seconds that stopping a unit may take; units have shorter limits of their own."""

_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Type",
    "UnitFileState",
    "FragmentPath",
    "NeedDaemonReload",
    "MainPID",
    "ExecMainStartTimestamp",
    "ExecMainExitTimestamp",
    "ExecMainCode",
    "ExecMainStatus",
    "Job",
    "NRestarts",
    "Result",
    "MemoryCurrent",
)
_EXIT_CODES = {"1": "exited", "2": "killed", "3": "dumped"}
"""How a process ended: ``si_code`` of waitid(2), as systemd's own messages spell it."""

_NOT_ACCOUNTED = 2**64 - 1
_FIRST_POLL, _POLL = 0.01, 0.1
"""Seconds between two looks: most services are ready at once, so the first ones come soon."""

_JOURNAL_LINES = 15
_SYNC_TIMEOUT = 10.0
_HEALTH_POLL = 0.5

HealthCheck = Callable[[Sequence[str], float], Union[str, None]]
"""Runs a command inside of the container for at most some seconds: None when it succeeds, else what is wrong."""


def show_units(units: Sequence[str]) -> dict[str, UnitState]:
    """Return the state of each unit, by one call of ``systemctl show`` for all."""
    if not units:
        return {}
    # Not the monotonic times: made out to be times of day, they would differ a little at every call.
    options = [f"--property={','.join(_PROPERTIES)}", "--timestamp=us+utc"]
    output = run(["systemctl", "show", *options, "--", *units]).text
    blocks = output.rstrip("\n").split("\n\n")
    if len(blocks) != len(units):
        raise ServiceError(f"systemctl describes {len(blocks)} units where it was asked for {len(units)}")
    # systemctl answers in the order it was asked; Id may be another name of the same unit.
    return {unit: parse_unit_state(block) for unit, block in zip(units, blocks)}


def parse_unit_state(block: str) -> UnitState:
    """Parse one block of ``systemctl show --timestamp=us+utc``."""
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    memory = _number(values.get("MemoryCurrent"))
    return UnitState(
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        sub=values.get("SubState", "dead"),
        file_state=values.get("UnitFileState", ""),
        fragment=values.get("FragmentPath", ""),
        need_daemon_reload=values.get("NeedDaemonReload") == "yes",
        pid=_number(values.get("MainPID")) or None,
        since=_seconds(values.get("ExecMainStartTimestamp", "")),
        restarts=_number(values.get("NRestarts")) or 0,
        result=values.get("Result", "success"),
        exit_code=_EXIT_CODES.get(values.get("ExecMainCode", "")),
        exit_status=_number(values.get("ExecMainStatus")) or 0,
        exited=_seconds(values.get("ExecMainExitTimestamp", "")),
        memory=memory if memory is not None and memory != _NOT_ACCOUNTED else None,
        kind=values.get("Type") or "simple",
        has_job=bool(_number(values.get("Job"))),
    )


def daemon_reload() -> None:
    """Have systemd read its unit files again."""
    run(["systemctl", "daemon-reload"])


def enable(unit: str) -> None:
    """Have ``unit`` start at boot."""
    run(["systemctl", "enable", "--quiet", "--", unit])


def disable(unit: str) -> None:
    """Have ``unit`` not start at boot."""
    run(["systemctl", "disable", "--quiet", "--", unit])


def create_tmpfiles(path: str) -> None:
    """Create what the tmpfiles.d file ``path`` lists."""
    run(["systemd-tmpfiles", "--create", path])


def start(unit: str, readiness: Readiness, *, health: HealthCheck) -> None:
    """Start ``unit`` and return when it is ready.

    A unit of ``Type=notify`` is ready when systemd says so, any other once it stayed active for the delay without a restart;
    then ``health`` is asked until it has nothing to say. Raises ``ServiceError`` with the last lines of the unit's journal when
    that does not happen in time.
    """
    since, deadline = time.time(), time.monotonic() + readiness.timeout
    forget_failure(unit)
    try:
        run(["systemctl", "start", "--no-block", "--", unit])
    except CommandError as exc:
        raise ServiceError(f"{unit} did not start: {exc.stderr or exc}{journal_tail(unit, since=since)}") from exc
    reason = _wait_ready(unit, readiness, deadline=deadline)
    if reason is None and readiness.health_cmd:
        reason = _wait_healthy(unit, readiness, health, deadline=deadline)
    if reason:
        raise ServiceError(f"{unit} did not become ready: {reason}{journal_tail(unit, since=since)}")


def stop(unit: str) -> None:
    """Stop ``unit``; raises ``ServiceError`` when it still runs afterwards.

    One that had to be killed counts as failed to systemd, but it is down, as was asked for: that is forgotten.
    """
    try:
        run(["systemctl", "stop", "--", unit], timeout=STOP_TIMEOUT)
    except CommandError as exc:
        raise ServiceError(f"{unit} did not stop: {exc.stderr or exc}") from exc
    state = show_units([unit])[unit]
    if state.running:
        raise ServiceError(f"{unit} did not stop: it is {state.active} ({state.sub})")
    if state.active == "failed":
        forget_failure(unit)


def forget_failure(unit: str) -> None:
    """Have systemd forget a unit that failed, so that a removed one is not listed any more."""
    run(["systemctl", "reset-failed", "--", unit], check=False)


def journal_tail(unit: str, *, since: float) -> str:
    """Return the last journal lines of ``unit`` since a time (seconds since the epoch) for a message, or nothing."""
    argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={_JOURNAL_LINES}"]
    # What --unit finds, and what any process of root's says of the unit: why a program could not be run comes from a child of
    # systemd, which has often ended before the journal looks up the unit that it is of.
    fields = (f"{field}={unit}" for field in ("UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT"))
    matches = [f"_SYSTEMD_UNIT={unit}", *(word for field in fields for word in ("+", field, "_UID=0"))]
    try:
        run(["journalctl", "--sync"], timeout=_SYNC_TIMEOUT, check=False)  # what was said last is on its way
        done = run([*argv, f"--since=@{int(since)}", *matches], check=False)
    except SystemContainerError:
        return ""
    text = done.text.strip()
    return f"\nLast lines of its journal:\n{text}" if done.rc == 0 and text else ""


def _wait_healthy(unit: str, readiness: Readiness, health: HealthCheck, *, deadline: float) -> str | None:
    """Return None once the command says so, else what it said last; a service that ends meanwhile is not waited for."""
    while True:
        said = health(readiness.health_cmd, max(deadline - time.monotonic(), 1.0))
        if said is None:
            return None
        state = show_units([unit])[unit]
        if not state.up and not state.has_job:
            return f"it was {state.active} ({state.sub}) while its health was checked"
        if time.monotonic() + _HEALTH_POLL >= deadline:
            return f"health_cmd '{' '.join(readiness.health_cmd)}' failed for {readiness.timeout:g} seconds: {said}"
        time.sleep(_HEALTH_POLL)


def _wait_ready(unit: str, readiness: Readiness, *, deadline: float) -> str | None:
    """Return None once the unit is ready, else why it is not."""
    stable_since, restarts, pause = time.monotonic(), None, _FIRST_POLL
    while True:
        state = show_units([unit])[unit]
        now = time.monotonic()
        if state.active == "failed":
            return f"it failed (result {state.result}, exit status {state.exit_status})"
        if state.active == "inactive" and not state.has_job:
            return "it ended by itself, or a unit that it requires did not start"
        if state.active == "active" and (state.kind.startswith("notify") or state.sub == "exited"):
            return None
        if state.active != "active" or state.restarts != (state.restarts if restarts is None else restarts):
            stable_since = now
        restarts = state.restarts
        if state.active == "active" and now - stable_since >= readiness.delay:
            return None
        if now >= deadline:
            return f"it was {state.active} ({state.sub}) after {readiness.timeout:g} seconds, restarted {state.restarts} times"
        time.sleep(pause)
        pause = min(2 * pause, _POLL)


def _seconds(moment: str) -> float | None:
    """Return a time such as ``Fri 2026-11-27 01:20:52.851088 UTC`` in seconds since the epoch, None when there is none."""
    words = moment.split()
    return datetime.fromisoformat(f"{words[1]} {words[2]}+00:00").timestamp() if len(words) == 4 else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
