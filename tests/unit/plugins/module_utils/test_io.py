# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files, links, directories and locks in a temporary folder."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _io
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    LockedError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._io import (
    locked,
    read_state,
    remove_file,
    remove_tree,
    replace_link,
    write_file,
)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# --- reading


def test_read_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a\x00\xff\n")
    path.chmod(0o4640)
    os.utime(path, (5, 1_000_000_000))
    state = read_state(str(path))
    assert state is not None
    assert (state.content, state.mode, state.mtime, state.is_link) == (b"a\x00\xff\n", 0o4640, 1_000_000_000, False)


@pytest.mark.parametrize("target", ["missing", "secret", "."])
def test_a_link_is_not_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "l").symlink_to(target)
    state = read_state(str(tmp_path / "l"))
    assert state is not None
    assert (state.content, state.mode, state.is_link) == (target.encode(), 0o777, True)


@pytest.mark.parametrize("name", ["missing", "folder/missing", "file/below"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert read_state(str(tmp_path / name)) is None


@pytest.mark.parametrize("kind", ["directory", "fifo", "socket"])
def test_not_a_regular_file(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if kind == "directory":
        (tmp_path / "x").mkdir()
    elif kind == "fifo":
        os.mkfifo("x")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("x")
    begin = time.monotonic()
    with pytest.raises(InvalidInputError, match="is not a regular file"):
        read_state(str(tmp_path / "x"))
    assert time.monotonic() - begin < 5


# --- writing


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o755])
def test_write(tmp_path: Path, bits: int) -> None:
    old = os.umask(0o077)
    try:
        write_file(str(tmp_path / "f"), b"new\xff", mode=bits)
    finally:
        os.umask(old)
    assert (tmp_path / "f").read_bytes() == b"new\xff"
    assert mode(tmp_path / "f") == bits
    assert names(tmp_path) == ["f"]


def test_write_replaces(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old and longer")
    other_name = tmp_path / "hard"
    os.link(path, other_name)
    write_file(str(path), b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert other_name.read_bytes() == b"old and longer"


def test_write_replaces_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "f").symlink_to("target")
    write_file(str(tmp_path / "f"), b"new", mode=0o600)
    assert not (tmp_path / "f").is_symlink()
    assert (tmp_path / "target").read_text() == "old"


def test_write_makes_folders(tmp_path: Path) -> None:
    write_file(str(tmp_path / "a" / "b" / "f"), b"", mode=0o600)
    assert mode(tmp_path / "a" / "b") == 0o755


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError, match="d"):
        write_file(str(tmp_path / "d"), b"x", mode=0o600)
    assert names(tmp_path) == ["d"]


# --- links


@pytest.mark.parametrize("before", [None, "old", "dangling"])
def test_replace_link(tmp_path: Path, before: str | None) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    if before is not None:
        (tmp_path / "link").symlink_to(before)
    replace_link(str(tmp_path / "link"), str(tmp_path / "new"))
    assert os.readlink(tmp_path / "link") == str(tmp_path / "new")
    assert names(tmp_path) == ["link", "new", "old"]
    assert names(tmp_path / "old") == []


def test_replace_link_after_a_crash(tmp_path: Path) -> None:
    (tmp_path / ".link.new").symlink_to("left")
    replace_link(str(tmp_path / "link"), "new")
    assert names(tmp_path) == ["link"]


# --- removing


def test_remove_file(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "l").symlink_to("target")
    remove_file(str(tmp_path / "l"))
    remove_file(str(tmp_path / "l"))
    assert names(tmp_path) == ["target"]


def test_an_emptied_drop_in_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "app.service.d"
    folder.mkdir()
    (folder / "10-a.conf").touch()
    (folder / "20-b.conf").touch()
    remove_file(str(folder / "10-a.conf"))
    assert names(tmp_path) == ["app.service.d"]
    remove_file(str(folder / "20-b.conf"))
    assert names(tmp_path) == []


def test_other_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "tmpfiles.d").mkdir()
    (tmp_path / "tmpfiles.d" / "f").touch()
    remove_file(str(tmp_path / "tmpfiles.d" / "f"))
    assert names(tmp_path) == ["tmpfiles.d"]


