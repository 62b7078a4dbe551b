# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running real programs: their output, exit codes, time limits, and what they see."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    CommandError,
    MissingToolError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runner import (
    command_environment,
    find_tool,
    run,
)


def test_success() -> None:
    done = run(["true"])
    assert (done.rc, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("script", ["exit 1", "exit 255", "kill -9 $$"])
def test_any_other_code_is_a_failure(script: str) -> None:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", script])
    assert caught.value.rc not in (0, None)


def test_failure_without_check() -> None:
    assert run(["false"], check=False).rc == 1


def test_message_of_a_failure() -> None:
    with pytest.raises(CommandError, match=r"^'sh -c echo oops >&2; exit 3' failed: oops$") as caught:
        run(["sh", "-c", "echo oops >&2; exit 3"])
    assert (caught.value.rc, caught.value.stderr) == (3, "oops")
    with pytest.raises(CommandError, match=r"^'false' failed: exit code 1$"):
        run(["false"])


def test_long_arguments_are_cut_in_messages() -> None:
    with pytest.raises(CommandError) as caught:
        run(["false", "x" * 5000])
    assert len(str(caught.value)) < 200


def test_standard_input() -> None:
    assert run(["cat"], stdin=b"a\x00\xff").stdout == b"a\x00\xff"
    assert run(["cat"]).stdout == b""


def test_text_keeps_every_byte() -> None:
    done = run(["cat"], stdin=b"\xff\xc3\xa9")
    assert done.text.encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"
    assert isinstance(run(["sh", "-c", r"printf '\377' >&2"]).error_text, str)


def test_time_limit() -> None:
    begin = time.monotonic()
    with pytest.raises(CommandError, match=r"'sleep 60' did not end within 0.2 seconds") as caught:
        run(["sleep", "60"], timeout=0.2)
    assert time.monotonic() - begin < 10
    assert caught.value.rc is None


def test_time_limit_with_a_child_that_keeps_the_pipe() -> None:
    begin = time.monotonic()
    with pytest.raises(CommandError, match="did not end within"):
        run(["sh", "-c", "sleep 5 & wait"], timeout=0.2)
    assert time.monotonic() - begin < 4


def test_no_shell() -> None:
    assert run(["echo", "$HOME; ls *"]).text == "$HOME; ls *\n"


def test_missing_program() -> None:
    with pytest.raises(MissingToolError, match="'no-such-program' is not installed on this host"):
        run(["no-such-program"])


@pytest.mark.parametrize("name", ["runc", "ostree", "skopeo", "systemctl"])
def test_missing_tools_name_a_package(name: str, tmp_path: Path) -> None:
    package = "systemd" if name == "systemctl" else name
    with pytest.raises(MissingToolError, match=f"the package '{package}'"):
        find_tool(f"{tmp_path}/{name}")


def test_program_that_cannot_run(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_bytes(b"\x7fELFbroken")
    program.chmod(0o755)
    with pytest.raises(CommandError, match="cannot be run"):
        run([str(program)])


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("KEPT", "1")
    text = run(["env"], env={"MORE": "2"}).text.splitlines()
    assert {"LC_ALL=C", "LANGUAGE=C", "KEPT=1", "MORE=2"} <= set(text)
    assert "MORE" not in os.environ


def test_search_path_has_the_sbin_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_tool("true").endswith("/true")
    assert "/usr/sbin" in command_environment()["PATH"].split(":")


@pytest.mark.parametrize("path", [None, "", "/nowhere:", ":/nowhere"])
def test_the_working_directory_is_never_searched(
    path: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An empty entry of PATH means the working directory."""
    if path is None:
        monkeypatch.delenv("PATH")
    else:
        monkeypatch.setenv("PATH", path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted").write_text("#!/bin/sh\n")
    (tmp_path / "planted").chmod(0o755)
    with pytest.raises(MissingToolError):
        find_tool("planted")
    assert "" not in command_environment()["PATH"].split(":")
