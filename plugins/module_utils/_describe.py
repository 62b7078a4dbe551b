# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers as results and ``system_container_info`` show them."""

from __future__ import annotations

from typing import Any

from ._deployment import Deployment
from ._models import Observed


def describe_container(observed: Observed) -> dict[str, Any]:
    """Return what is known of a container; ``broken`` says why it cannot be used, None when it can."""
    paths, unit, active = observed.paths, observed.own_unit, observed.active
    own_values = active.user_values if active else {}
    return {
        "name": paths.name,
        "broken": _reason(observed),
        "image": active.image if active else None,
        "image_id": active.image_id if active else None,
        "manifest_digest": active.manifest_digest if active else None,
        "index_digest": active.index_digest if active else None,
        "deployment": active.id if active else None,
        "deployments": [_deployment(item, observed) for item in observed.deployments],
        "values": own_values,
        "computed_values": {
            name: value for name, value in (active.values if active else {}).items() if name not in own_values
        },
        "runtime": active.inputs.runtime if active and active.inputs else None,
        "state": "running" if unit.up else unit.active,
        "enabled": unit.enabled,
        "unit": paths.unit_name if active is None or active.has_service else None,
        "substate": unit.sub,
        "pid": unit.pid,
        "since": unit.since,
        "restarts": unit.restarts,
        "result": unit.result,
        "exit_status": unit.exit_status,
        "memory": unit.memory,
        "link": paths.link,
        "files": sorted(path for path, state in observed.files.items() if state is not None),
    }


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


def _deployment(deployment: Deployment, observed: Observed) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "active": deployment.slot == observed.active_slot,
        "directory": deployment.directory,
        "image": deployment.image,
        "manifest_digest": deployment.manifest_digest,
        "index_digest": deployment.index_digest,
        "values": deployment.user_values,
        "created": deployment.created,
    }
