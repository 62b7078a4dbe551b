# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a container should be, what it is, and what is done about it: plain values, compared by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ._deployment import BrokenSlot, Deployment
from ._record import dataclass

KEEP = 2
"""Deployments kept on the host for each container unless a task says otherwise, the active one included."""


OWNER_LINE = "# Container: "
"""Begin of the line in a drop-in that says which container it is for; the container's link follows."""

ALSO_LINE = "# Also: "
"""Begin of the line there that names a file of the container that does not itself say whose it is."""


@dataclass(frozen=True)
class HostFileState:
    """What is on the host at the place of a host file; ``sha256`` is of a file's content, ``target`` a link's.

    ``kind`` is ``-``, ``l``, ``d``, ``?`` for any other, and ``x`` when ``target``, on the way there, is no directory.
    ``text`` is the content of a small text file, ``names`` is what a directory has in it.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    sha256: str | None = None
    target: str | None = None
    text: str | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileState:
    """A file as found on the host; ``mtime`` is in seconds since the epoch. A link is never followed."""

    content: bytes = field(repr=False)
    mode: int
    mtime: float
    is_link: bool = False


@dataclass(frozen=True)
class UnitState:
    """What systemd knows of a unit (properties of ``systemctl show``, see org.freedesktop.systemd1(5)).

    ``since`` is when the main process started, in seconds since the epoch; ``memory`` is in bytes, None where
    the host does not account; ``kind`` is the unit's ``Type``, ``has_job`` tells that a start or stop is under way,
    ``fragment`` is the file that it was read from.
    ``exit_code`` is how the main process ended at ``exited``: ``exited`` with ``exit_status``, or ``killed`` or ``dumped`` by
    the signal of that number. None while it runs, and when it never did.
    """

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    file_state: str = ""
    need_daemon_reload: bool = False
    pid: int | None = None
    since: float | None = None
    restarts: int = 0
    result: str = "success"
    exit_code: str | None = None
    exit_status: int = 0
    exited: float | None = None
    memory: int | None = None
    kind: str = "simple"
    has_job: bool = False
    fragment: str = ""

    @property
    def packaged(self) -> bool:
        """Whether a package brought the unit that systemd knows; one of the same name in /etc goes before it."""
        return self.fragment.startswith(("/usr/lib/systemd/system/", "/lib/systemd/system/"))

    @property
    def up(self) -> bool:
        """Whether the unit is up."""
        return self.active in ("active", "reloading", "refreshing")

    @property
    def running(self) -> bool:
        """Whether the unit is up or on its way there, so that a change has to stop it."""
        return self.active in ("active", "activating", "reloading", "deactivating", "refreshing")

    @property
    def enabled(self) -> bool:
        """Whether the unit starts at boot."""
        return self.file_state == "enabled"


@dataclass(frozen=True)
class Paths:
    """Where a container's files are on the host."""

    name: str
    root: str

    @property
    def link(self) -> str:
        """The link that names the active deployment."""
        return f"{self.root}/{self.name}"

    @property
    def unit_name(self) -> str:
        """The systemd unit of the container."""
        return f"{self.name}.service"

    @property
    def unit(self) -> str:
        """The unit file that systemd reads."""
        return f"/etc/systemd/system/{self.unit_name}"

    @property
    def drop_in(self) -> str:
        """The drop-in that every system container gets."""
        return f"/etc/systemd/system/{self.unit_name}.d/10-system-containers.conf"

    @property
    def unit_options(self) -> str:
        """The drop-in with the user's own options of the unit."""
        return f"/etc/systemd/system/{self.unit_name}.d/50-unit-options.conf"

    @property
    def journal(self) -> str:
        """The record of a change that is under way."""
        return f"{self.root}/.{self.name}.journal"

    @property
    def tmpfiles(self) -> str:
        """The tmpfiles.d(5) file."""
        return f"/etc/tmpfiles.d/{self.name}.conf"

    @property
    def tmpfiles_copy(self) -> str:
        """Name of the copy of the tmpfiles.d file in a slot."""
        return f"tmpfiles-{self.name}.conf"

    def slot(self, number: int) -> str:
        """The directory of the deployment in slot ``number``."""
        return f"{self.root}/{self.name}.{number}"


@dataclass(frozen=True)
class Readiness:
    """When a started service counts as ready: ``delay`` and ``timeout`` are in seconds, ``health_cmd`` is run inside of the
    container until it succeeds, if there is any."""

    delay: float = 3.0
    timeout: float = 60.0
    health_cmd: tuple[str, ...] = ()


