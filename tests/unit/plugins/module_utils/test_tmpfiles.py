# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tmpfiles.d lines that stand in for a missing template."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Mount
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tmpfiles import (
    MissingSource,
    add_lines,
    created_mount_sources,
    created_paths,
    default_tmpfiles,
)


@pytest.mark.parametrize(
    ("path", "is_file", "line"),
    [
        ("/var/lib/app", False, "d    /var/lib/app   0700 0 7 - -\n"),
        ("/etc/app.conf", True, "f    /etc/app.conf   0600 0 7 - -\n"),
        ("/srv/100%/data", False, "d    /srv/100%%/data   0700 0 7 - -\n"),
        ("/srv/ünïcode", False, "d    /srv/ünïcode   0700 0 7 - -\n"),
    ],
)
def test_line(path: str, is_file: bool, line: str) -> None:
    assert default_tmpfiles([MissingSource(path, is_file)], uid=0, gid=7) == line
    assert created_paths(line) == {path}


def test_order_is_kept() -> None:
    missing = [MissingSource("/b", False), MissingSource("/a", True)]
    assert default_tmpfiles(missing, uid=1, gid=2) == "d    /b   0700 1 2 - -\nf    /a   0600 1 2 - -\n"


def test_nothing_missing() -> None:
    assert default_tmpfiles([], uid=0, gid=0) == ""


@pytest.mark.parametrize("character", [" ", "\t", "\n", "\r", '"', "'", "\\", "\x00", "\x1b", "\x7f"])
def test_path_that_no_line_can_hold(character: str) -> None:
    with pytest.raises(InvalidInputError, match="create it"):
        default_tmpfiles([MissingSource(f"/srv/a{character}b", False)], uid=0, gid=0)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("", set()),
        ("# d /x\n\nd\n", set()),
        ("d /a 0700 0 0 - -\nf /b\nL /c - - - - /d\n", {"/a", "/b"}),
        ("  d   /a%%b\n", {"/a%b"}),
    ],
)
def test_created_paths(text: str, paths: set[str]) -> None:
    assert created_paths(text) == paths


def test_sources_of_mounts() -> None:
    """Without mode and owner, so that what exists keeps its own."""
    mounts = [
        Mount("/a", "/srv/a", create="directory"),
        Mount("/b", "/srv/b%", create="file"),
        Mount("/c", "/srv/c"),
        Mount("/d", "tmpfs", "tmpfs"),
    ]
    lines = created_mount_sources(mounts)
    assert lines == "d    /srv/a   - - - - -\nf    /srv/b%%   - - - - -\n"
    assert created_paths(lines) == {"/srv/a", "/srv/b%"}
    with pytest.raises(InvalidInputError, match="create it"):
        created_mount_sources([Mount("/a", "/srv/a b", create="directory")])


@pytest.mark.parametrize(
    ("text", "lines", "after"),
    [
        ("", "", ""),
        ("# x", "", "# x"),
        ("", "d /a\n", "d /a\n"),
        ("d /a 0700 0 0 - -\n", "d /b\n", "d /a 0700 0 0 - -\nd /b\n"),
        ("d /a 0700 0 0 - -", "d /b\n", "d /a 0700 0 0 - -\nd /b\n"),
        ("d /a 0700 0 0 - -", "d /a - - - - -\n", "d /a 0700 0 0 - -"),
        ("", "d /a\nd /a\n", "d /a\n"),
    ],
)
def test_add_lines(text: str, lines: str, after: str) -> None:
    assert add_lines(text, lines) == after
