# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask once: also when several processes want the same at once."""

from __future__ import annotations

import multiprocessing
import stat
import time
from pathlib import Path

import pytest

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._once import once


def ask_slowly(folder: Path, log: Path, number: int) -> None:
    def ask() -> str:
        with open(log, "a") as stream:
            stream.write("asked\n")
        time.sleep(0.05)
        return f"answer {number}"

    with open(log.with_name(f"{number}"), "w") as stream:
        stream.write(once(folder, {"name": "app"}, ask))


def test_processes_share_one_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=ask_slowly, args=(tmp_path / "cache", log, number)) for number in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert log.read_text() == "asked\n"
    assert len({(tmp_path / str(number)).read_text() for number in range(6)}) == 1


def test_another_key_is_another_question(tmp_path: Path) -> None:
    assert once(tmp_path, {"name": "a", "user": None}, lambda: "1") == "1"
    assert once(tmp_path, {"name": "a", "user": "me"}, lambda: "2") == "2"
    assert once(tmp_path, {"user": None, "name": "a"}, lambda: "3") == "1"


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    def fail() -> str:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        once(tmp_path, {}, fail)
    assert once(tmp_path, {}, lambda: "yes") == "yes"


def test_others_cannot_read_it(tmp_path: Path) -> None:
    once(tmp_path / "cache", {}, lambda: "answer")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "cache", *(tmp_path / "cache").iterdir())]
    assert modes == [0o700, 0o600]
