# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this file is private and may change without notice.

"""Options that say where containers and images are kept."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module."""

    DOCUMENTATION = r"""
options:
  root:
    description:
      - Directory of the containers. Each container is a link O(root)C(/NAME) to its active deployment, C(NAME.0) or C(NAME.1).
    type: path
    default: /var/lib/containers/atomic
  repo:
    description:
      - OSTree repository that holds the images.
      - If not set, it is C(/ostree/repo) when that exists on the same file system as O(root), else C(.storage/ostree) below O(root).
      - It is created when it is missing, so that only root can enter it. What is there is used as it is, and has to be
        an OSTree repository of mode C(bare), or an empty directory.
      - It has to be on the same file system as O(root), as checkouts are hard links into it.
      - One run at a time writes to it; others wait for up to ten minutes.
    type: path
requirements:
  - Python >= 3.9
  - ostree
"""
