# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deployments below a root, as they are recorded there; nothing is asked of systemd or the runtime (reads only)."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re

from ._container_name import is_container_name
from ._deployment import BrokenSlot, Deployment, GeneratedFile
from ._errors import InvalidInputError, NewerSchemaError
from ._info_file import parse_info
from ._io import read_state
from ._models import Paths

SLOT = re.compile(r"(?P<name>.+)\.(?P<slot>0|[1-9][0-9]*)\Z")


def container_names(root: str) -> list[str]:
    """Return the names of all containers below ``root``, sorted: those with a link or with a slot.

    Entries whose names no container can have are somebody else's.
    """
    names = set()
    try:
        entries = list(os.scandir(root))
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        match = SLOT.match(entry.name)
        if match and entry.is_dir(follow_symlinks=False):
            names.add(match.group("name"))
        elif entry.is_symlink():
            names.add(entry.name)
    return sorted(name for name in names if is_container_name(name))


def slots(link: str) -> list[int]:
    """Return the numbers of the slots beside a container's link, sorted."""
    folder, name = os.path.split(link)
    numbers = []
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            match = SLOT.match(entry) if entry.startswith(f"{name}.") else None
            path = os.path.join(folder, entry)
            if match and match.group("name") == name and os.path.isdir(path) and not os.path.islink(path):
                numbers.append(int(match.group("slot")))
    return sorted(numbers)


def read_slot(link: str, slot: int) -> Deployment | BrokenSlot:
    """Return the deployment in a slot, as its record says."""
    directory = f"{link}.{slot}"
    try:
        state = read_state(f"{directory}/info")
        if state is None or state.is_link:
            return BrokenSlot(slot, directory, "it has no info file")
        text = state.content.decode("utf-8", "surrogateescape")
        deployment = parse_info(text, name=os.path.basename(link), slot=slot, directory=directory)
        return deployment if deployment.inputs is not None else _with_atomic_files(deployment, os.path.dirname(link))
    except NewerSchemaError as exc:
        return BrokenSlot(slot, directory, str(exc), newer=True)
    except InvalidInputError as exc:
        return BrokenSlot(slot, directory, str(exc))


def _with_atomic_files(deployment: Deployment, root: str) -> Deployment:
    """Return a deployment of Atomic's, which recorded none of its files, with those that are in its slot."""
    paths = Paths(name=deployment.name, root=root)
    copies = {paths.unit_name: paths.unit, paths.tmpfiles_copy: paths.tmpfiles}
    files = []
    for name in ("config.json", *copies):
        path = f"{deployment.directory}/{name}"
        state = read_state(path)
        if state is not None and not state.is_link:
            text = state.content.decode("utf-8", "surrogateescape")
            mode = 0o600 if name == "config.json" else 0o644
            places = [path, *([copies[name]] if name in copies else [])]
            files += [GeneratedFile(path=place, content=text, mode=mode) for place in places]
    return dataclasses.replace(deployment, files=tuple(files))
