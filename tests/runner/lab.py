# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's hosts, as the integration tests and Molecule use them."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from runner import process
from runner.project import LAB
from runner.stage import Context


class LabError(Exception):
    """A host or the registry could not be had."""


class Lab:
    """Calls `tests/lab/lab`, one call at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()

    def call(self, *arguments: str, log: Path | None = None, cleanup: bool = False) -> None:
        """Run one of the lab's commands."""
        context = self._context
        with self._lock:
            code = process.run([LAB, *arguments], log=log or context.log, env=context.env, cleanup=cleanup)
        if code != 0:
            raise LabError(f"lab {' '.join(arguments)} ended with exit code {code}")

    def inventory(self) -> Path:
        """Write the inventory of the hosts that are up, and say where."""
        with self._lock:
            found = process.capture([LAB, "inventory"], env=self._context.env, log=self._context.log)
        if not found:
            raise LabError("lab inventory failed")
        return Path(found)

    def down(self, *names: str) -> bool:
        """Take hosts down, or everything; whether that went well."""
        try:
            self.call("down", *names, cleanup=True)
        except LabError as error:
            print(error, file=sys.stderr)
            return False
        return True
