# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an OSTree repository without ostree: a small one that ostree 2022.7 wrote, and damaged forms of it."""

from __future__ import annotations

import base64
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _gvariant
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    LockedError,
    StoreError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository

COMMIT = "9efad62b2c3debb796b1c06a0f85ab81da1745801cef50d9c9d3c920aee7e66c"
ROOT = "25d6633d48d2127d8ad8b802515154741b2bf719beb188dd9d11c940f14c6368"
FOLDER = "3c0dd40536470dcafdafb360742643e099927f1ee81bc15ee7bb2914e2f7aa82"
META = "446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488"
OBJECTS = {
    f"{COMMIT}.commit": "ZG9ja2VyLnNpemUAAAAAADEyAABzDAAAc3lzdGVtLWNvbnRhaW5lcnMAAAAAAAAAeyJhIjogIml0J3MifQAAcxIAAAAA"
    "AAAAb3N0cmVlLnJlZi1iaW5kaW5nAAAAAAAAAGFzExZBZHgAAAAAAAAAAAAAAAAAAAAAJdZjPUjSEn2K2LgCUVFUdBsr9xm+sYjdnRHJQPFMY2hE"
    "ag7xG3zBZ/O2A+WFx+7utnX6pBLV7HP2KYjrC2xUiJhqaWdnZw==",
    f"{ROOT}.dirtree": "YQA8DdQFNkcNyv2vs2B0JkPgmZJ/HugbwV7nuykU4veqgkRqDvEbfMFn87YD5YXH7u62dfqkEtXsc/YpiOsLbFSIIgJEAA==",
    f"{FOLDER}.dirtree": "ZgD79893obUNnwdMtunvbdtltlMuqJ5PTKGwegW0zRviWQJsIC0+IG5rACGfjb9OLvfAjp6tKh9vJJ6XPTKp/Lvbu8AWI7bsN6qe"
    "CGxuawBQOZxUuksQUcE50qRamhWVbicQkW9L+lSJ+nT+CkGlGgRuZXcKbGluZSAtPiB4AAhryk74ZHTRM5inP29apxPFNDEttK9TUwodoC1hsJvN"
    "DiNMcaCk",
    f"{META}.dirmeta": "AAAAAAAAAAAAAEHt",
}
FILES = {
    "fbf7cf77a1b50d9f074cb6e9ef6ddb65b6532ea89e4f4ca1b07a05b4cd1be259": "hi\n",
    "086bca4ef86474d13398a73f6f5aa713c534312db4af53530a1da02d61b09bcd": "x",
}
LINKS = {
    "219f8dbf4e2ef7c08e9ead2a1f6f249e973d32a9fcbbdbbbc01623b6ec37aa9e": "x",
    "50399c54ba4b1051c139d2a45a9a15956e2710916f4bfa5489fa74fe0a41a51a": "tgt -> b",
}


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    """The tree /a/f, /a/'new LF line -> x', and the links '/a/l -> nk' (to x) and /a/lnk (to 'tgt -> b')."""
    for name, content in OBJECTS.items():
        place(tmp_path, name).write_bytes(base64.b64decode(content))
    for checksum, text in FILES.items():
        place(tmp_path, f"{checksum}.file").write_text(text, encoding="utf-8")
    for checksum, target in LINKS.items():
        place(tmp_path, f"{checksum}.file").symlink_to(target)
    (tmp_path / "config").write_text("[core]\nrepo_version=1\nmode=bare\n", encoding="utf-8")
    (tmp_path / "refs/heads/ociimage").mkdir(parents=True)
    (tmp_path / "refs/heads/ociimage/app_3Alatest").write_text(COMMIT + "\n", encoding="ascii")
    return Repository(str(tmp_path))


def place(root: pathlib.Path, name: str) -> pathlib.Path:
    path = root / "objects" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_refs(repository: Repository) -> None:
    assert repository.exists()
    assert repository.mode == "bare"
    assert repository.resolve("ociimage/app_3Alatest") == COMMIT
    assert repository.resolve("ociimage/app") is None
    assert repository.resolve("ociimage") is None
    assert repository.resolve("ociimage/app_3Alatest/x") is None
    assert repository.refs() == {"ociimage/app_3Alatest": COMMIT}
    assert repository.refs("other") == {}


