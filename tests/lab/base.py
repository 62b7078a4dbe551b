# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base: the root file system that all hosts share, read-only, as the lower folder of their overlays.

It is built once by debootstrap and cached under a key that covers everything that goes into it. All
checkouts on a machine share the cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from . import apt, cgroup
from .process import LabError, run
from .state import CACHE_ROOT, Lab, locked

SCHEMA = 1
RELEASE = "bookworm"
PACKAGES_VARIABLE = "SYSTEM_CONTAINERS_LAB_PACKAGES"

# netavark is there for skopeo's configuration files, which depend on a virtual package that debootstrap cannot resolve.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "procps", "iproute2", "ca-certificates"),
    *("ostree", "skopeo", "netavark", "runc"),
    *("gpg", "curl", "strace", "zstd"),
)

# Slow, failing or pointless in a host that lives for minutes.
MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "systemd-tmpfiles-clean.timer"),
    *("getty.target", "getty-static.service", "console-getty.service", "systemd-ask-password-console.path"),
    *("systemd-ask-password-wall.path", "systemd-firstboot.service", "systemd-pstore.service"),
    *("systemd-resolved.service", "systemd-networkd-wait-online.service", "systemd-timesyncd.service"),
    *("systemd-update-utmp-runlevel.service", "systemd-udevd.service", "systemd-udev-trigger.service"),
    *("dev-hugepages.mount", "proc-sys-fs-binfmt_misc.automount", "sys-kernel-config.mount"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount"),
)

FILES = {
    "etc/ssh/sshd_config.d/lab.conf": (
        "UseDNS no\nGSSAPIAuthentication no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "PrintLastLog no\nMaxSessions 200\nMaxStartups 200\nHostKey /etc/ssh/ssh_host_ed25519_key\n"
    ),
    # No name server: look-ups fail at once instead of waiting.
    "etc/resolv.conf": "# The hosts of a lab have no name server.\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/motd": "",
    "etc/machine-id": "",
}

# Of the machine that builds, or different in each host, or not needed any more.
REMOVED = (
    *("etc/hostname", "etc/apt/sources.list", "var/log/bootstrap.log", "var/lib/dbus/machine-id"),
    *("var/cache/apt", "var/lib/apt/lists", "usr/share/man", "usr/share/doc", "usr/share/locale"),
)


def packages(environment: Mapping[str, str]) -> list[str]:
    """Return the packages of the base: the fixed ones, and those named in the environment for experiments."""
    return [*PACKAGES, *environment.get(PACKAGES_VARIABLE, "").replace(",", " ").split()]


def base_directory(environment: Mapping[str, str]) -> Path:
    """Return the folder of the base: its name covers all that goes into it."""
    parts = [SCHEMA, RELEASE, os.uname().machine, packages(environment), MASKED_UNITS, sorted(FILES.items()), REMOVED]
    return CACHE_ROOT / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def ensure_base(lab: Lab) -> Path:
    """Return the folder of the base, building it first when it is not cached (about a minute).

    The work is done in a folder beside it that is renamed at the end; a lock keeps two builders apart.

    Raises:
        LabError: debootstrap is missing or fails.
    """
    base = base_directory(os.environ)
    if base.is_dir():
        return base
    with locked(CACHE_ROOT / "lock"):
        if base.is_dir():
            return base
        _remove_unfinished()
        target = CACHE_ROOT / f".build-{base.name}"
        print(f"lab: building the base in {base} (once, about a minute)", file=sys.stderr)
        _debootstrap(lab, target)
        finish(target)
        target.rename(base)
    return base


def remove_unfinished() -> None:
    """Remove what a killed builder left in the cache, unless a builder is at work."""
    with contextlib.suppress(FileNotFoundError), open(CACHE_ROOT / "lock", "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _remove_unfinished()


def _remove_unfinished() -> None:
    """Remove unfinished bases. Nothing is mounted in them: debootstrap's mounts end with its own namespace."""
    for path in CACHE_ROOT.glob(".build-*"):
        shutil.rmtree(path)
    (CACHE_ROOT / ".build.log").unlink(missing_ok=True)


def _debootstrap(lab: Lab, target: Path) -> None:
    """Run debootstrap in the lab's cgroup, so that ``lab down`` ends it when this process was killed."""
    source = apt.choose(list(apt.sources()), RELEASE)
    keyring = apt.keyring_of(source)
    argv = ["unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase"]
    argv += [f"--keyring={keyring}"] if keyring else []
    argv += [f"--include={','.join(packages(os.environ))}", RELEASE, str(target), source.uri]
    environment = {**os.environ, **apt.proxy_environment(), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    log = CACHE_ROOT / ".build.log"
    with open(log, "wb") as output:
        child = cgroup.spawn(f"{lab.cgroup}/base", argv, output=output, environment=environment)
        try:
            code = child.wait()
        finally:
            cgroup.kill(f"{lab.cgroup}/base")
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise LabError(f"debootstrap from {source.uri} ended with exit code {code}; log: {log}\n{tail}")
    log.unlink()


def finish(root: Path) -> None:
    """Make a fresh debootstrap tree into the base: settings in, traces of this machine out."""
    for name in REMOVED:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    for name, content in FILES.items():
        path = root / name
        path.unlink(missing_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o644)
    for unit in MASKED_UNITS:
        path = root / "etc/systemd/system" / unit
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
    run(["chroot", str(root), "/usr/sbin/ldconfig"])
