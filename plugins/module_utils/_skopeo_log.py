# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a running skopeo logs (``--debug``), kept in memory: its last words, and when it waits for a registry."""

from __future__ import annotations

import os
import re

_PAUSE = re.compile(rb"Too many requests to .*: sleeping for ([0-9.]+) seconds")
_LAST = 64 * 1024


class SkopeoLog:
    """A file in memory for standard error."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("skopeo-log", os.MFD_CLOEXEC)
        self._seen = 0

    @property
    def size(self) -> int:
        """Bytes that were logged so far."""
        return os.fstat(self.descriptor).st_size

    def announced_pause(self) -> float:
        """Return the seconds that skopeo said, since the last call, it would wait: the longest of its pauses.

        A registry that limits the rate (429) makes it wait, five requests long, for as long as the registry asks, at
        most 60 seconds each time, before it says anything on the socket.
        """
        new = os.pread(self.descriptor, max(0, self.size - self._seen), self._seen)
        new = new[: new.rfind(b"\n") + 1]
        self._seen += len(new)
        return max((float(seconds) for seconds in _PAUSE.findall(new)), default=0.0)

    def last_words(self) -> str:
        """Return the last line that is no debugging, empty when there is none; of a crash, the one that says why."""
        text = os.pread(self.descriptor, _LAST, max(0, self.size - _LAST)).decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if line.strip() and not re.search("level=(debug|info) ", line)]
        crash = [line for line in lines if line.startswith("fatal error: ")]
        return (crash or lines or [""])[-1].strip()

    def close(self) -> None:
        os.close(self.descriptor)
