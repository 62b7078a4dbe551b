# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What skopeo logs: its last words, and the pauses that it announces."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._skopeo_log import SkopeoLog

PAUSE = 'time="x" level=debug msg="Too many requests to https://r/v2/: sleeping for {} seconds before next attempt"\n'
LAST = 'time="x" level=fatal msg="it failed"\n'


@pytest.fixture
def log() -> Iterator[SkopeoLog]:
    with contextlib.closing(SkopeoLog()) as made:
        yield made


def test_pauses(log: SkopeoLog) -> None:
    """Each is announced once."""
    assert log.announced_pause() == 0
    os.write(log.descriptor, (PAUSE.format("2.000000") + LAST + PAUSE.format("4.500000")).encode())
    assert log.announced_pause() == 4.5
    assert log.announced_pause() == 0
    line = PAUSE.format("8.000000").encode()
    os.write(log.descriptor, line[:50])
    assert log.announced_pause() == 0
    os.write(log.descriptor, line[50:])
    assert log.announced_pause() == 8


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("", ""),
        (PAUSE, ""),
        (LAST + PAUSE + "\n", LAST.strip()),
        ("panic: x\n" + LAST, LAST.strip()),
        ("unknown command", "unknown command"),
        ("fatal error: out of memory\n\ngoroutine 1 [running]:\n\tproc.go:1\n", "fatal error: out of memory"),
        (PAUSE * 2000 + LAST, LAST.strip()),
    ],
)
def test_last_words(log: SkopeoLog, text: str, last: str) -> None:
    os.write(log.descriptor, text.encode())
    assert log.last_words() == last
    assert log.size == len(text)
