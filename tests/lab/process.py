# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the lab and the one function that runs other programs for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Program -> Debian package that brings it.
PACKAGES = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
    "openssl": "openssl",
    "skopeo": "skopeo",
    "unshare": "util-linux",
    "zstd": "zstd",
}


class LabError(Exception):
    """Something went wrong that the user of the lab can read about and act on."""


def require(*programs: str) -> None:
    """Check that programs are installed.

    Raises:
        LabError: with the one ``apt-get install`` line that brings all the missing ones.
    """
    missing = sorted({PACKAGES[program] for program in programs if shutil.which(program) is None})
    if missing:
        raise LabError(f"programs are missing on this machine; run: apt-get install {' '.join(missing)}")


def require_all() -> None:
    """Check that everything the lab may need is installed, to tell it all at once.

    Raises:
        LabError: as require().
    """
    require(*PACKAGES)


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 60.0,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        argv: the program and its arguments; no shell is involved.
        stdin: text for its standard input, empty by default.
        environment: its whole environment, this process's by default.
        folder: its working directory.
        timeout: seconds.

    Raises:
        LabError: when it is missing, fails, or takes too long; the message has the last lines it wrote.
    """
    try:
        result = subprocess.run(
            list(argv),
            input=stdin or "",
            capture_output=True,
            env=None if environment is None else dict(environment),
            cwd=folder,
            timeout=timeout,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        package = PACKAGES.get(argv[0], argv[0])
        raise LabError(f"{argv[0]} is missing on this machine; run: apt-get install {package}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv)}: no end after {timeout:g} s") from error
    if result.returncode != 0:
        tail = "\n".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-10:])
        raise LabError(f"{' '.join(argv)}: exit code {result.returncode}: {tail}")
    return result.stdout
