# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image puts on the host: from the files below ``/exports/hostfs`` to host files with their final paths.

``renameFiles`` and ``installedFilesTemplate`` of the image's manifest.json mean what they meant to Atomic.
"""

from __future__ import annotations

import posixpath
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._deployment import HostFile
from ._errors import InvalidInputError
from ._exports import HOSTFS, MANIFEST, ImageHostFile, checked_path, digest_of, is_template, places_of, renamed
from ._parents import parents_of
from ._template import variables
from ._values import as_text

_PERMISSIONS = 0o1777

_SETUID_SETGID = 0o6000


def render_renames(renames: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Return ``renameFiles`` with the values filled in; ``InvalidInputError`` when one has no value or is no path."""
    return {
        path: checked_path(fill(place, values, file=f"renameFiles of {MANIFEST}"), where="renameFiles")
        for path, place in renames.items()
    }


def host_files(
    entries: Sequence[ImageHostFile],
    values: Mapping[str, Any],
    *,
    renames: Mapping[str, str],
    templates: Sequence[str],
    masked: Mapping[str, Any],
) -> tuple[HostFile, ...]:
    """Return what an image puts on the host, sorted by path; of directories only those with nothing in them.

    ``masked`` are the values with secret ones replaced: a file that then reads otherwise holds a secret, and only its
    owner gets at it. Setuid and setgid bits are dropped, see ``dropped_bits``. Raises ``InvalidInputError`` for two files
    that end at one path, and for a variable without a value.
    """
    rendered = render_renames(renames, values)
    parents = {folder for entry in entries for folder in parents_of(entry.path)}
    found: dict[str, HostFile] = {}
    for entry in entries:
        _check_text(entry.path)
        _check_text(entry.target or "")
        if entry.kind == "d" and entry.path in parents:
            continue
        file = _host_file(entry, renamed(entry.path, rendered))
        if is_template(entry.path, renames=renames, templates=templates):
            file = _filled(file, entry, values, masked)
        other = found.setdefault(file.path, file)
        if other is not file and {other.kind, file.kind} != {"d"}:
            raise InvalidInputError(
                f"Two files of the image, '{other.origin}' and '{file.origin}', end at '{file.path}': mend renameFiles in its"
                " manifest.json, or the values that it uses"
            )
    return _without_parents(found)


def dropped_bits(entries: Iterable[ImageHostFile]) -> tuple[str, ...]:
    """Return the paths in the image of those that lose setuid or setgid bits."""
    return tuple(f"{HOSTFS}{entry.path}" for entry in entries if entry.kind != "l" and entry.mode & _SETUID_SETGID)


def named_in_vain(
    entries: Sequence[ImageHostFile], *, renames: Mapping[str, str], templates: Sequence[str]
) -> tuple[str, ...]:
    """Return the files that the image's manifest names and that it does not have; Atomic took no notice of them."""
    known = {place for entry in entries for place in (entry.path, *places_of(entry.path, renames))}
    return tuple(path for path in dict.fromkeys((*renames, *templates)) if path not in known)


def atomic_host_files(checksums: Mapping[str, Any]) -> tuple[HostFile, ...]:
    """Return the host files of a deployment that Atomic made, from ``installed-files-checksum`` of its ``info``.

    It recorded no modes and owners (-1 here), and the checksum 0 for links and directories (kind ``?``); it wrote
    ``/./NAME`` for what is in the root.
    """
    return tuple(
        HostFile(
            path=posixpath.normpath(path),
            kind="-" if _is_sha256(checksum) else "?",
            mode=-1,
            uid=-1,
            gid=-1,
            sha256=checksum if _is_sha256(checksum) else None,
        )
        for path, checksum in sorted(checksums.items())
        if path.startswith("/") and ".." not in path.split("/")
    )


def _host_file(entry: ImageHostFile, path: str) -> HostFile:
    return HostFile(
        path=path,
        kind=entry.kind,
        mode=0o777 if entry.kind == "l" else entry.mode & _PERMISSIONS,
        uid=entry.uid,
        gid=entry.gid,
        sha256=entry.sha256,
        target=entry.target,
        origin=HOSTFS + entry.path,
    )


def _filled(file: HostFile, entry: ImageHostFile, values: Mapping[str, Any], masked: Mapping[str, Any]) -> HostFile:
    """Return a file with its template filled."""
    if entry.kind != "-" or entry.text is None:
        raise InvalidInputError(f"'{file.origin}' of the image is a template, but no file: mend installedFilesTemplate")
    template = f"'{file.origin}' of the image"
    content = fill(entry.text, values, file=template)
    shown = fill(entry.text, {**values, **masked}, file=template)
    secret = shown != content
    return HostFile(
        path=file.path,
        kind="-",
        mode=file.mode & 0o700 if secret else file.mode,
        uid=file.uid,
        gid=file.gid,
        sha256=digest_of([content.encode("utf-8", "surrogateescape")]),
        origin=file.origin,
        content=content,
        masked=shown if secret else None,
    )


def fill(template: str, values: Mapping[str, Any], *, file: str) -> str:
    """Fill a template of a host file; ``InvalidInputError`` that names ``file`` when that cannot be done."""
    missing = sorted(variables(template) - set(values))
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise InvalidInputError(f"{file} uses variables without a value: {names}: set them in 'values'")
    try:
        return string.Template(template).substitute({name: as_text(value) for name, value in values.items()})
    except ValueError as exc:
        raise InvalidInputError(
            f"{file} has a '$' that starts no variable ({exc}): write '$$' for a dollar sign"
        ) from exc


def _check_text(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise InvalidInputError(
            f"The image has {name!a} below {HOSTFS}, which is not UTF-8: give the file, or the link's target, another name"
        ) from exc


def _without_parents(found: Mapping[str, HostFile]) -> tuple[HostFile, ...]:
    """Return the files sorted by path, without directories that others are in; anything else is no parent."""
    parents = {folder for path in found for folder in parents_of(path)}
    for path in sorted(parents & set(found)):
        if found[path].kind != "d":
            below = next(other for other in sorted(found) if path in parents_of(other))
            raise InvalidInputError(
                f"The image puts '{path}' on the host, which is no directory, and '{below}' below it: mend renameFiles in its"
                " manifest.json, or the values that it uses"
            )
    return tuple(found[path] for path in sorted(found) if path not in parents)


def _is_sha256(checksum: Any) -> bool:
    return isinstance(checksum, str) and len(checksum) == 64
