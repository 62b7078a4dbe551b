# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base: the root file system that all hosts share, read-only, as the lower folder of their overlays.

It is built once by debootstrap and cached under a key that covers everything that goes into it. All
checkouts on a machine share the cache. Hosts that need more packages get a base of their own: a copy with these added.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import apt, cgroup
from .process import LabError, run
from .state import CACHE_ROOT, Lab, locked

ADD_PACKAGES_SCRIPT = Path(__file__).resolve().parent / "add-packages.sh"
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


def more_packages(wanted: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the packages that a base has besides the fixed ones: those wanted, and those named in the environment."""
    return tuple(sorted({*wanted, *environment.get(PACKAGES_VARIABLE, "").replace(",", " ").split()}))


def base_directory(more: Sequence[str] = ()) -> Path:
    """Return the folder of the base, or of the one with ``more`` packages: its name covers all that goes into it."""
    parts = [SCHEMA, RELEASE, os.uname().machine, PACKAGES, MASKED_UNITS, sorted(FILES.items()), REMOVED]
    parts += [more] if more else []
    return CACHE_ROOT / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def ensure_base(lab: Lab, more: Sequence[str] = ()) -> Path:
    """Return the folder of the base with ``more`` packages, building it first when it is not cached.

    The work is done in a folder beside it that is renamed at the end; a lock keeps two builders apart.

    Raises:
        LabError: debootstrap is missing or fails, or a package cannot be installed.
    """
    base, plain = base_directory(more), base_directory()
    if base.is_dir():
        return base
    with locked(CACHE_ROOT / "lock"):
        _remove_unfinished()
        if not plain.is_dir():
            print(f"lab: building the base in {plain} (once, about a minute)", file=sys.stderr)
            target = CACHE_ROOT / f".build-{plain.name}"
            _debootstrap(lab, target)
            finish(target)
            target.rename(plain)
        if not base.is_dir():
            print(f"lab: adding {' '.join(more)} to a copy of the base in {base} (once)", file=sys.stderr)
            target = CACHE_ROOT / f".build-{base.name}"
            run(["cp", "--archive", "--reflink=auto", str(plain), str(target)], timeout=300)
            _add_packages(lab, target, more)
            _switch_off_new_services(target, plain)
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
    source = apt.choose(list(apt.sources()), RELEASE)
    keyring = apt.keyring_of(source)
    argv = ["debootstrap", "--variant=minbase", *([f"--keyring={keyring}"] if keyring else [])]
    _build(lab, [*argv, f"--include={','.join(PACKAGES)}", RELEASE, str(target), source.uri])


def _add_packages(lab: Lab, target: Path, packages: Sequence[str]) -> None:
    source = apt.choose(list(apt.sources()), RELEASE)
    keyring = apt.keyring_of(source)
    options = f" [signed-by={keyring}]" if keyring else ""
    line = f"deb{options} {source.uri} {RELEASE} main"
    _build(lab, ["/bin/sh", str(ADD_PACKAGES_SCRIPT), str(target), line, *packages])


def _switch_off_new_services(target: Path, plain: Path) -> None:
    """Let the services of packages that were added wait until a test starts them."""
    for link in (target / "etc/systemd/system").glob("*.wants/*"):
        if not (plain / link.relative_to(target)).is_symlink():
            link.unlink()


def _build(lab: Lab, argv: Sequence[str]) -> None:
    """Run what builds a base, with mounts of its own, in the lab's cgroup: ``lab down`` ends it when this was killed."""
    environment = {**os.environ, **apt.proxy_environment(), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    log = CACHE_ROOT / ".build.log"
    with open(log, "wb") as output:
        command = ["unshare", "--mount", "--propagation", "private", *argv]
        child = cgroup.spawn(f"{lab.cgroup}/base", command, output=output, environment=environment)
        try:
            code = child.wait()
        finally:
            cgroup.kill(f"{lab.cgroup}/base")
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise LabError(f"{shlex.join(argv)} ended with exit code {code}; log: {log}\n{tail}")
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
