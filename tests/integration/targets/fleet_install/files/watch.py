# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look for a secret in the command lines of all processes: watch.py FILE_WITH_SECRET COMMAND...

Runs the command, and looks all the time until it ends; hosts of the lab are on this machine, so their processes are seen, too. Prints
as JSON the command's exit code and output, the names of the programs that were seen, and the command lines with the secret.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

PAUSE = 0.01


def look(secret: bytes, programs: set[str], found: set[str]) -> None:
    """Look once."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        programs.add(Path(line.partition(b"\0")[0].decode(errors="replace")).name)
        if secret in line:
            found.add(line.replace(b"\0", b" ").decode(errors="replace"))


def main(path: str, *command: str) -> None:
    """Run the command and watch."""
    secret = Path(path).read_bytes()
    programs: set[str] = set()
    found: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            look(secret, programs, found)
            time.sleep(PAUSE)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        ended.set()
        watcher.join()
    print(
        json.dumps(
            {
                "rc": done.returncode,
                "output": done.stdout + done.stderr,
                "programs": sorted(programs),
                "found": sorted(found),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
