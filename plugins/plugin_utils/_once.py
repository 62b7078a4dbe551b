# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask once in a run of ansible-playbook.

Ansible evaluates lookups in worker processes, which end with their task, so memory is not shared between tasks and hosts. What
all of them have is the temporary folder of the run: Ansible makes it before the first worker and removes it at the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Callable


def once(folder: Path, key: dict[str, Any], ask: Callable[[], str]) -> str:
    """Return what ``ask`` returned for this key the first time; an error is not kept.

    Others who want the same wait meanwhile. ``folder`` is made when it is missing, for its owner alone.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    with open(path, "a+", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        known = stream.read()
        if not known:
            known = ask()
            stream.write(known)
            stream.flush()
        return known
