# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walk on a host of the lab for some minutes: one walk after the other, each with a seed of its own, until one goes wrong.

``python tests/soak --seed N`` takes the steps of one walk again.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from time import monotonic

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from faults.lab_host import LabHost
from soak.walk import Walk, WrongError

STEPS = 150


def main(arguments: list[str]) -> int:
    """Return 0, or 1 when something was wrong; the host is kept then."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("minutes", nargs="?", type=float, default=10.0, help="for how long (default 10)")
    parser.add_argument("--seed", type=int, help="the seed of the first walk; by chance by default")
    parser.add_argument("--verbose", action="store_true", help="tell each step")
    options = parser.parse_args(arguments)
    end, seed = monotonic() + options.minutes * 60, options.seed
    while monotonic() < end:
        seed = random.SystemRandom().randrange(10**6) if seed is None else seed
        print(f"soak: seed {seed}, {(end - monotonic()) / 60:.1f} minutes left", flush=True)
        host = LabHost("soak")
        try:
            walk = Walk(host, seed=seed, say=_tell if options.verbose else None)
            walk.go(until=end, steps=STEPS)
        except WrongError as exc:
            print(
                f"soak: wrong: {exc}\nsoak: the host '{host.name}' is kept; when done: tests/lab/lab down {host.name}"
            )
            return 1
        except BaseException:
            host.down()
            raise
        host.down()
        print(f"soak: {walk.number} steps: {walk.summary()}", flush=True)
        seed = None
    print("soak: nothing wrong")
    return 0


def _tell(text: str) -> None:
    print(f"soak:   {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
