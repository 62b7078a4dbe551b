# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run modules of the collection on one host at once, each by an ``ansible`` of its own.

at_once.py INVENTORY HOST RUNS    RUNS is JSON: a list of [seconds to wait before, module, its arguments]

Prints the modules' results as JSON, in the order of the runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for an ``ansible`` and return what its module returned (``HOST | STATE => JSON``)."""
    output, errors = process.communicate(timeout=300)
    text = output.partition("=> ")[2]
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        raise SystemExit(f"no result: {output} {errors}") from None


def main() -> None:
    """Start all runs, then wait for them."""
    inventory, host, runs = sys.argv[1:]
    environment = {**os.environ, "ANSIBLE_PIPELINING": "1"}
    processes = []
    for delay, module, arguments in json.loads(runs):
        time.sleep(delay)
        name = f"projectatomic.system_containers.{module}"
        command = ["ansible", "--inventory", inventory, host, "-m", name, "-a", json.dumps(arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, env=environment, text=True, **pipes))  # type: ignore[call-overload]
    print(json.dumps([result_of(process) for process in processes]))


if __name__ == "__main__":
    main()
