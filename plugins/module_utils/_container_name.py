# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that containers can have (pure)."""

from __future__ import annotations

import re

from ._errors import InvalidInputError

# A container's name is part of a unit name (systemd.unit(5)), of paths, and the runtime's container id.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_SLOT_SUFFIX = re.compile(r"\.[0-9]+\Z")
_MAX_NAME = 200


def is_container_name(name: str) -> bool:
    """Tell whether ``name`` can be a container's name."""
    return bool(_NAME.match(name)) and not _SLOT_SUFFIX.search(name) and len(name) <= _MAX_NAME


def check_container_name(name: str) -> str:
    """Return ``name`` when it can be a container's name, else raise ``InvalidInputError``.

    Letters, digits, ``_``, ``.`` and ``-``, starting with a letter or digit; it must not end in a dot and digits,
    as that is how the directories of deployments are named.
    """
    reason = None
    if not _NAME.match(name):
        reason = "use letters, digits, '_', '.' and '-', starting with a letter or a digit"
    elif _SLOT_SUFFIX.search(name):
        reason = "it must not end in a dot and a number, as the directories of deployments do"
    elif len(name) > _MAX_NAME:
        reason = f"it must not be longer than {_MAX_NAME} characters"
    if reason:
        raise InvalidInputError(f"'{name}' cannot be the name of a system container: {reason}")
    return name
