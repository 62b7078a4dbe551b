# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what rendering needs from an image in the store: from its commits, never from a path of the host."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ._errors import InvalidInputError
from ._exports import (
    HOSTFS,
    ExportsManifest,
    ImageFiles,
    ImageHostFile,
    digest_of,
    is_template,
    parse_exports_manifest,
)
from ._layer_tree import Placed, merge_layers
from ._ostree_reader import RepositoryReader
from ._small_text import SMALL_TEXT, small_text

_MAX_TEMPLATE = 4 * 1024 * 1024


class ImageTree:
    """The files that the layers of an image (commits, lowest first) show together."""

    def __init__(self, repository: RepositoryReader, commits: Sequence[str]) -> None:
        self._repository = repository
        self._commits = commits

    def list(self, folder: str) -> dict[str, Placed]:
        """Return all below a folder of the image's root, path to entry; empty when there is no such folder.

        Raises ``InvalidInputError`` when the folder is not a directory in the image.
        """
        listings = []
        for commit in self._commits:
            root = self._repository.ls(commit, "/") or []
            below = self._repository.ls(commit, folder, recursive=True) or []
            listings.append([*root, *(entry for entry in below if entry.path != folder)])
        merged = merge_layers(listings)
        top = merged.get(folder)
        if top is not None and top.entry.type != "d":
            raise InvalidInputError(f"'{folder}' of the image is not a directory: rebuild the image without the link")
        return {path: placed for path, placed in merged.items() if path.startswith(folder + "/")}

    def read(self, listing: dict[str, Placed], path: str) -> str | None:
        """Return the text of a file, None when it is missing; a link is an error, as is what is not UTF-8."""
        placed = listing.get(path)
        if placed is None:
            return None
        if placed.entry.type != "-":
            raise InvalidInputError(f"'{path}' of the image is not a regular file: rebuild the image with a file there")
        if placed.entry.size > _MAX_TEMPLATE:
            raise InvalidInputError(f"'{path}' of the image is larger than {_MAX_TEMPLATE} bytes")
        content = self._repository.cat(self._commits[placed.layer], path)
        try:
            return (content or b"").decode("utf-8")
        except UnicodeDecodeError as exc:
            raise InvalidInputError(f"'{path}' of the image is not UTF-8 text: {exc}") from exc

    def digest(self, listing: dict[str, Placed], path: str) -> tuple[str, str | None]:
        """Return the SHA-256 (hex) of a regular file of a listing, and its text when it is a small one."""
        placed = listing[path]
        content = self._repository.stream(self._commits[placed.layer], path)
        if placed.entry.size > SMALL_TEXT:
            return digest_of(content), None
        data = b"".join(content)
        return digest_of([data]), small_text(data)

    def is_regular_file(self, path: str) -> bool:
        """Tell whether the image shows a regular file at ``path``."""
        folder, _slash, _name = path.rstrip("/").rpartition("/")
        try:
            listings = [self._repository.ls(commit, folder or "/") or [] for commit in self._commits]
        except InvalidInputError:
            return False
        placed = merge_layers(listings).get(path.rstrip("/"))
        return placed is not None and placed.entry.type == "-"


def read_image_files(tree: ImageTree, *, digests: bool = True) -> ImageFiles:
    """Return what the image brings under ``/exports``, and its user database when it brings no config.json.

    Without ``digests`` host files are not read but for the templates among them.
    """
    listing = tree.list("/exports")
    manifest = tree.read(listing, "/exports/manifest.json")
    exports = parse_exports_manifest(manifest) if manifest is not None else ExportsManifest()
    config = tree.read(listing, "/exports/config.json")
    template = tree.read(listing, "/exports/config.json.template")
    passwd = group = None
    if config is None and template is None:
        etc = tree.list("/etc")
        passwd, group = tree.read(etc, "/etc/passwd"), tree.read(etc, "/etc/group")
    return ImageFiles(
        config=config,
        config_template=template,
        service_template=tree.read(listing, "/exports/service.template"),
        tmpfiles_template=tree.read(listing, "/exports/tmpfiles.template"),
        manifest=exports,
        passwd=passwd,
        group=group,
        host_files=_read_host_files(tree, listing, exports, digests=digests),
    )


def _read_host_files(
    tree: ImageTree, listing: dict[str, Placed], manifest: ExportsManifest, *, digests: bool
) -> tuple[ImageHostFile, ...]:
    """Return what is below ``/exports/hostfs``; links in it are never followed."""
    top = listing.get(HOSTFS)
    if top is not None and top.entry.type != "d":
        raise InvalidInputError(
            f"'{HOSTFS}' of the image is not a directory: rebuild the image with one, or without it"
        )
    found = []
    for path in sorted(path for path in listing if path.startswith(HOSTFS + "/")):
        entry = listing[path].entry
        place = path[len(HOSTFS) :]
        template = is_template(place, renames=manifest.rename_files, templates=manifest.templates)
        file = ImageHostFile(place, entry.type, entry.mode, entry.uid, entry.gid, target=entry.target)
        if template and entry.type != "d":
            file = dataclasses.replace(file, text=tree.read(listing, path))
        elif entry.type == "-" and digests:
            digest, text = tree.digest(listing, path)
            file = dataclasses.replace(file, sha256=digest, text=text)
        found.append(file)
    return tuple(found)
