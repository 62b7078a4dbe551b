# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One layer into the OSTree repository: fetched, unpacked, filtered, checked, committed without a ref."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._errors import SourceError, SystemContainerError
from ._inflate import inflated
from ._oci_image import Descriptor
from ._ostree import Repository
from ._tar_filter import TarFilter

if TYPE_CHECKING:
    from ._image_proxy import ImageProxy


@dataclass(frozen=True)
class ImportedLayer:
    descriptor: Descriptor
    diff_id: str
    commit: str
    size: int
    dropped: int
    implied: int


def import_layer(repository: Repository, proxy: ImageProxy, layer: Descriptor, diff_id: str) -> ImportedLayer:
    """Fetch, check and commit one layer; the commit has no ref, and there is none when anything was wrong."""
    layer_filter = TarFilter(max_bytes=proxy.limits.bytes_for(layer.size), max_entries=proxy.limits.entries)
    digest = hashlib.sha256()
    commit = repository.commit_tar()
    try:
        with proxy.blob(layer) as blob, contextlib.closing(inflated(blob.pieces())) as pieces:
            try:
                for piece in pieces:
                    digest.update(piece)
                    commit.write(layer_filter.feed(piece))
            except BaseException as exc:
                proxy.kill(exc)  # so that the thread that feeds the inflater ends at once
                raise
        if f"sha256:{digest.hexdigest()}" != diff_id:
            raise wrong_diff_id(layer, diff_id)
        commit.write([layer_filter.close()])
        return ImportedLayer(
            layer, diff_id, commit.finish(), layer_filter.bytes, layer_filter.dropped, layer_filter.implied
        )
    finally:
        commit.abort()


def wrong_diff_id(layer: Descriptor, diff_id: str) -> SystemContainerError:
    return SourceError(
        f"The image is damaged: layer {layer.digest} does not unpack to what its config says ({diff_id})"
    )
