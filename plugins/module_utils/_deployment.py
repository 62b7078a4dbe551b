# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment: an image with the files that were made for it, and what it was made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Union

from ._record import dataclass

Value = Union[str, int, float, bool, list, dict]
"""A value that a template variable may have; lists and dicts only where a template takes raw JSON."""

UnitOptions = Mapping[str, Mapping[str, Any]]
"""Options of a unit by section: key to value, or to a list of values."""

SCHEMA = 1
"""Version of the record under the key ``system-containers`` of a deployment's ``info``."""


RENDERER = 1
"""Version of the rules that turn an image and values into files."""

MASK = "********"
"""What stands for a secret value wherever it is shown."""


@dataclass(frozen=True)
class GeneratedFile:
    """A text file that this collection writes; ``mode`` holds the permission bits.

    ``masked`` is the content as it may be shown, None when it holds no secret.
    """

    path: str
    content: str = field(repr=False)
    mode: int
    masked: str | None = None

    @property
    def shown(self) -> str:
        """The content without secrets."""
        return self.content if self.masked is None else self.masked

    @property
    def sha256(self) -> str:
        """Hex digest of the content as written (UTF-8)."""
        return hashlib.sha256(self.content.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True)
class HostFile:
    """What an image puts on the host (``/exports/hostfs``): a file, a link or a directory.

    ``kind`` is ``-``, ``l`` or ``d``, ``mode`` has the permission bits, ``sha256`` is the hex digest of a file's content,
    ``target`` a link's. ``origin`` is the path below ``rootfs`` with a file's content, ``content`` the text of one that was
    rendered from a template. ``ours`` is False for what the host had already, which is never removed.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    sha256: str | None = None
    target: str | None = None
    origin: str | None = None
    content: str | None = field(default=None, repr=False)
    masked: str | None = None
    ours: bool = True


@dataclass(frozen=True)
class Mount:
    """A mount that the user adds; ``create`` says what a bind's source becomes when it is missing: None, ``directory``
    or ``file``."""

    destination: str
    source: str | None = None
    type: str = "bind"
    options: tuple[str, ...] = ()
    create: str | None = None


@dataclass(frozen=True)
class Inputs:
    """What a deployment is made from: the same inputs never make a second deployment. ``secrets`` go before ``values``."""

    manifest_digest: str
    values: Mapping[str, Value]
    runtime: str
    mounts: tuple[Mount, ...] = ()
    secrets: Mapping[str, Value] = field(default_factory=dict, repr=False)

    def same_as(self, other: Inputs | None) -> bool:
        """Tell whether both make the same deployment; ``1`` and ``true`` are equal to Python, but not to a template."""
        return other is not None and self._key() == other._key()

    def _key(self) -> str:
        mounts = [dataclasses.asdict(mount) for mount in self.mounts]
        return json.dumps([self.manifest_digest, self.values, self.runtime, mounts, self.secrets], sort_keys=True)


@dataclass(frozen=True)
class Deployment:
    """A checked-out image with the files that were rendered for it, in one slot of a container.

    ``inputs`` is None for a deployment that Atomic left, whose user values are not told apart from computed ones.
    ``values`` are all values that rendering used, secret ones among them; ``created`` is in seconds since the epoch.
    ``unit_options`` (section to key to value or values) and ``created_directories`` (those that host files needed and the host
    lacked) belong to the container as it is on the host: they are no part of the id. ``renames`` are the image's
    ``renameFiles`` with the values filled in, kept for Atomic.
    ``warnings`` are what a user should know of how it was made; they are not recorded. ``atomic_info`` is the text of the
    record that Atomic wrote.
    """

    name: str
    slot: int
    directory: str
    id: str
    image: str
    image_id: str
    image_commit: str
    index_digest: str | None
    inputs: Inputs | None
    values: Mapping[str, Any] = field(repr=False)
    has_service: bool
    use_links: bool
    files: tuple[GeneratedFile, ...]
    created: int
    host_files: tuple[HostFile, ...] = ()
    unit_options: UnitOptions = field(default_factory=dict)
    created_directories: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    atomic_info: str | None = field(default=None, compare=False, repr=False)

    @property
    def user_values(self) -> dict[str, Value]:
        """The values that the user set; empty for a deployment that Atomic left."""
        return dict(self.inputs.values) if self.inputs else {}

    @property
    def manifest_digest(self) -> str | None:
        """Digest of the platform's manifest, None when Atomic did not record one."""
        return self.inputs.manifest_digest if self.inputs else None


def deployment_id(
    manifest_digest: str,
    files: tuple[GeneratedFile, ...],
    directory: str,
    *,
    host_files: tuple[HostFile, ...] = (),
    by_slot: bool = False,
) -> str:
    """Return the immutable id of a deployment: 12 hex digits over manifest digest, rendered files and host files.

    The slot's directory does not count, so that the same bytes have the same id in every slot; ``by_slot`` counts it in
    rendered host files, as early versions did.
    """
    total = hashlib.sha256(manifest_digest.encode())
    for host_file in host_files:
        facts = (host_file.path, host_file.kind, f"{host_file.mode:04o}", host_file.uid, host_file.gid)
        content = host_file.content or ""
        seen = host_file.sha256 if by_slot or directory not in content else content
        total.update(f"\0{facts}{seen}{host_file.target}".replace(directory, "").encode("utf-8", "surrogateescape"))
    for item in files:
        for part in (item.path, f"{item.mode:04o}", item.content):
            total.update(b"\0" + part.replace(directory, "").encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:12]


@dataclass(frozen=True)
class BrokenSlot:
    """A slot's directory that holds no usable deployment, and why; ``newer`` when a newer version wrote it."""

    slot: int
    directory: str
    reason: str
    newer: bool = False
