# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long fuzzing takes: ``ci`` tries the same examples at every run, ``long`` (``make fuzz``) others each time.

``long`` keeps what it found in ``.hypothesis``, and tries it first the next time.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

_ROOT = Path(__file__).parents[2]
_HEALTH = list(HealthCheck)

settings.register_profile(
    "ci", max_examples=600, deadline=None, derandomize=True, database=None, suppress_health_check=_HEALTH
)
settings.register_profile(
    "long",
    max_examples=2000,
    deadline=None,
    database=DirectoryBasedExampleDatabase(_ROOT / ".hypothesis"),
    print_blob=True,
    suppress_health_check=_HEALTH,
)
settings.load_profile(os.environ.get("FUZZ_PROFILE", "ci"))
