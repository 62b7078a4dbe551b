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
  - What was changed by hand, or got lost, is listed under RV(containers[].drift).
  - This module pulls nothing. It accepts the options for pulling, and ignores them, so that one C(module_defaults) of the action
    group serves all modules.
options:
  name:
    description:
      - Names of the containers. If not set, all containers below O(root) are listed.
      - A name that does not exist is not listed.
    type: list
    elements: str
  verify:
    description:
      - Hash all files of the deployments again, and what the OSTree repository holds of their images.
      - What is found is listed under RV(containers[].drift), and nothing is mended. With O(ignore:verify=true),
        M(projectatomic.system_containers.system_container) mends it.
    type: bool
    default: false
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

- name: Have every file of all containers hashed again
  projectatomic.system_containers.system_container_info:
    verify: true
  register: verified

- name: Fail when anything was changed by hand
  ansible.builtin.assert:
    that: item.drift == []
    fail_msg: "{{ item.drift }}"
  loop: "{{ verified.containers }}"
  loop_control:
    label: "{{ item.name }}"
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
    interrupted:
      description:
        - The change that a run began and did not end, such as V(install), V(update), V(change) or V(remove); none when there is none.
        - The next run of M(projectatomic.system_containers.system_container) ends it.
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
        - The deployments on the host.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the deployment, 12 hex digits. Empty for one that Atomic left.
          type: str
          sample: 0a1b2c3d4e5f
        active:
          description: Whether this is the one in use.
          type: bool
          sample: true
        directory:
          description: Where it is.
          type: str
          sample: /var/lib/containers/atomic/hello-world.0
        image:
          description: Name of the image as the task gave it.
          type: str
          sample: localhost/hello-world
        manifest_digest:
          description: Digest of the image's manifest for the platform.
          type: str
          sample: "sha256:1f0d..."
        index_digest:
          description: Digest of the index that the manifest was chosen from, none when the source had no index.
          type: str
          sample: null
        values:
          description: The values that the user set.
          type: dict
          sample: {"RECEIVER": "Fleet"}
        secret_values:
          description: Names of the secret values.
          type: list
          elements: str
          sample: ["TOKEN"]
        mounts:
          description: The mounts that the user added.
          type: list
          elements: dict
          sample: []
        runtime:
          description: Path of the OCI runtime.
          type: str
          sample: /usr/bin/runc
        created:
          description: When it was made, in seconds since the epoch.
          type: int
          sample: 1795436270
        has_service:
          description: Whether the image has a service.
          type: bool
          sample: true
        verified:
          description:
            - Whether its root file system was compared with what its image's layers say; none without O(verify).
          type: bool
          sample: true
        unverified_reason:
          description: Why it could not be compared, such as that the image is not in the store any more.
          type: str
          sample: null
    values:
      description: The values that the user set.
      type: dict
      sample: {"RECEIVER": "Fleet"}
    computed_values:
      description: All other values that the templates were rendered with, but for secret ones.
      type: dict
      sample: {"PORT": "8081"}
    secret_values:
      description: Names of the secret values that the user set.
      type: list
      elements: str
      sample: ["TOKEN"]
    mounts:
      description: The mounts that the user added.
      type: list
      elements: dict
      sample: [{"destination": "/data", "source": "/srv/hello", "type": "bind", "options": [], "create": "directory"}]
    unit_options:
      description: The options of the unit that the user set, by section.
      type: dict
      sample: {"Service": {"LimitNOFILE": "4096"}}
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
    unit_file:
      description: Path of the unit's file, none when the image has no service.
      type: str
      sample: /etc/systemd/system/hello-world.service
    pid:
      description: Main process of the unit on the host, none when it does not run.
      type: int
      sample: 4711
    since:
      description: When the main process was started, in seconds since the epoch.
      type: float
      sample: 1795436279.5
    started_at:
      description: The same as ISO 8601 has it, in UTC.
      type: str
      sample: "2026-11-23T18:17:59Z"
    restarts:
      description: How often systemd restarted the unit by itself.
      type: int
      sample: 0
    result:
      description: Result of the unit's last run as systemd calls it.
      type: str
      sample: success
    exit_status:
      description: Exit status of the unit's main process, or the number of the signal that ended it; 0 while it runs.
      type: int
      sample: 0
    last_exit:
      description:
        - How the main process ended. None while it runs, as systemd forgets it at the next start.
      type: dict
      contains:
        code:
          description: Either C(exited), C(killed) or C(dumped).
          type: str
          sample: exited
        status:
          description: Exit status, none when a signal ended it.
          type: int
          sample: 1
        signal:
          description: Number of the signal that ended it, none when it ended by itself.
          type: int
          sample: null
        at:
          description: When, in UTC.
          type: str
          sample: "2026-11-23T18:17:59Z"
      sample: null
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
    edited_files:
      description: Files that the image puts on the host and that somebody edited. They stay as they are, and are no drift.
      type: list
      elements: str
      sample: []
    drift:
      description:
        - Where the host is not as the container's records say. Always looked at are the link, the generated files, the unit's
          drop-ins and what the image puts on the host; with O(verify) also the root file systems of all deployments, and the
          repository behind them.
        - Whether the service runs or starts at boot is no drift.
      type: list
      elements: dict
      contains:
        path:
          description: The absolute path. A directory that is missing or extra stands for all below it.
          type: str
          sample: /etc/systemd/system/hello-world.service
        problem:
          description:
            - One of C(missing), C(extra), C(type), C(content), C(mode), C(owner), C(xattrs) and C(target) (of a link).
            - C(changed), where the repository's copy was changed as well, so that nothing tells in which way. Files of a
              root file system are hard links into it.
            - C(not reloaded), when systemd still has an earlier version of the unit.
            - The reason, when a whole deployment cannot be used.
          type: str
          sample: content
      sample: []
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

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_name import (
    check_container_name,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployments import container_names
from ansible_collections.projectatomic.system_containers.plugins.module_utils._describe import describe_container
from ansible_collections.projectatomic.system_containers.plugins.module_utils._drift import Verified
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Observed
from ansible_collections.projectatomic.system_containers.plugins.module_utils._module import run_module
from ansible_collections.projectatomic.system_containers.plugins.module_utils._observe import (
    observe_active_host_files,
    observe_containers,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runtime_info import observe_runtime
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import Store, locate_store
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store_sizes import store_sizes


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **STORE,
            **PULL,
            "name": {"type": "list", "elements": "str"},
            "verify": {"type": "bool", "default": False},
        },
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
    existing = [observe_active_host_files(observed[name]) for name in names if observed[name].exists]
    verified = _verify(store, existing) if params["verify"] else None
    return {
        "changed": False,
        "exists": len(existing) == len(names) and bool(existing),
        "containers": [describe_container(item, verified=verified) for item in existing],
        "store": store_sizes(store.repository).describe(),
        "runtime": observe_runtime(),
    }


def _verify(store: Store, containers: Sequence[Observed]) -> dict[str, Verified]:
    """Return what hashing all deployments again finds, by directory; what they share is hashed once."""
    from ansible_collections.projectatomic.system_containers.plugins.module_utils._rootfs_verify import (
        verify_deployments,
    )

    return verify_deployments(store.repository, [item for container in containers for item in container.deployments])


if __name__ == "__main__":
    main()
