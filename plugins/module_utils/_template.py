# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The language of templates, that of Python's ``string.Template``, and its variables that are not the user's alone (pure)."""

from __future__ import annotations

import re

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
