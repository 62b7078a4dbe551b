#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Get information on system containers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container_info
short_description: Get information on system containers
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Lists system containers with their image, deployments, values and the state of their unit.
  - A container that is damaged is listed with the reason.
  - This module pulls nothing. It accepts the options for pulling, and ignores them, so that one C(module_defaults) of the action
    group serves all modules.
options:
  name:
    description:
      - Names of the containers. If not set, all containers below O(root) are listed.
      - A name that does not exist is not listed.
    type: list
    elements: str
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes
  - projectatomic.system_containers._attributes.info_module
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - module: projectatomic.system_containers.system_container
  - module: projectatomic.system_containers.system_container_prune
"""

EXAMPLES = r"""
- name: List all system containers
  projectatomic.system_containers.system_container_info:
  register: all_containers

- name: Show what runs
  ansible.builtin.debug:
    msg: "{{ item.name }} runs {{ item.image }} ({{ item.manifest_digest }})"
  loop: "{{ all_containers.containers | selectattr('state', 'eq', 'running') }}"
  loop_control:
    label: "{{ item.name }}"

- name: Look at one container
  projectatomic.system_containers.system_container_info:
    name: hello-world
  register: hello
"""

RETURN = r"""
exists:
  description: Whether all containers of O(name) exist; without O(name), whether there is any.
  returned: success
  type: bool
  sample: true
containers:
  description: The containers, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the container.
      type: str
      sample: hello-world
    broken:
      description: Why the container cannot be used as it is, none when it can.
      type: str
      sample: null
    image:
      description: Name of the image as the task gave it that made the deployment.
      type: str
      sample: localhost/hello-world
    image_id:
      description: The image's id as Atomic had it.
      type: str
      sample: 1f0d...
    manifest_digest:
      description: Digest of the image's manifest for the platform.
      type: str
      sample: "sha256:1f0d..."
    index_digest:
      description: Digest of the index that the manifest was chosen from, none when the source had no index.
      type: str
      sample: null
    deployment:
      description: Id of the active deployment, 12 hex digits.
      type: str
      sample: 0a1b2c3d4e5f
    deployments:
      description:
        - The deployments on the host, each with its C(id), whether it is C(active), C(directory), C(image), C(manifest_digest),
          C(index_digest), C(values) and when it was C(created) in seconds since the epoch.
      type: list
      elements: dict
      sample: [{"id": "0a1b2c3d4e5f", "active": true, "directory": "/var/lib/containers/atomic/hello-world.0"}]
    values:
      description: The values that the user set.
      type: dict
      sample: {"RECEIVER": "Fleet"}
    computed_values:
      description: All other values that the templates were rendered with.
      type: dict
      sample: {"PORT": "8081"}
    runtime:
      description: Path of the OCI runtime.
      type: str
      sample: /usr/bin/runc
    state:
      description: V(running), or the unit's state when it is not, such as V(inactive) or V(failed).
      type: str
      sample: running
    substate:
      description: The unit's state in detail.
      type: str
      sample: running
    enabled:
      description: Whether the unit starts at boot.
      type: bool
      sample: true
    unit:
      description: Name of the unit, none when the image has no service.
      type: str
      sample: hello-world.service
    pid:
      description: Main process of the unit on the host, none when it does not run.
      type: int
      sample: 4711
    since:
      description: When the main process was started, in seconds since the epoch.
      type: float
      sample: 1795436279.5
    restarts:
      description: How often systemd restarted the unit by itself.
      type: int
      sample: 0
    result:
      description: Result of the unit's last run as systemd calls it.
      type: str
      sample: success
    exit_status:
      description: Exit status of the unit's main process, 0 while it runs.
      type: int
      sample: 0
    memory:
      description: Memory in use in bytes, none where the host does not account.
      type: int
      sample: null
    link:
      description: The link to the active deployment.
      type: str
      sample: /var/lib/containers/atomic/hello-world
    files:
      description: The files that belong to the container and exist.
      type: list
      elements: str
      sample: ["/etc/systemd/system/hello-world.service"]
store:
  description: Sizes of what the OSTree repository holds, from what was recorded when it was pulled.
  returned: success
  type: dict
  contains:
    images:
      description: How many images there are. Names of one image count once.
      type: int
      sample: 3
    unique:
      description: Bytes of the layers, unpacked, that exactly one image has.
      type: int
      sample: 52428800
    shared:
      description: Bytes of the layers, unpacked, that several images have, each layer once.
      type: int
      sample: 20971520
    reclaimable:
      description:
        - Bytes of the layers and configurations, unpacked, that no image has. None as long as an image cannot be read.
        - What M(projectatomic.system_containers.system_container_prune) reports are blocks on disk instead. It removes more than layers,
          and files that layers or deployments share free nothing.
      type: int
      sample: 1048576
runtime:
  description: The host's OCI runtime, C(runc) or else C(crun); all of it is none when the host has neither.
  returned: success
  type: dict
  contains:
    name:
      description: Name that the program gives itself.
      type: str
      sample: runc
    path:
      description: Path of the program.
      type: str
      sample: /usr/bin/runc
    version:
      description: Version that the program reports.
      type: str
      sample: 1.1.5+ds1
    known_vulnerabilities:
      description:
        - The published vulnerabilities that upstream fixed in later versions than this one, oldest first. Each has C(id), C(fixed_in)
          (the first version without it, of each branch that got a fix) and C(summary).
        - None when the version is not understood.
      type: list
      elements: dict
      sample:
        - id: CVE-2024-21626
          fixed_in: ["1.1.12"]
          summary: a file descriptor left open led a container to the host's files
    note:
      description:
        - How to read the list; none when it is empty. Distributions mend old versions without changing upstream's version number,
          so the list may have what the package in use no longer has.
      type: str
      sample: "By upstream's version alone: distributions mend old versions without changing it, ask the one in use."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_name import (
    check_container_name,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployments import container_names
from ansible_collections.projectatomic.system_containers.plugins.module_utils._describe import describe_container
from ansible_collections.projectatomic.system_containers.plugins.module_utils._module import run_module
from ansible_collections.projectatomic.system_containers.plugins.module_utils._observe import (
    observe_containers,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runtime import observe_runtime
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store_sizes import store_sizes


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**STORE, **PULL, "name": {"type": "list", "elements": "str"}},
        supports_check_mode=True,
        **PULL_RULES,
    )
    run_module(module, lambda: collect(module.params))


def collect(params: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of the containers that the options ask for."""
    store = locate_store(params)
    wanted = params["name"]
    names = container_names(store.root) if wanted is None else sorted({check_container_name(name) for name in wanted})
    observed = observe_containers(store.root, names)
    existing = [observed[name] for name in names if observed[name].exists]
    return {
        "changed": False,
        "exists": len(existing) == len(names) and bool(existing),
        "containers": [describe_container(item) for item in existing],
        "store": store_sizes(store.repository).describe(),
        "runtime": observe_runtime(),
    }


if __name__ == "__main__":
    main()
