# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands by a runtime that is made up: how they end, what is killed when they take too long, and what is said of refusals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _exec
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exec import (
    Ended,
    ExecRequest,
    Target,
    execute,
)

# As runc does: the command is started in a session of its own, its pid goes to a file, its exit code is the runtime's.
RUNTIME = """\
#!/usr/bin/env python3
import json, os, subprocess, sys
options = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--log", "--process", "--pid-file")}
with open(options["--process"]) as file:
    process = json.load(file)
if "refused" in process:
    with open(options["--log"], "w") as log:
        log.write(process["refused"])
    sys.exit("the runtime's own words")
child = subprocess.Popen(process["args"], start_new_session=True)
with open(options["--pid-file"], "w") as file:
    file.write(str(child.pid))
while passed_on := os.read(child.stdout.fileno(), 1000) if child.stdout else b"":
    os.write(1, passed_on)
code = child.wait()
sys.exit(code if code >= 0 else 128 - code)
"""

Run = Callable[..., Ended]
SOON = 1.5
"""Seconds until a command has taken too long: a busy machine starts it by then."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a script in "a container" that is the test's own process."""
    monkeypatch.setattr(_exec, "_FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(_exec, "_KILL_TIMEOUT", 0.5)
    program = tmp_path / "runtime"
    program.write_text(RUNTIME)
    program.chmod(0o755)
    target = Target("hello", str(program), os.getpid(), {})

    def run(script: str, *, stdin: bytes | None = None, timeout: float | None = None, **more: Any) -> Ended:
        process = {"args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"], **more}
        ended = execute(target, process, ExecRequest(argv=process["args"], stdin=stdin, timeout=timeout))
        assert os.listdir(tmp_path / "run") == []
        return ended

    return run


@pytest.fixture
def pid_of(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Tell the process that wrote its number into the file ``PID``, and end it after the test."""
    file = tmp_path / "pid"

    def pid_of() -> int:
        return int(file.read_text())

    yield pid_of
    with contextlib.suppress(OSError, ValueError):
        os.kill(pid_of(), signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("echo out; echo err >&2", Ended(0, b"out\n", b"err\n")),
        ("exit 3", Ended(3)),
        ("kill -9 $$", Ended(137)),
        ("cat", Ended(0)),  # it reads nothing
    ],
)
def test_a_command_that_ends(run: Run, script: str, ended: Ended) -> None:
    assert run(script) == ended


def test_input(run: Run) -> None:
    assert run("cat", stdin=b"a\0\xff") == Ended(0, b"a\0\xff")
    assert run("true", stdin=b"x" * 1_000_000) == Ended(0)  # it does not read it


def test_what_takes_too_long_is_killed_with_its_children(run: Run, pid_of: Callable[[], int], tmp_path: Path) -> None:
    script = f"trap '' TERM; echo so far; sleep 71 & echo $! > {tmp_path}/pid; wait; echo never"
    assert run(script, timeout=SOON) == Ended(137, b"so far\n", timed_out=True)
    assert not alive(pid_of())


def test_no_shell_goes_on_when_its_child_is_killed_before_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    kill = os.kill

    def slowly(pid: int, number: int) -> None:
        sent.append(number)
        kill(pid, number)
        time.sleep(0.05)

    monkeypatch.setattr(os, "kill", slowly)
    assert run("echo so far; sleep 78; echo never", timeout=SOON) == Ended(137, b"so far\n", timed_out=True)
    assert sent == [signal.SIGSTOP] * 2 + [signal.SIGKILL] * 2


def test_a_daemon_is_left_alone_and_said_to_be(run: Run, pid_of: Callable[[], int], tmp_path: Path) -> None:
    """It has a session of its own and no parent, and the output open."""
    script = f"setsid sh -c 'sleep 72 & echo $! > {tmp_path}/pid'; echo so far; sleep 73"
    begin = time.monotonic()
    assert run(script, timeout=SOON) == Ended(137, b"so far\n", timed_out=True, survived=True)
    assert time.monotonic() - begin < 10
    assert alive(pid_of())


def test_what_an_ended_command_left_behind_is_killed_by_its_session(
    run: Run, pid_of: Callable[[], int], tmp_path: Path
) -> None:
    script = f"sleep 74 & echo $! > {tmp_path}/pid; echo so far"
    ended = run(script, timeout=SOON)
    assert ended == Ended(0, b"so far\n", timed_out=True)
    assert not alive(pid_of())


def test_a_runtime_that_does_not_end_is_killed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").write_text("#!/bin/sh\necho so far\nexec sleep 75\n")
    assert run("true", timeout=SOON) == Ended(137, b"so far\n", timed_out=True)


def test_a_runtime_that_passes_the_output_on_of_a_daemon_is_killed(
    run: Run, pid_of: Callable[[], int], tmp_path: Path
) -> None:
    """As runc does it."""
    program = tmp_path / "runtime"
    program.write_text(
        RUNTIME.replace(
            "start_new_session=True", "start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT"
        )
    )
    script = f"setsid sh -c 'sleep 76 & echo $! > {tmp_path}/pid'; echo so far; sleep 77"
    assert run(script, timeout=SOON) == Ended(137, b"so far\n", timed_out=True, survived=True)
    assert alive(pid_of())


@pytest.mark.parametrize(
    ("log", "args", "message"),
    [
        (
            'exec failed: unable to start container process: exec: "no": executable file not found in $PATH',
            ["no"],
            (
                "The command 'no' could not be started in the system container 'hello': there may be no such program"
                " in its PATH, which is '/usr/bin:/bin' (exec: \"no\": executable file not found in $PATH)"
            ),
        ),
        (
            "open executable: No such file or directory",
            ["/no/such"],
            (
                "The command '/no/such' could not be started in the system container 'hello': there may be no such program"
                " (open executable: No such file or directory)"
            ),
        ),
        (
            "exec format error",
            ["/etc/passwd"],
            "The command '/etc/passwd' could not be started in the system container 'hello' (exec format error)",
        ),
    ],
)
def test_a_command_that_cannot_be_started(run: Run, log: str, args: list[str], message: str) -> None:
    lines = [{"level": "warning", "msg": "older"}, {"level": "error", "msg": log}, {"level": "info", "msg": "later"}]
    refused = "\n".join(json.dumps(line) for line in lines) + "\nno json\n[]\n"
    assert run("", refused=refused, args=args).refused == message


def test_a_runtime_that_logs_nothing(run: Run) -> None:
    ended = run("", refused="")
    assert (
        ended.refused
        == "The command 'sh' could not be started in the system container 'hello' (the runtime's own words)"
    )
