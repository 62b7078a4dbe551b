# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what becomes of host files: which are installed, removed, kept as somebody edited them, or in the way."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable, Mapping, Sequence

from ._actions import InstallHostFile, MakeHostDirectory
from ._deployment import Deployment, HostFile
from ._errors import InvalidInputError
from ._host_file_changes import HostFileChanges
from ._host_places import NO_LINKS, Links, place_of, place_of_file, placed, wanted_by_place
from ._models import HostFileState, Observed, Paths
from ._parents import parents_of
from ._record import dataclass

Found = Mapping[str, "HostFileState | None"]
"""What ``observe`` of ``_host_file_io`` returns, by place: also the parents that are missing, as None."""


def observed_paths(deployments: Iterable[Deployment], links: Links = NO_LINKS) -> tuple[str, ...]:
    """Return the places on the host that have to be looked at to decide about the host files of deployments."""
    paths: set[str] = set()
    for deployment in deployments:
        paths.update(place_of_file(file, links) for file in deployment.host_files)
        paths.update(place_of(path, links) for path in deployment.created_directories)
    return tuple(sorted(paths))


def shared_paths(others: Iterable[Deployment], links: Links = NO_LINKS) -> frozenset[str]:
    """Return the places of host files and created directories that other containers' deployments count on.

    What the host had before any container is not among them: it is nobody's to remove.
    """
    paths: set[str] = set()
    for deployment in others:
        paths.update(place_of_file(file, links) for file in deployment.host_files if file.ours)
        paths.update(place_of(path, links) for path in deployment.created_directories)
    return frozenset(paths)


def edited_files(deployment: Deployment, found: Found, links: Links = NO_LINKS) -> tuple[str, ...]:
    """Return the places of a deployment's host files that are there, but not as recorded."""
    states = ((file, found.get(file.path)) for file in placed(deployment.host_files, links))
    return tuple(file.path for file, state in states if state is not None and not matches(file, state))


def missing_files(deployment: Deployment, found: Found, links: Links = NO_LINKS) -> tuple[str, ...]:
    """Return the places of a deployment's host files where nothing is."""
    return tuple(file.path for file in placed(deployment.host_files, links) if found.get(file.path) is None)


def matches(file: HostFile, state: HostFileState | None) -> bool:
    """Tell whether what is on the host is the file. A directory is one, whatever its mode; -1 was not recorded."""
    if state is None:
        return False
    if file.kind == "?":
        return state.kind in ("l", "d")
    if state.kind != file.kind:
        return False
    if file.kind == "-":
        pairs = ((file.mode, state.mode), (file.uid, state.uid), (file.gid, state.gid))
        return file.sha256 == state.sha256 and all(recorded in (-1, actual) for recorded, actual in pairs)
    return file.kind == "d" or file.target == state.target


def host_file_changes(observed: Observed, target: Deployment | None, *, force: bool = False) -> HostFileChanges:
    """Return what makes a container's host files, as observed, those of ``target``, or removes them when that is None."""
    if target is None:
        return plan_host_files_absent(
            deployments=observed.deployments,
            found=observed.host_files,
            shared=observed.shared,
            links=observed.system_links,
            leftovers=observed.host_leftovers,
        )
    return plan_host_files(
        target=target,
        active=observed.active,
        kept=observed.deployments,
        found=observed.host_files,
        shared=observed.shared,
        links=observed.system_links,
        force=force,
        interrupted=observed.journal is not None,
        leftovers=observed.host_leftovers,
    )


def plan_host_files(
    *,
    target: Deployment,
    active: Deployment | None,
    kept: Sequence[Deployment],
    found: Found,
    shared: frozenset[str] = frozenset(),
    links: Links = NO_LINKS,
    force: bool = False,
    interrupted: bool = False,
    leftovers: Sequence[str] = (),
) -> HostFileChanges:
    """Return what makes the host files those of ``target``.

    ``kept`` are all deployments of the container, ``shared`` is what ``shared_paths`` returns for the other containers.
    ``links`` are those of the system that the host has; all paths that are returned, but for records, are places.
    ``force`` replaces edited and foreign files. With ``interrupted`` a change ended half way, so that what is there may be of
    any kept deployment. ``leftovers`` are temporary files of killed runs. Raises ``InvalidInputError``, naming all, when
    something else is in the place of a host file.
    """
    check_places(target)
    records = _Records.of(active, kept, links=links, interrupted=interrupted)
    wanted = wanted_by_place(target, links)
    gone = _gone(records, wanted, found, shared, leftovers)
    decisions = {
        path: _decide(file, gone.state(path, found), records=records, shared=shared, force=force, settled=interrupted)
        for path, file in wanted.items()
    }
    conflicts = [f"'{path}' {decision.conflict}" for path, decision in decisions.items() if decision.conflict]
    if conflicts:
        way_out = "move them away" if force else "move them away, or set 'force_host_files' to replace files and links"
        raise InvalidInputError(
            f"Files that '{target.name}' puts on the host cannot be put there: {'; '.join(conflicts)}. Nothing was changed:"
            f" {way_out}"
        )
    installed = [wanted[path] for path, decision in decisions.items() if decision.install]
    parents = _missing_parents(installed, found, gone)
    directories = {file.path: file.origin for file in installed if file.kind == "d"}
    made = {**parents, **directories}
    return HostFileChanges(
        remove=gone.files,
        remove_directories=gone.directories,
        make=tuple(MakeHostDirectory(path, target.directory, made[path]) for path in sorted(made)),
        install=tuple(InstallHostFile(file, target.directory) for file in installed if file.kind != "d"),
        edited=tuple(sorted({*gone.edited, *(path for path, decision in decisions.items() if decision.edited)})),
        host_files=tuple(
            dataclasses.replace(file, ours=decisions[place_of_file(file, links)].ours) for file in target.host_files
        ),
        created_directories=_created(
            records, wanted, parents, found=found, gone=gone, shared=shared, renewed=_is_another(target, active)
        ),
    )


