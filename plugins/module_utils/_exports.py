# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image carries below ``/exports``: the texts for rendering, and files for the host (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from ._errors import InvalidInputError
from ._record import dataclass
from ._strict_json import load_json
from ._template import FORCED, HOST_DEFAULTS, variables

HOSTFS = "/exports/hostfs"
"""Directory of an image with what it puts on the host."""

MANIFEST = "/exports/manifest.json of the image"


@dataclass(frozen=True)
class ImageHostFile:
    """An entry below ``/exports/hostfs``; ``path`` is the one on the host, before any renaming.

    ``kind`` is ``-`` (file), ``d`` or ``l`` (symbolic link), ``mode`` has the permission bits, ``sha256`` is of a file's
    content, ``target`` a link's. ``text`` is the content of a template, and of a small text file.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    sha256: str | None = None
    target: str | None = None
    text: str | None = field(default=None, repr=False)


def parse_renames(data: Any) -> dict[str, str]:
    """Return ``renameFiles`` of manifest.json: path to new path, which is a template. A directory takes along what is in it.

    Raises ``InvalidInputError`` for what is not of that form.
    """
    renames = {} if data is None else data
    if not isinstance(renames, dict) or not all(isinstance(value, str) for value in renames.values()):
        raise InvalidInputError(f"{MANIFEST}: renameFiles is not an object of paths: give text for every path")
    return {checked_path(path, where="renameFiles"): value for path, value in renames.items()}


def parse_templates(data: Any) -> tuple[str, ...]:
    """Return ``installedFilesTemplate`` of manifest.json: the files that are templates, by their path before or after renaming.

    Raises ``InvalidInputError`` for what is not of that form.
    """
    templates = [] if data is None else data
    if not isinstance(templates, list) or not all(isinstance(path, str) for path in templates):
        raise InvalidInputError(f"{MANIFEST}: installedFilesTemplate is not a list of paths")
    return tuple(checked_path(path, where="installedFilesTemplate") for path in templates)


def is_template(path: str, *, renames: Mapping[str, str], templates: Sequence[str]) -> bool:
    """Tell whether the manifest calls a file a template; ``renames`` are as written, so that no value decides."""
    return path in templates or renamed(path, renames) in templates


@dataclass(frozen=True)
class ExportsManifest:
    """``/exports/manifest.json`` of an image."""

    default_values: Mapping[str, Any] = field(default_factory=dict)
    no_container_service: bool = False
    use_links: bool = True
    rename_files: Mapping[str, str] = field(default_factory=dict)
    templates: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageFiles:
    """The texts that an image brings for rendering, None for each that it lacks."""

    config: str | None = None
    config_template: str | None = None
    service_template: str | None = None
    tmpfiles_template: str | None = None
    manifest: ExportsManifest = field(default_factory=ExportsManifest)
    passwd: str | None = None
    group: str | None = None
    host_files: tuple[ImageHostFile, ...] = ()


def parse_exports_manifest(text: str) -> ExportsManifest:
    """Parse ``/exports/manifest.json``; raises ``InvalidInputError`` for what is not of its form."""
    file = MANIFEST
    data = load_json(text, file=file)
    defaults = data.get("defaultValues", {}) if isinstance(data, dict) else None
    if not isinstance(defaults, dict):
        raise InvalidInputError(f"{file}: defaultValues is not an object")
    return ExportsManifest(
        default_values={name: value for name, value in defaults.items() if value is not None},
        no_container_service=data.get("noContainerService") is True,
        use_links=data.get("useLinks") is not False,
        rename_files=parse_renames(data.get("renameFiles")),
        templates=parse_templates(data.get("installedFilesTemplate")),
    )


def template_variables(files: ImageFiles) -> dict[str, Any]:
    """Return the variables that an image's templates leave to the user: name to default, None where there is none."""
    used: set[str] = set()
    manifest = files.manifest
    on_host = [
        file.text
        for file in files.host_files
        if is_template(file.path, renames=manifest.rename_files, templates=manifest.templates)
    ]
    templates = (files.config_template, files.service_template, files.tmpfiles_template)
    for template in (*templates, *on_host, *manifest.rename_files.values()):
        used |= variables(template or "")
    defaults = files.manifest.default_values
    names = (used - set(FORCED) - set(HOST_DEFAULTS)) | set(defaults)
    return {name: defaults.get(name) for name in sorted(names)}


def places_of(path: str, renames: Mapping[str, str]) -> list[str]:
    """Return every place that a path has while it is renamed, directory by directory: the last is where it ends."""
    places, place = [], ""
    for name in path.split("/")[1:]:
        place = f"{place}/{name}"
        places.append(place)
        if place in renames:
            place = renames[place]
            places.append(place)
    return places


def renamed(path: str, renames: Mapping[str, str]) -> str:
    """Return where a path ends up."""
    return places_of(path, renames)[-1]


def checked_path(path: str, *, where: str) -> str:
    """Return an absolute path without ``.``, ``//`` and a slash at its end."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not path.startswith("/") or ".." in names or not names or "\0" in path:
        raise InvalidInputError(
            f"{MANIFEST}: {where} has '{path}', which is no path of a file on the host: give an absolute one without '..'"
        )
    return "/" + "/".join(names)


def digest_of(pieces: Iterable[bytes]) -> str:
    """Return the SHA-256 (hex) of content that comes in pieces."""
    total = hashlib.sha256()
    for piece in pieces:
        total.update(piece)
    return total.hexdigest()
