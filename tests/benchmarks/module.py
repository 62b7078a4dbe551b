# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules as Ansible sends them to a host: one archive with all that they import, run by the host's Python."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.collection_link import link_collection
from runner.project import COLLECTION_PATH

MODULES = link_collection() / COLLECTION_PATH / "plugins/modules"
IMAGE = MODULES / "system_container_image.py"
CONTAINER = MODULES / "system_container.py"
CONTAINER_INFO = MODULES / "system_container_info.py"
PODMAN_COLLECTIONS = Path(sys.prefix, "share/bench-collections")
"""Where `make bootstrap-bench` puts the collection containers.podman."""

PODMAN_CONTAINER = PODMAN_COLLECTIONS / "ansible_collections/containers/podman/plugins/modules/podman_container.py"
EMPTY = Path(__file__).with_name("empty_module.py")


def build_module(source: Path, arguments: Mapping[str, Any], destination: Path, *, python: str) -> Path:
    """Write the archive of a module with its arguments and return its path.

    Ansible makes it by the same function for every task, on the controller; so that is not part of what is measured.
    """
    load_ansible()
    from ansible.executor.module_common import modify_module
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    built = modify_module(
        module_name=_collection_of(source) + source.stem,
        module_path=str(source),
        module_args=dict(arguments),
        templar=Templar(loader=DataLoader(), variables={}),
        task_vars={"ansible_python_interpreter": python},
        module_compression="ZIP_DEFLATED",
    )
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_bytes(built.b_module_data)
    return destination


def _collection_of(source: Path) -> str:
    """Return the name of the collection that a module is of, with a dot; nothing for one of no collection."""
    words = source.parts
    if "ansible_collections" not in words:
        return ""
    start = words.index("ansible_collections") + 1
    return ".".join((*words[start : start + 2], ""))


@functools.cache
def load_ansible() -> None:
    """Tell Ansible where the collections are; it reads that from the environment as it is imported."""
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = f"{link_collection()}:{PODMAN_COLLECTIONS}"
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([])
