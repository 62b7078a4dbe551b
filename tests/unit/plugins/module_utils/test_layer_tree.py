# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whiteouts: a layer hides what lower layers hold, never what it holds itself (image-spec, layer.md)."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._gvariant import Entry
from ansible_collections.projectatomic.system_containers.plugins.module_utils._layer_tree import (
    merge_folder,
    merge_layers,
    visible,
)


def entry(path: str) -> Entry:
    """Make an entry; a path that ends in '/' is a directory, one with '@' before its name a symbolic link."""
    kind, mode = ("d", 0o755) if path.endswith("/") else ("-", 0o644)
    if "@" in path:
        kind, path = "l", path.replace("@", "")
    return Entry(path=path.rstrip("/") or "/", type=kind, mode=mode, uid=0, gid=0, target="x" if kind == "l" else None)


@pytest.mark.parametrize(
    ("layers", "shown"),
    [
        pytest.param([], {}, id="no layer"),
        pytest.param(["/ /a/ /a/f"], {"/": 0, "/a": 0, "/a/f": 0}, id="one layer"),
        pytest.param(["/a/ /a/f", "/a/ /a/f"], {"/a": 1, "/a/f": 1}, id="a file over a file"),
        pytest.param(["/a/ /a/f /b", "/a/ /a/g"], {"/a": 1, "/a/f": 0, "/a/g": 1, "/b": 0}, id="directories merge"),
        pytest.param(["/a/ /a/f /a/g", "/a/ /a/.wh.f"], {"/a": 1, "/a/g": 0}, id="whiteout of a file"),
        pytest.param(["/a/ /a/d/ /a/d/f /b", "/.wh.a"], {"/b": 0}, id="whiteout of a directory"),
        pytest.param(["/a/ /ab /a-b /a.b", "/.wh.a"], {"/ab": 0, "/a-b": 0, "/a.b": 0}, id="no prefix match"),
        pytest.param(["/a", "/.wh.a", "/a"], {"/a": 2}, id="added again later"),
        pytest.param(["/a/ /a/f", "/.wh.a", "/a/ /a/g"], {"/a": 2, "/a/g": 2}, id="directory added again later"),
        pytest.param(["/a/ /a/f", "/.wh.a /a/ /a/g"], {"/a": 1, "/a/g": 1}, id="whiteout first, added in the layer"),
        pytest.param(["/a/ /a/f", "/a/ /a/g /.wh.a"], {"/a": 1, "/a/g": 1}, id="added in the layer, whiteout last"),
        pytest.param(["/a/ /a/f", "/a/ /a/.wh..wh..opq /a/g"], {"/a": 1, "/a/g": 1}, id="opaque first"),
        pytest.param(["/a/ /a/f", "/a/ /a/g /a/.wh..wh..opq"], {"/a": 1, "/a/g": 1}, id="opaque after siblings"),
        pytest.param(
            ["/a/ /a/d/ /a/d/f", "/a/ /a/d/ /a/d/g /a/.wh..wh..opq"],
            {"/a": 1, "/a/d": 1, "/a/d/g": 1},
            id="opaque hides what is deep",
        ),
        pytest.param(["/ /a /b/ /b/f", "/ /c /.wh..wh..opq"], {"/": 1, "/c": 1}, id="opaque root"),
        pytest.param(["/a/ /a/f /b", "/a/ /a/.wh..wh..opq"], {"/a": 1, "/b": 0}, id="opaque stays in its folder"),
        pytest.param(["/a", "/.wh.b"], {"/a": 0}, id="whiteout of nothing"),
        pytest.param(["/a", "/.wh.a", "/b"], {"/b": 2}, id="stays hidden"),
        pytest.param(["/.wh.a", "/a"], {"/a": 1}, id="a whiteout hides nothing of higher layers"),
        pytest.param(["/a/ /a/f", "/a"], {"/a": 1}, id="file over directory"),
        pytest.param(["/a/ /a/f /a.b", "/@a"], {"/a": 1, "/a.b": 0}, id="link over directory"),
        pytest.param(["/a", "/a/ /a/f"], {"/a": 1, "/a/f": 1}, id="directory over file"),
        pytest.param(["/@a", "/a/ /a/f"], {"/a": 1, "/a/f": 1}, id="directory over link"),
        pytest.param(["/a/ /a/f", "/a", "/a/ /a/g"], {"/a": 2, "/a/g": 2}, id="directory, file, directory"),
        pytest.param(["/a/ /a/f", "/a/ /a/.wh."], {"/a": 1, "/a/f": 0}, id="whiteout without a name"),
        pytest.param(["/ /a", "/ /.wh."], {"/": 1, "/a": 0}, id="whiteout without a name at the root"),
        pytest.param(["/a/ /a/f", "/a/ /a/.wh.."], {"/a": 1, "/a/f": 0}, id="whiteout of '.'"),
        pytest.param(["/a/ /a/f /b", "/a/ /a/.wh..."], {"/a": 1, "/a/f": 0, "/b": 0}, id="whiteout of '..'"),
        pytest.param(["/a/ /a/f", "/a/ /a/.wh..wh.plnk"], {"/a": 1, "/a/f": 0}, id="other reserved names are hidden"),
        pytest.param(["/a.wh.b /.whx"], {"/a.wh.b": 0, "/.whx": 0}, id="not a whiteout"),
    ],
)
def test_merge(layers: list[str], shown: dict[str, int]) -> None:
    merged = merge_layers([[entry(path) for path in layer.split()] for layer in layers])
    assert {path: placed.layer for path, placed in merged.items()} == shown
    assert all(path == placed.entry.path for path, placed in merged.items())


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        (["a", "b"], []),
        (["x", "a"], ["0-"]),
        (["x", "x"], ["1-"]),
        (["x/", "x/"], ["1/", "0/"]),
        (["x", "x/"], ["1/"]),
        (["x/", "x"], ["1-"]),
        (["x/", "x", "x/"], ["2/"]),
        (["x", ".wh.x"], []),
        (["x/", ".wh.x x/"], ["1/"]),
        (["x/", ".wh.x", "x/"], ["2/"]),
        (["x", ".wh..wh..opq a"], []),
        (["x/", "x/ .wh..wh..opq"], ["1/"]),
        (["x", ".wh.y .wh.xx"], ["0-"]),
    ],
)
def test_what_one_name_stands_for(layers: list[str], found: list[str]) -> None:
    listings = [
        {name: f"{index}{kind}" for name, kind in children.items()} for index, children in reversed(folders_of(layers))
    ]
    assert visible(listings, "x", is_folder=lambda item: item.endswith("/")) == found


