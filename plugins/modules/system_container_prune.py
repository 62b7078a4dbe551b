#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove what system containers no longer need."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container_prune
short_description: Remove what system containers no longer need
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Removes layers and configurations that no image in the OSTree repository needs, commits that pulls and removed images
    left, and all objects that nothing reaches then.
  - Removes temporary folders of runs that were killed, and checkouts of containers that are gone. A container is gone when no link, no
    unit, no file of its own and nothing that runs leads to it. One whose link was lost is not.
  - Removes no image that has a name, and nothing that is not this collection's or Atomic's. Commits and refs that others have in the
    repository stay, with or without a ref, and so do other files below O(root).
  - As long as an image or a commit cannot be read, it cannot be told what it needs. Then there is a warning, and the layers stay.
  - What another run is changing is left for the next time, with a warning. While an image is pulled, this module waits for up to
    ten minutes.
  - This module pulls nothing. It accepts the options for pulling, and ignores them, so that one C(module_defaults) of the action
    group serves all modules.
options:
  keep:
    description:
      - How many deployments each container keeps, at least 1. The active one counts, the oldest of the others go.
      - If not set, all deployments stay.
    type: int
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - module: projectatomic.system_containers.system_container_image
  - module: projectatomic.system_containers.system_container_info
"""

EXAMPLES = r"""
- name: See what could go, and how much that would free
  projectatomic.system_containers.system_container_prune:
  check_mode: true
  register: unused

- name: Remove it
  projectatomic.system_containers.system_container_prune:

- name: Remove all deployments that are not in use as well
  projectatomic.system_containers.system_container_prune:
    keep: 1
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success
  type: list
  elements: str
  sample: ["remove unused blob ociimage/77aa...", "prune 3 unused commits, 120 objects in all"]
removed:
  description: What was removed, or in check mode would be.
  returned: success
  type: dict
  contains:
    blobs:
      description: Digests of the layers and configurations that no image needs.
      type: list
      elements: str
      sample: ["sha256:77aa..."]
    commits:
      description: OSTree commits that no ref names, those of RV(removed.blobs) included.
      type: list
      elements: str
      sample: ["5d8f..."]
    objects:
      description: How many objects of the repository nothing reaches, commits included.
      type: int
      sample: 120
    checkouts:
      description: Directories of containers that are gone, and parts of deployments that are not used.
      type: list
      elements: str
      sample: ["/var/lib/containers/atomic/old.0"]
    deployments:
      description: Directories of deployments that O(keep) left no room for, by container, the oldest first.
      type: list
      elements: str
      sample: ["/var/lib/containers/atomic/etcd.1"]
    leftovers:
      description: What runs that were killed left.
      type: list
      elements: str
      sample: ["/var/lib/containers/atomic/.etcd.1.new"]
bytes_reclaimed:
  description:
    - Bytes on disk that this frees, or in check mode would free.
    - A file counts with the blocks that it has, once, and only when all links to it go. So a layer that a deployment still uses frees
      its directories' objects only.
  returned: success
  type: int
  sample: 1458176
"""

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._module import run_module
from ansible_collections.projectatomic.system_containers.plugins.module_utils._prune import prune_store
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**STORE, **PULL, "keep": {"type": "int"}},
        supports_check_mode=True,
        **PULL_RULES,
    )
    run_module(module, lambda: prune(module))


def prune(module: AnsibleModule) -> dict[str, Any]:
    """Prune the store that the options name; return the result."""
    outcome = prune_store(locate_store(module.params), keep=module.params["keep"], check_mode=module.check_mode)
    for warning in outcome.doomed.warnings:
        module.warn(warning)
    return outcome.results()


if __name__ == "__main__":
    main()
