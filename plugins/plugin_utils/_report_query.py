# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath, by the library of that name, which only reports with a query need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

try:
    import jmespath
except ImportError:
    jmespath = None


class ReportError(Exception):
    """What keeps a report from being made; the message says the way out."""


def select_rows(rows: Sequence[dict[str, Any]], query: str | None) -> list[dict[str, Any]]:
    """Return the rows that a JMESPath expression selects of the list of all, in its order; all without one.

    Raises ``ReportError`` without the library, for what is no JMESPath, and for one that does not select rows.
    """
    if not query:
        return list(rows)
    if jmespath is None:
        raise ReportError("report_query needs the Python library jmespath on the controller: pip install jmespath")
    try:
        found = jmespath.search(query, list(rows))
    except (jmespath.exceptions.JMESPathError, ValueError) as error:
        raise ReportError(f"report_query {query!r}: {error}") from error
    selected = [] if found is None else [found] if isinstance(found, dict) else found
    if not isinstance(selected, list) or not {id(row) for row in selected} <= {id(row) for row in rows}:
        raise ReportError(
            f"report_query {query!r} has to select rows, such as [?status!='running'], and not parts of them"
        )
    return list({id(row): row for row in selected}.values())
