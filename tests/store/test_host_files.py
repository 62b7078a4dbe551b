# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host files of images in a real repository: read from its commits, checked out, installed below a folder."""

from __future__ import annotations

import io
import json
import os
import pathlib
import stat
import tarfile

import pytest
from lab.image_builder import build_image
from store.pulling import converge

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _host_file_io
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import HOSTFS, ImageFiles
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_file_plan import matches
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_files import (
    dropped_bits,
    host_files,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_files import (
    ImageTree,
    read_image_files,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import layer_commits

BIG = os.urandom(3_000_000)
MANIFEST = {
    "renameFiles": {"/etc/app.conf": "/etc/$NAME.conf", "/opt/app": "/opt/$NAME"},
    "installedFilesTemplate": ["/etc/app.conf"],
}


def member(
    name: str, *, mode: int = 0o644, owner: int = 0, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid, entry.type, entry.linkname = mode, owner, owner, kind, target
    return entry


def layer(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for entry, content in members:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def folders(*names: str, mode: int = 0o755) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(member(name, kind=tarfile.DIRTYPE, mode=mode), b"") for name in names]


LOWER = layer(
    *folders("exports", "exports/hostfs", "exports/hostfs/etc", "exports/hostfs/opt"),
    *folders("exports/hostfs/opt/app", mode=0o750),
    (member("exports/manifest.json"), json.dumps(MANIFEST).encode()),
    (member("exports/hostfs/etc/app.conf"), b"name=$NAME\n"),
    (member("exports/hostfs/etc/gone"), b"gone\n"),
    (member("exports/hostfs/opt/app/tool", mode=0o4755, owner=33), BIG),
    (member("exports/hostfs/opt/app/fifo", kind=tarfile.FIFOTYPE), b""),
    (member("exports/hostfs/opt/app/hard", kind=tarfile.LNKTYPE, target="exports/hostfs/etc/gone"), b""),
)
UPPER = layer(
    *folders("exports", "exports/hostfs", "exports/hostfs/etc", "exports/hostfs/empty"),
    (member("exports/hostfs/etc/.wh.gone"), b""),
    (member("exports/hostfs/etc/shadow-link", kind=tarfile.SYMTYPE, target="/etc/shadow", mode=0o777), b""),
)


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(str(tmp_path / "repo"))


def pulled(repository: Repository, folder: pathlib.Path, *layers: bytes) -> list[str]:
    """Pull an image made of layers, and return their commits."""
    image = build_image(folder / "oci", layers=layers, tag="1")
    stored = converge(repository, source=image.reference).stored
    assert stored is not None
    return list(layer_commits(repository, stored.manifest))


def read(repository: Repository, commits: list[str], *, digests: bool = True) -> ImageFiles:
    return read_image_files(ImageTree(repository, commits), digests=digests)


def test_from_the_image_to_the_host(repository: Repository, tmp_path: pathlib.Path) -> None:
    commits = pulled(repository, tmp_path, LOWER, UPPER)
    files = read(repository, commits)
    values = {"NAME": "me"}
    manifest = files.manifest
    made = host_files(
        files.host_files, values, renames=manifest.rename_files, templates=manifest.templates, masked=values
    )
    assert [(item.path, item.kind, f"{item.mode:04o}", item.uid) for item in made] == [
        ("/empty", "d", "0755", 0),
        ("/etc/me.conf", "-", "0644", 0),
        ("/etc/shadow-link", "l", "0777", 0),
        ("/opt/me/hard", "-", "0644", 0),
        ("/opt/me/tool", "-", "0755", 33),
    ]
    assert dropped_bits(files.host_files) == (f"{HOSTFS}/opt/app/tool",)

    slot, root = tmp_path / "me.0", tmp_path / "root"
    slot.mkdir()
    repository.checkout(commits, str(slot / "rootfs"))
    (root / "etc").mkdir(parents=True)
    for path, origin in (("/empty", f"{HOSTFS}/empty"), ("/opt", None), ("/opt/me", f"{HOSTFS}/opt/app")):
        _host_file_io.make_directory(path, directory=str(slot), origin=origin, root=str(root))
    for item in made:
        if item.kind != "d":
            _host_file_io.install(item, str(slot), root=str(root))
    found = _host_file_io.observe([item.path for item in made], root=str(root))
    assert all(matches(item, found[item.path]) for item in made)
    assert stat.S_IMODE((root / "opt/me").stat().st_mode) == 0o750
    assert (root / "opt/me/tool").read_bytes() == BIG
    assert (root / "opt/me/tool").stat().st_nlink == 1
    assert (root / "etc/me.conf").read_text() == "name=me\n"
    assert os.readlink(root / "etc/shadow-link") == "/etc/shadow"
    assert "gone\n" in _host_file_io.texts(made, str(slot)).values()


def test_without_digests_only_templates_are_read(repository: Repository, tmp_path: pathlib.Path) -> None:
    commits = pulled(repository, tmp_path, LOWER, UPPER)
    files = read(repository, commits, digests=False).host_files
    assert {item.path: item.text for item in files if item.text is not None} == {"/etc/app.conf": "name=$NAME\n"}
    assert {item.sha256 for item in files} == {None}


def test_no_host_files(repository: Repository, tmp_path: pathlib.Path) -> None:
    commits = pulled(repository, tmp_path, layer(*folders("exports", "exports/hostfs")))
    assert read(repository, commits).host_files == ()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "'/exports/hostfs' of the image is not a directory"),
        (tarfile.REGTYPE, "'/exports/hostfs' of the image is not a directory"),
    ],
)
def test_hostfs_is_no_directory(repository: Repository, tmp_path: pathlib.Path, kind: bytes, message: str) -> None:
    link = (member("exports/hostfs", kind=kind, target="/etc"), b"")
    commits = pulled(repository, tmp_path, layer(*folders("exports", "etc"), link))
    with pytest.raises(InvalidInputError, match=message):
        read(repository, commits)


@pytest.mark.parametrize(
    ("entry", "content", "message"),
    [
        (member("exports/hostfs/etc/app.conf"), b"\xff", "is not UTF-8 text"),
        (member("exports/hostfs/etc/app.conf", kind=tarfile.SYMTYPE, target="x"), b"", "is not a regular file"),
    ],
)
def test_templates_that_are_none(
    repository: Repository, tmp_path: pathlib.Path, entry: tarfile.TarInfo, content: bytes, message: str
) -> None:
    commits = pulled(repository, tmp_path, LOWER, layer((entry, content)))
    with pytest.raises(InvalidInputError, match=message):
        read(repository, commits)
