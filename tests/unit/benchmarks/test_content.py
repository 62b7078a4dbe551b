# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Made-up images have the size that was asked for, and shrink as images do."""

from __future__ import annotations

import zlib

import pytest
from benchmarks.content import Shape, files_of


@pytest.mark.parametrize("even", [False, True])
def test_size_number_and_layers(even: bool) -> None:
    shape = Shape(size=4_000_000, files=400, layers=4, even=even)
    files = list(files_of(shape))
    sizes = [len(content) for _layer, _path, content in files]
    assert sum(sizes) == pytest.approx(4_000_000, rel=0.001)
    assert len({content for _layer, _path, content in files}) == len({path for _layer, path, _content in files}) == 400
    assert {layer for layer, _path, _content in files} == {0, 1, 2, 3}
    assert (len(set(sizes)) == 1) == even


def test_the_same_every_time() -> None:
    shape = Shape(size=100_000, files=20)
    assert list(files_of(shape)) == list(files_of(shape))
    assert list(files_of(shape)) != list(files_of(Shape(size=100_000, files=20, seed=2)))


def test_it_shrinks_as_images_do() -> None:
    content = b"".join(content for _layer, _path, content in files_of(Shape(size=6_000_000, files=300, even=True)))
    assert 2.2 < len(content) / len(zlib.compress(content, 6)) < 3.2


@pytest.mark.parametrize(("size", "files", "layers"), [(99, 1, 1), (1000, 1, 2)])
def test_impossible_shapes(size: int, files: int, layers: int) -> None:
    with pytest.raises(ValueError, match="are the least"):
        Shape(size=size, files=files, layers=layers)
