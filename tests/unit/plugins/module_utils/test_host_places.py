# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths that links of the system make one place of."""

from __future__ import annotations

import dataclasses

import pytest
from unit.plugins.module_utils.builders import deployment

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    MASK,
    Deployment,
    HostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_file_diff import host_file_diff
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_file_plan import (
    edited_files,
    missing_files,
    observed_paths,
    plan_host_files,
    shared_paths,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_places import (
    NO_LINKS,
    SYSTEM_LINKS,
    place_of,
    place_of_file,
    placed,
    wanted_by_place,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import HostFileState

LINKS = {"/bin": "/usr/bin", "/usr/local": "/var/usrlocal"}


def file(path: str, kind: str = "-", *, sha256: str | None = "one", mode: int = 0o644) -> HostFile:
    return HostFile(path, kind, mode, 0, 0, sha256=sha256 if kind == "-" else None, origin=f"/exports/hostfs{path}")


def having(*files: HostFile, created: tuple[str, ...] = ()) -> Deployment:
    return dataclasses.replace(deployment(), host_files=files, created_directories=created)


@pytest.mark.parametrize(
    ("path", "place", "itself"),
    [
        ("/bin/a", "/usr/bin/a", "/usr/bin/a"),
        ("/bin", "/usr/bin", "/bin"),
        ("/usr/local/bin/a", "/var/usrlocal/bin/a", "/var/usrlocal/bin/a"),
        ("/usr/local", "/var/usrlocal", "/usr/local"),
        ("/usr/bin/a", "/usr/bin/a", "/usr/bin/a"),
        ("/binary", "/binary", "/binary"),
        ("/usr/bin", "/usr/bin", "/usr/bin"),
        ("/etc/bin/a", "/etc/bin/a", "/etc/bin/a"),
        ("/sbin/a", "/sbin/a", "/sbin/a"),
    ],
)
def test_places(path: str, place: str, itself: str) -> None:
    assert place_of(path, LINKS) == place
    assert place_of(path, LINKS, itself=True) == itself
    assert place_of(path, NO_LINKS) == path
    assert [place_of_file(file(path, kind), LINKS) for kind in "-ld?"] == [itself, itself, place, place]


def test_no_link_leads_through_another() -> None:
    for place in SYSTEM_LINKS.values():
        assert place_of(place, SYSTEM_LINKS) == place


def test_only_the_path_changes() -> None:
    (made,) = placed([file("/bin/a")], LINKS)
    assert made == dataclasses.replace(file("/bin/a"), path="/usr/bin/a")


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ([file("/bin/a"), file("/usr/bin/b")], ["/usr/bin/a", "/usr/bin/b"]),
        ([file("/bin/a"), file("/usr/bin/a")], ["/usr/bin/a"]),
        ([file("/bin", "l"), file("/usr/bin/a")], ["/bin", "/usr/bin/a"]),
        ([file("/bin/d", "d"), file("/usr/bin/d", "d", mode=0o700)], ["/usr/bin/d"]),
        ([file("/bin/d", "d"), file("/usr/bin/d/f")], ["/usr/bin/d", "/usr/bin/d/f"]),
    ],
)
def test_wanted(files: list[HostFile], places: list[str]) -> None:
    assert list(wanted_by_place(having(*files), LINKS)) == places


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (file("/bin/a"), file("/usr/bin/a", sha256="two")),
        (file("/bin/a"), file("/usr/bin/a", mode=0o755)),
        (file("/bin/a"), file("/usr/bin/a", "d")),
        (file("/bin/a", "l"), file("/usr/bin/a")),
        (file("/bin/a"), file("/usr/bin/a/f")),
        (file("/bin/a", "l"), file("/usr/bin/a/b/f")),
    ],
)
def test_two_files_at_one_place(first: HostFile, second: HostFile) -> None:
    for files in ((first, second), (second, first)):
        with pytest.raises(InvalidInputError, match="where links of the system make one place of them") as error:
            wanted_by_place(having(*files), LINKS)
        assert f"'{first.path}'" in str(error.value)
        assert f"'{second.path}'" in str(error.value)
        assert len(wanted_by_place(having(*files), NO_LINKS)) == 2


def test_all_is_looked_at_by_place() -> None:
    made = having(file("/bin/a"), file("/bin/b"), created=("/usr/local/x",))
    assert observed_paths([made], LINKS) == ("/usr/bin/a", "/usr/bin/b", "/var/usrlocal/x")
    assert shared_paths([made], LINKS) == {"/usr/bin/a", "/usr/bin/b", "/var/usrlocal/x"}
    found = {"/usr/bin/a": HostFileState("-", 0o644, 0, 0, sha256="edited"), "/usr/bin/b": None}
    assert edited_files(made, found, LINKS) == ("/usr/bin/a",)
    assert missing_files(made, found, LINKS) == ("/usr/bin/b",)


def test_a_directory_that_is_recorded_in_two_ways_stays_so() -> None:
    made = having(file("/bin/x/a"), file("/usr/bin/x/b"), created=("/bin/x", "/usr/bin/x"))
    there = HostFileState("-", 0o644, 0, 0, sha256="one")
    found = {"/usr/bin/x": HostFileState("d", 0o755, 0, 0), "/usr/bin/x/a": there, "/usr/bin/x/b": there}
    changes = plan_host_files(target=made, active=made, kept=[made], found=found, links=LINKS)
    assert (changes.actions, changes.created_directories) == ((), made.created_directories)


def test_a_diff_never_shows_the_secret_of_another_spelling() -> None:
    old = dataclasses.replace(file("/bin/a"), content="p=old", masked=f"p={MASK}")
    active, target = having(old), dataclasses.replace(having(file("/usr/bin/a", sha256="two")), slot=1)
    found = {"/usr/bin/a": HostFileState("-", 0o644, 0, 0, sha256="one", text="p=old")}
    changes = plan_host_files(target=target, active=active, kept=[active], found=found, links=LINKS)
    (entry,) = host_file_diff(changes, deployments=[active], found=found, texts={"two": "plain"}, links=LINKS)
    assert MASK in entry["before"]
    assert "old" not in entry["before"] + entry["after"]
