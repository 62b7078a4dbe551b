# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The language of templates, that of Python's ``string.Template``, and its variables that are not the user's alone (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._errors import InvalidInputError

FORCED = (
    "DESTDIR",
    "NAME",
    "EXEC_START",
    "EXEC_STOP",
    "EXEC_STARTPRE",
    "EXEC_STOPPOST",
    "HOST_UID",
    "HOST_GID",
    "IMAGE_ID",
    "IMAGE_NAME",
)
"""Variables that are always computed."""

HOST_DEFAULTS = (
    "RUN_DIRECTORY",
    "STATE_DIRECTORY",
    "CONF_DIRECTORY",
    "PIDFILE",
    "UUID",
    "ALL_PROCESS_CAPABILITIES",
    "RUNTIME",
    "ATOMIC",
)
"""Variables that the host sets unless the user or the image does."""

# One match for each dollar sign; a dollar that starts nothing known is the group 'invalid'.
PLACEHOLDER = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<invalid>))"
)


def variables(template: str) -> set[str]:
    """Return the names of all variables that ``template`` uses."""
    return {
        match.group("named") or match.group("braced")
        for match in PLACEHOLDER.finditer(template)
        if match.group("named") or match.group("braced")
    }


def pieces(template: str, *, file: str) -> Iterator[tuple[str, str | None, int]]:
    """Yield a template piece by piece: text, the variable after it, and where in the template that is.

    The last text has None after it. Raises ``InvalidInputError`` that names ``file`` for a dollar sign that starts nothing.
    """
    text, at = "", 0
    for match in PLACEHOLDER.finditer(template):
        text += template[at : match.start()]
        at = match.end()
        if match.group("escaped") is not None:
            text += "$"
            continue
        name = match.group("named") or match.group("braced")
        if name is None:
            line = template.count("\n", 0, match.start()) + 1
            raise InvalidInputError(
                f"{file}: line {line} has a '$' that starts no variable: write '$$' for a dollar sign"
            )
        yield text, name, match.start()
        text = ""
    yield text + template[at:], None, len(template)
