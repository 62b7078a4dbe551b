# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Owner, mode and xattrs of directories that several layers have, on real checkouts."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess

import pytest
from lab.image_builder import build_image
from store.pulling import converge
from store.test_rootfs_verify import check_out, entry, layer, problems

from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import layer_commits

NOTE = "SCHILY.xattr.user.note"


def owned(name: str, uid: int, mode: int) -> tuple[object, bytes]:
    member, data = entry(name, mode=mode)
    member.uid = member.gid = uid
    return member, data


CASES = {
    "the upper layer closes a directory": ([entry("d", mode=0o755)], [entry("d", mode=0o700)], (0, 0o700, {})),
    "the upper layer opens one": ([entry("d", mode=0o700)], [entry("d", mode=0o1777)], (0, 0o1777, {})),
    "the upper layer says the default": ([entry("d", mode=0o700)], [entry("d", mode=0o755)], (0, 0o755, {})),
    "owner": ([owned("d", 5, 0o750)], [owned("d", 7, 0o750)], (7, 0o750, {})),
    "xattrs are set": (
        [entry("d", mode=0o755)],
        [entry("d", mode=0o755, **{NOTE: "x"})],
        (0, 0o755, {"user.note": b"x"}),
    ),
    "and removed": ([entry("d", mode=0o755, **{NOTE: "x"})], [entry("d", mode=0o755)], (0, 0o755, {})),
    "a file without its directory says nothing": ([entry("d", mode=0o700)], [entry("d/file", "x")], (0, 0o700, {})),
    "also beside one that says something": (
        [entry("d", mode=0o700)],
        [entry("other", mode=0o711), entry("d/file", "x")],
        (0, 0o700, {}),
    ),
    "an opaque one says what it is": (
        [entry("d", mode=0o700), entry("d/old", "x")],
        [entry("d", mode=0o711), entry("d/.wh..wh..opq", "")],
        (0, 0o711, {}),
    ),
    "one that was removed in between": (
        [entry("d", mode=0o700), entry("d/old", "x")],
        [entry(".wh.d", "")],
        [entry("d", mode=0o711)],
        (0, 0o711, {}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_highest_layer_that_has_the_directory_decides(name: str, tmp_path: pathlib.Path) -> None:
    *layers, (owner, mode, xattrs) = CASES[name]
    repository = Repository(str(tmp_path / "root/ostree"))
    source = build_image(tmp_path / "oci", layers=[layer(*items) for items in layers], tag="1")
    item = check_out(repository, tmp_path, source=source.reference)
    place = f"{item.directory}/rootfs/d"
    status = os.stat(place)
    found = {key: os.getxattr(place, key) for key in os.listxattr(place) if key != "security.selinux"}
    assert (status.st_uid, status.st_mode & 0o7777, found) == (owner, mode, xattrs)
    assert problems(repository, item) == []
    os.chmod(place, 0o5)
    assert problems(repository, item) == [("/d", "mode")]


def test_the_root_directory(tmp_path: pathlib.Path) -> None:
    repository = Repository(str(tmp_path / "root/ostree"))
    layers = [layer(entry("./", mode=0o755), entry("a", "x")), layer(entry("./", mode=0o711), entry("b", "x"))]
    item = check_out(repository, tmp_path, source=build_image(tmp_path / "oci", layers=layers, tag="1").reference)
    assert os.stat(f"{item.directory}/rootfs").st_mode & 0o7777 == 0o711
    assert problems(repository, item) == []


def test_what_atomic_checked_out_is_no_damage(tmp_path: pathlib.Path) -> None:
    """It left directories to `ostree checkout`, which keeps the attributes of the lowest layer."""
    repository = Repository(str(tmp_path / "root/ostree"))
    layers = [layer(entry("d", mode=0o700)), layer(entry("d", mode=0o711))]
    source = build_image(tmp_path / "oci", layers=layers, tag="1").reference
    item = check_out(repository, tmp_path, source=source)
    stored = converge(repository, source=source).stored
    assert stored is not None
    item = dataclasses.replace(item, directory=f"{item.directory}-atomic")
    os.mkdir(item.directory)
    for commit in layer_commits(repository, stored.manifest):
        checkout = ["ostree", "checkout", f"--repo={repository.path}", "-H", "--union", commit]
        subprocess.run([*checkout, f"{item.directory}/rootfs"], check=True)
    assert os.stat(f"{item.directory}/rootfs/d").st_mode & 0o7777 == 0o700
    assert problems(repository, item) == []
