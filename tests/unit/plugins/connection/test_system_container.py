# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection plugin: the command for the host, its scripts, and what their ends mean. No host and no container is here: the
scripts run in this machine's shell, with a runtime that is made up."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.projectatomic.system_containers.plugins.connection.system_container import (
    _FIND_USER,
    _INSIDE,
    _reason,
    _with_fallback,
    _without_mark,
    host_command,
    result_of,
)

MARK = b"projectatomic.system_containers: "
NOTHING_ELSE = {"container": "hello", "user": "", "runtime": "", "shell": "/bin/sh"}


# What the host's connection returned.


@pytest.mark.parametrize(
    ("rc", "stdout", "stderr", "result"),
    [
        (0, b"out", b"err", (0, b"out", b"err")),
        (3, b"", b"", (3, b"", b"")),
        (64, b"", b"its own 64", (64, b"", b"its own 64")),
        (254, b"", b"its own 254", (254, b"", b"its own 254")),
        (255, b"", b"ssh lost the host", (255, b"", b"ssh lost the host")),
        (254, b"out", b"err\n" + MARK + b"255\n", (255, b"out", b"err\n")),
        (254, b"", MARK + b"255\nmore of the command's", (254, b"", MARK + b"255\nmore of the command's")),
        (3, b"", MARK + b"said by the command", (3, b"", MARK + b"said by the command")),
        (1, b"\xff", b"\xff", (1, b"\xff", b"\xff")),
    ],
)
def test_result(rc: int, stdout: bytes, stderr: bytes, result: tuple[int, bytes, bytes]) -> None:
    assert result_of(rc, stdout, stderr, container="hello") == result


@pytest.mark.parametrize(
    ("rc", "stderr", "message"),
    [
        (
            64,
            b"a banner\n" + MARK + b"the OCI runtime 'x' is not on this host\n",
            "Cannot enter the system container 'hello': the OCI runtime 'x' is not on this host",
        ),
        (
            254,
            b'time="now" level=error msg="exec failed: unable to start: exec: \\"/bin/sh\\": no such file"\n'
            + MARK
            + b"255\n",
            (
                "Cannot run a shell in the system container 'hello' (exec failed: unable to start: exec: \"/bin/sh\": no such file)."
                " Without a shell in it, use the module system_container_exec"
            ),
        ),
        (
            254,
            b"executable file `/bin/sh` not found: No such file\n" + MARK + b"255\n",
            (
                "Cannot run a shell in the system container 'hello' (executable file `/bin/sh` not found: No such file)."
                " Without a shell in it, use the module system_container_exec"
            ),
        ),
    ],
)
def test_a_command_that_was_not_run(rc: int, stderr: bytes, message: str) -> None:
    with pytest.raises(AnsibleConnectionFailure) as caught:
        result_of(rc, b"", stderr, container="hello")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('level=warning msg="older"\nlevel=error msg="the last"', "the last"),
        (r'msg="with \"quotes\" in it" more=1', 'with "quotes" in it'),
        ("  plain words\n", "plain words"),
        ("", ""),
    ],
)
def test_reason(said: str, reason: str) -> None:
    assert _reason(said) == reason


@pytest.mark.parametrize(
    ("output", "left"),
    [
        (b"MARK\nout", b"out"),
        (b"MARK\r\nout", b"out"),
        (b"lecture\nMARK\nout\nMARK\n", b"lecture\nout\nMARK\n"),
        (b"MARK", b""),
        (b"MARK\n\nout", b"\nout"),
        (b"out", b"out"),
        (b"", b""),
    ],
)
def test_the_mark_of_a_become_plugin_is_taken_out(output: bytes, left: bytes) -> None:
    assert _without_mark(output, b"MARK") == left


def test_a_temporary_folder_has_another_place() -> None:
    def mkdtemp(basefile: str, system: bool = False, mode: int = 0o700, tmpdir: str | None = None) -> str:
        return f"make {basefile} {system} {mode} {tmpdir}"

    assert _with_fallback(mkdtemp)("name", system=True, tmpdir="/home/x") == (
        "make name True 448 /home/x 2>/dev/null || make name False 448 ${TMPDIR:-/tmp}"
    )


# The command for the host.


