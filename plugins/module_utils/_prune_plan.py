# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what of the store is not needed any more, from what was observed (pure).

Whatever may still be needed, or may be somebody else's, stays: a doubt never removes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from ._actions import RemoveDirectory, RemoveLeftover
from ._container_name import is_container_name
from ._deployment import Deployment
from ._gvariant import CommitHeader
from ._image_actions import PruneObjects, RemoveBlob
from ._image_name import IMPORT_KEY, REF_PREFIX
from ._models import Observed
from ._oci_image import Manifest
from ._plan import Plan, text_diff
from ._record import dataclass

HEADS = "heads/"
"""Begin of the refs among which those of images and layers are, below ``refs`` of the repository."""

_BLOB_REF = re.compile(HEADS + REF_PREFIX + r"[0-9a-f]{64}\Z")
_LEFTOVER = re.compile(r"\.+(?P<name>[^.].*?)(?P<slot>\.(?:0|[1-9][0-9]*))?(?:\.new|\.removed)(?:\.removed)*\Z")


@dataclass(frozen=True)
class RepositorySeen:
    """What a repository holds.

    ``refs`` are all refs, named by their path below ``refs``, with their commits (None: cannot be read); ``images`` the
    manifests of all images by ref; ``unreadable`` maps the refs of the other images to the reason; ``commits`` are the
    headers of all commits that can be read; ``leftovers`` the paths of temporary folders that nobody uses.
    """

    refs: Mapping[str, str | None] = field(default_factory=dict)
    images: Mapping[str, Manifest] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    commits: Mapping[str, CommitHeader] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContainersSeen:
    """What is below the directory of the containers, without what another run is busy with.

    ``checkouts`` are the directories of slots that hold a root file system, ``in_use`` those with a process or a mount
    in them, ``leftovers`` the paths that an interrupted run left, ``busy`` the containers that another run changes.
    """

    containers: Mapping[str, Observed] = field(default_factory=dict)
    checkouts: frozenset[str] = frozenset()
    in_use: frozenset[str] = frozenset()
    leftovers: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Doomed:
    """What goes: refs of blobs, commits and ``objects`` that nothing reaches, checkouts, old deployments, leftovers."""

    refs: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    checkouts: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[str, ...]:
        """All paths that are removed outside of the repository's objects and refs."""
        return (*self.checkouts, *self.deployments, *self.leftovers)

    def describe(self) -> dict[str, Any]:
        """Return what a result shows as removed."""
        return {
            "blobs": ["sha256:" + ref[len(REF_PREFIX) :] for ref in self.refs],
            "commits": list(self.commits),
            "objects": len(self.objects),
            "checkouts": list(self.checkouts),
            "deployments": list(self.deployments),
            "leftovers": list(self.leftovers),
        }


def choose(
    repository: RepositorySeen, containers: ContainersSeen, *, keep: int | None, protected: frozenset[str]
) -> Doomed:
    """Return what goes, but for the objects, which depend on it.

    ``keep`` is how many deployments each container keeps, the active one included (None: all of them). Nothing in
    ``protected`` goes: paths, refs of images and layers, and commits that an interrupted operation still needs.
    """
    refs = [ref for ref in _unused_blobs(repository) if ref not in protected]
    checkouts, deployments = [], []
    for name in sorted(containers.containers):
        observed = containers.containers[name]
        if _is_orphaned(observed):
            checkouts += [path for path in _checkouts(observed, containers) if _is_free(path, observed, containers)]
        else:
            checkouts += _broken(observed, containers)
            deployments += _surplus(observed, containers, keep)
    leftovers = sorted({*repository.leftovers, *containers.leftovers} - containers.in_use)
    return Doomed(
        refs=tuple(refs),
        commits=tuple(_unused_commits(repository, gone=refs, protected=protected)),
        checkouts=tuple(path for path in checkouts if path not in protected),
        deployments=tuple(path for path in deployments if path not in protected),
        leftovers=tuple(path for path in leftovers if path not in protected),
        warnings=tuple(_warnings(repository, containers)),
    )


def with_objects(doomed: Doomed, objects: Sequence[str]) -> Doomed:
    """Add the objects (checksum and kind) that nothing reaches once all else has gone."""
    return replace(doomed, objects=tuple(sorted(objects)))


def without_repository(doomed: Doomed, reason: str) -> Doomed:
    """Leave refs and objects alone, as it cannot be told what is reached."""
    warning = (
        f"Nothing is pruned from the OSTree repository, as not all of it can be read: {reason}. Mend its images with "
        "'verify: true', and see what else is damaged with 'ostree fsck'"
    )
    return replace(doomed, refs=(), commits=(), objects=(), warnings=(*doomed.warnings, warning))


def plan_prune(doomed: Doomed, *, header: str, size: int) -> Plan:
    """Return the actions, in an order in which each may be the last one, and the diff; ``size`` is in bytes.

    Folders go first: they hold links to objects.
    """
    actions: list[object] = [RemoveDirectory(path) for path in (*doomed.checkouts, *doomed.deployments)]
    actions += [RemoveLeftover(path) for path in doomed.leftovers]
    actions += [RemoveBlob(ref) for ref in doomed.refs]
    if doomed.commits or doomed.objects:
        actions.append(PruneObjects(doomed.commits, len(doomed.objects)))
    if not actions:
        return Plan((), ())
    lines = [*doomed.folders, *doomed.refs, *(f"commit {commit}" for commit in doomed.commits)]
    lines.append(f"{len(doomed.objects)} objects that nothing reaches")
    lines.append(f"{size} bytes in all of these")
    return Plan(tuple(actions), (text_diff(header=header, before="\n".join(lines) + "\n", after=""),))


