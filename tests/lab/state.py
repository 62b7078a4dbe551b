# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, paths, locks and the record of a lab.

Every name that a lab uses on the machine (interfaces, cgroups, folders) follows from its id, so that
``lab down`` finds all of it even when the record is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .process import LabError

STATE_ROOT = Path("/var/lib/system-containers-lab")
CACHE_ROOT = Path("/var/cache/system-containers-lab")
CHECKOUT = Path(__file__).resolve().parents[2]
ID_VARIABLE = "SYSTEM_CONTAINERS_LAB_ID"

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_RESERVED_NAMES = ("lab", "all", "ungrouped", "localhost")


def lab_id(environment: Mapping[str, str]) -> str:
    """Return the lab's id: from the environment, else a hash of this checkout's real path.

    Raises:
        LabError: the environment's value is no valid id.
    """
    wanted = environment.get(ID_VARIABLE, "")
    if not wanted:
        return hashlib.sha256(os.fsencode(str(CHECKOUT))).hexdigest()[:8]
    if not _ID.fullmatch(wanted):
        raise LabError(f"{ID_VARIABLE}={wanted!r}: an id is 1 to 16 lower-case letters, digits and hyphens")
    return wanted


def check_host_name(name: str) -> str:
    """Return a host's name unchanged.

    Raises:
        LabError: it is no valid host name, or a group's name in the inventory.
    """
    if not _HOST_NAME.fullmatch(name):
        raise LabError(f"{name!r}: a host's name is 1 to 32 lower-case letters, digits and inner hyphens")
    if name in _RESERVED_NAMES:
        raise LabError(f"{name!r}: this name has a meaning in Ansible inventories, choose another")
    return name


@dataclass(frozen=True)
class Lab:
    """The names of one lab."""

    id: str

    @property
    def tag(self) -> str:
        """Eight hex digits for names of limited length."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:8]

    @property
    def directory(self) -> Path:
        """Folder of all that the lab keeps."""
        return STATE_ROOT / self.id

    @property
    def lock_file(self) -> Path:
        """Held while the lab changes; beside the folder, which comes and goes."""
        return STATE_ROOT / f"{self.id}.lock"

    @property
    def record_file(self) -> Path:
        """The record as JSON."""
        return self.directory / "lab.json"

    @property
    def bridge(self) -> str:
        """Name of the bridge, at most 15 characters."""
        return f"scl{self.tag}"

    @property
    def interface_prefix(self) -> str:
        """What the machine's ends of the hosts' cables start with."""
        return f"v{self.tag}-"

    @property
    def cgroup(self) -> str:
        """Name of the lab's cgroup below the root of each hierarchy."""
        return f"system-containers-lab-{self.id}"

    def host_directory(self, name: str) -> Path:
        """Folder of one host."""
        return self.directory / "hosts" / name

    def mac(self, number: int) -> str:
        """Return a MAC address that stays the same when a host or the bridge is made anew.

        Args:
            number: last byte of the IPv4 address it belongs to.
        """
        pairs = [self.tag[index : index + 2] for index in range(0, 8, 2)]
        return ":".join(["02", *pairs, f"{number:02x}"])


@dataclass
class Record:
    """What a lab cannot derive from its id: what was chosen for it. Written before it is acted on."""

    subnet: str = ""
    hosts: dict[str, int] = field(default_factory=dict)
    registry: dict[str, Any] = field(default_factory=dict)
    last_number: int = 0

    def address(self, number: int) -> str:
        """Return the IPv4 address that ends in number.

        Raises:
            LabError: the lab has no network yet.
        """
        if not self.subnet:
            raise LabError("this lab has no network yet; run: lab up NAME, or lab registry")
        return f"{self.subnet.rsplit('.', 1)[0]}.{number}"

    def host_address(self, name: str) -> str:
        """Return the IPv4 address of a host.

        Raises:
            LabError: there is no such host.
        """
        if name not in self.hosts:
            known = ", ".join(sorted(self.hosts)) or "none"
            raise LabError(f"no host {name!r} in this lab (hosts: {known}); run: lab up {name}")
        return self.address(self.hosts[name])


def load_record(lab: Lab) -> Record:
    """Read the record of a lab; an empty one when there is none."""
    try:
        data = json.loads(lab.record_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Record()
    return Record(**data)


def save_record(lab: Lab, record: Record) -> None:
    """Write the record of a lab, readable by root alone: it holds the registry's password."""
    lab.directory.mkdir(parents=True, exist_ok=True)
    write_file(lab.record_file, json.dumps(asdict(record), indent=2) + "\n", mode=0o600)


def write_file(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Write a file so that readers see the old or the new content, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
    os.replace(temporary, path)


@contextlib.contextmanager
def locked(path: Path, *, belongs_to: Path | None = None) -> Iterator[None]:
    """Hold a lock file; the kernel frees it when the process ends, however it ends.

    Args:
        path: the lock file, made when missing.
        belongs_to: a folder; the lock file goes at the end when this does not exist. Waiters notice and make a new one.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the folder was removed by another lab's end
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_same_file(descriptor, path):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        if belongs_to is not None and not belongs_to.exists():
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        os.close(descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    found: os.stat_result | None = None
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(path)
    return found is not None and os.path.samestat(os.fstat(descriptor), found)