@pytest.fixture
def on_host(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run a command for the host, where ``id -u`` and the runtime say what the test wants. The runtime runs things right here."""
    tools = {
        "id": 'echo "${FAKE_ID:-0}"',
        "fakerun": 'echo "runtime: $1 $2 $3 $4" >&2; while [ "$1" != /bin/sh ]; do shift; done; exec "$@"',
    }
    for name, text in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    def on_host(
        *, uid: str = "0", user: str = "", runtime: str = "fakerun", command: str = "true"
    ) -> tuple[int, str, str]:
        text = host_command(**NOTHING_ELSE | {"user": user, "runtime": runtime, "command": command})
        env = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "FAKE_ID": uid}
        done = subprocess.run(["/bin/sh", "-c", text], env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return on_host


@pytest.mark.parametrize(
    ("command", "rc", "stdout"),
    [
        ("echo out", 0, "out\n"),
        ("""printf '%s\\n' "it's" '$HOME "$1"' \\*""", 0, 'it\'s\n$HOME "$1"\n*\n'),
        ("echo first; exit 3", 3, "first\n"),
        ("kill -9 $$", 137, ""),
        ("exit 254", 254, ""),
        ("exit 64", 64, ""),
    ],
)
def test_a_command_arrives_as_it_is(
    on_host: Callable[..., tuple[int, str, str]], command: str, rc: int, stdout: str
) -> None:
    assert on_host(command=command)[:2] == (rc, stdout)


def test_an_exit_code_that_is_that_of_ssh(on_host: Callable[..., tuple[int, str, str]]) -> None:
    rc, stdout, stderr = on_host(command="echo out; echo err >&2; exit 255")
    assert rc == 254
    assert result_of(rc, stdout.encode(), stderr.encode(), container="hello") == (
        255,
        b"out\n",
        b"runtime: exec hello /bin/sh -c\nerr\n",
    )


@pytest.mark.parametrize(
    ("user", "arguments"),
    [
        ("", "exec hello /bin/sh -c"),
        ("7", "exec --user 7 hello"),
        ("7:8", "exec --user 7:8 hello"),
        ("root", "exec --user 0:0 hello"),
        ("root:8", "exec --user 0:8 hello"),
    ],
)
def test_the_runtime_takes_numbers(on_host: Callable[..., tuple[int, str, str]], user: str, arguments: str) -> None:
    assert on_host(user=user)[2].splitlines()[-1] == f"runtime: {arguments}"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"uid": "1000"}, "only root of the host can enter its containers: set ansible_system_container_become"),
        ({"runtime": ""}, "the system container 'hello' does not run on this host: see 'systemctl status hello'"),
        ({"runtime": "no-runtime"}, "the OCI runtime 'no-runtime' is not on this host"),
        ({"user": "no-user:7"}, "the system container 'hello' has no user 'no-user:7' in its /etc/passwd"),
        ({"user": "no-user"}, "the system container 'hello' has no user 'no-user' in its /etc/passwd"),
    ],
)
def test_refusals(on_host: Callable[..., tuple[int, str, str]], options: dict[str, str], reason: str) -> None:
    rc, stdout, stderr = on_host(**options, command="echo never")
    assert (rc, stdout) == (64, "")
    assert stderr.splitlines()[-1] == MARK.decode() + reason


# What runs in the container.

PASSWD = """\
root:x:0:0::/:/bin/sh
app:x:1234:1235::/run:/bin/sh
apple:x:5:6::/:/bin/sh"""


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("app", "1234:1235"),
        ("app:7", "1234:7"),
        ("root", "0:0"),
        ("apple", "5:6"),
        ("ap", ""),
        ("ap:7", ""),
        ("a.p", ""),
    ],
)
def test_find_user(tmp_path: Path, user: str, ids: str, end: str) -> None:
    (tmp_path / "passwd").write_text(PASSWD + end)
    script = _FIND_USER.replace("/etc/passwd", str(tmp_path / "passwd"))
    done = subprocess.run(["/bin/sh", "-c", script, "sh", user], capture_output=True, text=True, check=True)
    assert done.stdout == f"{ids}\n"


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"/": "rw", "/tmp": "rw"}, None),
        ({"/": "ro", "/tmp": "rw"}, None),
        ({"/": "ro", "/srv": "rw"}, "/srv"),
        ({"/": "ro", "/srv": "ro"}, None),
        ({"/": "ro", "/tmp": "ro", "/var/tmp": "rw", "/srv": "rw"}, "/var/tmp"),
        ({"/": "ro", "/srv": "rw", "/srv/deep": "ro"}, "/srv"),
        ({"/": "ro", "/srv": "ro", "/srv/deep": "rw"}, "/srv/deep"),
        ({"/": "ro", "/proc": "rw", "/sys/fs/cgroup": "rw"}, None),
    ],
)
def test_the_place_of_temporary_files(tmp_path: Path, options: dict[str, str], chosen: str | None) -> None:
    """A root file system below ``tmp_path`` stands for the container's: its mounts are a list of ours."""
    folders = ("tmp", "var/tmp", "run", "dev/shm", "proc", "sys/fs/cgroup", "srv/deep")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    mounts = [f"1 0 0:1 / {tmp_path}{'' if at == '/' else at} {mode},relatime - tmpfs" for at, mode in options.items()]
    (tmp_path / "mountinfo").write_text("\n".join(mounts) + "\n")
    script = _INSIDE.replace("/proc/self/mountinfo", f"{tmp_path}/mountinfo")
    for place in ("/tmp", "/var/tmp", "/run", "/dev/shm"):
        script = script.replace(f" {place} ", f" {tmp_path}{place} ")
    script = script.replace("${TMPDIR:-/tmp}", f"${{TMPDIR:-{tmp_path}/tmp}}")
    script = script.replace("/proc*|/sys*", f"{tmp_path}/proc*|{tmp_path}/sys*")
    env = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    command = ["/bin/sh", "-c", script, "sh", "/bin/sh", "echo ${TMPDIR-none}"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (f"{tmp_path}{chosen}" if chosen else "none")


def test_one_argument_for_the_host() -> None:
    command = host_command(**NOTHING_ELSE | {"command": "a 'b' \"c\""})
    assert shlex.split(command)[-1] == "a 'b' \"c\""
