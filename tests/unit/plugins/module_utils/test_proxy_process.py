# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long several threads wait for the proxy (what it answers: tests/store, with the real one)."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._proxy_process import ProxyProcess
from ansible_collections.projectatomic.system_containers.plugins.module_utils._skopeo_log import SkopeoLog

PAUSE = 'level=debug msg="Too many requests to https://r/v2/: sleeping for 2.000000 seconds before next attempt"'


def test_a_pause_is_for_all_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is announced once, and both threads have waited long enough at the same moment."""

    def announced_pause(log: SkopeoLog) -> float:
        seconds = real(log)
        time.sleep(0.1)  # the other thread comes while this one has read the log
        return seconds

    real = SkopeoLog.announced_pause
    monkeypatch.setattr(SkopeoLog, "announced_pause", announced_pause)
    process = ProxyProcess(["sh", "-c", f"echo '{PAUSE}'; exec sleep 60"], source="docker://r/a", timeout=1)
    with contextlib.closing(process), ThreadPoolExecutor(2) as threads:
        while not process._log.size:
            time.sleep(0.01)
        futures = [process.submit("GetBlob", number) for number in (1, 2)]
        long_ago = time.monotonic() - 5
        process._replied = long_ago
        waits = [threads.submit(process.patience, future, silent_since=long_ago) for future in futures]
        assert [1 < wait.result() <= 3 for wait in waits] == [True, True]