@dataclass(frozen=True)
class Journal:
    """A change that was under way: what was done, whether the service ran before, and the slots that it was about.

    ``newer`` tells that a newer version of this collection did it, so that only such a one can finish or undo it.
    ``host_files`` are the slots whose host files the container still has; None: the change has not come to those yet.
    """

    operation: str
    running: bool
    slots: tuple[int, ...] = ()
    newer: bool = False
    host_files: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Observed:
    """A container as found on the host.

    ``files`` maps the path of each file that may belong to the container to its state, None when it is missing.
    ``link_slot`` is the slot that the link leads to, ``active_slot`` the slot in use, found also without the link.
    ``problem`` says what is in the way of any change. ``runtime_bundle`` is the bundle of the container of this name that
    the runtime knows (empty: it does not tell), None when it knows none. ``enablement_links`` are the links by which
    systemd starts the unit at boot, ``leftovers`` what an interrupted run left. ``host_files`` maps the path of each
    recorded host file, and of each that was asked for, to what is there; ``journal`` is of a change that was interrupted.
    ``shared`` are the host files that other containers have too, ``host_leftovers`` temporary files beside host files;
    ``system_links`` are the links by which the host has two paths for one place, link to where it leads.
    ``damaged`` are the slots whose root file system was found damaged, if that was asked for.
    """

    paths: Paths
    deployments: tuple[Deployment, ...] = ()
    broken: tuple[BrokenSlot, ...] = ()
    has_link: bool = False
    problem: str | None = None
    link_slot: int | None = None
    active_slot: int | None = None
    files: Mapping[str, FileState | None] = field(default_factory=dict)
    unit: UnitState = field(default_factory=UnitState)
    runtime_bundle: str | None = None
    enablement_links: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    host_files: Mapping[str, HostFileState | None] = field(default_factory=dict)
    journal: Journal | None = None
    shared: frozenset[str] = frozenset()
    host_leftovers: tuple[str, ...] = ()
    system_links: Mapping[str, str] = field(default_factory=dict)
    damaged: frozenset[int] = frozenset()

    @property
    def was_running(self) -> bool:
        """Whether the service runs, or ran before a change that was interrupted."""
        return self.own_unit.running or (self.journal is not None and self.journal.running)

    @property
    def active(self) -> Deployment | None:
        """The deployment in use, None when there is none or it is broken."""
        for deployment in self.deployments:
            if deployment.slot == self.active_slot:
                return deployment
        return None

    @property
    def with_host_files(self) -> tuple[Deployment, ...]:
        """The deployments whose host files others leave alone: in use, or on the way to be, or not gone yet."""
        slots = {self.active_slot, *(self.journal.slots if self.journal else ())}
        if self.journal is not None and self.journal.host_files is not None:
            slots = set(self.journal.host_files)
        return tuple(item for item in self.deployments if item.slot in slots)

    @property
    def exists(self) -> bool:
        """Whether anything of the container is on the host; a unit or file of the same name may be somebody else's."""
        return (
            bool(self.deployments or self.broken or self.has_link or self.leftovers or self.journal) or self.owns_unit
        )

    @property
    def unit_owner(self) -> str | None:
        """The link of the container that the drop-in says it is for, None when there is no such drop-in."""
        drop_in = self.files.get(self.paths.drop_in)
        return next(iter(_marked(drop_in, OWNER_LINE)), None)

    @property
    def owns_unit(self) -> bool:
        """Whether the unit of this name is the container's: by its drop-in, where it leads to, or the record."""
        if self.unit_owner is not None:
            return self.unit_owner == self.paths.link
        unit = self.files.get(self.paths.unit)
        if unit is not None and f"{self.paths.link}.".encode() in unit.content:
            return True
        return any(item.has_service for item in self._in_use)

    @property
    def _in_use(self) -> tuple[Deployment, ...]:
        """The deployments whose files may be in place: those of the active one; while a change is under way of all.

        In the place of files that only a kept one has, anybody may have put others.
        """
        return self.deployments if self.active is None or self.journal is not None else (self.active,)

    @property
    def stale_runtime_state(self) -> bool:
        """Whether the runtime knows this very container although its unit is not running."""
        return not self.own_unit.running and self.owns_runtime_state

    @property
    def owns_runtime_state(self) -> bool:
        """Whether the runtime knows a container of this name that runs from one of the slots."""
        return self.runtime_bundle is not None and self.runtime_bundle.startswith(f"{self.paths.link}.")

    @property
    def own_unit(self) -> UnitState:
        """The state of the container's unit; that of no unit when the unit of this name is somebody else's."""
        return self.unit if self.owns_unit and not self.unit.packaged else UnitState()

    @property
    def own_files(self) -> dict[str, FileState]:
        """The existing files that belong to the container, without those in its slots."""
        recorded = {file.path for item in self._in_use for file in item.files}
        if self.owns_unit:
            recorded |= {
                self.paths.unit,
                self.paths.drop_in,
                self.paths.unit_options,
                *_marked(self.files.get(self.paths.drop_in), ALSO_LINE),
            }
        tmpfiles = self.files.get(self.paths.tmpfiles)
        copies = [state for path, state in self.files.items() if path.endswith(f"/{self.paths.tmpfiles_copy}")]
        if tmpfiles is not None and any(copy is not None and copy.content == tmpfiles.content for copy in copies):
            recorded.add(self.paths.tmpfiles)
        prefix = self.paths.root + "/"
        return {
            path: state
            for path, state in self.files.items()
            if state is not None and path in recorded and not path.startswith(prefix)
        }


def _marked(file: FileState | None, mark: str) -> list[str]:
    """Return what follows ``mark`` in the lines of a file that begin with it."""
    lines = file.content.decode("utf-8", "replace").splitlines() if file else []
    return [line[len(mark) :] for line in lines if line.startswith(mark)]


@dataclass(frozen=True)
class HostFacts:
    """What rendering takes from the host; ``capabilities`` are those of its bounding set, in the kernel's order.

    ``selinux`` and ``apparmor`` tell whether they are on, ``cgroup2`` whether its cgroups are v2 alone. ``controllers`` are the
    cgroup controllers that it has, None when that is not known. ``limits`` has the most that a service may get of a
    resource (``RLIMIT_*``); missing: as much as it likes.
    """

    uid: int
    gid: int
    runtime: str
    machine_id: str
    capabilities: tuple[str, ...]
    selinux: bool = False
    apparmor: bool = False
    cgroup2: bool = True
    controllers: frozenset[str] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
