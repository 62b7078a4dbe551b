#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Get information on images of system containers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container_image_info
short_description: Get information on images of system containers
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Lists images in the OSTree repository, or asks the source of images without storing anything.
options:
  name:
    description:
      - Names of the images. If not set, all images of the repository are listed.
      - A name that is not in the repository is not listed.
    type: list
    elements: str
    aliases:
      - image
  remote:
    description:
      - Ask the source instead of the repository, which needs O(name). Nothing is stored.
      - An image that its source does not have is an error.
    type: bool
    default: false
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes
  - projectatomic.system_containers._attributes.info_module
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - module: projectatomic.system_containers.system_container_image
"""

EXAMPLES = r"""
- name: List all images
  projectatomic.system_containers.system_container_image_info:
  register: stored

- name: Which values does an image take
  projectatomic.system_containers.system_container_image_info:
    name: localhost/hello-world
  register: hello

- name: Which digest does a tag have at the registry now
  projectatomic.system_containers.system_container_image_info:
    name: registry.example.com/etcd:3.5
    remote: true
  register: newest
"""

RETURN = r"""
images:
  description:
    - The images, sorted by name.
    - With O(remote), an image has the keys C(name), C(manifest_digest), C(config_digest), C(layers) and C(size) only.
    - An image that is damaged has all keys, with null, or an empty list or dictionary, for what cannot be read.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name with tag or digest.
      type: str
      sample: localhost/hello-world:latest
    ref:
      description: OSTree ref of the image.
      type: str
      sample: ociimage/localhost_2Fhello-world_3Alatest
    commit:
      description: OSTree commit that the ref names.
      type: str
      sample: 5d8f...
    manifest_digest:
      description: Digest of the manifest for the platform.
      type: str
      sample: "sha256:1f0d..."
    index_digest:
      description: Digest of the index that the manifest was chosen from, none when the source had no index.
      type: str
      sample: null
    config_digest:
      description: Digest of the image's configuration.
      type: str
      sample: "sha256:9a02..."
    layers:
      description: Digest and compressed size in bytes of each layer, lowest first.
      type: list
      elements: dict
      sample: [{"digest": "sha256:77aa...", "size": 1048576}]
    size:
      description: Compressed size of all layers in bytes.
      type: int
      sample: 1048576
    unpacked_size:
      description:
        - Size of all layers unpacked, in bytes, each layer once. None when it is not known of one of them.
        - The result of M(projectatomic.system_containers.system_container_image) has neither this nor the next two.
      type: int
      sample: 2097152
    unique_size:
      description: Bytes of these that are of layers that no other image has. Names of one image count as one image.
      type: int
      sample: 1048576
    shared_size:
      description: Bytes of these that are of layers that other images have as well.
      type: int
      sample: 1048576
    source:
      description: Where the image was pulled from, none when Atomic pulled it.
      type: str
      sample: "docker://localhost/hello-world:latest"
    platform:
      description: Platform that the image says it is for.
      type: str
      sample: linux/amd64
    created:
      description: When the image says it was made.
      type: str
      sample: "2026-01-01T00:00:00Z"
    labels:
      description: Labels of the image.
      type: dict
      sample: {"atomic.type": "system"}
    variables:
      description: Variables that C(values) of a container can set, with the image's defaults; none where one has to be given.
      type: dict
      sample: {"PORT": "8081"}
    used_by:
      description: Containers that have a deployment of the image; of an image that cannot be read, also by its name.
      type: list
      elements: str
      sample: ["hello-world"]
    broken:
      description: Why the image cannot be used, none when it can.
      type: str
      sample: null
"""

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._describe_images import (
    inspect_remote,
    list_images,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SystemContainerError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import image_request
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_users import images_in_use
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **STORE,
            **PULL,
            "name": {"type": "list", "elements": "str", "aliases": ["image"]},
            "remote": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        required_if=[("remote", True, ["name"])],
        **PULL_RULES,
    )
    try:
        images = collect(module.params)
    except (SystemContainerError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, images=images)


def collect(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the images that the options ask for."""
    store = locate_store(params)
    requests = None if params["name"] is None else [image_request(name, params) for name in params["name"]]
    if params["remote"]:
        return [inspect_remote(request) for request in sorted(requests or [], key=lambda request: str(request.name))]
    names = None if requests is None else [request.name for request in requests]
    return list_images(store.repository, names, images_in_use(store.root))


if __name__ == "__main__":
    main()
