# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers with hard links to files of the layers below them, pulled by skopeo and ostree themselves."""

from __future__ import annotations

import pathlib

import pytest
from store.place import CAPABILITY, Place, place, xattrs
from store.pulling import converge
from unit.plugins.module_utils.archives import archive, file, folder, link, symlink

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    SourceError,
    StoreError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import digest_of
from ansible_collections.projectatomic.system_containers.plugins.module_utils._prune_observe import unnamed_commits
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import (
    image_commits,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._verify import (
    FileHashes,
    _Verifier,
)

__all__ = ["place"]

UPPER = archive(
    folder("n", mode=0o750, uid=4, gid=5, **xattrs(user_x=b"1")),
    link("n/f", "/d/f"),
    link("again", "n/f"),
    link("n/deep/s", "s"),
    link("n/cap", "cap"),
    file("own", b"x"),
    file("d/.wh.f", b""),
)
BASE = archive(
    folder("d"),
    file("d/f", b"low", mode=0o4711, uid=1, gid=2, **xattrs(user_b=b"2", user_a=b"1")),
    symlink("s", "../canary/file"),
    file("cap", b"x", mode=0o755, **xattrs(security_capability=CAPABILITY)),
)


def test_hard_links_to_files_of_a_lower_layer(place: Place) -> None:
    """They have content, owner, mode and xattrs of the file, and are the file: nothing is stored twice."""
    outcome = place.pull(BASE, UPPER)
    low = "- 4711 1:2 low user.a=31 user.b=32"
    assert place.check_out(outcome) == {
        "again": low,
        "cap": f"- 0755 x security.capability={CAPABILITY.hex()}",
        "d": "d 0755",
        "n": "d 0750 4:5 user.x=31",
        "n/cap": f"- 0755 x security.capability={CAPABILITY.hex()}",
        "n/deep": "d 0755",
        "n/deep/s": "l ../canary/file",
        "n/f": low,
        "own": "- 0644 x",
        "s": "l ../canary/file",
    }
    assert (place.checkout / "again").stat().st_ino == (place.checkout / "n/f").stat().st_ino
    assert (place.checkout / "cap").stat().st_ino == (place.checkout / "n/cap").stat().st_ino
    assert converge(place.repository).plan.actions == ()
    commits = list(pathlib.Path(place.repository.path, "objects").rglob("*.commit"))
    assert len(commits) == len(place.repository.refs())


def test_hard_links_to_a_file_with_a_label(place: Place) -> None:
    """SELinux's, that the layer brings; a host that has SELinux adds one to files without."""
    label = xattrs(security_selinux=b"system_u:object_r:bin_t:s0\0")
    found = place.check_out(place.pull(archive(file("f", b"x", **label)), archive(link("h", "f"))))
    assert found["h"] == found["f"]
    assert "security.selinux" in found["h"]


def test_a_damaged_directory_is_not_made_anew(place: Place) -> None:
    """What a pull leaves of such a layer before its links were placed is in no image; the next pull would build on it."""
    first = place.pull(BASE, UPPER)
    assert first.stored is not None
    expected = place.check_out(first)
    used = {
        place.repository.object_path(item[1], item[2])
        for commit in image_commits(place.repository, first.stored)
        for item in _Verifier(place.repository, FileHashes()).walk(commit)
    }
    unused = [
        path for path in pathlib.Path(place.repository.path, "objects").rglob("*.dirtree") if str(path) not in used
    ]
    assert unused
    for path in unused:
        path.write_bytes(path.read_bytes().replace(b"own", b"new"))
    place.repository.delete_ref(first.stored.manifest.layers[1].ref)
    with pytest.raises(StoreError, match=r"is damaged: object [0-9a-f]{64}\.dirtree is changed.*prune the store"):
        converge(place.repository, source=f"oci:{place.layout}:1")
    place.repository.prune(unnamed_commits(place.repository))
    assert place.check_out(converge(place.repository, source=f"oci:{place.layout}:1")) == expected


def test_hard_links_to_hard_links_of_lower_layers(place: Place) -> None:
    layers = [archive(file("f", b"x")), archive(link("g", "f")), archive(link("h", "g"), file(".wh.f", b""))]
    assert place.check_out(place.pull(*layers)) == {"g": "- 0644 x", "h": "- 0644 x"}


def test_hard_links_to_the_highest_of_the_lower_layers(place: Place) -> None:
    layers = [archive(file("d/f", b"1")), archive(file("d/f", b"2")), archive(folder("d")), archive(link("h", "d/f"))]
    assert place.check_out(place.pull(*layers)) == {"d": "d 0755", "d/f": "- 0644 2", "h": "- 0644 2"}


def test_a_layer_with_such_links_in_another_image(place: Place) -> None:
    """What it holds depends on the layers below: with the same file there it is reused, with another one refused."""
    other = archive(file("d/f", b"other"), symlink("s", "x"), file("cap"))
    first = place.pull(BASE, UPPER)
    again = place.pull(BASE, archive(file("more", b"x")), UPPER, tag="2")
    assert again.result is not None
    assert (again.result.layers_pulled, again.result.layers_reused) == (1, 2)
    assert place.check_out(again)["n/f"] == place.check_out(first)["n/f"]
    with pytest.raises(
        StoreError, match=r"stored as part of another image, where its hard link 'n/f' leads to another"
    ):
        place.pull(other, UPPER, tag="3")
    with pytest.raises(SourceError, match=r"nor do the layers below"):
        place.pull(UPPER, tag="4")
    assert not place.repository.has_ref("ociimage/localhost_2Fapp_3A3")
    assert place.check_out(first)["n/f"].endswith("low user.a=31 user.b=32")


def test_the_same_layer_twice_in_one_image(place: Place) -> None:
    twice = archive(link("h", "f"))
    assert place.check_out(place.pull(archive(file("f", b"1")), twice, twice))["h"] == "- 0644 1"
    with pytest.raises(StoreError, match="leads to another file"):
        place.pull(
            archive(file("f", b"2")),
            archive(link("i", "f")),
            archive(file("f", b"3")),
            archive(link("i", "f")),
            tag="2",
        )


def test_too_many_such_links(place: Place) -> None:
    links = [link(f"{'n' * 200}{number}", "f") for number in range(500)]
    with pytest.raises(StoreError, match="500 hard links to files of lower layers"):
        place.pull(archive(file("f")), archive(*links))
    place.assert_nothing_stored()


def test_a_damaged_target(place: Place) -> None:
    """A link must not take over what the store no longer has as it was pulled."""
    place.pull(archive(file("f", b"one")))
    objects = pathlib.Path(place.repository.path, "objects")
    found = [path for path in objects.rglob("*.file") if path.read_bytes() == b"one"]
    found[0].write_bytes(b"two")
    with pytest.raises(StoreError, match=r"is damaged: object [0-9a-f]{64}.file was changed"):
        place.pull(archive(file("f", b"one")), archive(link("h", "f")), tag="2")
    assert not place.repository.has_ref("ociimage/localhost_2Fapp_3A2")


def test_a_damaged_layer_with_such_links_is_not_replaced_by_another(place: Place) -> None:
    """Pulled again it is mended, and an image with other layers below does not change what the first one has."""
    first = place.pull(BASE, UPPER)
    assert first.stored is not None
    ref = first.stored.manifest.layers[1].ref
    commit = place.repository.resolve(ref)
    assert commit is not None
    metadata = {**place.repository.metadata(commit), "docker.uncompressed_digest": digest_of(b"wrong")}
    place.repository.commit_tree_of(commit, metadata=metadata, ref=ref)  # so that it counts as damaged
    with pytest.raises(StoreError, match="stored as part of another image"):
        place.pull(archive(file("d/f", b"other"), symlink("s", "x"), file("cap")), UPPER, tag="2")
    again = place.pull(BASE, UPPER, tag="3")
    assert again.result is not None
    assert again.result.layers_pulled == 1
    assert place.check_out(again) == place.check_out(first)
