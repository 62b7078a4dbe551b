# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let tests import the collection by its full name from a checkout in any folder.

pytest-ansible's --ansible-unit-inject-only (set in pyproject.toml) reads ANSIBLE_COLLECTIONS_PATH after this file
was loaded.
"""

from __future__ import annotations

import os

from runner.collection_link import link_collection

_before = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)
_collections = str(link_collection())
os.environ["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(
    [_collections, *(path for path in _before if path and path != _collections)]
)
