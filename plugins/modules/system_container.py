#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage system containers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container
short_description: Manage system containers
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Runs a service from an OCI image below any container engine. The image is checked out from an OSTree repository with hard links, the
    files for systemd and the OCI runtime are rendered from templates that the image carries under C(/exports), and systemd
    starts the container through C(runc).
  - What is on the host is compared with what is declared, so damage of the generated files, the link or the unit's state is
    shown by check mode and diff mode, and mended.
  - A changed image or changed values make a new deployment beside the running one. The service is stopped only when all is
    prepared. If the new deployment does not become ready, the old one is made active again and the task fails.
options:
  name:
    description:
      - Name of the container, also of its unit C(NAME.service).
      - Letters, digits, V(_), V(.) and V(-), starting with a letter or a digit, not ending in a dot and a number.
    type: str
    required: true
  image:
    description:
      - Name of the image, as for M(projectatomic.system_containers.system_container_image). Needed unless O(state=absent), or
        O(deployment) is set.
    type: str
  state:
    description:
      - V(present) installs the container and keeps it current. A running service is restarted when its deployment
        changes, a stopped one stays stopped.
      - V(started) also starts it, V(stopped) also stops it.
      - V(restarted) also restarts it, which is always reported as a change.
      - V(absent) stops and removes the container with all its deployments and files. The image is kept.
      - For an image without a service, V(present), V(started), V(stopped) and V(restarted) all mean that it is installed.
    type: str
    choices:
      - present
      - started
      - stopped
      - restarted
      - absent
    default: started
  enabled:
    description: Whether the service starts at boot.
    type: bool
    default: true
  pull:
    description:
      - V(missing) pulls the image when it is not stored, V(always) also when the source has another manifest digest by now.
      - V(never) fails when the image is not stored.
      - The container always gets the image that the name has in the store.
    type: str
    choices:
      - missing
      - always
      - never
    default: missing
  values:
    description:
      - Values for the variables in the image's templates. They go before the image's own defaults.
      - They are part of the result and of the diff, and of files that all users may read. For others there is O(secret_values).
      - Text, numbers and booleans; null means not set. Where a template takes raw JSON, such as more elements of a list, a list
        or a dict stands for its elements.
      - The container gets exactly these values, those of an earlier task are not kept.
    type: dict
    default: {}
  secret_values:
    description:
      - Values that nobody but root may see. They go before O(values), and are shown as C(********) in diffs.
      - They are kept in files that only root may read. The service's unit cannot use them, as systemd shows units to all users.
      - A diff has V(changed) under C(secrets) when one of them is another one, which makes a new deployment.
    type: dict
    default: {}
  mounts:
    description:
      - Mounts besides those that the image has. One with the same destination as one of the image's replaces it.
      - The container gets exactly these mounts, those of an earlier task are not kept.
    type: list
    elements: dict
    default: []
    suboptions:
      destination:
        description: Path in the container.
        type: str
        required: true
      source:
        description: Path on the host for a bind mount, which has to exist unless O(mounts[].create) is set.
        type: str
      type:
        description: Type of the file system, V(bind) for a path of the host.
        type: str
        default: bind
      options:
        description:
          - Options of the mount, each by itself.
          - A bind mount is writable unless they have V(ro). It gets V(rbind) unless they have V(bind), and V(rprivate) unless they say
            how mounts propagate.
        type: list
        elements: str
      create:
        description:
          - What the source of a bind mount becomes when it is missing. It is made by systemd-tmpfiles, so again at each boot.
        type: str
        choices:
          - directory
          - file
  unit_options:
    description:
      - Options of the service's unit, by section, such as order, time-outs, restarts. They go into a drop-in of their own.
      - They are about the service, of which the process is the runtime. A container has the limits of processes from it, such as
        C(LimitNOFILE=) and C(OOMScoreAdjust=), unless its image sets them. C(Environment=) does not reach it, unless its image hands that
        on, nor do limits of a cgroup such as C(MemoryMax=), as the runtime gives it a scope of its own. Bound that instead, by the image's
        C(linux.resources) or by drop-ins of C(runc-NAME.scope).
      - A list gives an option several times. The section C(Install) counts for O(enabled), beside what the image's unit has there.
      - A change restarts a running service. If that does not become ready, the options before are put back and the task fails.
      - The container gets exactly these options, those of an earlier task are not kept.
    type: dict
    default: {}
  runtime:
    description: OCI runtime, by its name or with its path. A change makes a new deployment.
    type: str
    default: runc
  keep:
    description:
      - How many deployments are kept on the host, the active one included. The oldest ones are removed after an update.
      - At least 2, as an update goes back to the deployment before it when the new one does not become ready.
    type: int
    default: 2
  deployment:
    description:
      - Id of a deployment that was kept, as M(projectatomic.system_containers.system_container_info) lists it, to make active again.
      - It has its image, values and mounts already. Declaring these as they were makes it active again, too.
    type: str
  rollback_on_failure:
    description:
      - Whether the deployment before is made active again when the new one does not become ready, and a container that is new
        is removed.
      - V(false) leaves the new one in place. The task fails in both cases.
    type: bool
    default: true
  force_host_files:
    description:
      - Whether files that the image puts on the host replace what is there, be it of somebody else or edited.
    type: bool
    default: false
  override_unit:
    description:
      - Whether the container may have the name of a unit that a package brought, such as C(docker).
      - The service of that unit is stopped, and the unit of the container, in C(/etc/systemd/system), goes before it. The package stays as
        it is. When the container is removed, its unit counts again.
    type: bool
    default: false
  verify:
    description:
      - Hash again all files of the deployment, and of its image in the repository.
      - A damaged image is pulled again. With O(pull=never) the task fails instead.
      - A damaged deployment is replaced by a fresh one, which restarts a running service. If that does not become ready, the
        damaged one is made active again, and the task fails. A damaged one that is only kept is removed.
    type: bool
    default: false
  health_cmd:
    description:
      - Command with its arguments that is run inside of the container after a start, again and again until it ends with 0 or
        O(ready_timeout) is over.
      - It is run only when this task starts the service, and not for the deployment that is gone back to.
    type: list
    elements: str
  ready_delay:
    description:
      - Seconds that a service has to stay active after its start to count as ready. A service of C(Type=notify)
        is ready when it says so. Has to be less than O(ready_timeout).
    type: float
    default: 3.0
  ready_timeout:
    description: Seconds after which a started service that is not ready counts as failed.
    type: float
    default: 60.0
