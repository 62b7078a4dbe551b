# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A loss of power while an image is pulled: what is on disk then is mounted again, as after the next boot."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from lab.image_builder import Image, build_image, tar_files
from store.pulling import assert_sound, checked_out, converge

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deferred_sync import DeferredSync
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import StoreError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._io import sync_directory
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import layer_commits

FILES = {f"file{number}": f"content {number}\n" * 500 for number in range(40)}
MARK = "system-containers.unsynced"
PLACE = "root/.storage/ostree"


class Disk:
    """A file system in a file, which holds what has been written to disk."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._file, self.mounted = folder / "disk", folder / "mounted"
        self.mounted.mkdir()
        with self._file.open("wb") as stream:
            stream.truncate(64 * 1024 * 1024)
        # What was not synced would reach the disk after commit= seconds (ext4(5)), and data before the names that lead to it.
        subprocess.run(["mkfs.ext4", "-q", str(self._file)], check=True)
        self._options = "loop,commit=300"

    def mount(self) -> Repository:
        subprocess.run(["mount", "-o", self._options, str(self._file), str(self.mounted)], check=True)
        return Repository(str(self.mounted / PLACE))

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.mounted)], check=True)

    def lose_power(self) -> Repository:
        """Mount what is on disk now, in place of what the kernel has in memory."""
        kept = self._file.with_name("kept")
        shutil.copyfile(self._file, kept)
        self.unmount()
        kept.rename(self._file)
        return self.mount()


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[Disk]:
    made = Disk(tmp_path)
    try:
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            made.unmount()


@pytest.fixture
def image(tmp_path: pathlib.Path) -> Image:
    return build_image(tmp_path / "oci", layers=[tar_files(FILES), tar_files({"top": "t" * 9000})], tag="1")


class PowerLossError(Exception):
    pass


def interrupted_pull(repository: Repository, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pull until all is stored and not yet synced, then have the journal written: names reach the disk, data need not."""

    def stop(self: DeferredSync) -> None:
        sync_directory(repository.path)
        raise PowerLossError

    with monkeypatch.context() as patch:
        patch.setattr(DeferredSync, "finish", stop)
        with pytest.raises(PowerLossError):
            converge(repository, source=image.reference)


def next_boot(repository: Repository) -> None:
    pathlib.Path(repository.path, MARK).write_text("00000000-0000-0000-0000-000000000000", encoding="ascii")


def damaged_objects(repository: Repository) -> list[pathlib.Path]:
    """Return the objects that the loss of power left without their content; ostree would take them for good."""
    objects = pathlib.Path(repository.path, "objects").glob("*/*.*")
    return [path for path in objects if not path.read_bytes().strip(b"\0")]


def test_what_was_not_synced_is_removed_at_the_next_boot(
    disk: Disk, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_pull(disk.mount(), image, monkeypatch)
    repository = disk.lose_power()
    assert damaged_objects(repository)
    next_boot(repository)
    outcome = converge(repository, source=image.reference)
    assert outcome.stored is not None
    commits = layer_commits(repository, outcome.stored.manifest)
    assert checked_out(repository, commits, disk.mounted / "root/out") == {**FILES, "top": "t" * 9000}
    assert_sound(repository)
    assert pathlib.Path(repository.path, MARK).read_bytes() == b""


def test_what_a_ref_names_is_on_disk(disk: Disk, image: Image) -> None:
    repository = disk.mount()
    converge(repository, source=image.reference)
    repository = disk.lose_power()
    next_boot(repository)
    outcome = converge(repository, source=image.reference, verify=True)
    assert outcome.plan.actions == ()
    assert_sound(repository)


def test_an_image_from_before_survives(
    disk: Disk, image: Image, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shares a layer with the image whose pull is interrupted."""
    other = build_image(tmp_path / "other", layers=[tar_files({"top": "t" * 9000})], tag="1")
    repository = disk.mount()
    converge(repository, "localhost/other:1", source=other.reference)
    interrupted_pull(repository, image, monkeypatch)
    repository = disk.lose_power()
    next_boot(repository)
    converge(repository, source=image.reference)
    assert converge(repository, "localhost/other:1", source=other.reference, verify=True).plan.actions == ()
    assert_sound(repository)


def foreign(repository: Repository) -> None:
    pathlib.Path(repository.path, MARK).unlink()


def mended(repository: Repository) -> None:
    pathlib.Path(repository.path, "state").mkdir(exist_ok=True)
    pathlib.Path(repository.path, "state", f"{'0' * 64}.commitpartial").touch()


@pytest.mark.parametrize("change", [foreign, mended])
def test_where_each_commit_syncs_by_itself(
    disk: Disk, image: Image, monkeypatch: pytest.MonkeyPatch, change: Callable[[Repository], None]
) -> None:
    """Others that write to the repository know nothing of the mark, and what refs name already is not removed by it."""
    repository = disk.mount()
    repository.create()
    change(repository)
    before = set(os.listdir(repository.path))
    interrupted_pull(repository, image, monkeypatch)
    repository = disk.lose_power()
    assert list(pathlib.Path(repository.path, "objects").glob("*/*.file"))
    # A commit object is read back by whoever stores it again.
    assert {path.suffix for path in damaged_objects(repository)} <= {".commit"}
    assert (MARK in before) == pathlib.Path(repository.path, MARK).exists()


def test_an_error_of_the_disk_is_told_though_an_earlier_sync_took_it(
    image: Image, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel reports a failed write once: to the sync that goes on while layers come in."""
    tools = tmp_path / "tools"
    tools.mkdir()
    sync = tools / "sync"
    sync.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/reported 2>/dev/null || exit 0\necho 'sync: error syncing: EIO' >&2; exit 1\n"
    )
    sync.chmod(0o755)
    repository = Repository(str(tmp_path / PLACE))
    repository.create()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with DeferredSync(repository) as deferred:
        while not (tmp_path / "reported").exists():
            pass
        with pytest.raises(StoreError, match=r"cannot be written to disk: .*EIO"):
            deferred.finish()
