# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One layer into the OSTree repository: fetched, unpacked, filtered, checked, committed without a ref."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from ._errors import SourceError, SystemContainerError, TransientSourceError
from ._inflate import inflated
from ._oci_image import Descriptor
from ._ostree import Repository
from ._record import dataclass
from ._tar_filter import TarFilter

if TYPE_CHECKING:
    from ._image_proxy import ImageProxy


@dataclass(frozen=True)
class ImportedLayer:
    """A layer as a commit without a ref.

    ``implied`` are the directories that it has no entry for. ``lower_links`` are its hard links, path to target, to files
    of lower layers; they are missing in the commit until ``_lower_links`` has put them there, and recorded them in
    ``placed_links``.
    """

    descriptor: Descriptor
    diff_id: str
    commit: str
    size: int
    dropped: int
    implied: Sequence[str]
    lower_links: Mapping[str, str] = field(default_factory=dict)
    placed_links: str | None = None


def import_layer(
    repository: Repository, proxy: ImageProxy, layer: Descriptor, diff_id: str, *, sync: bool = True
) -> ImportedLayer:
    """Fetch, check and commit one layer; the commit has no ref, and there is none when anything was wrong.

    When the connection breaks, this layer alone is fetched again. Without ``sync``, a sync has to follow before any ref
    leads to the commit.
    """
    return proxy.retrying(lambda: _import_once(repository, proxy, layer, diff_id, sync=sync))


def _import_once(
    repository: Repository, proxy: ImageProxy, layer: Descriptor, diff_id: str, *, sync: bool
) -> ImportedLayer:
    layer_filter = TarFilter(compressed=layer.size, limits=proxy.limits)
    digest = hashlib.sha256()
    commit = repository.commit_tar(sync=sync)
    try:
        with proxy.blob(layer, diff_id) as blob, contextlib.closing(inflated(blob.pieces(), move=blob.move)) as pieces:
            try:
                for piece in pieces:
                    digest.update(piece)
                    commit.write(layer_filter.feed(piece))
            except TransientSourceError:
                raise  # the stream has ended by itself, and the proxy still serves the other layers
            except BaseException as exc:
                proxy.kill(exc)  # so that the thread that feeds the inflater ends at once
                raise
        if f"sha256:{digest.hexdigest()}" != diff_id:
            raise wrong_diff_id(layer, diff_id)
        commit.write([layer_filter.close()])
        return ImportedLayer(
            descriptor=layer,
            diff_id=diff_id,
            commit=commit.finish(),
            size=layer_filter.bytes,
            dropped=layer_filter.dropped,
            implied=[path.decode() for path in layer_filter.implied],
            lower_links={path.decode(): target.decode() for path, target in layer_filter.lower_links.items()},
        )
    finally:
        commit.abort()


def wrong_diff_id(layer: Descriptor, diff_id: str) -> SystemContainerError:
    return SourceError(
        f"The image is damaged: layer {layer.digest} does not unpack to what its config says ({diff_id})"
    )
