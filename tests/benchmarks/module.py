# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules as Ansible sends them to a host: one archive with all that they import, run by the host's Python."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.collection_link import link_collection
from runner.project import COLLECTION_PATH

IMAGE = link_collection() / COLLECTION_PATH / "plugins/modules/system_container_image.py"
EMPTY = Path(__file__).with_name("empty_module.py")


def build_module(source: Path, arguments: Mapping[str, Any], destination: Path, *, python: str) -> Path:
    """Write the archive of a module with its arguments and return its path.

    Ansible makes it by the same function for every task, on the controller; so that is not part of what is measured.
    """
    load_ansible()
    from ansible.executor.module_common import modify_module
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    collection = "projectatomic.system_containers." if source.is_relative_to(link_collection()) else ""
    built = modify_module(
        module_name=collection + source.stem,
        module_path=str(source),
        module_args=dict(arguments),
        templar=Templar(loader=DataLoader(), variables={}),
        task_vars={"ansible_python_interpreter": python},
        module_compression="ZIP_DEFLATED",
    )
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_bytes(built.b_module_data)
    return destination


@functools.cache
def load_ansible() -> None:
    """Tell Ansible where the collection is; it reads that from the environment as it is imported."""
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(link_collection())
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([])
