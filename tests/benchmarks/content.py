# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contents of made-up images, the same from the same seed: text, program code and packed data, as images have them. Pure.

With gzip the text shrinks to about a fifth, the code to less than half, the packed data not at all; all of it to two fifths.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

_POOL = 2 * 1024 * 1024
_KINDS, _SHARES = ("text", "code", "packed"), (55, 37, 8)
_SUFFIXES = {"text": ".txt", "code": ".so", "packed": ".gz"}
_FILES_IN_FOLDER = 40


@dataclass(frozen=True)
class Shape:
    """How large an image is. With ``even`` all files have the same size, else few large ones hold most bytes."""

    size: int
    files: int
    layers: int = 1
    even: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.files < self.layers or self.size < 100 * self.files:
            raise ValueError(f"{self}: a file for each layer, and 100 bytes for each file, are the least")

    @property
    def key(self) -> str:
        """A name for it that serves as the name of an image."""
        evenness = "-even" if self.even else ""
        return f"{self.size}-bytes-{self.files}-files-{self.layers}-layers{evenness}-seed-{self.seed}"

    def __str__(self) -> str:
        what = "one layer" if self.layers == 1 else f"{self.layers} layers"
        return f"{self.size / 1e6:.0f} MB unpacked, {self.files:,} files, {what}"


def files_of(shape: Shape) -> Iterator[tuple[int, str, bytes]]:
    """Yield layer, path and content of every file. Contents differ, so that each is an object of its own."""
    chance = random.Random(shape.seed)
    pools = {"text": _text(chance), "code": _code(chance), "packed": chance.randbytes(_POOL)}
    for number, size in enumerate(_sizes(shape, chance)):
        kind = chance.choices(_KINDS, _SHARES)[0]
        folder = number // _FILES_IN_FOLDER
        path = f"usr/share/part{folder // _FILES_IN_FOLDER}/folder{folder}/file{number}{_SUFFIXES[kind]}"
        yield number % shape.layers, path, _content(f"{shape.seed} {path}\n".encode(), pools[kind], size, chance)


def _sizes(shape: Shape, chance: random.Random) -> list[int]:
    if shape.even:
        return [shape.size // shape.files] * shape.files
    weights = [min(chance.lognormvariate(0, 1.6), 200.0) for _file in range(shape.files)]
    scale = (shape.size - 100 * shape.files) / sum(weights)
    return [100 + int(weight * scale) for weight in weights]


def _content(head: bytes, pool: bytes, size: int, chance: random.Random) -> bytes:
    """Return ``size`` bytes: the head, then the pool from some place on."""
    pieces, missing = [head], size - len(head)
    while missing > 0:
        start = chance.randrange(len(pool))
        pieces.append(pool[start : start + missing])
        missing -= len(pieces[-1])
    return b"".join(pieces)[:size]


def _text(chance: random.Random) -> bytes:
    """Return lines of words, frequent and rare ones; many lines come again soon, as in sources and tables."""
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkqjxz", k=chance.randint(2, 9))) for _word in range(3000)]
    weights = [1 / rank for rank in range(1, 3001)]
    lines: list[str] = []
    size = 0
    while size < _POOL:
        if lines and chance.random() < 0.45:
            line = chance.choice(lines[-60:])
        else:
            line = " ".join(chance.choices(words, weights, k=chance.randint(3, 11))) + "\n"
        lines.append(line)
        size += len(line)
    return "".join(lines).encode()


def _code(chance: random.Random) -> bytes:
    """Return frequent and rare short sequences of bytes, as programs are made of."""
    sequences = [chance.randbytes(chance.randint(2, 6)) for _sequence in range(900)]
    weights = [1 / rank for rank in range(1, 901)]
    return b"".join(chance.choices(sequences, weights, k=_POOL // 3))
