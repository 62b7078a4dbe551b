# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers as results and ``system_container_info`` show them. The values of secrets are never among it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ._deployment import Deployment
from ._drift import Verified, edited_host_files, find_drift
from ._models import Observed, UnitState


def describe_container(observed: Observed, *, verified: Mapping[str, Verified] | None = None) -> dict[str, Any]:
    """Return what is known of a container; ``broken`` says why it cannot be used, None when it can.

    ``verified`` is what hashing its deployments again found, by directory; None when that was not asked for.
    """
    paths, unit, active = observed.paths, observed.own_unit, observed.active
    has_service = active is None or active.has_service
    return {
        "name": paths.name,
        "broken": _reason(observed),
        "interrupted": observed.journal.operation if observed.journal else None,
        **_identity(active),
        "deployments": [_deployment(item, observed, verified) for item in observed.deployments],
        "values": active.user_values if active else {},
        "computed_values": _computed_values(active) if active else {},
        "secret_values": _secret_names(active) if active else [],
        "mounts": _mounts(active) if active else [],
        "unit_options": {section: dict(keys) for section, keys in (active.unit_options if active else {}).items()},
        "runtime": active.inputs.runtime if active and active.inputs else None,
        "state": "running" if unit.up else unit.active,
        "enabled": unit.enabled,
        "unit": paths.unit_name if has_service else None,
        "unit_file": paths.unit if has_service else None,
        **_unit(unit),
        "link": paths.link,
        "files": sorted(path for path, state in observed.files.items() if state is not None),
        "edited_files": list(edited_host_files(observed)),
        "drift": _drift(observed, verified or {}),
    }


def _drift(observed: Observed, verified: Mapping[str, Verified]) -> list[dict[str, str]]:
    """Return where a container is not as its records say: its own files, then what was found by hashing again."""
    found = list(find_drift(observed))
    for item in (verified[item.directory] for item in observed.deployments if item.directory in verified):
        found += (*item.rootfs, *item.objects)
    return [{"path": item.path, "problem": item.problem} for item in dict.fromkeys(found)]


def _identity(active: Deployment | None) -> dict[str, Any]:
    return {
        "image": active.image if active else None,
        "image_id": active.image_id if active else None,
        "manifest_digest": active.manifest_digest if active else None,
        "index_digest": active.index_digest if active else None,
        "deployment": active.id if active else None,
    }


def _unit(unit: UnitState) -> dict[str, Any]:
    return {
        "substate": unit.sub,
        "pid": unit.pid,
        "since": unit.since,
        "started_at": _as_iso(unit.since),
        "restarts": unit.restarts,
        "result": unit.result,
        "exit_status": unit.exit_status,
        "last_exit": _last_exit(unit),
        "memory": unit.memory,
    }


def _last_exit(unit: UnitState) -> dict[str, Any] | None:
    if unit.exit_code is None:
        return None
    by_itself = unit.exit_code == "exited"
    return {
        "code": unit.exit_code,
        "status": unit.exit_status if by_itself else None,
        "signal": None if by_itself else unit.exit_status,
        "at": _as_iso(unit.exited),
    }


def _as_iso(when: float | None) -> str | None:
    """Return a time, in seconds since the epoch, as ISO 8601 has it, in UTC."""
    return None if when is None else datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _computed_values(item: Deployment) -> dict[str, Any]:
    """Return the values that the user did not set."""
    set_by_user = {*item.user_values, *_secret_names(item)}
    return {name: value for name, value in item.values.items() if name not in set_by_user}


def _secret_names(item: Deployment) -> list[str]:
    return sorted(item.inputs.secrets) if item.inputs else []


def _mounts(item: Deployment) -> list[dict[str, Any]]:
    return [
        {
            "destination": mount.destination,
            "source": mount.source,
            "type": mount.type,
            "options": list(mount.options),
            "create": mount.create,
        }
        for mount in (item.inputs.mounts if item.inputs else ())
    ]


def _reason(observed: Observed) -> str | None:
    if observed.problem is not None:
        return observed.problem
    if observed.active is not None:
        return (
            None
            if observed.link_slot == observed.active_slot
            else f"the link '{observed.paths.link}' is missing or wrong"
        )
    for broken in observed.broken:
        if observed.active_slot in (None, broken.slot):
            return f"{broken.directory}: {broken.reason}"
    return f"the link '{observed.paths.link}' leads to no deployment"


def _deployment(item: Deployment, observed: Observed, verified: Mapping[str, Verified] | None) -> dict[str, Any]:
    found = verified.get(item.directory) if verified is not None else None
    return {
        "id": item.id,
        "active": item.slot == observed.active_slot,
        "directory": item.directory,
        "image": item.image,
        "manifest_digest": item.manifest_digest,
        "index_digest": item.index_digest,
        "values": item.user_values,
        "secret_values": _secret_names(item),
        "mounts": _mounts(item),
        "runtime": item.inputs.runtime if item.inputs else None,
        "created": item.created,
        "has_service": item.has_service,
        "verified": found.reason is None if found is not None else None,
        "unverified_reason": found.reason if found is not None else None,
    }
