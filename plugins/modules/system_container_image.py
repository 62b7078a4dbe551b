#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage images of system containers in an OSTree repository."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container_image
short_description: Manage images of system containers in an OSTree repository
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Pulls OCI and Docker images into an OSTree repository, layer by layer, or removes them from it.
  - Only layers that the repository lacks are fetched. An image is visible under its name only after the digests of all
    its layers were right.
options:
  name:
    description:
      - Name of the image, C([REGISTRY/]PATH[:TAG]) or C([REGISTRY/]PATH@sha256:...). The tag C(latest) is added when
        there is neither tag nor digest.
      - A name without a registry needs O(source).
    type: str
    required: true
    aliases:
      - image
  state:
    description:
      - V(present) pulls the image when it is missing from the repository, or when a part of it is missing or damaged.
      - V(latest) asks the source for the digest of its manifest, and pulls when it differs from what is stored.
      - V(absent) removes the name and the O(tags), also of an image that is damaged. Layers stay until they are pruned.
    type: str
    choices:
      - present
      - latest
      - absent
    default: present
  tags:
    description:
      - More names for the image in the repository, without a digest.
      - Names that the image has besides and that are not listed stay.
    type: list
    elements: str
  verify:
    description:
      - Hash again all that the image is made of, and pull again what is missing or was changed.
      - Checkouts share their files with the repository. A file that was changed in a container stays changed there.
    type: bool
    default: false
  force:
    description: Remove the image although a container uses it. Containers keep running, as their files are links of their own.
    type: bool
    default: false
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - module: projectatomic.system_containers.system_container_image_info
  - module: projectatomic.system_containers.system_container
"""

EXAMPLES = r"""
- name: Pull an image from the registry that its name says
  projectatomic.system_containers.system_container_image:
    name: registry.example.com/etcd:3.5

- name: Follow a tag
  projectatomic.system_containers.system_container_image:
    name: registry.example.com/etcd:3.5
    state: latest
    username: puller
    password: "{{ registry_password }}"

- name: Pull from an OCI layout on the host, under a name of its own
  projectatomic.system_containers.system_container_image:
    name: localhost/hello-world
    source: oci:/srv/images/hello-world:latest

- name: Give an image one more name
  projectatomic.system_containers.system_container_image:
    name: registry.example.com/etcd:3.5
    tags:
      - localhost/etcd:stable

- name: Find and mend what was changed in the repository
  projectatomic.system_containers.system_container_image:
    name: registry.example.com/etcd:3.5
    verify: true

- name: Remove an image
  projectatomic.system_containers.system_container_image:
    name: localhost/hello-world
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in order.
  returned: success
  type: list
  elements: str
  sample: ["pull image ociimage/localhost_2Fhello-world_3Alatest (sha256:1f0d...)"]
image:
  description:
    - The image as stored, as R(system_container_image_info,ansible_collections.projectatomic.system_containers.system_container_image_info_module)
      lists it. In check mode, an image that is not stored yet has only what the source says of it.
  returned: when O(state) is not V(absent)
  type: dict
  sample:
    name: localhost/hello-world:latest
    manifest_digest: "sha256:1f0d..."
bytes_downloaded:
  description: Bytes that were fetched from the source, manifests not counted.
  returned: success
  type: int
  sample: 1048576
layers_pulled:
  description: Layers that were fetched.
  returned: success
  type: int
  sample: 1
layers_reused:
  description: Layers of the image that the repository had already.
  returned: success
  type: int
  sample: 0
damage:
  description:
    - What O(verify) found, empty when nothing is wrong. It is mended then, unless in check mode.
  returned: when O(verify) is true and O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    path:
      description: Path in the image's layer, of an object that is missing or was changed.
      type: str
      sample: /usr/bin/etcd
    problem:
      description: Either C(missing) or C(changed).
      type: str
      sample: changed
    commit:
      description: OSTree commit that has it.
      type: str
      sample: 5d8f...
dropped_entries:
  description: Device nodes and fifos in the fetched layers; they are not stored.
  returned: success
  type: int
  sample: 0
"""

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._describe_images import (
    describe_outcome,
    describe_pull,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SystemContainerError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import image_request
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_users import images_in_use
from ansible_collections.projectatomic.system_containers.plugins.module_utils._images import (
    converge_image,
    describe_damage,
    remove_image,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **STORE,
            **PULL,
            "name": {"type": "str", "required": True, "aliases": ["image"]},
            "state": {"type": "str", "choices": ["present", "latest", "absent"], "default": "present"},
            "tags": {"type": "list", "elements": "str"},
            "verify": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        **PULL_RULES,
    )
    try:
        results = converge(module.params, check_mode=module.check_mode)
    except (SystemContainerError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**results)


def converge(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Bring the image to the state that is asked for, and return the module's result."""
    store = locate_store(params)
    request = image_request(params["name"], params)
    containers = images_in_use(store.root)
    if params["state"] == "absent":
        plan = remove_image(store.repository, request, containers, force=params["force"], check_mode=check_mode)
        return {**plan.results(), **describe_pull(None)}
    refresh = params["state"] == "latest"
    outcome = converge_image(store.repository, request, refresh=refresh, check_mode=check_mode)
    image = describe_outcome(store.repository, request.name, outcome, containers)
    damage = {"damage": describe_damage(outcome.damage)} if params["verify"] else {}
    return {**outcome.plan.results(), **describe_pull(outcome.result), **damage, "image": image}


if __name__ == "__main__":
    main()