requirements:
  - systemd
  - runc
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - module: projectatomic.system_containers.system_container_info
  - module: projectatomic.system_containers.system_container_image
"""

EXAMPLES = r"""
- name: Run a service
  projectatomic.system_containers.system_container:
    name: hello-world
    image: registry.example.com/hello-world:1.0
    values:
      RECEIVER: Fleet

- name: Install without starting now or at boot
  projectatomic.system_containers.system_container:
    name: hello-world
    image: registry.example.com/hello-world:1.0
    state: present
    enabled: false

- name: Follow a tag, and go back when the new image does not become ready
  projectatomic.system_containers.system_container:
    name: etcd
    image: registry.example.com/etcd:3.5
    pull: always
    ready_delay: 10

- name: Run with a secret, a limit of its own, and a directory of the host
  projectatomic.system_containers.system_container:
    name: hello-world
    image: registry.example.com/hello-world:1.0
    secret_values:
      RECEIVER: "{{ receiver }}"
    mounts:
      - source: /srv/hello
        destination: /data
        create: directory
    unit_options:
      Service:
        LimitNOFILE: 4096
        TimeoutStopSec: 20
    health_cmd: [/bin/sh, -c, "test -d /data"]

- name: Look at the deployments of a container
  projectatomic.system_containers.system_container_info:
    name: hello-world
  register: hello

