# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run commands: output into a log, no input, and all of them stoppable."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.project import ROOT

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_stopping = threading.Event()
_GRACE = 20.0


class StoppedError(Exception):
    """The run is being stopped."""


def run(
    argv: Sequence[object],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    timeout: float = 1800,
    cleanup: bool = False,
) -> int:
    """Run a command and return its exit code; what it prints is appended to `log`.

    After stop_all() only commands with `cleanup` still run.
    """
    if _stopping.is_set() and not cleanup:
        raise StoppedError
    command = [str(arg) for arg in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"$ {shlex.join(command)}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            output.write(f"cannot run {command[0]}: {error}\n".encode())
            return 127
        code = _wait(process, timeout=timeout, cleanup=cleanup)
        if code is None:
            output.write(f"stopped after {timeout:.0f} s\n".encode())
            return 124
    if _stopping.is_set() and not cleanup:
        raise StoppedError
    return code


def _wait(process: subprocess.Popen[bytes], *, timeout: float, cleanup: bool) -> int | None:
    if not cleanup:
        with _lock:
            _running.add(process)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _stop(process)
        return None
    finally:
        with _lock:
            _running.discard(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _GRACE
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return
            time.sleep(0.1)


def stop_all() -> None:
    """End every command that runs, and let no other start than for cleaning up."""
    _stopping.set()
    with _lock:
        processes = list(_running)
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


def capture(argv: Sequence[object], *, env: Mapping[str, str], log: Path, timeout: float = 600) -> str | None:
    """Return what a command printed, or None when it failed; its errors go to `log`."""
    command = [str(arg) for arg in argv]
    with log.open("ab") as errors:
        errors.write(f"$ {shlex.join(command)}\n".encode())
        errors.flush()
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=timeout,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            errors.write(f"{error}\n".encode())
            return None
    return done.stdout.decode().strip()


def tail(path: Path, lines: int = 250) -> list[str]:
    """The last lines of a log."""
    if not path.exists():
        return []
    found = path.read_text(errors="replace").splitlines()
    cut = len(found) - lines
    return [f"[... {cut} lines before, see {path.name}]", *found[-lines:]] if cut > 0 else found
