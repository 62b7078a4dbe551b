#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check an image of a system container before it is published."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container_image_lint
short_description: Check an image of a system container before it is published
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Renders what an image has in C(/exports) as M(projectatomic.system_containers.system_container) does, with the image's default
    values and those that are given, and looks at what results. All that is wrong is found at once; only
    a file that cannot be read hides what depends on it.
  - What would make installing or starting a container fail is an error, and the task fails. What an image should not do although it
    can be installed is a warning.
  - Nothing of the image stays on the host. An image that is not in the repository is pulled into a temporary one, in C(TMPDIR) or
    C(/var/tmp).
  - No runtime has to be installed. Where the host has C(systemd-analyze) and C(systemd-tmpfiles), these look at the unit and
    at the tmpfiles.d file as well.
options:
  name:
    description:
      - Name of the image, C([REGISTRY/]PATH[:TAG]) or C([REGISTRY/]PATH@sha256:...).
      - With O(source), what the source has now is checked. Without, it is the image that the repository has under
        this name, or else what the registry has.
    type: str
    required: true
    aliases:
      - image
  values:
    description: Values for the variables in the image's templates, above all for those that have no default.
    type: dict
    default: {}
  strict:
    description: Whether warnings make the task fail, too.
    type: bool
    default: false
  skip:
    description: Rules whose warnings are left out.
    type: list
    elements: str
    choices:
      - all-capabilities
      - bind-source
      - cwd
      - dropped-entries
      - host-default
      - hostfs-setuid
      - ignored-file
      - labels
      - manifest-key
      - manifest-path
      - mount-target
      - no-exports
      - placeholder
      - runtime
      - secret-default
      - service-template
      - tmpfs-mode
      - unit-install
      - unit-systemd
      - unit-type
      - unused-default
    default: []
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes
  - projectatomic.system_containers._attributes.info_module
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - module: projectatomic.system_containers.system_container_image
  - name: For image authors
    description: What an image has in C(/exports), and all rules of this module.
    link: https://github.com/projectatomic/system_containers/blob/main/docs/image-authors.md
"""

EXAMPLES = r"""
- name: Check what was built into an OCI layout
  projectatomic.system_containers.system_container_image_lint:
    name: localhost/hello-world
    source: oci:/srv/images/hello-world:latest

- name: Check with a value for a variable that has no default, and accept no warning but one
  projectatomic.system_containers.system_container_image_lint:
    name: registry.example.com/etcd:3.5
    values:
      RECEIVER: etcd
    strict: true
    skip:
      - unit-type

- name: Look at what would be written on a host
  projectatomic.system_containers.system_container_image_lint:
    name: localhost/hello-world
    source: oci:/srv/images/hello-world:latest
    values:
      PORT: 8080
  register: checked

- name: Show the unit
  ansible.builtin.debug:
    msg: "{{ checked.files['/etc/systemd/system/hello-world.service'] }}"
"""

RETURN = r"""
findings:
  description: What was found, errors first.
  returned: when the image could be read
  type: list
  elements: dict
  contains:
    level:
      description: Either C(error) or C(warning).
      type: str
      sample: warning
    rule:
      description: The rule that found it.
      type: str
      sample: unit-type
    path:
      description: File of the image, none when it is not about one file.
      type: str
      sample: /exports/service.template
    message:
      description: What is wrong. That of an error is the one that an installation would fail with.
      type: str
      sample: It has no Type=, so nothing tells when the service is ready
    hint:
      description: What to do about it.
      type: str
      sample: Say Type=notify if the process tells systemd when it is ready, else Type=simple or Type=exec.
  sample: []
summary:
  description: How many findings there are of each level.
  returned: when the image could be read
  type: dict
  sample: {"errors": 0, "warnings": 1}
variables:
  description: Variables that C(values) of a container can set, with the image's defaults; none where one has to be given.
  returned: when the image could be read
  type: dict
  sample: {"PORT": "8081"}
required_variables:
  description: Those of them that have no default.
  returned: when the image could be read
  type: list
  elements: str
  sample: []
files:
  description:
    - Content of the files that would be written for a container in the first slot, by their path on the host; none when there is an error.
    - Files of C(/exports/hostfs) are not among them.
  returned: when the image could be read
  type: dict
  sample: {"/etc/systemd/system/hello-world.service": "[Unit]..."}
verified_by_systemd:
  description: Whether the tools of systemd on this host looked at the files, too. They do when there is no error otherwise.
  returned: when the image could be read
  type: bool
  sample: true
image:
  description:
    - The image, with the keys that R(system_container_image_info,ansible_collections.projectatomic.system_containers.system_container_image_info_module)
      has for its digests, layers, labels, size, source and platform.
  returned: when the image could be read
  type: dict
  sample:
    name: localhost/hello-world:latest
    manifest_digest: "sha256:1f0d..."
"""

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    SystemContainerError,
    message_of,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import image_request
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lint import Report, lint_image
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lint_findings import WARNINGS
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store
from ansible_collections.projectatomic.system_containers.plugins.module_utils._user_values import check_user_values


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **STORE,
            **PULL,
            "name": {"type": "str", "required": True, "aliases": ["image"]},
            "values": {"type": "dict", "default": {}},
            "strict": {"type": "bool", "default": False},
            "skip": {"type": "list", "elements": "str", "choices": sorted(WARNINGS), "default": []},
        },
        supports_check_mode=True,
        **PULL_RULES,
    )
    try:
        report = lint(module.params)
    except (SystemContainerError, OSError) as exc:
        module.fail_json(msg=message_of(exc))
    finish(module, report)


def lint(params: dict[str, Any]) -> Report:
    """Check the image that the options name."""
    request = image_request(params["name"], params)
    values = check_user_values(params["values"] or {})
    report = lint_image(locate_store(params), request, values, pull=params["source"] is not None)
    report.findings = [finding for finding in report.findings if finding.rule not in params["skip"]]
    return report


def finish(module: AnsibleModule, report: Report) -> None:
    """End the module with what was found."""
    errors = [finding for finding in report.findings if finding.level == "error"]
    warnings = [finding for finding in report.findings if finding.level == "warning"]
    results = {
        "findings": [finding.results() for finding in report.findings],
        "summary": {"errors": len(errors), "warnings": len(warnings)},
        "variables": report.variables,
        "required_variables": [name for name, default in report.variables.items() if default is None],
        "files": report.files,
        "verified_by_systemd": report.verified,
        "image": report.image,
    }
    bad = [*errors, *(warnings if module.params["strict"] else [])]
    if bad:
        lines = "".join(f"\n- {finding}" for finding in bad)
        module.fail_json(
            msg=f"The image '{report.image['name']}' did not pass, with {len(bad)} in all:{lines}", **results
        )
    for warning in warnings:
        module.warn(str(warning))
    module.exit_json(changed=False, **results)


if __name__ == "__main__":
    main()
