# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""More names for an image."""

from __future__ import annotations

import pathlib

import pytest
from lab.image_builder import build_image, tar_files
from store.pulling import NAME, actions, converge, request

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _images
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_plan import UsedImage
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository

TAGS = ["localhost/app:stable", "registry.example.com/app"]
REFS = [parse_image_name(tag).ref for tag in TAGS]


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(str(tmp_path / "root/.storage/ostree"))


@pytest.fixture
def source(tmp_path: pathlib.Path) -> str:
    return build_image(tmp_path / "oci", layers=[tar_files({"file": "one"})], tag="1").reference


def test_a_pull_gives_all_names(repository: Repository, source: str) -> None:
    planned = converge(repository, source=source, tags=TAGS, check_mode=True)
    assert not repository.exists()
    done = converge(repository, source=source, tags=TAGS)
    assert done.plan == planned.plan
    assert actions(done) == ["pull", "tag", "tag"]
    assert {repository.resolve(ref) for ref in REFS} == {repository.resolve(parse_image_name(NAME).ref)}
    assert converge(repository, source=source, tags=TAGS).plan.actions == ()
    assert converge(repository, source=source, tags=TAGS, refresh=True).plan.actions == ()


def test_a_stored_image_gets_a_name_without_its_source(repository: Repository, source: str) -> None:
    converge(repository, source=source)
    planned = converge(repository, tags=TAGS[:1], check_mode=True)
    assert not repository.has_ref(REFS[0])
    done = converge(repository, tags=TAGS[:1])
    assert done.plan == planned.plan
    assert actions(done) == ["tag"]
    assert done.plan.diff[0]["before_header"] == REFS[0]
    assert done.result is None
    assert converge(repository, tags=TAGS[:1]).plan.actions == ()


def test_a_name_moves_with_the_image(repository: Repository, source: str, tmp_path: pathlib.Path) -> None:
    converge(repository, source=source, tags=TAGS)
    build_image(tmp_path / "oci", layers=[tar_files({"file": "two"})], tag="1")
    assert actions(converge(repository, source=source, tags=TAGS[:1], refresh=True)) == ["pull", "tag"]
    assert repository.resolve(REFS[0]) == repository.resolve(parse_image_name(NAME).ref) != repository.resolve(REFS[1])


def test_the_names_go_together(repository: Repository, source: str) -> None:
    converge(repository, source=source, tags=TAGS)
    both = request(tags=TAGS[:1])
    planned = _images.remove_image(repository, both, {}, force=False, check_mode=True)
    assert _images.remove_image(repository, both, {}, force=False, check_mode=False) == planned
    assert [str(action).split()[0] for action in planned.actions] == ["remove", "remove"]
    assert [repository.has_ref(ref) for ref in REFS] == [False, True]
    assert _images.remove_image(repository, both, {}, force=False, check_mode=False).actions == ()


def test_an_image_in_use_keeps_all_names(repository: Repository, source: str) -> None:
    stored = converge(repository, source=source, tags=TAGS).stored
    assert stored is not None
    containers = {"c": [UsedImage(NAME, stored.commit, stored.manifest_digest)]}
    with pytest.raises(InvalidInputError, match="is used by c: remove"):
        _images.remove_image(repository, request(tags=TAGS), containers, force=False, check_mode=False)
    assert all(repository.has_ref(ref) for ref in REFS)
    assert (
        len(_images.remove_image(repository, request(tags=TAGS), containers, force=True, check_mode=False).actions) == 3
    )


def test_tags_that_are_none() -> None:
    with pytest.raises(InvalidInputError, match=r"tags: .* has a digest"):
        request(tags=[f"localhost/app@sha256:{'0' * 64}"])
    with pytest.raises(InvalidInputError, match="is not an image name"):
        request(tags=["Not A Name"])
    assert request(tags=[NAME, TAGS[0], TAGS[0]]).tags == (parse_image_name(TAGS[0]),)
