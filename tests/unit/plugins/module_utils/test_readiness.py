# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting and stopping a unit, with a systemd that is a list of states and a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _systemctl
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    CommandError,
    ServiceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Readiness
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runner import Completed

JOURNAL = "\nLast lines of its journal:\nno reason to live"
UP = "ActiveState=active\nSubState=running"
STARTING = "ActiveState=activating\nSubState=start\nJob=1"
WAITING = "ActiveState=activating\nSubState=auto-restart"
RELOADING = "ActiveState=reloading\nSubState=reload"
DOWN = "ActiveState=inactive\nSubState=dead"
QUEUED = "ActiveState=inactive\nSubState=dead\nJob=7"
FAILED = "ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3"


class Host:
    """A systemd that is in each state for so many seconds, and then in the last one for ever."""

    def __init__(self, *states: tuple[float, str], refuses: str = "") -> None:
        self.states, self.refuses = states, refuses
        self.now = 1000.0
        self.commands: list[str] = []

    def time(self) -> float:
        return 2_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        self.commands.append(" ".join(argv[1:3]) if argv[0] == "systemctl" else argv[0])
        if argv[1] == self.refuses:
            raise CommandError("it failed", rc=1, stderr="bad unit file")
        text = "no reason to live" if "UNIT=app.service" in argv else self.state() + "\n" if argv[1] == "show" else ""
        return Completed(0, text.encode(), b"")

    def state(self) -> str:
        passed = self.now - 1000.0
        for seconds, state in self.states:
            if passed < seconds:
                return state
            passed -= seconds
        return self.states[-1][1]


@pytest.fixture
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = request.param if isinstance(request.param, Host) else Host(*request.param)
    found.now, found.commands = 1000.0, []
    monkeypatch.setattr(_systemctl, "run", found.run)
    monkeypatch.setattr(_systemctl, "time", found)
    return found


def well(argv: Sequence[str], timeout: float) -> str | None:
    raise AssertionError("nobody asked for the health")


def start(**readiness: Any) -> None:
    _systemctl.start("app.service", Readiness(**{"delay": 3.0, "timeout": 60.0, **readiness}), health=well)


@pytest.mark.parametrize(
    ("host", "seconds"),
    [
        pytest.param([(0, UP)], 3, id="up at once"),
        pytest.param([(2, QUEUED), (5, STARTING), (0, UP)], 10, id="waits for another unit"),
        pytest.param([(1, STARTING), (0, UP + "\nType=notify")], 1, id="says that it is ready"),
        pytest.param([(1, STARTING), (0, UP + "\nType=notify-reload")], 1, id="says so, and when it reloads"),
        pytest.param([(1, STARTING), (0, "ActiveState=active\nSubState=exited")], 1, id="ended, and counts as up"),
        pytest.param([(2, UP), (1, WAITING), (0, UP + "\nNRestarts=1")], 6, id="restarted once"),
        pytest.param([(2, UP), (0, UP + "\nNRestarts=1")], 5, id="restarted between two looks"),
        pytest.param([(1, UP), (1, RELOADING), (0, UP)], 5, id="reloads"),
    ],
    indirect=["host"],
)
def test_ready(host: Host, seconds: float) -> None:
    start()
    assert host.now - 1000.0 == pytest.approx(seconds, abs=0.25)
    assert host.commands[:2] == ["reset-failed --", "start --no-block"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        pytest.param(
            [(2, UP), (0, FAILED)], r"it failed \(result exit-code, exit status 3\)", id="dies after two seconds"
        ),
        pytest.param([(2, UP), (0, DOWN)], "it ended by itself, or a unit that it requires did not start", id="ends"),
        pytest.param([(0, STARTING)], r"it was activating \(start\) after 60 seconds", id="never ready"),
        pytest.param([(0, QUEUED)], r"it was inactive \(dead\) after 60 seconds", id="never starts"),
        pytest.param(
            [part for n in range(99) for part in ((2, f"{UP}\nNRestarts={n}"), (1, WAITING))],
            r"it was active .running. after 60 seconds, restarted \d+ times",
            id="dies again and again",
        ),
    ],
    indirect=["host"],
)
def test_not_ready(host: Host, reason: str) -> None:
    with pytest.raises(ServiceError, match=f"app.service did not become ready: {reason}") as failure:
        start()
    assert str(failure.value).endswith(JOURNAL)
    assert host.now - 1000.0 < 61


@pytest.mark.parametrize("host", [Host((0, DOWN), refuses="start")], indirect=True)
def test_a_unit_that_systemd_refuses(host: Host) -> None:
    with pytest.raises(ServiceError, match=r"app\.service did not start: bad unit file\nLast lines"):
        start()


class Health:
    """A command that says something else each time."""

    def __init__(self, *said: str | None) -> None:
        self.said, self.timeouts = list(said), list[float]()

    def __call__(self, argv: Sequence[str], timeout: float) -> str | None:
        assert list(argv) == ["/check", "it"]
        self.timeouts.append(timeout)
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


def check(*said: str | None) -> Health:
    health = Health(*said)
    _systemctl.start("app.service", Readiness(delay=1.0, timeout=10.0, health_cmd=("/check", "it")), health=health)
    return health


@pytest.mark.parametrize("host", [[(0, UP)]], indirect=True)
@pytest.mark.parametrize("said", [(None,), ("not yet", "soon", None)])
def test_healthy(host: Host, said: tuple[str | None, ...]) -> None:
    health = check(*said)
    assert len(health.timeouts) == len(said)
    assert all(timeout <= 9.0 for timeout in health.timeouts), "the delay is part of the time-out"


@pytest.mark.parametrize("host", [[(0, UP)]], indirect=True)
def test_never_healthy(host: Host) -> None:
    message = (
        "did not become ready: health_cmd '/check it' failed for 10 seconds: it ended with exit code 7\nLast lines"
    )
    with pytest.raises(ServiceError, match=message):
        check("it ended with exit code 7")
    assert host.now - 1000.0 <= 10.0


@pytest.mark.parametrize("host", [[(3, UP), (0, FAILED)]], indirect=True)
def test_what_died_is_not_waited_for(host: Host) -> None:
    with pytest.raises(ServiceError, match=r"it was failed \(failed\) while its health was checked"):
        check("no such container")
    assert host.now - 1000.0 < 4.5


@pytest.mark.parametrize(
    ("host", "forgets"),
    [([(0, DOWN)], False), ([(0, FAILED)], True)],
    indirect=["host"],
)
def test_stopped(host: Host, forgets: bool) -> None:
    """One that had to be killed is down, too."""
    _systemctl.stop("app.service")
    assert ("reset-failed --" in host.commands) is forgets


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ([(0, UP)], r"app.service did not stop: it is active \(running\)"),
        ([(0, "ActiveState=deactivating\nSubState=stop")], r"did not stop: it is deactivating \(stop\)"),
        (Host((0, UP), refuses="stop"), "did not stop: bad unit file"),
    ],
    indirect=["host"],
)
def test_not_stopped(host: Host, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        _systemctl.stop("app.service")
