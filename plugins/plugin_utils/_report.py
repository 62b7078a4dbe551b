# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet runs, as one dict: decided here, shown by the table, the JSON file and the page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_digests import (
    differing_digests,
    odd_places,
    place,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_query import select_rows
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_rows import (
    PROBLEMS,
    container_row,
    mark_problems,
)

SCHEMA = 1
STATUSES = ("running", "stopped", "failed", "changing", "installed")
STORE = ("images", "unique", "shared", "reclaimable")
RUNTIME = ("name", "path", "version", "known_vulnerabilities", "note")


def build_report(
    results: Mapping[str, Any], *, title: str, generated_at: str, query: str | None = None, verified: bool = False
) -> dict[str, Any]:
    """Return the report on a fleet; its shape is documented at the filter ``fleet_report``.

    ``results`` has the result of ``system_container_info`` for each host, whatever it was: a failure, no answer, or None.
    Raises ``ReportError`` for a query that cannot be used.
    """
    plain: dict[str, Any] = json.loads(json.dumps(results))  # Ansible's own kinds of text are foreign to JMESPath
    answers = {host: result for host, result in sorted(plain.items()) if _answered(result)}
    rows = [container_row(host, item) for host, result in answers.items() for item in result["containers"]]
    differing = differing_digests(rows)
    odd = odd_places(differing)
    marked = [mark_problems(row, differs=place(row) in odd) for row in rows]
    selected = select_rows(marked, query)
    hosts = [_host(host, result, selected) for host, result in sorted(plain.items())]
    shown = [entry for entry in differing if _concerns(entry, selected)]
    return {
        "schema": SCHEMA,
        "title": title,
        "generated_at": generated_at,
        "query": query or None,
        "verified": verified,
        "summary": _summary(hosts, selected, known=len(rows), differing=shown),
        "hosts": hosts,
        "runtimes": _runtimes(answers),
        "differing": shown,
        "containers": selected,
    }


def _answered(result: Any) -> bool:
    return isinstance(result, dict) and "containers" in result and not result.get("failed")


def _host(host: str, result: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known of a host besides its containers, and how many rows of the report are its."""
    own = [row for row in rows if row["host"] == host]
    answer = result if _answered(result) else {}
    runtime = answer.get("runtime") or {}
    store = answer.get("store") or {}
    return {
        "host": host,
        **_reached(result),
        "containers": len(own),
        "running": sum(row["status"] == "running" for row in own),
        "problems": sum(bool(row["problems"]) for row in own),
        "runtime": {key: runtime.get(key) for key in RUNTIME},
        "store": {key: store.get(key) for key in STORE},
    }


def _reached(result: Any) -> dict[str, str | None]:
    if _answered(result):
        return {"status": "ok", "message": None}
    told = result if isinstance(result, dict) else {}
    # ansible-core says that the task failed before it says why.
    message = str(told.get("msg") or "").removeprefix("Task failed: ").strip() or "It gave no answer."
    return {"status": "unreachable" if told.get("unreachable") else "failed", "message": message}


def _summary(
    hosts: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], *, known: int, differing: Sequence[Any]
) -> dict[str, int]:
    """Count hosts, rows by status and by problem; ``known`` is how many rows there are without the query."""
    reached = Counter(host["status"] for host in hosts)
    statuses = Counter(row["status"] for row in rows)
    problems = Counter(problem for row in rows for problem in row["problems"] if problem != "failed")
    return {
        "hosts": len(hosts),
        "hosts_unreachable": reached["unreachable"],
        "hosts_failed": reached["failed"],
        "hosts_vulnerable": sum(bool(host["runtime"]["known_vulnerabilities"]) for host in hosts),
        "containers": len(rows),
        "containers_known": known,
        **{status: statuses[status] for status in STATUSES},
        **{problem: problems[problem] for problem in PROBLEMS if problem != "failed"},
        "with_problems": sum(bool(row["problems"]) for row in rows),
        "differing": len(differing),
        "reclaimable": sum(host["store"]["reclaimable"] or 0 for host in hosts),
    }


def _concerns(entry: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the rows is among those that differ."""
    places = {(item["host"], item["name"]) for part in entry["digests"] for item in part["containers"]}
    return any(place(row) in places for row in rows)


def _runtimes(answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the different runtimes, each with its hosts: those with the most known vulnerabilities first."""
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for host, result in answers.items():
        runtime = result.get("runtime") or {}
        key = runtime.get("name"), runtime.get("version")
        entry = {item: runtime.get(item) for item in RUNTIME if item != "path"}
        found.setdefault(key, {**entry, "hosts": []})["hosts"].append(host)
    return sorted(
        found.values(),
        key=lambda item: (-len(item["known_vulnerabilities"] or ()), str(item["name"]), str(item["version"])),
    )
