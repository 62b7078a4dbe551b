# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether layers that are stored already are left where they are."""

from __future__ import annotations

from collections.abc import Iterator

from lab.process import LabError

from benchmarks.results import Bar, Result
from benchmarks.session import Session


def shared_layers(session: Session) -> Iterator[Result]:
    """An image of eight layers, seven of which another image brought: what the registry's log says was fetched."""
    shape = session.shape(size=80_000_000, files=2_000, layers=8, seed=2)
    base, whole = session.image(shape, layers=7), session.image(shape)
    first = session.ours(base)
    first.prepare()
    first.run()
    mark = session.registry.mark()
    session.ours(whole).run()
    fetched = session.registry.fetched_since(mark)
    known = {layer.digest for layer in base.layers}
    new = {layer.digest: layer.size for layer in whole.layers if layer.digest not in known}
    if any(fetched.get(digest) != size for digest, size in new.items()):
        raise LabError(f"the registry's log does not show that the new layers {new} were fetched once: {fetched}")
    again = sum(size for digest, size in fetched.items() if digest in known)
    yield Result(
        "shared-layers.known-bytes-fetched", again, "bytes", limit=Bar("==", 0), note=f"of {base.size:,} bytes"
    )
    yield Result("shared-layers.all-bytes-fetched", sum(fetched.values()), "bytes", note="new layer and configuration")