@pytest.mark.parametrize("ref", ["", "/etc/passwd", "../x", "a/../b", "a//b", "-x", "a b", COMMIT + "^", "a/"])
def test_names_that_are_not_refs(repository: Repository, ref: str) -> None:
    with pytest.raises(StoreError, match="not the name of an OSTree ref"):
        repository.resolve(ref)


def test_damaged_ref(repository: Repository) -> None:
    pathlib.Path(repository.path, "refs/heads/ociimage/bad").write_text("junk", encoding="ascii")
    with pytest.raises(StoreError, match="not an OSTree checksum"):
        repository.resolve("ociimage/bad")


def test_metadata(repository: Repository) -> None:
    assert repository.metadata(COMMIT) == {"docker.size": "12", "system-containers": '{"a": "it\'s"}'}


def test_listing_has_every_name_as_it_is(repository: Repository) -> None:
    entries = repository.ls(COMMIT, "/", recursive=True)
    assert entries is not None
    assert [(entry.path, entry.type, entry.target) for entry in entries] == [
        ("/", "d", None),
        ("/a", "d", None),
        ("/a/f", "-", None),
        ("/a/l -> nk", "l", "x"),
        ("/a/lnk", "l", "tgt -> b"),
        ("/a/new\nline -> x", "-", None),
    ]
    assert (entries[0].mode, entries[0].uid, entries[0].gid) == (0o755, 0, 0)
    assert entries[2].size == 3


def test_listing_of_parts(repository: Repository) -> None:
    assert [entry.path for entry in repository.ls(COMMIT, "/") or []] == ["/", "/a"]
    assert [entry.path for entry in repository.ls(COMMIT, "a/f") or []] == ["/a/f"]
    assert [entry.type for entry in repository.ls(COMMIT, "/a/lnk") or []] == ["l"]
    assert repository.ls(COMMIT, "/nothing") is None
    assert repository.ls(COMMIT, "/a/f/below") is None


def test_content(repository: Repository) -> None:
    assert repository.cat(COMMIT, "/a/f") == b"hi\n"
    assert repository.cat(COMMIT, "/a/new\nline -> x") == b"x"
    assert repository.cat(COMMIT, "/a/nothing") is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a/lnk", "'/a/lnk' in the image is a symbolic link"),
        ("/a/lnk/x", "'/a/lnk' in the image is a symbolic link"),
        ("/a", "is a directory"),
        ("/a/../a/f", "it has '..'"),
    ],
)
def test_content_that_is_not_read(repository: Repository, path: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        repository.cat(COMMIT, path)
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", OBJECTS)
def test_one_flipped_bit_is_found(repository: Repository, name: str) -> None:
    path = place(pathlib.Path(repository.path), name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        repository.ls(COMMIT, "/", recursive=True)


@pytest.mark.parametrize("name", [*OBJECTS, *(f"{checksum}.file" for checksum in FILES)])
def test_missing_object(repository: Repository, name: str) -> None:
    place(pathlib.Path(repository.path), name).unlink()
    with pytest.raises(StoreError, match=f"lacks object {name}"):
        repository.ls(COMMIT, "/", recursive=True)


def test_one_writer_at_a_time(repository: Repository) -> None:
    with repository.lock(), pytest.raises(LockedError, match="did not end within"), repository.lock(0.01):
        pass
    with repository.lock(0.01):
        pass


def test_no_repository(tmp_path: pathlib.Path) -> None:
    assert not Repository(str(tmp_path / "none")).exists()
    with pytest.raises(StoreError, match="There is no OSTree repository"), Repository(str(tmp_path / "none")).lock():
        pass


def variant_array(elements: list[bytes], *, alignment: int) -> bytes:
    """An array of variable-size elements as the GVariant specification has it, section 2.5.3."""
    body, ends = b"", []
    for element in elements:
        body += bytes(-len(body) % alignment) + element
        ends.append(len(body))
    width = next(width for width in (1, 2, 4, 8) if len(body) + width * len(ends) < 256**width)
    return body + b"".join(end.to_bytes(width, "little") for end in ends)


@given(st.lists(st.binary(min_size=1, max_size=90), max_size=90), st.sampled_from([1, 8]))
def test_arrays_of_any_size(elements: list[bytes], alignment: int) -> None:
    assert list(_gvariant.elements(variant_array(elements, alignment=alignment), alignment=alignment)) == elements