def plan_host_files_absent(
    *,
    deployments: Sequence[Deployment],
    found: Found,
    shared: frozenset[str] = frozenset(),
    links: Links = NO_LINKS,
    leftovers: Sequence[str] = (),
) -> HostFileChanges:
    """Return what removes the host files of all deployments, but for edited and shared ones, and what was there before."""
    records = _Records.of(None, deployments, links=links, interrupted=True)
    gone = _gone(records, {}, found, shared, leftovers)
    return HostFileChanges(remove=gone.files, remove_directories=gone.directories, edited=gone.edited)


@dataclass(frozen=True)
class _Records:
    """What was put on the host, as far as recorded: ``files`` by place, that of the active deployment first.

    ``known`` are the places that any kept deployment has, ``created`` has those of directories by the paths as recorded.
    """

    files: Mapping[str, Sequence[HostFile]]
    known: frozenset[str]
    created: Mapping[str, str]
    links: Links

    @classmethod
    def of(cls, active: Deployment | None, kept: Sequence[Deployment], *, links: Links, interrupted: bool) -> _Records:
        first = [active] if active is not None else []
        others = [item for item in kept if active is None or item.slot != active.slot]
        deployments = [*first, *others] if interrupted or active is None else first
        files: dict[str, list[HostFile]] = {}
        for deployment in deployments:
            for file in placed(deployment.host_files, links):
                files.setdefault(file.path, []).append(file)
        known = frozenset(place_of_file(file, links) for item in (*first, *others) for file in item.host_files)
        created = {path: place_of(path, links) for item in deployments for path in item.created_directories}
        return cls(files, known, created, links)

    @property
    def directories(self) -> frozenset[str]:
        """The directories that were made for this container: on the way to its files, and among them."""
        own = (path for path, items in self.files.items() if any(item.ours and item.kind in "d?" for item in items))
        return frozenset((*self.created.values(), *own))

    def untouched(self, path: str, state: HostFileState | None) -> bool:
        """Tell whether a file is there as it was put there."""
        return any(matches(record, state) for record in self.files.get(path, ()))

    def ours(self, path: str) -> bool:
        """Tell whether this container put the file there."""
        return any(record.ours for record in self.files.get(path, ()))

    def is_system_link(self, path: str) -> bool:
        """Tell whether the host has a link of the system there that this container did not put there."""
        return path in self.links and not self.ours(path)


@dataclass(frozen=True)
class _Gone:
    """What is removed: ``files``, and ``directories`` (the deepest first); ``edited`` ones stay."""

    files: tuple[str, ...]
    directories: tuple[str, ...]
    edited: tuple[str, ...]

    def state(self, path: str, found: Found) -> HostFileState | None:
        """Return what is at a path once the others are removed; ``KeyError`` for one that nobody looked at."""
        state = found[path]
        if path in self.files or path in self.directories:
            return None
        if state is not None and state.kind == "x" and state.target in self.files:
            return None
        return state


@dataclass(frozen=True)
class _Decision:
    """What becomes of one host file: at most one of ``install``, ``edited`` and ``conflict`` is set."""

    ours: bool
    install: bool = False
    edited: bool = False
    conflict: str = ""


