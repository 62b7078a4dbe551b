# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the checkout importable as a collection, whatever its folder is called.

Ansible finds a collection only at ansible_collections/NAMESPACE/NAME below an entry of ANSIBLE_COLLECTIONS_PATH.
A symlink under .cache provides that. As a script this prints the path to set:

    export ANSIBLE_COLLECTIONS_PATH="$(python3 tests/runner/collection_link.py)"
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "projectatomic"
NAME = "system_containers"


def link_collection(root: Path = ROOT) -> Path:
    """Create the link where it is missing or wrong, and return the folder for ANSIBLE_COLLECTIONS_PATH."""
    collections = root / ".cache" / "collections"
    link = collections / "ansible_collections" / NAMESPACE / NAME
    link.parent.mkdir(parents=True, exist_ok=True)
    if not (link.is_symlink() and Path(os.readlink(link)) == root):
        # Made aside and renamed, so that two runs at once never see it missing.
        aside = link.with_name(f".{NAME}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        aside.symlink_to(root)
        aside.replace(link)
    return collections


if __name__ == "__main__":
    print(link_collection())
