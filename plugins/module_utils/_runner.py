# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program: argv list, C locale, no shell, always a time limit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from ._errors import CommandError, MissingToolError
from ._record import dataclass

DEFAULT_TIMEOUT = 120.0
"""Seconds that a command may take unless its caller says otherwise."""

_F_SETPIPE_SZ, _PIPE_SIZE = 1031, 1024 * 1024
_SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_PACKAGES = {
    "ostree": "ostree",
    "runc": "runc",
    "skopeo": "skopeo",
    "systemctl": "systemd",
    "systemd-tmpfiles": "systemd",
}


@dataclass(frozen=True)
class Completed:
    """What a command left: its exit code and its output (bytes, as written)."""

    rc: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, bytes outside UTF-8 kept as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def error_text(self) -> str:
        """Standard error as text without the white space around it."""
        return self.stderr.decode("utf-8", "replace").strip()


def command_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for commands: the process's own, C locale, a PATH that has the sbin folders."""
    environment = dict(os.environ)
    environment.update({"LC_ALL": "C", "LANGUAGE": "C"})
    environment["PATH"] = _search_path()
    environment.update(extra or {})
    return environment


def find_tool(name: str) -> str:
    """Return the absolute path of program ``name`` (a name or a path); ``MissingToolError`` when there is none."""
    found = shutil.which(name, path=_search_path())
    if found is None:
        package = _PACKAGES.get(os.path.basename(name), os.path.basename(name))
        raise MissingToolError(
            f"The program '{name}' is not installed on this host: install it, for example the package '{package}'"
        )
    return found


def widen_pipe(descriptor: int) -> None:
    """Let a pipe hold more than 64 KiB where the host allows it."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_SIZE)


def run(
    argv: Sequence[str],
    *,
    timeout: float = DEFAULT_TIMEOUT,
    check: bool = True,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run ``argv`` to its end and return what it left.

    ``timeout`` is in seconds. Raises ``MissingToolError`` when the program does not exist, ``CommandError`` when it
    does not end in time (it is killed) or, with ``check``, when its exit code is not 0.
    """
    command = [find_tool(argv[0]), *argv[1:]]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            env=command_environment(env),
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandError(f"'{_shown(argv)}' did not end within {timeout:g} seconds") from exc
    except OSError as exc:
        raise CommandError(f"'{_shown(argv)}' cannot be run: {exc}") from exc
    completed = Completed(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)
    if check and completed.rc != 0:
        reason = completed.error_text or f"exit code {completed.rc}"
        raise CommandError(f"'{_shown(argv)}' failed: {reason}", rc=completed.rc, stderr=completed.error_text)
    return completed


def _search_path() -> str:
    """Return PATH with the sbin folders; an empty entry would mean the working directory, so there is none."""
    own = [folder for folder in os.environ.get("PATH", "").split(":") if folder]
    return ":".join(dict.fromkeys([*own, *_SEARCH_PATH]))


def _shown(argv: Sequence[str]) -> str:
    """Return a short form of ``argv`` for messages: long arguments are cut."""
    return " ".join(argument if len(argument) <= 100 else argument[:97] + "..." for argument in argv)
