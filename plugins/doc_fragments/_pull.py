# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this file is private and may change without notice.

"""Options of what pulls images."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that say where an image comes from."""

    DOCUMENTATION = r"""
options:
  source:
    description:
      - Where the image comes from, in the syntax of containers-transports(5). C(docker://HOST/NAME:TAG) is a registry,
        C(oci:/DIRECTORY[:TAG]) an OCI layout on the target host.
      - If not set, it is the registry that the image's name says. A name without a registry needs a source, as no
        registry is ever guessed.
    type: str
  username:
    description: User name for the registry.
    type: str
  password:
    description: Password or token for the registry. It is passed to C(skopeo) in a file that only root can read.
    type: str
  authfile:
    description: File with credentials on the target host, see containers-auth.json(5). Not together with O(username).
    type: path
  validate_certs:
    description: Whether the registry has to use TLS with a valid certificate. V(false) also permits plain HTTP.
    type: bool
    default: true
  cert_dir:
    description: Directory on the target host with the certificates for the registry, see containers-certs.d(5).
    type: path
  platform:
    description: Platform to choose from an image for several, as C(OS/ARCHITECTURE[/VARIANT]). Default is the target host's.
    type: str
requirements:
  - skopeo >= 1.9 (to pull)
  - zstd (to pull layers that are compressed with it)
"""