- name: Make the one before active again
  projectatomic.system_containers.system_container:
    name: hello-world
    deployment: "{{ (hello.containers[0].deployments | rejectattr('active'))[0].id }}"

- name: Remove a container
  projectatomic.system_containers.system_container:
    name: hello-world
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success
  type: list
  elements: str
  sample: ["start hello-world.service"]
artifacts_known:
  description:
    - Whether the generated files are known. V(false) in check mode when the image is not stored yet, as only its manifest
      is asked for then; actions and diff show what is known without them.
  returned: success
  type: bool
  sample: true
edited_files:
  description: Files that the image puts on the host and that somebody edited. They stay as they are, with a warning.
  returned: success
  type: list
  elements: str
  sample: []
interrupted:
  description:
    - In check mode the change that an earlier run began and did not end, such as V(update). This run would end it.
  returned: success
  type: str
  sample: null
damage:
  description:
    - What O(verify) found, empty when nothing is wrong. It is mended then, unless in check mode.
  returned: when O(verify) is true and O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    path:
      description: Path in the image's layer, or absolute path below a deployment's directory.
      type: str
      sample: /var/lib/containers/atomic/hello-world.0/rootfs/usr/bin/hello-world
    problem:
      description: As M(projectatomic.system_containers.system_container_info) lists it under C(drift).
      type: str
      sample: changed
    commit:
      description: OSTree commit that has it, none for what is in a deployment.
      type: str
      sample: null
container:
  description:
    - The container afterwards, as R(system_container_info,ansible_collections.projectatomic.system_containers.system_container_info_module)
      lists it; in check mode as it is.
  returned: when the container exists
  type: dict
  sample:
    name: hello-world
    state: running
"""

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import (
    MOUNT,
    PULL,
    PULL_RULES,
    STORE,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._containers import (
    container_request,
    converge_container,
    remove_container,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._module import run_module
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store


def main() -> None:
    """Run the module."""
    states = ["present", "started", "stopped", "restarted", "absent"]
    module = AnsibleModule(
        argument_spec={
            **STORE,
            **PULL,
            "name": {"type": "str", "required": True},
            "image": {"type": "str"},
            "state": {"type": "str", "choices": states, "default": "started"},
            "enabled": {"type": "bool", "default": True},
            "pull": {"type": "str", "choices": ["missing", "always", "never"], "default": "missing"},
            "values": {"type": "dict", "default": {}},
            "secret_values": {"type": "dict", "default": {}, "no_log": True},
            "mounts": {"type": "list", "elements": "dict", "default": [], "options": MOUNT},
            "unit_options": {"type": "dict", "default": {}},
            "runtime": {"type": "str", "default": "runc"},
            "keep": {"type": "int", "default": 2},
            "deployment": {"type": "str"},
            "rollback_on_failure": {"type": "bool", "default": True},
            "force_host_files": {"type": "bool", "default": False},
            "override_unit": {"type": "bool", "default": False},
            "verify": {"type": "bool", "default": False},
            "health_cmd": {"type": "list", "elements": "str"},
            "ready_delay": {"type": "float", "default": 3.0},
            "ready_timeout": {"type": "float", "default": 60.0},
        },
        required_if=[("state", state, ["image", "deployment"], True) for state in states if state != "absent"],
        mutually_exclusive=[("deployment", option) for option in ("image", "values", "secret_values", "mounts")],
        supports_check_mode=True,
        **PULL_RULES,
    )
    run_module(module, lambda: converge(module.params, check_mode=module.check_mode))


def converge(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Bring the container to what the options ask for, and return the module's result."""
    store = locate_store(params)
    if params["state"] == "absent":
        return remove_container(store, params["name"], check_mode=check_mode).results()
    return converge_container(store, container_request(params), check_mode=check_mode).results()


if __name__ == "__main__":
    main()
