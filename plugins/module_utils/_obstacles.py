# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of a container: damage by others, newer versions, units and files of somebody else (pure)."""

from __future__ import annotations

from ._errors import InvalidInputError, NewerSchemaError
from ._models import Observed

_WAY_OUT = "remove it, or give the container another name"


def refuse_obstacles(observed: Observed) -> None:
    """Raise when the container cannot be changed at all: by what is in its place, or what a newer version wrote."""
    newer = next((broken for broken in observed.broken if broken.newer), None)
    if newer is not None:
        raise NewerSchemaError(f"The deployment '{newer.directory}' cannot be changed: {newer.reason}")
    if observed.journal is not None and observed.journal.newer:
        raise NewerSchemaError(
            f"A newer version of this collection was interrupted while it changed '{observed.paths.name}'"
            f" ({observed.paths.journal}): upgrade the collection, which finishes or undoes that"
        )
    if observed.problem is not None:
        raise InvalidInputError(observed.problem)


def check_conflicts(observed: Observed, *, override_unit: bool = False) -> None:
    """Raise ``InvalidInputError`` when the unit of the container would take the place of what is not its own.

    ``override_unit`` lets it take that of a unit that a package brought.
    """
    paths = observed.paths
    if observed.unit_owner not in (None, paths.link):
        raise InvalidInputError(
            f"{paths.unit_name} belongs to the system container '{observed.unit_owner}': {_WAY_OUT}"
        )
    if observed.runtime_bundle is not None and not observed.owns_runtime_state and not observed.exists:
        raise InvalidInputError(
            f"The runtime already has a container '{paths.name}' (from '{observed.runtime_bundle}') that is no system"
            f" container: {_WAY_OUT}"
        )
    if observed.owns_unit:
        return
    if observed.files.get(paths.unit) is not None:
        raise InvalidInputError(f"'{paths.unit}' exists and does not belong to a system container: {_WAY_OUT}")
    if observed.unit.load != "not-found" and not (override_unit and observed.unit.packaged):
        more = ", or set 'override_unit'" if observed.unit.packaged else ""
        raise InvalidInputError(
            f"The host already has a unit {paths.unit_name} ({observed.unit.load}) that does not belong to a system"
            f" container: {_WAY_OUT}{more}"
        )


def check_tmpfiles(observed: Observed) -> None:
    """Raise ``InvalidInputError`` when the tmpfiles.d file of the container would take the place of somebody else's."""
    path = observed.paths.tmpfiles
    if observed.files.get(path) is not None and path not in observed.own_files:
        raise InvalidInputError(f"'{path}' exists and does not belong to a system container: {_WAY_OUT}")
