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
      - Where the image comes from, in the syntax of containers-transports(5). C(docker://HOST/NAME:TAG) is a registry. On the
        target host are C(oci:/DIRECTORY[:TAG]), C(oci-archive:/FILE[:TAG]), C(docker-archive:/FILE[:NAME:TAG]), C(dir:/DIRECTORY),
        C(containers-storage:NAME:TAG) (Podman and others) and C(docker-daemon:NAME:TAG). Paths have to be absolute.
      - If not set, it is the registry that the image's name says. A name without a registry needs a source, as no
        registry is ever guessed. For the same reason C(docker://) needs the registry, such as C(docker://docker.io/library/NAME).
    type: str
  username:
    description: User name for the registry. Ignored for a O(source) that is not a registry.
    type: str
  password:
    description:
      - Password or token for the registry. Ignored for a O(source) that is not a registry.
      - It is kept in memory and handed to C(skopeo) as a file in memory; it is in no file on disk and in no command line.
    type: str
  authfile:
    description: File with credentials on the target host, see containers-auth.json(5). Goes before O(username).
    type: path
  validate_certs:
    description: Whether the registry has to use TLS with a valid certificate. V(false) also permits plain HTTP.
    type: bool
    default: true
  cert_dir:
    description: Directory on the target host with the certificates for the registry, see containers-certs.d(5).
    type: path
  platform:
    description:
      - Platform to choose from an image for several, as C(OS/ARCHITECTURE[/VARIANT]). Default is the target host's.
      - An image for another platform is refused when it is pulled, which check mode does not foretell.
      - An image that is stored already is not pulled again because it is for another platform.
    type: str
  pull_timeout:
    description:
      - Seconds without an answer, or without one byte, after which the source counts as stalled.
      - A registry that limits the rate of requests (429) is waited for as long as it asks, five times at most.
    type: int
    default: 60
  pull_retries:
    description:
      - How often a request is tried again after an error that may pass, such as a server error or a connection that broke,
        each time after a longer pause (0.5, 1, 2 seconds and so on, at most 30).
    type: int
    default: 3
  max_layer_size:
    description: What one layer may have at most when it is unpacked, in bytes or as C(64G).
    type: bytes
    default: 128G
  max_layer_entries:
    description: How many files, directories and links one layer may have at most.
    type: int
    default: 2000000
  max_layer_ratio:
    description: How many times its size a layer may unpack to at most. Up to 1 GiB is always allowed.
    type: int
    default: 500
requirements:
  - skopeo >= 1.9 (to pull)
  - zstd (to pull layers that are compressed with it)
"""
