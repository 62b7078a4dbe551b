# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls onto a file system that becomes full: a small tmpfs that only processes of a mount namespace of its own see."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.harness import ALL, SEED
from faults.stores import NAME, Store
from lab.image_builder import Image, build_image, tar_files

LAYERS, ROUNDS = 3, (40 if ALL else 2)
LAYER = 2 * 1024 * 1024
PLENTY = "size=64m,nr_inodes=100k"


class Disk:
    """A tmpfs at ``folder``, in a namespace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        # It says when it is in its namespace.
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep infinity"]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        self.wrapper = ("nsenter", "--mount", "--target", str(self._holder.pid), "--")
        self.mount("tmpfs", PLENTY)

    def mount(self, what: str, options: str) -> None:
        """Mount it, or (``remount``) give it other limits."""
        chosen = ["-t", "tmpfs", "-o", options] if what == "tmpfs" else ["-o", f"remount,{options}"]
        subprocess.run([*self.wrapper, "mount", *chosen, "tmpfs", str(self.folder)], check=True)

    def store(self) -> Store:
        """Return the store on it."""
        view = Path(f"/proc/{self._holder.pid}/root{self.folder}")
        return Store(self.folder, view=view, wrapper=self.wrapper)

    def used(self) -> tuple[int, int]:
        """Return the bytes and the inodes in use."""
        status = os.statvfs(f"/proc/{self._holder.pid}/root{self.folder}")
        return (status.f_blocks - status.f_bfree) * status.f_frsize, status.f_files - status.f_ffree

    def close(self) -> None:
        """End the namespace, and with it the file system."""
        self._holder.send_signal(signal.SIGKILL)
        self._holder.communicate()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="faults-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def images(folder: Path) -> tuple[Image, Image]:
    """Two images that need far more room than their manifests say."""

    def layers(letter: str) -> list[bytes]:
        return [tar_files({f"data/{n}": letter * (LAYER + n), f"more/{n}/x": letter}) for n in range(LAYERS)]

    return tuple(build_image(folder / "oci", layers=layers(letter), tag=letter) for letter in "ab")  # type: ignore[return-value]


@contextlib.contextmanager
def disk_of(folder: Path) -> Iterator[tuple[Disk, Store]]:
    disk = Disk(Path(tempfile.mkdtemp(prefix="disk-", dir=folder)) / "mounted")
    try:
        yield disk, disk.store()
    finally:
        disk.close()


@pytest.fixture(scope="module")
def needed(folder: Path, images: tuple[Image, Image]) -> tuple[int, int]:
    """Return the bytes and inodes that one of the images needs."""
    with disk_of(folder) as (disk, store):
        before = disk.used()
        _result, problems = store.run({"name": NAME, "source": images[0].reference})
        assert not problems
        after = disk.used()
    return after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("lacking", ["bytes", "inodes"])
@pytest.mark.parametrize("first", [True, False], ids=["first pull", "moved tag"])
def test_a_full_disk(
    folder: Path, images: tuple[Image, Image], needed: tuple[int, int], first: bool, lacking: str, round_: int
) -> None:
    share = random.Random(f"{SEED} {first} {lacking} {round_}").uniform(0.05, 0.6)
    with disk_of(folder) as (disk, store):
        if not first:
            _result, problems = store.run({"name": NAME, "source": images[0].reference})
            assert not problems
        before = store.refs() if not first else {}
        used = disk.used()
        limits = {"bytes": used[0] + int(share * needed[0]), "inodes": used[1] + int(share * needed[1])}
        limit = f"size={limits['bytes'] // 4096 * 4096},nr_inodes=100k"
        disk.mount("remount", limit if lacking == "bytes" else f"size=64m,nr_inodes={limits['inodes']}")
        wanted = {"name": NAME, "source": images[1].reference, "state": "latest"}
        result, problems = store.run(wanted)
        assert not problems
        assert result.get("failed"), f"{share} of the room was enough: {result}"
        message = str(result["msg"])
        assert "space" in message.lower(), message
        assert str(disk.folder) in message, message

        disk.mount("remount", PLENTY)
        # Layers that arrived whole may have refs already.
        kept = {ref: commit for ref, commit in store.refs().items() if "_3A" in ref}
        assert kept == {ref: commit for ref, commit in before.items() if "_3A" in ref}
        assert store.fsck_of_refs() == ""
        result, problems = store.run(wanted)
        assert not problems
        assert result["image"]["manifest_digest"] == images[1].manifest_digest
        assert store.fsck() == ""
        assert store.run(wanted)[0]["changed"] is False
