# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where host files are on a host whose root has links: ``/bin/sh`` and ``/usr/bin/sh`` are one place there (pure).

Records keep the paths as the image spells them; what is compared, looked at and changed are places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ._deployment import Deployment, HostFile
from ._errors import InvalidInputError
from ._parents import parents_of

Links = Mapping[str, str]
"""Links of the system that a host has: path of the link to where it leads."""

NO_LINKS: Links = {}

SYSTEM_LINKS: Links = {
    **{f"/{name}": f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")},
    "/opt": "/var/opt",
    "/srv": "/var/srv",
    "/usr/local": "/var/usrlocal",
}
"""Links of hosts with a merged /usr, and of hosts that boot from OSTree. None leads through another one."""


def place_of(path: str, links: Links, *, itself: bool = False) -> str:
    """Return where a path leads; of one that is a link, ``itself`` is the place of the link."""
    for link, place in links.items():
        if path.startswith(link + "/") or (path == link and not itself):
            return place + path[len(link) :]
    return path


def place_of_file(file: HostFile, links: Links) -> str:
    """Return the place of a host file. Only a directory (``?``: perhaps one) may be what a link of the system leads to."""
    return place_of(file.path, links, itself=file.kind in ("-", "l"))


def placed(files: Iterable[HostFile], links: Links) -> tuple[HostFile, ...]:
    """Return host files with their places as paths."""
    if not links:
        return tuple(files)
    return tuple(dataclasses.replace(file, path=place_of_file(file, links)) for file in files)


def wanted_by_place(target: Deployment, links: Links) -> dict[str, HostFile]:
    """Return the host files of a deployment by place; ``InvalidInputError`` when two that differ would be in one place."""
    wanted: dict[str, HostFile] = {}
    spelled: dict[str, str] = {}
    for original, file in zip(target.host_files, placed(target.host_files, links)):
        other = wanted.setdefault(file.path, file)
        if not _same(file, other):
            raise _one_place(spelled[file.path], original.path)
        spelled.setdefault(file.path, original.path)
    for path in wanted:
        for folder in parents_of(path):
            if folder in wanted and wanted[folder].kind != "d":
                raise _one_place(spelled[folder], spelled[path])
    return wanted


def _same(file: HostFile, other: HostFile) -> bool:
    if file.kind == other.kind == "d":
        return True
    facts = [(item.kind, item.mode, item.uid, item.gid, item.sha256, item.target) for item in (file, other)]
    return facts[0] == facts[1]


def _one_place(path: str, other: str) -> InvalidInputError:
    return InvalidInputError(
        f"The image puts both '{path}' and '{other}' on the host, where links of the system make one place of them: mend"
        " renameFiles in its manifest.json, or the values that it uses"
    )
