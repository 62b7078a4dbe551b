# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts that the user adds to a container's config.json (runtime-spec, config.md: "Mounts")."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ._deployment import Mount
from ._errors import InvalidInputError
from ._strict_json import is_utf8

BIND_OPTIONS = ("rbind", "rprivate", "rw")
"""Options of a bind mount that says none: what is mounted below its source comes with it, nothing mounted later."""

_BIND = frozenset({"bind", "rbind"})
_PROPAGATION = frozenset(prefix + kind for kind in ("private", "shared", "slave", "unbindable") for prefix in ("", "r"))
_CREATE = ("directory", "file")


def parse_mounts(option: Iterable[Mapping[str, Any]]) -> tuple[Mount, ...]:
    """Return what a task's ``mounts`` mean, with clean paths and all options that take effect.

    Each entry may have ``destination``, ``source``, ``type``, ``options`` and ``create``; None is the same as missing.
    Raises ``InvalidInputError`` for what cannot be mounted, or for two entries with the same destination.
    """
    mounts: dict[str, Mount] = {}
    for entry in option:
        mount = _parse_mount(entry)
        if mount.destination in mounts:
            raise InvalidInputError(
                f"mounts: two entries have the destination '{mount.destination}': remove one of them"
            )
        mounts[mount.destination] = mount
    return tuple(mounts.values())


def merge_mounts(spec: dict[str, Any], mounts: Sequence[Mount]) -> dict[str, Any]:
    """Return a config.json with the mounts in it: each replaces those of its destination, or is added.

    One that is added comes before what is mounted below it, as it would hide that otherwise. Without mounts ``spec``
    itself is returned; it is never changed.
    """
    if not mounts:
        return spec
    merged = list(spec.get("mounts") or [])
    for mount in mounts:
        entry = _spec_entry(mount)
        places = [clean_path(item["destination"]) for item in merged]
        if mount.destination in places:
            first = places.index(mount.destination)
            kept = [item for item, place in zip(merged, places) if place != mount.destination]
            merged = [*kept[:first], entry, *kept[first:]]
        else:
            below = (index for index, place in enumerate(places) if place.startswith(mount.destination + "/"))
            merged.insert(next(below, len(merged)), entry)
    return {**spec, "mounts": merged}


def check_mount_sources(mounts: Iterable[Mount], kind: Callable[[str], str | None]) -> None:
    """Raise ``InvalidInputError`` for a bind source that is missing and is not to be created, or is of another kind.

    ``kind`` says what is at a path of the host: ``directory``, ``file`` (all that is no directory), or None.
    """
    for mount in mounts:
        if mount.source is None or not is_bind(mount):
            continue
        found = kind(mount.source)
        if found is None and mount.create is None:
            raise InvalidInputError(
                f"mounts: the source '{mount.source}' for '{mount.destination}' does not exist on the host: create it, or"
                " set 'create' to 'directory' or 'file'"
            )
        if found is not None and mount.create not in (None, found):
            raise InvalidInputError(
                f"mounts: the source '{mount.source}' for '{mount.destination}' exists, but not as a {mount.create}:"
                " correct 'create', or the source"
            )


def is_bind(mount: Mount) -> bool:
    """Tell whether a mount shows a file or directory of the host."""
    return mount.type == "bind" or not _BIND.isdisjoint(mount.options)


def clean_path(path: str) -> str:
    """Return an absolute path without ``.``, ``..`` and needless slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _parse_mount(entry: Mapping[str, Any]) -> Mount:
    destination = _path(entry.get("destination"), what="a destination")
    if destination == "/":
        raise InvalidInputError("mounts: '/' cannot be a destination: the root file system is the image's")
    where = f"mounts: '{destination}'"
    kind = entry.get("type") or "bind"
    given = entry.get("options")
    options = tuple(given if given is not None else BIND_OPTIONS if kind == "bind" else ())
    for text in (kind, *options):
        if not text or _is_unfit(text) or ("," in text and '"' not in text):
            raise InvalidInputError(f"{where}: {text!r} is no type or option of a mount: list each option by itself")
    source, create = entry.get("source"), entry.get("create")
    if kind == "bind" or not _BIND.isdisjoint(options):
        options = _complete(options)
        if source is None:
            raise InvalidInputError(f"{where}: a bind mount needs a 'source', a path of the host")
        source = _path(source, what=f"the source for '{destination}'")
    elif create is not None:
        raise InvalidInputError(f"{where}: 'create' is for bind mounts only, not for type '{kind}'")
    elif source is not None and (not source or _is_unfit(source)):
        raise InvalidInputError(f"{where}: the source {source!r} is empty, has control characters or is not UTF-8")
    if create not in (None, *_CREATE):
        raise InvalidInputError(f"{where}: 'create' is '{create}', but can be 'directory' or 'file' only")
    return Mount(destination=destination, source=source or kind, type=kind, options=options, create=create)


def _complete(options: tuple[str, ...]) -> tuple[str, ...]:
    """Return a bind mount's options with those that the runtime needs to make it one."""
    bind = () if not _BIND.isdisjoint(options) else ("rbind",)
    propagation = () if not _PROPAGATION.isdisjoint(options) else ("rprivate",)
    return (*bind, *propagation, *(option for option in options if option))


def _path(path: Any, *, what: str) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise InvalidInputError(f"mounts: {what} has to be an absolute path, not {path!r}")
    if _is_unfit(path):
        raise InvalidInputError(f"mounts: {what} has control characters or is not UTF-8: {path!r}")
    if ".." in path.split("/"):
        raise InvalidInputError(f"mounts: {what} has '..' in it: {path!r}: write the path without")
    return clean_path(path)


def _is_unfit(text: str) -> bool:
    return any(ord(character) < 32 or ord(character) == 127 for character in text) or not is_utf8(text)


def _spec_entry(mount: Mount) -> dict[str, Any]:
    entry: dict[str, Any] = {"destination": mount.destination, "type": mount.type, "source": mount.source}
    if mount.options:
        entry["options"] = list(mount.options)
    return entry