def test_the_highest_entry_shows() -> None:
    low, high = entry("/a"), Entry(path="/a", type="-", mode=0o4755, uid=1, gid=2, size=3)
    assert merge_layers([[low], [high]])["/a"].entry == high


def test_listings_may_be_iterators() -> None:
    assert list(merge_layers([iter([entry("/a/"), entry("/a/f")]), iter([entry("/a/.wh.f")])])) == ["/a"]


@pytest.mark.parametrize(
    ("layers", "replaced"),
    [
        (["a", "a/"], ["1 a"]),
        (["a", "", "a/", "a/"], ["2 a"]),
        (["a/", "a/"], []),
        (["a/", "a"], []),
        (["a/", "a", "a/"], ["2 a"]),
        (["a", ".wh.a a/"], []),
        (["a", "a/ .wh.a"], []),
        (["a", ".wh.a", "a/"], []),
        (["a b", ".wh..wh..opq a/", "b/"], []),
        (["a", "a/", ".wh.a"], ["1 a"]),
        (["a", "a/", ".wh..wh..opq"], ["1 a"]),
        (["a", ".wh. a/"], ["1 a"]),
    ],
)
def test_what_a_directory_replaces(layers: list[str], replaced: list[str]) -> None:
    merge = merge_folder(folders_of(layers), is_folder=lambda item: item == "/")
    assert [f"{item.layer} {item.name}" for item in merge.replaced] == replaced


def test_directories_that_are_put_together() -> None:
    layers = folders_of(["a/ b/", "a/", ".wh.a", "a/ b", "a/ b/"])
    merge = merge_folder(layers, is_folder=lambda item: item == "/")
    assert [(name, [index for index, _item in below]) for name, below in merge.folders] == [
        ("a", [0, 1]),
        ("b", [0]),
        ("a", [3, 4]),
        ("b", [4]),
    ]


def folders_of(layers: list[str]) -> list[tuple[int, dict[str, str]]]:
    """Make listings of one directory: names with a slash at their end are directories."""
    return [
        (index, {name.rstrip("/"): "/" if name.endswith("/") else "-" for name in layer.split()})
        for index, layer in enumerate(layers)
    ]
