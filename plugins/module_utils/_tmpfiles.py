# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tmpfiles.d(5): the lines for bind sources, those of an image that brings no tmpfiles.template and the user's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ._deployment import Mount
from ._errors import InvalidInputError


class MissingSource(NamedTuple):
    """A bind mount's source that the host lacks; ``is_file`` tells that a file is meant."""

    path: str
    is_file: bool


def default_tmpfiles(missing: Iterable[MissingSource], *, uid: int, gid: int) -> str:
    """Return one line for each missing bind source, in the form that Atomic wrote; empty when none is missing."""
    return "".join(
        f"{'f' if source.is_file else 'd'}    {_escaped(source.path)}   {'0600' if source.is_file else '0700'} {uid} {gid} - -\n"
        for source in missing
    )


def created_mount_sources(mounts: Iterable[Mount]) -> str:
    """Return one line for each mount whose source is to be created.

    Mode and owner are left out: what is made is root's, 0755 or 0644, and what exists is left as it is.
    """
    return "".join(
        f"{'f' if mount.create == 'file' else 'd'}    {_escaped(mount.source)}   - - - - -\n"
        for mount in mounts
        if mount.create is not None and mount.source is not None
    )


def add_lines(text: str, lines: str) -> str:
    """Return ``text`` with the lines whose path it does not create itself; ``text`` as it is when there are none."""
    known = created_paths(text)
    new: dict[str, None] = {}
    for line in lines.splitlines(keepends=True):
        if not created_paths(line) & known:
            new[line] = None
    end = "\n" if new and text and not text.endswith("\n") else ""
    return text + end + "".join(new)


def created_paths(text: str) -> set[str]:
    """Return the paths that the ``d`` and ``f`` lines of a tmpfiles.d text create."""
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0] in ("d", "f"):
            found.add(fields[1].replace("%%", "%"))
    return found


def _escaped(path: str) -> str:
    if any(character.isspace() or not character.isprintable() or character in "\"'\\" for character in path):
        raise InvalidInputError(
            f"The bind source {path!r} does not exist, and has characters that tmpfiles.d cannot hold: create it"
        )
    return path.replace("%", "%%")
