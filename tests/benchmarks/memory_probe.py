# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a Python program, and write the peak memory of its own process (VmHWM, in KiB) to a file at its end.

    memory_probe.py FILE PROGRAM

The kernel's figures for a child that has ended count its children's peak, too; so the process asks for itself.
"""

from __future__ import annotations

import atexit
import runpy
import sys


def write_peak(path: str) -> None:
    """Write the highest resident set size of this process."""
    with open("/proc/self/status", encoding="ascii") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    with open(path, "w", encoding="ascii") as stream:
        stream.write(peak)


if __name__ == "__main__":
    atexit.register(write_peak, sys.argv[1])
    sys.argv[:] = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
