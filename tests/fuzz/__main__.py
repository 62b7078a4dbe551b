# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fuzz for some minutes: rounds of all fuzzers, each with a seed of its own, until the time is over or one fails."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]


def main(minutes: float) -> int:
    """Return the exit code of the round that failed, 0 when none did."""
    end, number = monotonic() + minutes * 60, 0
    while monotonic() < end:
        number += 1
        seed = random.SystemRandom().randrange(2**32)
        print(f"fuzz: round {number}, seed {seed}, {(end - monotonic()) / 60:.1f} minutes left", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", "tests/fuzz"]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "FUZZ_PROFILE": "long"}, check=False)
        if done.returncode:
            print(f"fuzz: failed with seed {seed}; 'make fuzz' tries the example first, from .hypothesis")
            return done.returncode
    print(f"fuzz: {number} rounds, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10))
