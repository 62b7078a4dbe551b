# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a config.json says that does not fit its image: the program, mounts, capabilities (pure)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ._capabilities import capability_names
from ._errors import InvalidInputError
from ._lint_findings import Finding
from ._mount_targets import Lookup, mount_places, resolve_path
from ._mounts import clean_path
from ._runtime_spec import bind_sources

_ALL_CAPABILITIES = frozenset(capability_names(-1))
_MODE = re.compile(r"mode=0*([0-7]{1,4})\Z")
# On every host: what is right below these, and all that is below the next ones.
_HOST_FOLDERS = ("/", "/usr", "/usr/lib", "/var")
_KERNEL = ("/dev", "/proc", "/sys")
_HOST_FILES = (
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/ssl",
    "/lib/modules",
)


def check_config(spec: dict[str, Any], lookup: Lookup, *, path: str | None, made: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with a parsed config.json whose mounts lead nowhere bad.

    ``path`` is the file of the image that it comes from, ``made`` are the paths that the image creates on the host.
    """
    places = mount_places(spec, lookup)
    yield from _check_program(spec, lookup, set(places) | set(places.values()), path=path)
    yield from _check_targets(spec, lookup, places, path=path)
    for source, destination in bind_sources(spec):
        if not _is_on_hosts(source, made):
            yield Finding("bind-source", f"Nothing creates '{source}', which is mounted on '{destination}'", path)
    capabilities = spec["process"].get("capabilities")
    sets = capabilities.values() if isinstance(capabilities, Mapping) else [capabilities]
    if any(isinstance(names, list) and set(map(str, names)) >= _ALL_CAPABILITIES for names in sets):
        yield Finding("all-capabilities", "The process gets all capabilities that the host has", path)


def _check_program(
    spec: dict[str, Any], lookup: Lookup, mounted: Collection[str], *, path: str | None
) -> Iterator[Finding]:
    """Yield that the program is not in the image; what is below a mount is taken to be there."""
    process = spec["process"]
    program, cwd = process["args"][0], clean_path(process.get("cwd") or "/")
    if "/" in program:
        places = [clean_path(posixpath.join(cwd, program))]
    else:
        environment = [entry for entry in process.get("env") or [] if str(entry).startswith("PATH=")]
        if not environment:
            yield Finding(
                "process", f"process.args has '{program}' without a path, and process.env has no PATH: give one", path
            )
            return
        places = [posixpath.join(folder or "/", program) for folder in environment[-1][5:].split(":")]
    reasons = []
    for place in places:
        reason = _why_not_run(place, lookup, mounted)
        if reason is None:
            return
        reasons.append(reason)
    yield Finding("process", reasons[0] if len(reasons) == 1 else _not_in_path(program, places), path)


def _why_not_run(place: str, lookup: Lookup, mounted: Collection[str]) -> str | None:
    try:
        end = resolve_path(place, lookup, mounted=mounted, what=f"The program '{place}'")
    except InvalidInputError as exc:
        return str(exc)
    if _covered(end, mounted):
        return None
    entry = lookup(end)
    if entry is None:
        return f"The image has no '{place}', which process.args names"
    if entry.type != "-" or not entry.mode & 0o111:
        return f"'{place}' of the image, which process.args names, is no program: its mode is {entry.mode:04o}"
    return None


def _not_in_path(program: str, places: list[str]) -> str:
    return f"The image has no program '{program}' in PATH ({', '.join(map(posixpath.dirname, places))})"


def _check_targets(
    spec: dict[str, Any], lookup: Lookup, places: Mapping[str, str], *, path: str | None
) -> Iterator[Finding]:
    """Yield the mounts whose place the runtime has to make, and those that get another mode than they ask for."""
    before: list[str] = []
    modes = {clean_path(mount["destination"]): _tmpfs_mode(mount) for mount in spec.get("mounts") or []}
    for destination, place in places.items():
        if not _covered(place, before):
            entry, mode = lookup(place), modes[destination]
            if entry is None:
                yield Finding("mount-target", f"The image has no '{destination}', on which something is mounted", path)
            elif mode is not None and entry.mode != mode:
                yield Finding(
                    "tmpfs-mode",
                    f"The tmpfs on '{destination}' gets the mode {entry.mode:04o} of the directory that it covers, not {mode:04o}",
                    path,
                )
        before.append(place)
    cwd = clean_path(spec["process"].get("cwd") or "/")
    end = resolve_path(cwd, lookup, mounted=before, what="process.cwd")
    if not _covered(end, before) and lookup(end) is None:
        yield Finding("cwd", f"The image has no '{cwd}', which is process.cwd", path)


def _tmpfs_mode(mount: Mapping[str, Any]) -> int | None:
    if mount.get("type") != "tmpfs":
        return None
    modes = [match for match in map(_MODE.match, mount.get("options") or []) if match]
    return int(modes[-1].group(1), 8) if modes else None


def _covered(path: str, mounted: Collection[str]) -> bool:
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in mounted)


def _is_on_hosts(source: str, made: Collection[str]) -> bool:
    source = clean_path(source)
    if posixpath.dirname(source) in _HOST_FOLDERS or source in _HOST_FILES or _covered(source, _KERNEL):
        return True
    return any(place == source or place.startswith(source + "/") for place in made)
