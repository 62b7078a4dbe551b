# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the mounts of a config.json end up in an image whose paths may be symbolic links.

Runtimes follow links inside of the root file system, with what is mounted already. Links of an image into ``/proc``,
``/sys``, ``/dev`` or a directory of the host made them write elsewhere (CVE-2019-19921, CVE-2021-30465, CVE-2023-27561,
CVE-2024-21626, CVE-2026-41579 and more), so those are refused before config.json is written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator
from typing import Any

from ._errors import InvalidInputError
from ._gvariant import Entry
from ._mounts import clean_path

Lookup = Callable[[str], "Entry | None"]
"""Returns what an image shows at an absolute path, None for nothing; no parent of the path is a symbolic link."""

_SYSTEM = ("/dev", "/proc", "/sys")
_MAX_LINKS = 40  # as the kernel has it, path_resolution(7)
# Two names of one directory by the Filesystem Hierarchy Standard, in every image of a distribution.
_ALIASES = {"/var/run": "/run", "/var/lock": "/run/lock"}


def check_mount_targets(spec: dict[str, Any], lookup: Lookup) -> None:
    """Raise ``InvalidInputError`` when a link of the image leads a mount, or ``process.cwd``, where it must not go.

    ``spec`` is a parsed config.json with all mounts in it. A few paths are looked up for each mount.
    """
    for path in _SYSTEM:
        entry = lookup(path)
        if entry is not None and entry.type != "d":
            raise InvalidInputError(
                f"'{path}' of the image is {_kind(entry)}, not a directory: runtimes can be led out of the container by"
                " that, so build the image without it"
            )
    mounts: dict[str, bool] = {}
    for destination, place, shows_host in _places(spec, lookup):
        mounts[destination] = mounts[place] = shows_host
    cwd = clean_path(spec["process"].get("cwd") or "/")
    _Walk(f"process.cwd '{cwd}'", lookup, mounts, ()).resolve(cwd)


def mount_places(spec: dict[str, Any], lookup: Lookup) -> dict[str, str]:
    """Return where in the image each mount ends up, by its destination, in order; raises as ``check_mount_targets`` does."""
    return {destination: place for destination, place, _shows_host in _places(spec, lookup)}


def resolve_path(path: str, lookup: Lookup, *, mounted: Collection[str], what: str) -> str:
    """Return where an absolute path of the container leads to, or what of it is known: nothing is known of what is mounted.

    Raises ``InvalidInputError`` that begins with ``what``.
    """
    return _Walk(what, lookup, mounted, ()).resolve(path)


def _places(spec: dict[str, Any], lookup: Lookup) -> Iterator[tuple[str, str, bool]]:
    """Yield destination and place of each mount, and whether it shows files of the host."""
    mounted: dict[str, bool] = {}
    for mount in spec.get("mounts") or []:
        destination = clean_path(mount["destination"])
        what = f"The mount on '{destination}'"
        place = _Walk(what, lookup, mounted, [path for path, host in mounted.items() if host]).resolve(destination)
        mounted[destination] = mounted[place] = _shows_host(mount)
        yield destination, place, mounted[place]


class _Walk:
    """Follows one path: ``covered`` are paths with something mounted on them, ``host`` those that show the host's files."""

    def __init__(self, what: str, lookup: Lookup, covered: Collection[str], host: Collection[str]) -> None:
        self._what = what
        self._lookup = lookup
        self._covered = covered
        self._host = host
        self._link: Entry | None = None

    def resolve(self, path: str) -> str:
        """Return where ``path`` leads to, or what of it is known: nothing is known of what others mounted."""
        todo, at, links = path.split("/")[::-1], "", 0
        while todo:
            name = todo.pop()
            if name == "..":
                at = self._parent(at)
            elif name not in ("", "."):
                at = f"{at}/{name}"
                self._check_place(at)
                if at in self._covered:
                    return clean_path("/".join([at, *todo[::-1]]))
                entry = self._lookup(at)
                if entry is None:
                    return self._missing(at, todo)
                if entry.type == "l":
                    links += 1
                    at = self._follow(entry, at, todo, links=links)
                elif entry.type != "d" and any(todo):
                    raise InvalidInputError(
                        f"{self._what} is below '{at}', which is a file in the image: correct the path"
                    )
        return at or "/"

    def _follow(self, link: Entry, at: str, todo: list[str], *, links: int) -> str:
        """Put a link's target before what is still to do, and return where to go on from."""
        if links > _MAX_LINKS:
            raise InvalidInputError(
                f"{self._what} leads in circles: the image's symbolic link '{at}' is one of them: build it without"
            )
        target, folder = link.target or "", posixpath.dirname(at)
        if _ALIASES.get(at) != posixpath.normpath(posixpath.join(folder, target)):
            self._link = link
        todo += target.split("/")[::-1]
        return "" if target.startswith("/") else folder.rstrip("/")

    def _missing(self, at: str, todo: list[str]) -> str:
        """Go on by name alone: below what the image does not have there are no links."""
        while todo:
            name = todo.pop()
            if name == "..":
                at = self._parent(at)
            elif name not in ("", "."):
                at = f"{at}/{name}"
            self._check_place(at)
        return at or "/"

    def _parent(self, at: str) -> str:
        if not at:
            raise InvalidInputError(f"{self._what} leads above the root of the image{self._by_link()}")
        return posixpath.dirname(at).rstrip("/")

    def _check_place(self, at: str) -> None:
        """Raise when a link led to where the kernel's or the host's files are."""
        if self._link is None:
            return
        for path in (*_SYSTEM, *self._host):
            if at == path or at.startswith(path + "/"):
                whose = "the kernel's files are" if path in _SYSTEM else "a directory of the host is mounted"
                raise InvalidInputError(f"{self._what} leads to '{at}', where {whose}{self._by_link()}")

    def _by_link(self) -> str:
        if self._link is None:
            return ": correct the path"
        shown = f"'{self._link.path}' -> '{self._link.target}'"
        return f", by the image's symbolic link {shown}: use another destination, or an image without that link"


def _shows_host(mount: dict[str, Any]) -> bool:
    return mount.get("type") == "bind" or not {"bind", "rbind"}.isdisjoint(mount.get("options") or [])


def _kind(entry: Entry) -> str:
    return f"a symbolic link to '{entry.target}'" if entry.type == "l" else "a file"
