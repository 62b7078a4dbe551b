# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet report as the text of files, which stays as it is while nothing worth a new file changed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils import _report_words

TEMPLATES = Path(__file__).parents[2] / "playbooks" / "templates"
_STAMP = re.compile(r"<!-- report (?P<steady>[0-9a-f]{64}) (?P<text>[0-9a-f]{64}) -->\n\Z")


def report_json(report: Mapping[str, Any], previous: str = "") -> str:
    """Return a report as JSON; the ``previous`` text when it differs in nothing but the time and the memory in use."""
    try:
        before = json.loads(previous)
    except ValueError:
        before = None
    is_report = isinstance(before, dict) and isinstance(before.get("containers"), list)
    if is_report and _steady(before) == _steady(report):
        return previous
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def report_html(report: Mapping[str, Any], previous: str = "") -> str:
    """Return a report as a page; the ``previous`` one when it differs in nothing but the time and the memory in use.

    The last line of a page has the digest of what it would be without these two, and that of what is above the line.
    """
    steady = _digest(_page(_steady(report)))
    found = _STAMP.search(previous)
    if found and found["steady"] == steady and found["text"] == _digest(previous[: found.start()]):
        return previous
    page = _page(report)
    return f"{page}<!-- report {steady} {_digest(page)} -->\n"


def _steady(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report without what differs at every run."""
    rows = [{**row, "memory": None} if isinstance(row, dict) else row for row in report["containers"]]
    return {**report, "generated_at": None, "containers": rows}


def _page(report: Mapping[str, Any]) -> str:
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    rows = report["containers"]
    hosts = dict.fromkeys(row["host"] for row in rows)  # in the order of the rows
    page = _template().render(
        report=report,
        by_host={host: [row for row in rows if row["host"] == host] for host in hosts},
        groups={host: f"host-{number}" for number, host in enumerate(hosts, 1)},
        anchors={(row["host"], row["name"]): f"container-{number}" for number, row in enumerate(rows, 1)},
        style=style,
        script=script,
        style_hash=_source(style),
        script_hash=_source(script),
    )
    return page.lstrip()


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    # Not Ansible's own templating: in its native mode it does not escape.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    words = ("count", "image_parts", "last_exit", "moment", "short_digest", "size", "status_words")
    environment.filters.update({name: getattr(_report_words, name) for name in words})
    return environment.get_template("report.html.j2")


def _asset(name: str) -> Markup:
    """Return the text of a file of this collection that becomes part of the page as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _source(text: str) -> str:
    """Return how a Content-Security-Policy allows just this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
