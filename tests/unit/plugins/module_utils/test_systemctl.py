# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``systemctl show`` prints, parsed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import UnitState
from ansible_collections.projectatomic.system_containers.plugins.module_utils._systemctl import parse_unit_state

RUNNING = """Id=app.service
LoadState=loaded
ActiveState=active
SubState=running
Type=notify
UnitFileState=enabled
NeedDaemonReload=no
MainPID=4242
ExecMainStartTimestamp=Sat 1970-01-24 03:33:10.000000 UTC
ExecMainStatus=0
NRestarts=3
Result=success
Job=17
MemoryCurrent=1048576
"""


def test_running() -> None:
    assert parse_unit_state(RUNNING) == UnitState(
        load="loaded",
        active="active",
        sub="running",
        file_state="enabled",
        need_daemon_reload=False,
        pid=4242,
        since=1_999_990.0,
        restarts=3,
        result="success",
        exit_status=0,
        memory=1048576,
        kind="notify",
        has_job=True,
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("LoadState=masked", "load", "masked"),
        ("ActiveState=failed", "active", "failed"),
        ("UnitFileState=", "file_state", ""),
        ("NeedDaemonReload=yes", "need_daemon_reload", True),
        ("FragmentPath=/etc/systemd/system/app.service", "fragment", "/etc/systemd/system/app.service"),
        ("MainPID=0", "pid", None),
        ("ExecMainCode=1", "exit_code", "exited"),
        ("ExecMainCode=2", "exit_code", "killed"),
        ("ExecMainCode=3", "exit_code", "dumped"),
        ("ExecMainCode=0", "exit_code", None),
        ("ExecMainExitTimestamp=", "exited", None),
        ("ExecMainExitTimestamp=n/a", "exited", None),
        ("ExecMainExitTimestamp=Sat 1970-01-24 03:33:15.250000 UTC", "exited", 1_999_995.25),
        ("ExecMainStartTimestamp=", "since", None),
        ("ExecMainStartTimestamp=n/a", "since", None),
        ("ExecMainStartTimestamp=Fri 2026-11-27 01:20:52.851088 UTC", "since", 1_795_742_452.851088),
        ("ExecMainStatus=143", "exit_status", 143),
        ("ExecMainStatus=", "exit_status", 0),
        ("NRestarts=", "restarts", 0),
        ("Result=exit-code", "result", "exit-code"),
        ("MemoryCurrent=[not set]", "memory", None),
        ("MemoryCurrent=18446744073709551615", "memory", None),
        ("MemoryCurrent=infinity", "memory", None),
        ("MemoryCurrent=0", "memory", 0),
        ("Unknown=a=b", "restarts", 3),
        ("no equals sign", "restarts", 3),
    ],
)
def test_one_property(line: str, field: str, value: Any) -> None:
    name = line.partition("=")[0] + "="
    block = "\n".join([*(old for old in RUNNING.splitlines() if not old.startswith(name)), line])
    assert getattr(parse_unit_state(block), field) == value


@pytest.mark.parametrize("block", ["", "\n", "Id=app.service\nLoadState=not-found\nActiveState=inactive\n"])
def test_no_unit(block: str) -> None:
    assert parse_unit_state(block) == UnitState()
