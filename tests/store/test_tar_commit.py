# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ``ostree commit`` that fails: as it starts, at a staging folder that is gone; later, with a reason that is passed on."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from lab.image_builder import tar_files

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import StoreError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tar_commit import ATTEMPTS

STUMBLES = """#!/bin/sh
echo >>{starts}
[ $(wc -l <{starts}) -gt {times} ] && exec {ostree} "$@"
echo 'error: opendir(staging-1234): No such file or directory' >&2
exit 1
"""


def stumbling(folder: Path, monkeypatch: pytest.MonkeyPatch, *, times: int) -> Repository:
    """Return a repository for which ostree fails so often; each start is a line of the file ``starts``."""
    repository = Repository(str(folder / "root/.storage/ostree"))
    repository.create()
    program = folder / "bin/ostree"
    program.parent.mkdir()
    program.write_text(STUMBLES.format(starts=folder / "starts", times=times, ostree=shutil.which("ostree")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return repository


def archive() -> bytes:
    return tar_files({"file": "content"})


@pytest.mark.parametrize("times", range(ATTEMPTS))
def test_it_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    commit = stumbling(tmp_path, monkeypatch, times=times).commit_tar()
    try:
        commit.write([archive()])
        name = commit.finish()
    finally:
        commit.abort()
    assert Repository(str(tmp_path / "root/.storage/ostree")).cat(name, "/file") == b"content"
    assert (tmp_path / "starts").read_text().count("\n") == times + 1


def test_in_the_end_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = stumbling(tmp_path, monkeypatch, times=ATTEMPTS).commit_tar()
    try:
        with pytest.raises(StoreError, match=r"cannot be stored .*opendir\(staging-1234\)"):
            commit.write([archive() * 1000])
    finally:
        commit.abort()
    assert (tmp_path / "starts").read_text().count("\n") == ATTEMPTS


def test_the_reason_needs_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    repository = Repository(str(tmp_path / "root/.storage/ostree"))
    repository.create()
    commit = repository.commit_tar()
    try:
        commit.write([b"no archive" * 100])
        with pytest.raises(StoreError, match="Unrecognized archive format"):
            commit.finish()
    finally:
        commit.abort()
