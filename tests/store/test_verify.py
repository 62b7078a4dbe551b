# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that an image is made of is hashed again, and mended by pulling."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
from lab.image_builder import build_image, tar_files
from store.pulling import actions, assert_sound, checked_out, converge

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import StoreError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import (
    image_commits,
    layer_commits,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._verify import (
    FileHashes,
    _Verifier,
    find_damage,
)

FILES = {"usr/bin/tool": "tool " * 1000, "etc/empty": "", "etc/conf": "a=1\n"}
OTHER = {"etc/conf": "a=2\n", "usr/lib/tool": "tool " * 1000}


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(str(tmp_path / "root/.storage/ostree"))


@pytest.fixture
def source(tmp_path: pathlib.Path) -> str:
    return build_image(tmp_path / "oci", layers=[tar_files(FILES), tar_files(OTHER)], tag="1").reference


def objects(repository: Repository) -> dict[str, pathlib.Path]:
    """Return each object of the image under a name that tells what it is, and where."""
    stored = converge(repository).stored
    assert stored is not None
    found: dict[str, pathlib.Path] = {}
    for number, commit in enumerate(image_commits(repository, stored)):
        for path, checksum, kind in _Verifier(repository, FileHashes()).walk(commit):
            found.setdefault(f"{number} {kind} {path}", pathlib.Path(repository.object_path(checksum, kind)))
    return found


def damage(path: pathlib.Path, how: str) -> None:
    if how == "removed":
        path.unlink()
    elif how == "one bit":
        data = bytearray(path.read_bytes())
        if not data:
            path.write_bytes(b"x")
            return
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif how == "mode":
        path.chmod(0o4755)
    elif how == "owner":
        os.chown(path, 33, 33)
    else:
        os.setxattr(path, "user.note", b"x")


def test_every_object_is_verified_and_mended(repository: Repository, source: str, tmp_path: pathlib.Path) -> None:
    """Commits, directories, their modes, files: of image, configuration and layers."""
    converge(repository, source=source)
    before = objects(repository)
    assert len(set(before.values())) > 12
    for number, (name, path) in enumerate(before.items()):
        damage(path, "removed" if number % 2 else "one bit")
        outcome = converge(repository, source=source, verify=True)
        assert actions(outcome)[-1:] == ["pull"], name
        assert_sound(repository)
        assert converge(repository, source=source, verify=True).plan.actions == (), name
        assert objects(repository) == before
    stored = converge(repository).stored
    assert stored is not None
    assert checked_out(repository, layer_commits(repository, stored.manifest), tmp_path / "root/out") == {
        **FILES,
        **OTHER,
    }


@pytest.mark.parametrize("how", ["mode", "owner", "xattr"])
def test_what_belongs_to_a_file_is_verified(repository: Repository, source: str, how: str) -> None:
    converge(repository, source=source)
    path = objects(repository)["2 file /usr/bin/tool"]
    damage(path, how)
    planned = converge(repository, source=source, verify=True, check_mode=True)
    assert [(item.path, item.problem) for item in planned.damage] == [
        ("/usr/bin/tool", "changed"),
        ("/usr/lib/tool", "changed"),
    ]
    assert converge(repository).plan.actions == ()
    done = converge(repository, source=source, verify=True)
    assert done.plan == planned.plan
    assert actions(done) == ["discard", "discard", "pull"]
    assert done.result is not None
    assert done.result.layers_pulled == 2
    assert_sound(repository)


def test_a_symbolic_link_and_xattrs(tmp_path: pathlib.Path) -> None:
    """Checksums are those of ostree, for all that a file object can have."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to("a/" * 200 + "end")
    for size in (0, 100, 70_000):
        (tree / f"file{size}").write_bytes(b"x" * size)
    os.setxattr(tree / "file100", "user.long", b"v" * 1000)
    os.setxattr(tree / "file100", "user.a", b"")
    subprocess.run(["setcap", "cap_net_raw+ep", tree / "file0"], check=True)
    os.chown(tree / "file0", 70000, 5)
    repository = Repository(str(tmp_path / "root/ostree"))
    repository.create()
    argv = ["ostree", "commit", f"--repo={repository.path}", "--orphan", f"--tree=dir={tree}"]
    commit = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    assert find_damage(repository, [commit]) == ()
    link = repository._find(commit, "/link")
    assert link is not None
    path = pathlib.Path(repository.object_path(link.checksum, "file"))
    path.unlink()
    path.symlink_to("elsewhere")
    assert [(item.path, item.problem) for item in find_damage(repository, [commit])] == [("/link", "changed")]


def test_a_run_that_was_killed_before_it_pulled_again(repository: Repository, source: str) -> None:
    """Damaged objects are gone, the layer is marked: it counts as missing, to this collection and to ostree."""
    stored = converge(repository, source=source).stored
    assert stored is not None
    layer = layer_commits(repository, stored.manifest)[0]
    node = repository._find(layer, "/usr/bin/tool")
    assert node is not None
    repository.discard(layer, [(node.checksum, "file")])
    assert converge(repository, check_mode=True, source=source).plan.actions
    assert actions(converge(repository, source=source)) == ["pull"]
    assert not repository.is_partial(layer)
    assert_sound(repository)


def test_damage_without_a_source(repository: Repository, source: str) -> None:
    converge(repository, "app:1", source=source)
    stored = converge(repository, "app:1").stored
    assert stored is not None
    node = repository._find(layer_commits(repository, stored.manifest)[0], "/etc/conf")
    assert node is not None
    pathlib.Path(repository.object_path(node.checksum, "file")).unlink()
    with pytest.raises(StoreError, match=r"'app:1' is damaged .*'/etc/conf' is missing.*'source'"):
        converge(repository, "app:1", verify=True)
    assert converge(repository, "app:1", verify=True, source=source).plan.actions


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("content", ["", "no checksum"])
def test_a_ref_that_cannot_be_read_is_mended(repository: Repository, source: str, number: int, content: str) -> None:
    stored = converge(repository, source=source).stored
    assert stored is not None
    blob = (stored.manifest.config, *stored.manifest.layers)[number - 1]
    pathlib.Path(repository.path, "refs/heads", blob.ref).write_text(content, encoding="ascii")
    assert actions(converge(repository, source=source, verify=True)) == ["pull"]
    assert converge(repository, source=source, verify=True).plan.actions == ()


def test_what_is_below_a_damaged_directory_is_mended_too(repository: Repository, source: str) -> None:
    """It is found only when the directory is there again."""
    converge(repository, source=source)
    before = objects(repository)
    wanted = ["2 dirtree /", "2 dirtree /usr", "2 file /usr/bin/tool", "3 dirtree /etc"]
    for name in wanted:
        damage(before[name], "one bit")
    outcome = converge(repository, source=source, verify=True)
    assert {item.checksum for item in outcome.damage} >= {checksum_of(before[name]) for name in wanted}
    assert outcome.result is not None
    # The lower layer twice, as /usr was hidden by the root directory.
    assert (outcome.result.layers_pulled, outcome.result.layers_reused) == (3, 0)
    assert_sound(repository)
    assert converge(repository, source=source, verify=True).plan.actions == ()


def checksum_of(path: pathlib.Path) -> str:
    """Return the checksum that an object's file is named after."""
    return path.parent.name + path.stem
