# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host: a systemd-nspawn container with an overlay, a network and a cgroup of its own.

The overlay's upper folder holds all that the host changes. It survives reboots and is removed with the host.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import cgroup, network, ssh
from .process import LabError, run
from .state import Lab, Record, write_file

BOOT_SCRIPT = Path(__file__).resolve().parent / "boot.sh"
CERTIFICATES_IN_HOST = "/etc/lab-registry-certs"
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Host:
    """A host of a lab: its name and the last byte of its address."""

    lab: Lab
    name: str
    number: int
    address: str

    @property
    def directory(self) -> Path:
        """Folder of all that belongs to the host."""
        return self.lab.host_directory(self.name)

    @property
    def cgroup(self) -> str:
        """The host's cgroup, below the hierarchies' roots."""
        return f"{self.lab.cgroup}/host-{self.name}"

    @property
    def console(self) -> Path:
        """What the host's boot wrote to its console."""
        return self.directory / "console.log"

    @property
    def base_file(self) -> Path:
        """Names the base; there when the host's folders are complete."""
        return self.directory / "base"

    @property
    def ready_file(self) -> Path:
        """There when the present boot has been seen to end well."""
        return self.directory / "ready"

    def leader(self) -> int | None:
        """Return the machine's process id of the host's PID 1, None when the host is off."""
        return cgroup.leader(self.cgroup)


def find(lab: Lab, record: Record, name: str) -> Host:
    """Return a host that the record knows.

    Raises:
        LabError: it knows none of that name.
    """
    return Host(lab, name, record.hosts.get(name, 0), record.host_address(name))


def prepare(host: Host, base: Path, client_key: str) -> None:
    """Make a host's folders, if they are not complete; the file that names its base comes last.

    Args:
        host: the host.
        base: the lower folder of its overlay, for good: an upper folder fits no other.
        client_key: the public key that may log in.

    Raises:
        LabError: ssh-keygen fails.
    """
    if host.base_file.exists():
        return
    remove_tree(host.directory)
    for name in ("upper", "work", "root", "docker"):
        (host.directory / name).mkdir(parents=True)
        (host.directory / name).chmod(0o755)
    _write_identity(host, host.directory / "upper", client_key)
    write_file(host.base_file, f"{base}\n")


def _write_identity(host: Host, upper: Path, client_key: str) -> None:
    """Write what differs between hosts: names, machine id, keys."""
    host_key = host.directory / "ssh_host_ed25519_key"
    ssh.make_key(host_key, comment=f"root@{host.name}")
    machine_id = hashlib.sha256(f"{host.lab.id}/{host.name}".encode()).hexdigest()[:32]
    files = {
        "etc/machine-id": (f"{machine_id}\n", 0o444),
        "etc/hostname": (f"{host.name}\n", 0o644),
        "etc/hosts": (f"127.0.0.1 localhost\n::1 localhost\n{host.address} {host.name}\n", 0o644),
        "etc/ssh/ssh_host_ed25519_key": (host_key.read_text(encoding="ascii"), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (Path(f"{host_key}.pub").read_text(encoding="ascii"), 0o644),
        "root/.ssh/authorized_keys": (client_key, 0o600),
    }
    for name, (content, mode) in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
    for name, mode in (("etc", 0o755), ("etc/ssh", 0o755), ("root", 0o700), ("root/.ssh", 0o700)):
        (upper / name).chmod(mode)


def nspawn_command(host: Host, certificates: Path) -> list[str]:
    """Return the command that boots a host whose root is mounted.

    Args:
        host: the host.
        certificates: folder with the registry's certificates, shown in the host.
    """
    machine_id = (host.directory / "upper/etc/machine-id").read_text(encoding="ascii").strip()
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={host.directory / 'root'}",
        f"--machine={host.name}",
        f"--uuid={machine_id}",
        *("--register=no", "--keep-unit", "--settings=no", "--link-journal=no"),
        *("--resolv-conf=off", "--timezone=off", "--console=read-only"),
        # What real hosts may do, and what runc and Docker need.
        *("--capability=all", "--system-call-filter=@keyring bpf"),
        "--network-namespace-path=/proc/self/ns/net",
        # An overlay cannot be the upper folder of another one.
        f"--bind={host.directory / 'docker'}:/var/lib/docker",
        f"--bind-ro={certificates}:{CERTIFICATES_IN_HOST}",
    ]


def start(host: Host, certificates: Path) -> None:
    """Switch a host on; returns before it has booted.

    Args:
        host: the host, prepared and off.
        certificates: folder with the registry's certificates, shown in the host.

    Raises:
        LabError: its base is gone, or its network cannot be set up.
    """
    host.ready_file.unlink(missing_ok=True)
    base = Path(host.base_file.read_text(encoding="utf-8").rstrip("\n"))
    if not base.is_dir():
        raise LabError(f"host {host.name}: its base {base} is gone; run: lab down {host.name}")
    argv = ["unshare", "--net", "--mount", "--propagation", "private", "/bin/sh", str(BOOT_SCRIPT)]
    with open(host.console, "wb") as console:
        child = cgroup.spawn(
            host.cgroup,
            [*argv, *nspawn_command(host, certificates)],
            output=console,
            stdin=subprocess.PIPE,
            environment=_boot_environment(host, base),
        )
    if child.stdin is None:
        raise LabError("no pipe to the host's first process")
    with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
        _wait_for_namespace(host, child)
        network.connect(host.lab, host.number, host.address, child.pid)
        stdin.write(b"go\n")