def leftover_owner(name: str, *, is_link: bool) -> str | None:
    """Return the container that a temporary name below the containers' directory belongs to; None for any other name.

    ``.NAME.N.new`` and ``.NAME.N.removed`` are directories on their way into and out of a slot, ``.NAME.new`` the next
    link; removing a directory first puts another dot before its name and another ``.removed`` behind it.
    """
    match = _LEFTOVER.match(name)
    if match is None or not is_container_name(match.group("name")) or (match.group("slot") is None) != is_link:
        return None
    return match.group("name")


def _unused_blobs(seen: RepositorySeen) -> list[str]:
    """Return the refs of layers and configurations that no image names; none as long as an image cannot be read.

    What such a ref names has to be a blob, or not to be there at all: 64 hex digits alone prove nothing.
    """
    if seen.unreadable:
        return []
    named = {item.ref for manifest in seen.images.values() for item in (manifest.config, *manifest.layers)}
    unused = []
    for path, commit in sorted(seen.refs.items()):
        ref = path[len(HEADS) :]
        header = seen.commits.get(commit) if commit is not None else None
        if _BLOB_REF.match(path) and ref not in named and (header is None or "docker.size" in header.metadata):
            unused.append(ref)
    return unused


def _unused_commits(seen: RepositorySeen, *, gone: Sequence[str], protected: frozenset[str]) -> Iterator[str]:
    """Yield the commits of this collection's that no ref names, once the refs ``gone`` have gone."""
    removed = {HEADS + ref for ref in gone}
    named = {commit for path, commit in seen.refs.items() if path not in removed}
    for commit, header in sorted(seen.commits.items()):
        if commit in named or commit in protected:
            continue
        if _is_import(header) or (_is_record(header) and not seen.unreadable and None not in named):
            yield commit


def _is_import(header: CommitHeader) -> bool:
    """Tell whether a commit is what an import left; before it had a mark, it had nothing at all but its tree."""
    return header.metadata.get(IMPORT_KEY) == "1" or header.is_bare


def _is_record(header: CommitHeader) -> bool:
    """Tell whether a commit is that of an image, a layer or a configuration."""
    return "docker.digest" in header.metadata or "docker.size" in header.metadata


def _is_orphaned(observed: Observed) -> bool:
    """Tell whether nothing on the host leads to a container: no link, no unit, no file, nothing that runs."""
    paths = observed.paths
    if observed.has_link or observed.problem is not None or any(broken.newer for broken in observed.broken):
        return False
    if observed.runtime_bundle == "" or observed.owns_runtime_state:
        return False
    own_files = set(observed.own_files)
    if observed.unit_owner not in (None, paths.link):  # the unit of this name is another container's
        return not own_files - {paths.unit, paths.drop_in, paths.tmpfiles}
    # A unit whose file is gone runs on, as "not-found".
    has_unit = observed.unit.load != "not-found" or observed.unit.running
    return not own_files and not has_unit and not any(map(observed.files.get, (paths.unit, paths.drop_in)))


def _checkouts(observed: Observed, seen: ContainersSeen) -> list[str]:
    """Return the slots that hold a deployment or a part of one, the oldest first; other directories are not ours."""
    broken = [item.directory for item in observed.broken if item.directory in seen.checkouts]
    return [*broken, *(item.directory for item in _by_age(observed))]


def _by_age(observed: Observed) -> list[Deployment]:
    return sorted(observed.deployments, key=lambda item: (item.created, item.slot))


def _broken(observed: Observed, seen: ContainersSeen) -> list[str]:
    """Return the parts of deployments that a container in good order does not use."""
    if not _is_settled(observed):
        return []
    return [
        item.directory
        for item in observed.broken
        if item.directory in seen.checkouts
        and item.slot not in (observed.active_slot, observed.link_slot)
        and _is_free(item.directory, observed, seen)
    ]


def _surplus(observed: Observed, seen: ContainersSeen, keep: int | None) -> list[str]:
    """Return the oldest inactive deployments beyond ``keep``, which counts the active one."""
    if keep is None or not _is_settled(observed):
        return []
    inactive = [item for item in _by_age(observed) if item.slot not in (observed.active_slot, observed.link_slot)]
    surplus = inactive[: max(0, len(inactive) - (keep - 1))]
    return [item.directory for item in surplus if _is_free(item.directory, observed, seen)]


def _is_settled(observed: Observed) -> bool:
    """Tell whether it is beyond doubt which deployment is in use."""
    newer = any(broken.newer for broken in observed.broken)
    known = observed.active is not None and observed.link_slot is not None
    return known and observed.problem is None and not newer and observed.runtime_bundle != ""


def _is_free(directory: str, observed: Observed, seen: ContainersSeen) -> bool:
    """Tell whether nothing runs from a slot and no unit file or drop-in names it."""
    if directory in seen.in_use or directory == observed.runtime_bundle:
        return False
    named = re.compile(re.escape(directory.encode("utf-8", "surrogateescape")) + rb"(?![0-9])")
    files = [observed.files.get(path) for path in (observed.paths.unit, observed.paths.drop_in)]
    return not any(file is not None and named.search(file.content) for file in files)


def _warnings(repository: RepositorySeen, containers: ContainersSeen) -> Iterator[str]:
    for ref, reason in sorted(repository.unreadable.items()):
        yield (
            f"No layer is pruned, as it cannot be told which layers '{ref}' needs ({reason}):"
            " pull this image again, or remove it with 'state: absent'"
        )
    for name in containers.busy:
        yield f"What the system container '{name}' left is not pruned, as another run is changing it: try again later"