def test_remove_tree(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").touch()
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(tmp_path / "outside")
    (tree / "f").touch()
    remove_tree(str(tree))
    remove_tree(str(tree))
    assert names(tmp_path) == ["outside"]
    assert names(tmp_path / "outside") == ["f"]


def test_remove_tree_after_a_crash(tmp_path: Path) -> None:
    for name in ("tree", ".tree.removed"):
        (tmp_path / name / "a").mkdir(parents=True)
    remove_tree(str(tmp_path / "tree"))
    assert names(tmp_path) == []


def test_remove_tree_of_what_a_crash_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".tree.removed" / "a").mkdir(parents=True)
    remove_tree(str(tmp_path / "tree"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["link", "file"])
def test_remove_tree_of_what_is_no_directory(tmp_path: Path, kind: str) -> None:
    """It goes too, or is refused and stays; it must not end half removed, in the way of every later run."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").touch()
    if kind == "link":
        (tmp_path / "tree").symlink_to("outside")
    else:
        (tmp_path / "tree").touch()
    remove_tree(str(tmp_path / "tree"))
    assert names(tmp_path) == ["outside"]
    assert names(tmp_path / "outside") == ["f"]


# --- locks


def test_lock_is_released(tmp_path: Path) -> None:
    path = str(tmp_path / "folder" / "lock")
    for _time in range(2):
        with locked(path, what="it", timeout=0):
            pass
    with pytest.raises(ZeroDivisionError), locked(path, what="it", timeout=0):
        raise ZeroDivisionError
    with locked(path, what="it", timeout=0):
        assert mode(Path(path)) == 0o600


def test_lock_is_held(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    begin = time.monotonic()
    message = "changing it, and did not end within 0.2 seconds"
    with locked(path, what="it", timeout=0):  # noqa: SIM117 (one statement would be too long)
        with pytest.raises(LockedError, match=message), locked(path, what="it", timeout=0.2):
            pass
    assert 0.2 <= time.monotonic() - begin < 5


def test_lock_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    held, order = threading.Event(), []

    def first() -> None:
        with locked(path, what="it"):
            held.set()
            time.sleep(0.2)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(5)
    with locked(path, what="it", timeout=10):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("target")
    with pytest.raises(OSError, match="lock"), locked(str(tmp_path / "lock"), what="it", timeout=0):
        pass
    assert not (tmp_path / "target").exists()


def test_a_temporary_folder_is_private_locked_and_removed(tmp_path: Path) -> None:
    with _io.temporary_folder(str(tmp_path), "new-") as one:
        assert stat.S_IMODE(os.stat(one).st_mode) == 0o700
        Path(one, "file").touch()
        assert _io.stale_folders(str(tmp_path), "new-") == []
        with _io.temporary_folder(str(tmp_path), "new-") as two:
            assert os.path.isdir(one)
            assert os.path.isdir(two)
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    for name in ("new-left", "other"):
        (tmp_path / name / "below").mkdir(parents=True)
    (tmp_path / "new-file").touch()
    (tmp_path / "new-link").symlink_to("other")
    assert _io.stale_folders(str(tmp_path), "new-") == [str(tmp_path / "new-left")]
    with _io.temporary_folder(str(tmp_path), "new-"):
        assert not (tmp_path / "new-left").exists()
    assert sorted(os.listdir(tmp_path)) == ["new-file", "new-link", "other"]
    assert _io.stale_folders(str(tmp_path / "missing"), "new-") == []


def test_a_folder_that_was_taken_for_a_stale_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may remove it between its making and its locking."""
    made: list[str] = []
    mkdtemp = tempfile.mkdtemp

    def make(prefix: str, dir: str) -> str:  # noqa: A002
        made.append(mkdtemp(prefix=prefix, dir=dir))
        return made[-1]

    flock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        if len(made) == 1:
            os.rmdir(made[0])
        flock(descriptor, operation)

    monkeypatch.setattr(tempfile, "mkdtemp", make)
    monkeypatch.setattr(fcntl, "flock", late)
    with _io.temporary_folder(str(tmp_path), "new-") as folder:
        assert [folder] == made[1:]
        assert os.path.isdir(folder)
