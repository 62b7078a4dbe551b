# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single paths of an image whose layers are real commits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_paths import ImagePaths
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository

LAYERS: list[dict[str, str | None]] = [
    {
        "usr/lib/a": "file",
        "lib": "-> usr/lib",
        "dev": None,
        "etc/mtab": "-> /proc/mounts",
        "etc/gone/x": "1",
        "opt/old/x": "1",
        "was-file": "1",
        "was-folder/x": "1",
        "was-link": "-> dev",
    },
    {
        "usr/lib/b": "file",
        "etc/.wh.gone": "",
        "opt/.wh..wh..opq": "",
        "opt/new": "1",
        "was-file/x": "1",
        "was-folder": "file",
        "was-link/x": "1",
    },
    {"etc/gone/y": "2", "usr/lib/.wh.a": "", "usr/lib/a": "own", ".wh.never": ""},
]
VISIBLE = {
    "/": "d",
    "/usr": "d",
    "/usr/lib/": "d",
    "/usr/lib/a": "-",
    "/usr/lib/b": "-",
    "/lib": "l usr/lib",
    "/lib/a": None,
    "/dev": "d",
    "/etc/mtab": "l /proc/mounts",
    "/etc/gone": "d",
    "/etc/gone/x": None,
    "/etc/gone/y": "-",
    "/etc/.wh.gone": None,
    "/opt/old": None,
    "/opt/old/x": None,
    "/opt/new": "-",
    "/was-file": "d",
    "/was-file/x": "-",
    "/was-folder": "-",
    "/was-folder/x": None,
    "/was-link": "d",
    "/was-link/x": "-",
    "/never": None,
    "/no/such/path": None,
    "/usr/lib/a/below": None,
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImagePaths:
    base = tmp_path_factory.mktemp("image")
    repository = Repository(str(base / "repo"))
    subprocess.run(["ostree", "init", "--mode=bare", f"--repo={repository.path}"], check=True)
    commits = []
    for number, layer in enumerate(LAYERS):
        root = base / str(number)
        for name, entry in layer.items():
            write(root / name, entry)
        argv = ["ostree", "commit", f"--repo={repository.path}", f"--branch=layer{number}", f"--tree=dir={root}"]
        commits.append(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip())
    return ImagePaths(repository, commits)


def write(path: Path, entry: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry is None:
        path.mkdir()
    elif entry.startswith("-> "):
        path.symlink_to(entry[3:])
    else:
        path.write_text(entry)


@pytest.mark.parametrize(("path", "kind"), VISIBLE.items())
def test_lookup(image: ImagePaths, path: str, kind: str | None) -> None:
    entry = image.lookup(path)
    if kind is None:
        assert entry is None
    else:
        assert entry is not None
        assert entry.path == (path.rstrip("/") or "/")
        assert " ".join(filter(None, [entry.type, entry.target])) == kind


def test_directories_are_read_once(image: ImagePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    image.lookup("/usr/lib")
    read: list[str] = []
    original = Repository.read_object

    def count(self: Repository, checksum: str, kind: str) -> bytes:
        read.append(kind)
        return original(self, checksum, kind)

    monkeypatch.setattr(Repository, "read_object", count)
    assert image.lookup("/usr/lib") is not None
    assert "dirtree" not in read