def _boot_environment(host: Host, base: Path) -> dict[str, str]:
    """Return the whole environment of a host's first process."""
    return {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "LAB_LOWER": str(base),
        "LAB_UPPER": str(host.directory / "upper"),
        "LAB_WORK": str(host.directory / "work"),
        "LAB_ROOT": str(host.directory / "root"),
        "LAB_ADDRESS": f"{host.address}/24",
        # No lock files on the machine, and sysctls of the host's own network only.
        "SYSTEMD_NSPAWN_LOCK": "0",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    }


def _wait_for_namespace(host: Host, child: subprocess.Popen[bytes]) -> None:
    """Wait until a new host's first process is in a network namespace of its own."""
    own = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{child.pid}/ns/net") != own:
                return
        time.sleep(POLL_SECONDS)
    raise LabError(f"host {host.name} did not start:\n{console_tail(host)}")


def wait_until_running(host: Host, *, seconds: float) -> None:
    """Wait until a host is fully up: systemd says ``running``, over SSH.

    Once it was, SSH alone is enough: a unit that a test made fail later is no trouble of the lab's.

    Raises:
        LabError: it is degraded (with the failed units), off, or not ready in time (with its console's last lines).
    """
    deadline = time.monotonic() + seconds
    known_good = host.ready_file.exists()
    while not ssh.wait_for_port(host.address, 22, seconds=min(1.0, max(0.0, deadline - time.monotonic()))):
        if not cgroup.members(host.cgroup):
            raise LabError(f"host {host.name} ended while it booted:\n{console_tail(host)}")
        if time.monotonic() >= deadline:
            raise LabError(f"host {host.name} ({host.address}): no SSH after {seconds:g} s:\n{console_tail(host)}")
    if known_good:
        return
    state = system_state(host, seconds=max(1.0, deadline - time.monotonic()))
    if state == "running":
        host.ready_file.touch()
        return
    if state == "degraded":
        raise LabError(f"host {host.name} is degraded; failed units:\n{failed_units(host)}")
    raise LabError(f"host {host.name} is {state!r} after {seconds:g} s, not running:\n{console_tail(host)}")


def system_state(host: Host, *, seconds: float) -> str:
    """Return what systemd in a host says of itself once booting has ended, or why it cannot be asked."""
    remote = "systemctl is-system-running --wait || true"
    argv = ssh.command(host.lab, host.address, ["sh", "-c", remote], shared=False)
    try:
        return run(argv, timeout=seconds).strip()
    except LabError as error:
        return str(error)


def failed_units(host: Host) -> str:
    """Return the failed units of a host and the last journal lines of each."""
    script = (
        'for unit in $(systemctl list-units --failed --plain --no-legend | cut -d" " -f1); do '
        'echo "$unit"; journalctl --no-pager --quiet --lines=5 --output=cat --unit="$unit" | sed "s/^/  /"; done'
    )
    return run(ssh.command(host.lab, host.address, ["sh", "-c", script], shared=False))


def console_tail(host: Host, lines: int = 15) -> str:
    """Return the last lines of a host's console."""
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(host.console.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""


def reboot(host: Host, *, seconds: float) -> None:
    """Reboot a host from inside, services stopping in order; returns when it is up again.

    Raises:
        LabError: the host is off, or not up in time.
    """
    before = host.leader()
    if before is None:
        raise LabError(f"host {host.name} is off; run: lab up {host.name}")
    run(ssh.command(host.lab, host.address, ["systemctl", "--no-block", "reboot"], shared=False))
    host.ready_file.unlink(missing_ok=True)
    ssh.close_shared(host.lab, host.address)
    deadline = time.monotonic() + seconds
    while host.leader() in (before, None):
        if not cgroup.members(host.cgroup):
            raise LabError(f"host {host.name} went off instead of rebooting:\n{console_tail(host)}")
        if time.monotonic() > deadline:
            raise LabError(f"host {host.name} did not go down in {seconds:g} s:\n{console_tail(host)}")
        time.sleep(POLL_SECONDS)
    wait_until_running(host, seconds=max(1.0, deadline - time.monotonic()))


def stop(host: Host) -> None:
    """Switch a host off at once, like pulling its plug; its folder stays.

    Raises:
        LabError: its processes do not end.
    """
    ssh.close_shared(host.lab, host.address)
    cgroup.kill(host.cgroup)
    network.disconnect(host.lab, host.number)


def remove_tree(path: Path) -> None:
    """Remove a folder if it is there, immutable files included (OSTree makes some)."""
    if not path.exists():
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", str(path)], check=False)
        shutil.rmtree(path)
