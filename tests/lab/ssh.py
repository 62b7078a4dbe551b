# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH into the hosts: keys of the lab's own, known hosts, options, connections shared by all who ask."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .process import run
from .state import Lab, Record, write_file


def client_key(lab: Lab) -> Path:
    """Return the private key that opens all hosts of the lab."""
    return lab.directory / "ssh" / "id_ed25519"


def known_hosts(lab: Lab) -> Path:
    """Return the file with the host keys of all hosts of the lab."""
    return lab.directory / "ssh" / "known_hosts"


def control_folder(lab: Lab) -> Path:
    """Return the folder of the sockets of shared connections."""
    return lab.directory / "cm"


def ensure_client_key(lab: Lab) -> str:
    """Make the lab's key if it is missing; return the public half.

    Raises:
        LabError: ssh-keygen fails.
    """
    control_folder(lab).mkdir(mode=0o700, parents=True, exist_ok=True)
    client_key(lab).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return make_key(client_key(lab), comment=f"lab-{lab.id}")


def make_key(path: Path, *, comment: str) -> str:
    """Make a key pair if its public half, which comes last, is missing; return the public half."""
    public = path.with_name(f"{path.name}.pub")
    if not public.exists():
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return public.read_text(encoding="ascii")


def write_known_hosts(lab: Lab, record: Record) -> None:
    """Write the file of known hosts from the host keys of the lab's hosts."""
    lines = []
    for name, number in sorted(record.hosts.items()):
        public = lab.host_directory(name) / "ssh_host_ed25519_key.pub"
        with contextlib.suppress(FileNotFoundError):
            kind, key = public.read_text(encoding="ascii").split()[:2]
            lines.append(f"{record.address(number)} {kind} {key}\n")
    write_file(known_hosts(lab), "".join(lines))


def options(lab: Lab, *, shared: bool) -> list[str]:
    """Return ssh's options, but for key and user: nothing of the caller's own configuration takes part.

    Args:
        lab: the lab.
        shared: use one connection for many commands; it stays open for a minute.
    """
    settings = [
        f"UserKnownHostsFile={known_hosts(lab)}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=5",
        "LogLevel=ERROR",
    ]
    if shared:
        settings += ["ControlMaster=auto", "ControlPersist=60s", f"ControlPath={control_folder(lab)}/%r@%h"]
    return ["-F", "none", *[word for setting in settings for word in ("-o", setting)]]


def command(lab: Lab, address: str, argv: Sequence[str], *, shared: bool = True, terminal: bool = False) -> list[str]:
    """Return the ssh command that runs argv in a host, each argument arriving as it is.

    Args:
        lab: the lab.
        address: the host's.
        argv: the program and its arguments.
        shared: see options().
        terminal: give the program a terminal.
    """
    remote = " ".join(shlex.quote(word) for word in argv)
    extra = ["-t" if terminal else "-T", "-i", str(client_key(lab)), "-l", "root"]
    return ["ssh", *options(lab, shared=shared), *extra, address, "--", remote]


def wait_for_port(address: str, port: int, *, seconds: float) -> bool:
    """Return whether something at a TCP port speaks within the time (sshd does so first)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A short time-out: what is sent to a host without a network yet is lost, and sent again only after a second.
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=0.1) as connection:
            connection.settimeout(2.0)
            if connection.recv(4):
                return True
        time.sleep(0.02)
    return False


def close_shared(lab: Lab, address: str = "*") -> None:
    """End the shared connections to one host, or to all."""
    for path in control_folder(lab).glob(f"*@{address}"):
        subprocess.run(
            ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "lab"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=10,
        )
        path.unlink(missing_ok=True)
