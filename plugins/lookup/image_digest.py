# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out which digest a tag has."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_digest
short_description: Find out which digest an image's tag has
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Asks the registry, from the controller, which manifest or index a tag names now, and returns the name with that digest in
    place of the tag. A fleet that is given this name runs the same bytes on all hosts, also while the tag moves.
  - Nothing is pulled. For an image for several platforms this is the digest of its index, which each host chooses its own from.
  - In one run of C(ansible-playbook) a name is asked for once. All tasks, hosts and plays get the answer of the first time, for the
    same values of O(username), O(authfile), O(ca_path), O(cert_dir) and O(validate_certs). The next run asks again.
    To have several runs use the same digest, keep it in a variable.
notes:
  - Runs on the controller. All paths are there, also those of O(authfile) and O(cert_dir).
  - Mirrors and other settings of C(registries.conf) do not count here, nor are credential helpers asked.
  - Proxies are those of the environment (E(HTTPS_PROXY), E(NO_PROXY)). Certificates are checked against the system's, those of
    Python's C(requests), and those of the options.
requirements:
  - requests (on the controller)
options:
  _terms:
    description:
      - Names of images, with their registry. C(latest) is the tag when there is none.
      - A name with a digest is returned as it is, and nobody is asked.
    type: list
    elements: str
    required: true
  want:
    description: What is returned for each name, V(reference) for C(NAME@sha256:...), V(digest) for C(sha256:...) alone.
    type: str
    choices:
      - reference
      - digest
    default: reference
  cache:
    description: Whether an answer from before in this run does. V(false) asks now, and leaves the answer for others as it is.
    type: bool
    default: true
  username:
    description: User name for the registry.
    type: str
  password:
    description: Password or token for the registry.
    type: str
  authfile:
    description:
      - File with credentials, see containers-auth.json(5). Goes before O(username).
      - Without both, the first one counts that has some for the image; of E(REGISTRY_AUTH_FILE) if that is set, else of
        C($XDG_RUNTIME_DIR/containers/auth.json), C(~/.config/containers/auth.json), C(~/.docker/config.json).
    type: path
  validate_certs:
    description: Whether the registry has to use TLS with a valid certificate. V(false) also permits plain HTTP.
    type: bool
    default: true
  ca_path:
    description: File with more authorities for TLS, in PEM format.
    type: path
  cert_dir:
    description: Directory with certificates for the registry, see containers-certs.d(5).
    type: path
  timeout:
    description: Seconds that each request may take.
    type: float
    default: 30
seealso:
  - module: projectatomic.system_containers.system_container
  - module: projectatomic.system_containers.system_container_image_info
"""

EXAMPLES = r"""
- name: Run the same bytes on all hosts
  projectatomic.system_containers.system_container:
    name: hello-world
    image: "{{ lookup('projectatomic.system_containers.image_digest', 'registry.example.com/hello-world:1.0') }}"

- name: Show the digest that a tag has, asking with a password
  ansible.builtin.debug:
    msg: "{{ lookup('projectatomic.system_containers.image_digest', 'registry.example.com/hello-world:1.0', want='digest',
      username='puller', password=registry_password) }}"
"""

RETURN = r"""
_raw:
  description: For each name what O(want) says.
  type: list
  elements: str
  sample:
    - registry.example.com/hello-world@sha256:f9d2d59f56bd1b3e3a1ea4a2b3ce1b5f1a3c6e4f0c2d8a5b7e6f4d3c2b1a0918
"""

import os
from pathlib import Path
from typing import Any

import ansible.constants
from ansible.errors import AnsibleLookupError
from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.lookup import LookupBase

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    SystemContainerError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import (
    ImageName,
    parse_image_name,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._http_client import (
    REQUESTS_IMPORT_ERROR,
    Connection,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._once import once
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._registry import resolve_digest
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._registry_credentials import (
    Credentials,
    default_authfiles,
    find_credentials,
)


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return what is known of each name, in their order."""
        self.set_options(var_options=variables, direct=kwargs)
        if REQUESTS_IMPORT_ERROR is not None:
            raise AnsibleLookupError(f"image_digest: {missing_required_lib('requests')}")
        try:
            return [self._one(term) for term in terms]
        except SystemContainerError as error:
            # Ansible would add the text of the causes, which may have URLs.
            raise AnsibleLookupError(f"image_digest: {error}") from None

    def _one(self, term: Any) -> str:
        if not isinstance(term, str):
            raise InvalidInputError(f"'{term}' is not an image name: it is not text")
        name = parse_image_name(str(term))
        digest = name.digest or self._resolve(name)
        return digest if self.get_option("want") == "digest" else f"{name.repository}@{digest}"

    def _resolve(self, name: ImageName) -> str:
        connection = Connection(
            validate_certs=self.get_option("validate_certs"),
            ca_path=self.get_option("ca_path"),
            cert_dir=self.get_option("cert_dir"),
            timeout=self.get_option("timeout"),
        )
        if connection.timeout <= 0:
            raise InvalidInputError(f"timeout has to be more than 0, it is {connection.timeout:g}")

        def ask() -> str:
            return resolve_digest(name, connection, self._credentials(name))

        if not self.get_option("cache"):
            return ask()
        options = {option: self.get_option(option) for option in ("username", "authfile", "ca_path", "cert_dir")}
        key = {"name": str(name), "validate_certs": connection.validate_certs, **options}
        # Ansible's temporary folder of this run, the same in all of its processes.
        return once(Path(ansible.constants.DEFAULT_LOCAL_TMP, "image_digest"), key, ask)

    def _credentials(self, name: ImageName) -> Credentials | None:
        authfile, username = self.get_option("authfile"), self.get_option("username")
        if authfile:
            if not os.path.exists(authfile):
                raise InvalidInputError(f"the authfile '{authfile}' does not exist on the controller")
            return find_credentials(name, [Path(authfile)])
        if username:
            if not self.get_option("password"):
                raise InvalidInputError(f"username '{username}' needs a password")
            return Credentials("the options", username, self.get_option("password"))
        return find_credentials(name, default_authfiles(os.environ))