def _gone(
    records: _Records, wanted: Mapping[str, HostFile], found: Found, shared: frozenset[str], leftovers: Sequence[str]
) -> _Gone:
    """Return what the container no longer has, or has as something that cannot replace it in one step."""
    files, edited = list(leftovers), []
    for path in sorted(records.files):
        state = found.get(path)
        if state is None or state.kind == "d" or not records.ours(path) or path in shared:
            continue
        if path in wanted and wanted[path].kind != "d":
            continue
        if records.untouched(path, state):
            files.append(path)
        elif path not in wanted:
            edited.append(path)
    needed = {*wanted, *(folder for path in wanted for folder in parents_of(path))}
    needed -= {path for path, file in wanted.items() if file.kind != "d"}
    directories: list[str] = []
    for path in sorted(records.directories - needed - shared, key=lambda path: (-path.count("/"), path)):
        state = found.get(path)
        removed = {posixpath.basename(item) for item in (*files, *directories) if posixpath.dirname(item) == path}
        if state is not None and state.kind == "d" and removed.issuperset(state.names):
            directories.append(path)
    return _Gone(tuple(files), tuple(directories), tuple(edited))


def _decide(
    file: HostFile,
    state: HostFileState | None,
    *,
    records: _Records,
    shared: frozenset[str],
    force: bool,
    settled: bool,
) -> _Decision:
    """Decide about one file of the new deployment; ``settled`` says that conflicts were looked at before."""
    path = file.path
    ours = records.ours(path) or path in records.created.values() or (path not in records.files and path in shared)
    if state is None:
        return _Decision(ours=True, install=True)
    if matches(file, state):
        return _Decision(ours=ours)
    if path in records.known and not force and not records.untouched(path, state):
        return _Decision(ours=ours, edited=True)
    obstacle = "is a link of the system" if records.is_system_link(path) else _obstacle(file, state)
    if obstacle:
        return _Decision(ours=ours, conflict=obstacle)
    if force:
        return _Decision(ours=True, install=True)
    if not records.untouched(path, state):
        return _Decision(ours=ours, conflict=_difference(file, state))
    if not records.ours(path):
        return _Decision(ours=ours, conflict=f"was on the host before, and {_difference(file, state)}")
    if path in shared and not settled:
        return _Decision(ours=ours, conflict="is also of another container, and would change")
    return _Decision(ours=True, install=True)


def _obstacle(file: HostFile, state: HostFileState) -> str:
    """Say what is in the way that is never replaced, empty when nothing is."""
    if state.kind == "x":
        return f"is below '{state.target}', which is a link or a file"
    if state.kind == "d":
        return "is a directory"
    if state.kind == "?":
        return "is a device, fifo or socket"
    return "is no directory" if file.kind == "d" else ""


def _difference(file: HostFile, state: HostFileState) -> str:
    if state.kind == "l":
        return f"is a link to '{state.target}'"
    if file.kind == "l":
        return "is a file"
    if state.sha256 != file.sha256:
        return "has other content"
    if state.mode != file.mode:
        return f"has mode {state.mode:04o} instead of {file.mode:04o}"
    return f"belongs to {state.uid}:{state.gid} instead of {file.uid}:{file.gid}"


def _missing_parents(installed: Iterable[HostFile], found: Found, gone: _Gone) -> dict[str, str | None]:
    """Return the directories that have to be made, each with the one in the image that it is like."""
    missing: dict[str, str | None] = {}
    for file in installed:
        for folder in parents_of(file.path):
            if folder in gone.files or (folder in found and found[folder] is None):
                missing[folder] = missing.get(folder) or _like(folder, file)
    return missing


def _like(folder: str, file: HostFile) -> str | None:
    """Return the directory of the image that a parent of a host file stands for, None when it was renamed to elsewhere."""
    below = file.path[len(folder) :]
    origin = file.origin or ""
    return origin[: -len(below)] if origin.endswith(below) else None


def _created(
    records: _Records,
    wanted: Mapping[str, HostFile],
    made: Iterable[str],
    *,
    found: Found,
    gone: _Gone,
    shared: frozenset[str],
    renewed: bool,
) -> tuple[str, ...]:
    """Return the directories that go when they are empty one day.

    Those of others that a ``renewed`` deployment needs no more are left to them.
    """
    left = set()
    for path in records.directories - set(wanted) - (shared if renewed else frozenset()):
        state = found.get(path)
        if state is not None and state.kind == "d" and path not in gone.directories:
            left.add(path)
    parents = {folder for path in wanted for folder in parents_of(path)}
    places = {*left, *made, *(parents & shared)}
    recorded = {path: place for path, place in records.created.items() if place in places}
    return tuple(sorted({*recorded, *(places - set(recorded.values()))}))


def _is_another(target: Deployment, active: Deployment | None) -> bool:
    return active is None or (target.slot, target.id) != (active.slot, active.id)


def check_places(target: Deployment) -> None:
    """Raise when a host file would be one of the container's own files, or among the deployments."""
    root = posixpath.dirname(target.directory)
    paths = Paths(name=target.name, root=root)
    own = {paths.unit, paths.drop_in, paths.unit_options, paths.tmpfiles}
    for file in target.host_files:
        if file.path in own or file.path.startswith(root + "/"):
            raise InvalidInputError(
                f"The image puts '{file.path}' on the host, which is this collection's own file or folder: mend renameFiles in"
                " its manifest.json, or the values that it uses"
            )
