# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a container are read where the container has them, whatever its links say."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._beneath import read_beneath
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError

# A value is a file's text, a link (with "-> " before it), or None for a folder.
TREE = {
    "etc/passwd": "the container's",
    "etc/empty": "",
    "etc/folder": None,
    "etc/relative": "-> passwd",
    "etc/absolute": "-> /etc/passwd",
    "etc/up": "-> ../etc/./passwd",
    "etc/out": "-> ../../../../../../../../outside/passwd",
    "etc/host": "-> {outside}/passwd",
    "etc/folder/dangling": "-> nowhere",
    "etc/to_folder": "-> folder",
    "etc/loop": "-> loop",
    "etc/ping": "-> pong",
    "etc/pong": "-> ping",
    "outside/passwd": "what a link to the top leads to",
    "link": "-> etc",
    "parent": "-> ..",
    "self": "-> /",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system, beside a folder that none of its links may lead to."""
    outside, root = tmp_path / "host", tmp_path / "root"
    outside.mkdir()
    (outside / "passwd").write_text("the host's")
    for path, content in TREE.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir()
        elif content.startswith("-> "):
            place.symlink_to(content[3:].format(outside=outside))
        else:
            place.write_text(content)
    return root


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("etc/passwd", "the container's"),
        ("/etc/passwd", "the container's"),
        ("etc//./passwd", "the container's"),
        ("etc/../etc/passwd", "the container's"),
        ("../../etc/passwd", "the container's"),
        ("etc/empty", ""),
        ("etc/relative", "the container's"),
        ("etc/absolute", "the container's"),
        ("etc/up", "the container's"),
        ("link/passwd", "the container's"),
        ("link/relative", "the container's"),
        ("parent/parent/link/absolute", "the container's"),
        ("self/self/etc/passwd", "the container's"),
        ("etc/out", "what a link to the top leads to"),
        ("etc/host", None),  # there is no such folder in the container
        ("etc/nowhere", None),
        ("nowhere/passwd", None),
        ("etc/passwd/more", None),
        ("etc/relative/more", None),
        ("etc/folder", None),
        ("etc/to_folder", None),
        ("etc/folder/dangling", None),
        ("", None),
        ("..", None),
    ],
)
def test_read(root: Path, path: str, content: str | None) -> None:
    assert read_beneath(str(root), path) == (None if content is None else content.encode())


@pytest.mark.parametrize("path", ["etc/loop", "etc/ping"])
def test_links_without_an_end(root: Path, path: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"^'{path}' of the container leads through too many links$"):
        read_beneath(str(root), path)


def test_as_many_links_as_the_kernel_follows(root: Path) -> None:
    for number in range(1, 42):
        (root / str(number)).symlink_to(str(number - 1))
    (root / "0").write_text("end")
    assert read_beneath(str(root), "40") == b"end"
    with pytest.raises(InvalidInputError, match="too many links"):
        read_beneath(str(root), "41")


@pytest.mark.parametrize(("size", "fits"), [(9, True), (10, True), (11, False)])
def test_limit(root: Path, size: int, fits: bool) -> None:
    (root / "file").write_bytes(b"x" * size)
    if fits:
        assert read_beneath(str(root), "file", limit=10) == b"x" * size
        return
    with pytest.raises(InvalidInputError, match=r"^'file' of the container has more than 10 bytes$"):
        read_beneath(str(root), "file", limit=10)


def test_what_is_no_file_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "fifo")
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(read_beneath(str(root), "fifo")), daemon=True)
    reader.start()
    reader.join(10)
    assert found == [None]


def test_nothing_stays_open(root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for path in ("etc/passwd", "link/absolute", "etc/nowhere", "etc/folder"):
        read_beneath(str(root), path)
    with pytest.raises(InvalidInputError):
        read_beneath(str(root), "etc/loop")
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    """As ``/proc/PID/root`` is one."""
    (root.parent / "entry").symlink_to(root)
    assert read_beneath(str(root.parent / "entry"), "etc/absolute") == b"the container's"
