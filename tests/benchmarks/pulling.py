# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to store an image that is not there, beside ``podman pull`` and beside the least it can take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from benchmarks.contenders import Contender, compare
from benchmarks.isolation import hidden
from benchmarks.process import Run
from benchmarks.results import Bar, Result, median_of, ratio
from benchmarks.session import Session

SIZE, FILES = 350_000_000, 12_000


def one_layer(session: Session) -> Iterator[Result]:
    """An image of one layer: the module beside ``podman pull`` and the floor.

    The floor is `gzip -dc LAYER | ostree commit --tree=tar=-` on the file of the layer: no registry, no digests, no
    checks of the archive. Time of whole processes, for the module from the start of Python to its end. The image was
    removed before each run, and what the kernel had to write was written.
    """
    image = session.image(session.shape(size=SIZE, files=FILES))
    contenders: list[Contender] = [session.ours(image), session.floor(image), session.podman(image)]
    runs = compare(contenders, rounds=session.pairs)
    yield from times("pull-one-layer", runs, note=str(image))
    yield beside("pull-one-layer", runs, "floor", Bar("<=", 1.15))
    yield beside("pull-one-layer", runs, "podman", Bar("<=", 0.75))


def eight_layers(session: Session) -> Iterator[Result]:
    """The same files in eight layers of the same size: the module beside ``podman pull``."""
    yield from _eight_layers(session, "pull-eight-layers")


def eight_layers_inflater(session: Session) -> Iterator[Result]:
    """The image of eight layers where there are faster inflaters: the module and podman take those that they know."""
    if session.inflaters:
        yield from _eight_layers(session, "pull-eight-layers-inflater")


def _eight_layers(session: Session, name: str) -> Iterator[Result]:
    image = session.image(session.shape(size=SIZE, files=FILES, layers=8))
    runs = compare([session.ours(image), session.podman(image)], rounds=session.pairs)
    yield from times(name, runs, note=str(image))
    yield beside(name, runs, "podman", Bar("<=", 0.6))


def inflaters(session: Session) -> Iterator[Result]:
    """The image of one layer with each faster inflater that the machine has, beside zlib, which is Python's.

    They are hidden from benchmarks that do not say otherwise, as most hosts do not have them.
    """
    image = session.image(session.shape(size=SIZE, files=FILES))
    installed = session.inflaters
    for name, path in installed.items():
        zlib, faster = session.ours(image), session.ours(image)
        runs = _with_and_without(zlib, faster, [path], session.pairs)
        yield from times(f"inflater-{name}", runs)
        yield beside(f"inflater-{name}", runs, "zlib")


def _with_and_without(zlib: Contender, faster: Contender, paths: Sequence[str], rounds: int) -> dict[str, list[Run]]:
    """Compare two runs of the module, one with the programs at ``paths`` hidden."""
    runs: dict[str, list[Run]] = {"ours": [], "zlib": []}
    for number in range(rounds + 1):
        faster.prepare()
        os.sync()
        shown = faster.run()
        zlib.prepare()
        os.sync()
        with hidden(paths):
            plain = zlib.run()
        if number:
            runs["ours"].append(shown)
            runs["zlib"].append(plain)
    return runs


def times(name: str, runs: dict[str, list[Run]], *, note: str = "") -> Iterator[Result]:
    """Yield the time of each contender, without a bar."""
    for contender, done in runs.items():
        cpu = median_of("", [run.cpu for run in done], "s")
        remark = f"processor time {cpu.shown(cpu.value)} s"
        yield median_of(
            f"{name}.{contender}", [run.seconds for run in done], "s", note=f"{note}; {remark}" if note else remark
        )


def beside(name: str, runs: dict[str, list[Run]], other: str, limit: Bar | None = None) -> Result:
    """Return the ratio of our time to another's."""
    seconds = {contender: [run.seconds for run in done] for contender, done in runs.items()}
    return ratio(f"{name}.ours-to-{other}", seconds["ours"], seconds[other], limit=limit)
