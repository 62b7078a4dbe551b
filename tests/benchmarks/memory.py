# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peak memory of the module's own process."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import Bar, Result
from benchmarks.session import Session

_BAR = Bar("<=", 80)


def memory(session: Session) -> Iterator[Result]:
    """Peak resident memory of the module's process, without skopeo's and ostree's, for large images.

    One image has two layers of 1 GB, which are stored at the same time where there are two processors; the other one
    has many small files.
    """
    shapes = {
        "large-image": session.shape(size=2_000_000_000, files=60_000, layers=2),
        "many-files": session.shape(size=300_000_000, files=100_000, even=True),
    }
    for name, shape in shapes.items():
        image = session.image(shape)
        module = session.ours(image)
        module.prepare()
        yield Result(f"memory.{name}", module.peak_memory() / 1e6, "MB", limit=_BAR, note=str(image))
