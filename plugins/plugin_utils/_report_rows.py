# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a fleet report: one for each container of each host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COPIED = (
    "name",
    "state",
    "substate",
    "enabled",
    "unit",
    "image",
    "manifest_digest",
    "index_digest",
    "deployment",
    "runtime",
    "since",
    "started_at",
    "restarts",
    "memory",
    "result",
    "last_exit",
    "broken",
    "interrupted",
)
"""What a row has as ``system_container_info`` tells it. Values are not among it: a report is shown around."""

PROBLEMS = ("failed", "broken", "interrupted", "differs", "drift", "unverified")
"""What may be wrong with a container, the most urgent first."""


def container_row(host: str, container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of one container, from what ``system_container_info`` tells of it on ``host``.

    Whether its digest differs is only known when all rows are: ``differs`` is false, see ``mark_problems``.
    """
    row = {"host": host, **{key: container.get(key) for key in COPIED}}
    return {
        **row,
        "status": _status(row),
        "drift": list(container.get("drift") or []),
        "edited_files": list(container.get("edited_files") or []),
        "unverified": [
            {"deployment": item.get("id"), "reason": item["unverified_reason"]}
            for item in container.get("deployments") or []
            if item.get("unverified_reason")
        ],
        "differs": False,
        "problems": [],
    }


def mark_problems(row: Mapping[str, Any], *, differs: bool) -> dict[str, Any]:
    """Return a row that says whether its digest differs from others, and names its problems."""
    marked = {**row, "differs": differs}
    present = {**marked, "failed": row["status"] == "failed"}
    return {**marked, "problems": [problem for problem in PROBLEMS if present[problem]]}


def _status(row: Mapping[str, Any]) -> str:
    """Return the state of a unit in one word of five: what systemd starts again and again has failed."""
    state = row["state"]
    if state == "running":
        return "running"
    if state == "failed" or row["substate"] == "auto-restart":
        return "failed"
    if row["unit"] is None:
        return "installed"
    return "stopped" if state == "inactive" else "changing"
