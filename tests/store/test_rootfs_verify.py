# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root file systems, checked out from real repositories, against what the layers say."""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
import shutil
import tarfile
from typing import Any, Callable

import pytest
from lab.image_builder import build_image
from store.pulling import converge
from unit.plugins.module_utils.builders import deployment, image_files, inputs

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _verify
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment
from ansible_collections.projectatomic.system_containers.plugins.module_utils._drift import Verified
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import StoreError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._rootfs_verify import (
    intact_image,
    verify_deployments,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import layer_commits

CONFIG = """{"process": {"args": ["/run.sh"]}, "root": {"path": "rootfs", "readonly": true},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/run/app/data", "type": "bind", "source": "/srv"},
  {"destination": "/etc/resolv.conf", "type": "bind", "source": "/etc/resolv.conf"}]}
"""


def entry(name: str, content: str | None = None, *, mode: int = 0o644, link: str = "", **pax: str) -> Any:
    """Return one entry of a layer: a file, a directory without ``content``, a link when it has a target."""
    member = tarfile.TarInfo(name)
    member.mode, member.linkname, member.pax_headers = mode, link, pax
    member.type = tarfile.SYMTYPE if link else tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    data = (content or "").encode()
    member.size = len(data)
    return member, data


def layer(*entries: Any) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in entries:
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


LOWER = layer(
    entry("usr", mode=0o755),
    entry("usr/bin", mode=0o755),
    entry("usr/bin/tool", "tool " * 1000, mode=0o4755),
    entry("usr/bin/copy", "tool " * 1000, mode=0o4755),
    entry("etc", mode=0o750),
    entry("etc/conf", "a=1\n"),
    entry("etc/empty", ""),
    entry("etc/link", link="conf"),
    entry("old", mode=0o755),
    entry("old/gone", "x"),
    entry("opaque", mode=0o711),
    entry("opaque/hidden", "x"),
    entry("several", mode=0o700),
    entry("several/lower", "x"),
    entry("swap", "a file first"),
)
UPPER = layer(
    entry("etc", mode=0o755),
    entry("etc/conf", "a=2\n"),
    entry(".wh.old", ""),
    entry("opaque", mode=0o1777),
    entry("opaque/.wh..wh..opq", ""),
    entry("opaque/shown", "y"),
    entry("several", mode=0o755),
    entry("several/upper", "y"),
    entry("swap", mode=0o755),
    entry("swap/inside", "z"),
    entry("usr/bin/ping", "p", mode=0o755, **{"SCHILY.xattr.user.note": "hello"}),
)


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(str(tmp_path / "root/ostree"))


@pytest.fixture
def item(repository: Repository, tmp_path: pathlib.Path) -> Deployment:
    """A deployment whose image is stored, checked out as the module does it."""
    source = build_image(tmp_path / "oci", layers=[LOWER, UPPER], tag="1")
    return check_out(repository, tmp_path, source=source.reference)


def check_out(repository: Repository, tmp_path: pathlib.Path, *, source: str, slot: int = 0) -> Deployment:
    stored = converge(repository, source=source).stored
    assert stored is not None
    made = deployment(
        slot=slot, files=image_files(config_template=CONFIG), made_from=inputs(digest=stored.manifest_digest)
    )
    directory = str(tmp_path / f"root/app.{slot}")
    files = tuple(
        dataclasses.replace(file, path=file.path.replace(made.directory, directory, 1)) for file in made.files
    )
    os.mkdir(directory)
    repository.checkout(layer_commits(repository, stored.manifest), f"{directory}/rootfs")
    return dataclasses.replace(made, directory=directory, files=files, image_commit=stored.commit)


def verify(repository: Repository, item: Deployment) -> Verified:
    return verify_deployments(repository, [item])[item.directory]


def problems(repository: Repository, item: Deployment) -> list[tuple[str, str]]:
    """Return the deviations with their paths below the root file system."""
    found = verify(repository, item)
    assert found.reason is None
    top = f"{item.directory}/rootfs"
    assert all(deviation.path.startswith(top) for deviation in found.rootfs)
    return [(deviation.path[len(top) :], deviation.problem) for deviation in found.rootfs]


def test_a_fresh_checkout_is_as_the_layers_say(repository: Repository, item: Deployment) -> None:
    top = pathlib.Path(item.directory, "rootfs")
    assert not (top / "old").exists()
    assert (top / "opaque").stat().st_mode & 0o7777 == 0o1777
    assert sorted(path.name for path in (top / "several").iterdir()) == ["lower", "upper"]
    assert verify(repository, item) == Verified()


def test_what_a_runtime_makes_is_no_deviation(repository: Repository, item: Deployment) -> None:
    top = pathlib.Path(item.directory, "rootfs")
    for folder in ("proc", "run/app/data", "dev"):
        (top / folder).mkdir(parents=True)
    (top / "etc/resolv.conf").touch()
    (top / "dev/fd").symlink_to("/proc/self/fd")
    os.mknod(top / "dev/null", 0o20666, os.makedev(1, 3))
    assert problems(repository, item) == []
    (top / "run/app/data/file").touch()
    (top / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n", encoding="ascii")
    (top / "proc/link").symlink_to("/")
    os.mknod(top / "dev/sda", 0o60666, os.makedev(8, 0))
    os.mknod(top / "dev/mem", 0o20666, os.makedev(1, 1))
    assert problems(repository, item) == [
        (path, "extra") for path in ("/dev/mem", "/dev/sda", "/etc/resolv.conf", "/proc/link", "/run/app/data/file")
    ]


def replaced(path: pathlib.Path, change: Callable[[pathlib.Path], object]) -> None:
    """Change a copy, and put it in the place of the file: the repository's stays as it is."""
    copy = path.with_name("copy-of-it")
    shutil.copy2(path, copy)
    os.chown(copy, path.stat().st_uid, path.stat().st_gid)
    copy.chmod(path.stat().st_mode & 0o7777)
    change(copy)
    copy.rename(path)


def flip_a_bit(path: pathlib.Path) -> None:
    mode = path.stat().st_mode & 0o7777
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    path.chmod(mode)  # writing takes the setuid bit


def change_all(path: pathlib.Path) -> None:
    path.write_text("?", encoding="ascii")
    path.chmod(0o600)
    os.chown(path, 1, 1)


def move_behind_a_link(path: pathlib.Path, place: pathlib.Path) -> None:
    path.rename(place)
    path.symlink_to(place.name)


def in_place_of(path: pathlib.Path, make: Callable[[pathlib.Path], object]) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    make(path)


DAMAGES: dict[str, tuple[Callable[[pathlib.Path], object], list[tuple[str, str]]]] = {
    "a bit in a copy": (lambda top: replaced(top / "usr/bin/tool", flip_a_bit), [("/usr/bin/tool", "content")]),
    "a longer copy": (
        lambda top: replaced(top / "etc/conf", lambda path: path.write_text("a=2\n#\n", encoding="ascii")),
        [("/etc/conf", "content")],
    ),
    "mode of a copy": (
        lambda top: replaced(top / "usr/bin/tool", lambda path: path.chmod(0o755)),
        [("/usr/bin/tool", "mode")],
    ),
    "owner of a copy": (
        lambda top: replaced(top / "etc/conf", lambda path: os.chown(path, 33, 0)),
        [("/etc/conf", "owner")],
    ),
    "xattr of a copy": (
        lambda top: replaced(top / "usr/bin/ping", lambda path: os.removexattr(path, "user.note")),
        [("/usr/bin/ping", "xattrs")],
    ),
    "all of it": (
        lambda top: replaced(top / "etc/conf", change_all),
        [("/etc/conf", "content"), ("/etc/conf", "mode"), ("/etc/conf", "owner")],
    ),
    "an empty file filled": (
        lambda top: (top / "etc/empty").write_text("x", encoding="ascii"),
        [("/etc/empty", "content")],
    ),
    "mode of a directory": (lambda top: (top / "several").chmod(0o711), [("/several", "mode")]),
    "mode of the root": (lambda top: top.chmod(0o700), [("", "mode")]),
    "owner of a directory": (lambda top: os.chown(top / "usr/bin", 0, 33), [("/usr/bin", "owner")]),
    "xattr of a directory": (lambda top: os.setxattr(top / "usr", "user.a", b"1"), [("/usr", "xattrs")]),
    "a file gone": (lambda top: (top / "etc/conf").unlink(), [("/etc/conf", "missing")]),
    "a link gone": (lambda top: (top / "etc/link").unlink(), [("/etc/link", "missing")]),
    "a directory gone": (lambda top: shutil.rmtree(top / "usr"), [("/usr", "missing")]),
    "all gone": (shutil.rmtree, [("", "missing")]),
    "one more file": (lambda top: (top / "etc/more").touch(), [("/etc/more", "extra")]),
    "a whiteout undone": (lambda top: shutil.copytree(top / "several", top / "old"), [("/old", "extra")]),
    "an odd name": (
        lambda top: os.close(os.open(os.fsencode(top) + b"/a\xff\n", os.O_CREAT)),
        [("/a\udcff\n", "extra")],
    ),
    "another target": (
        lambda top: in_place_of(top / "etc/link", lambda path: path.symlink_to("empty")),
        [("/etc/link", "target")],
    ),
    "a file in place of a link": (
        lambda top: in_place_of(top / "etc/link", pathlib.Path.touch),
        [("/etc/link", "type")],
    ),
    "a link in place of a file": (
        lambda top: in_place_of(top / "etc/conf", lambda path: path.symlink_to("/etc/shadow")),
        [("/etc/conf", "type")],
    ),
    "a directory in place of a file": (
        lambda top: in_place_of(top / "etc/conf", pathlib.Path.mkdir),
        [("/etc/conf", "type")],
    ),
    "a fifo in place of a file": (lambda top: in_place_of(top / "etc/conf", os.mkfifo), [("/etc/conf", "type")]),
    "a link in place of a directory": (
        lambda top: move_behind_a_link(top / "usr", top / "moved"),
        [("/moved", "extra"), ("/usr", "type")],
    ),
    "a file in place of a directory": (lambda top: in_place_of(top / "usr", pathlib.Path.touch), [("/usr", "type")]),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_of_a_root_file_system(repository: Repository, item: Deployment, name: str) -> None:
    """The repository is as it was, so each says what is wrong."""
    damage, expected = DAMAGES[name]
    damage(pathlib.Path(item.directory, "rootfs"))
    assert problems(repository, item) == expected
    assert verify(repository, item).objects == ()


THROUGH_THE_LINK: dict[str, Callable[[pathlib.Path], object]] = {
    "one bit": flip_a_bit,
    "mode": lambda path: path.chmod(0o755),
    "owner": lambda path: os.chown(path, 33, 33),
    "xattr": lambda path: os.setxattr(path, "user.a", b"1"),
}


@pytest.mark.parametrize("name", THROUGH_THE_LINK)
def test_damage_through_a_hard_link(
    repository: Repository, item: Deployment, tmp_path: pathlib.Path, name: str
) -> None:
    """The repository's object is the same inode, so what is equal to it is not right; all that share it are found."""
    other = check_out(repository, tmp_path, source=f"oci:{tmp_path}/oci:1", slot=1)
    path = pathlib.Path(item.directory, "rootfs/usr/bin/tool")
    assert path.stat().st_ino == pathlib.Path(other.directory, "rootfs/usr/bin/copy").stat().st_ino
    THROUGH_THE_LINK[name](path)
    for found in (item, other):
        assert problems(repository, found) == [("/usr/bin/copy", "changed"), ("/usr/bin/tool", "changed")]
    (damaged,) = verify(repository, item).objects
    assert damaged.problem == "changed"
    assert os.stat(damaged.path).st_ino == path.stat().st_ino


def test_each_inode_is_hashed_once(
    repository: Repository, item: Deployment, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = check_out(repository, tmp_path, source=f"oci:{tmp_path}/oci:1", slot=1)
    hashed: list[tuple[int, int]] = []
    checksum = _verify._checksum

    def counted(path: str, status: os.stat_result, xattrs: Any) -> str:
        hashed.append((status.st_dev, status.st_ino))
        return checksum(path, status, xattrs)

    monkeypatch.setattr(_verify, "_checksum", counted)
    assert set(verify_deployments(repository, [item, other]).values()) == {Verified()}
    assert len(hashed) > 8
    assert len(hashed) == len(set(hashed))


def test_an_object_that_the_repository_lost(repository: Repository, item: Deployment) -> None:
    """The file is still there by its other name, and right."""
    wanted = pathlib.Path(item.directory, "rootfs/usr/bin/tool").stat().st_ino
    path = next(
        path for path in pathlib.Path(repository.path, "objects").rglob("*.file") if path.stat().st_ino == wanted
    )
    path.unlink()
    found = verify(repository, item)
    assert found.rootfs == ()
    assert [(deviation.path, deviation.problem) for deviation in found.objects] == [(str(path), "missing")]
    pathlib.Path(item.directory, "rootfs/usr/bin/tool").chmod(0o600)
    assert problems(repository, item) == [("/usr/bin/copy", "changed"), ("/usr/bin/tool", "changed")]


def test_the_repository_is_not_asked_where_only_the_deployment_is_meant(
    repository: Repository, item: Deployment
) -> None:
    pathlib.Path(item.directory, "rootfs/usr/bin/tool").chmod(0o600)
    found = verify_deployments(repository, [item], objects=False)[item.directory]
    assert len(found.rootfs) == 2
    assert found.objects == ()


@pytest.mark.parametrize("suffix", ["dirtree", "dirmeta"])
def test_damaged_directories_of_the_repository(repository: Repository, item: Deployment, suffix: str) -> None:
    """Without its listing nothing can be compared; without its mode, a directory alone cannot."""
    stored = converge(repository).stored
    assert stored is not None
    root = repository.root(layer_commits(repository, stored.manifest)[0])
    path = repository.object_path(root.checksum if suffix == "dirtree" else root.meta or "", suffix)
    pathlib.Path(path).write_bytes(b"\0" * 100)
    found = verify(repository, item)
    assert [(deviation.path, deviation.problem) for deviation in found.objects] == [(path, "changed")]
    assert found.rootfs == ()
    assert (found.reason is not None and "damaged" in found.reason) == (suffix == "dirtree")


def test_an_image_that_left_the_store(repository: Repository, item: Deployment) -> None:
    for ref in repository.refs():
        repository.delete_ref(ref)
    found = verify(repository, item)
    assert found.rootfs == ()
    assert found.reason is not None
    assert "pull the image again" in found.reason
    with pytest.raises(StoreError, match="declare 'image' instead of 'deployment'"):
        intact_image(repository, item)


def test_an_image_that_has_another_commit_by_now(repository: Repository, item: Deployment) -> None:
    """What counts is the digest of its manifest."""
    moved = dataclasses.replace(item, image_commit="0" * 64)
    assert problems(repository, moved) == []
    pathlib.Path(item.directory, "rootfs/etc/conf").chmod(0o600)
    assert problems(repository, moved) == [("/etc/conf", "changed")]
    with pytest.raises(StoreError, match=r"is damaged in the store \('/etc/conf' is changed"):
        intact_image(repository, moved)
    lost = dataclasses.replace(moved, inputs=inputs())
    assert "is not in the store any more" in (verify(repository, lost).reason or "")
