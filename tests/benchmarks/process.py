# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs what is measured: wall-clock time, processor time of the process and its children, output."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from lab.process import LabError

_TIMEOUT = 1800.0
_POLL = 0.01


@dataclass(frozen=True)
class Run:
    """What a run took, in seconds; ``cpu`` is user and system time with all children. ``output`` is standard output."""

    seconds: float
    cpu: float
    output: str


def measure(
    *commands: Sequence[str], environment: Mapping[str, str], watch: Callable[[int], None] | None = None
) -> Run:
    """Run a program, or several as a pipeline, to the end.

    ``watch`` is called with the first process's id again and again while it runs. Raises ``LabError`` when one of them
    fails, with what it said.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        processes = _start(commands, environment, output, errors)
        timers = [threading.Timer(_TIMEOUT, process.kill) for process in processes]
        for timer in timers:
            timer.start()
        try:
            if watch is not None:
                _watch(processes[0].pid, watch)
            codes, cpu = _wait(processes)
            seconds = time.perf_counter() - started
        except BaseException:  # whoever ends the benchmarks clears the folder that these still write to
            for process in processes:
                process.kill()
                process.wait()
            raise
        finally:
            for timer in timers:
                timer.cancel()
        text, problem = _text(output), _text(errors)
    for command, code in zip(commands, codes, strict=True):
        if code != 0:
            shown = (problem or text).strip()[-2000:]
            raise LabError(f"{' '.join(command)}: exit code {code}: {shown}")
    return Run(seconds, cpu, text)


def _start(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], output: IO[bytes], errors: IO[bytes]
) -> list[subprocess.Popen[bytes]]:
    processes: list[subprocess.Popen[bytes]] = []
    source: IO[bytes] | int = subprocess.DEVNULL
    for command in commands:
        last = command is commands[-1]
        process = subprocess.Popen(
            command,
            stdin=source,
            stdout=output if last else subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd="/",
        )
        if not isinstance(source, int):
            source.close()
        source = process.stdout or subprocess.DEVNULL
        processes.append(process)
    return processes


def _watch(pid: int, watch: Callable[[int], None]) -> None:
    """Call ``watch`` until the process has ended; it stays a zombie, so its times can still be asked for."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        watch(pid)
        time.sleep(_POLL)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> tuple[list[int], float]:
    codes, cpu = [], 0.0
    for process in processes:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        codes.append(process.returncode)
        cpu += usage.ru_utime + usage.ru_stime
    return codes, cpu


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
