# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_words import (
    count,
    last_exit,
    moment,
    short_digest,
    status_words,
)

HEADINGS = ("HOST", "NAME", "IMAGE", "DIGEST", "DEPLOYMENT", "STATE", "SINCE", "PROBLEMS")
_WIDEST = 60


def report_table(report: Mapping[str, Any]) -> list[str]:
    """Return what runs where as lines: one for each container, then the problems, then a sum."""
    return [*_table(report["containers"]), *_problems(report), *_sum(report)]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [min(_WIDEST, max(len(line[column]) for line in cells)) for column in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    cells = (
        row["host"],
        row["name"],
        row["image"],
        short_digest(row["manifest_digest"]),
        row["deployment"],
        status_words(row),
        moment(row["started_at"]),
        ", ".join(problem for problem in row["problems"] if problem != "failed"),
    )
    return tuple(_printable(cell) or "-" for cell in cells)


def _printable(text: str | None) -> str:
    """Return a text in one line without what terminals take for commands."""
    return "".join(char if char.isprintable() else " " for char in text or "").strip()


def _problems(report: Mapping[str, Any]) -> Iterator[str]:
    for host in report["hosts"]:
        if host["status"] != "ok":
            word = "cannot be reached" if host["status"] == "unreachable" else "could not tell"
            yield f"{host['host']} {word}: {_printable(host['message'])}"
    for row in report["containers"]:
        yield from (f"{row['host']} {row['name']} {text}" for text in _row_problems(row))
    for entry in report["differing"]:
        yield f"{entry['name'] or entry['image']} differs: {'; '.join(_digests(entry['digests']))}"


def _row_problems(row: Mapping[str, Any]) -> Iterator[str]:
    if row["status"] == "failed":
        ended = last_exit(row["last_exit"])
        yield f"failed: {row['result'] or 'unknown'}" + (f" ({ended})" if ended else "")
    if row["broken"]:
        yield f"is broken: {_printable(row['broken'])}"
    if row["interrupted"]:
        yield f"was interrupted: {row['interrupted']}"
    for item in row["drift"]:
        yield f"drift: {_printable(item['path'])}: {_printable(item['problem'])}"
    for item in row["unverified"]:
        yield f"deployment {item['deployment']} could not be verified: {_printable(item['reason'])}"


def _digests(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        hosts = sorted({item["host"] for item in part["containers"]})
        some = ", ".join(hosts[:4]) + (", ..." if len(hosts) > 4 else "")
        yield f"{short_digest(part['digest'])} on {count(len(hosts), 'host')} ({some})"


def _sum(report: Mapping[str, Any]) -> list[str]:
    total = report["summary"]
    words = (
        ("running", total["running"]),
        ("stopped", total["stopped"]),
        ("failed", total["failed"]),
        ("changing", total["changing"]),
        ("without a service", total["installed"]),
        ("broken", total["broken"]),
        ("interrupted", total["interrupted"]),
        ("with drift", total["drift"]),
        ("with a differing digest", total["differs"]),
    )
    selected = f" of {total['containers_known']}" if report["query"] else ""
    hosts = count(total["hosts"], "host")
    silent = total["hosts_unreachable"] + total["hosts_failed"]
    parts = [f"{number} {word}" for word, number in words if number or word == "running"]
    parts += [f"{count(silent, 'host')} not reached"] if silent else []
    containers = count(total["containers"], "container")
    return [f"{containers}{selected} on {hosts}: {', '.join(parts)}"]
