# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that a user sets for the variables of templates: which names and kinds are accepted (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ._deployment import Value
from ._errors import InvalidInputError
from ._template import FORCED

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check_user_values(values: Mapping[str, Any], *, option: str = "values") -> dict[str, Value]:
    """Return the values that a user set with ``option``, without those that are null, which means unset.

    Raises ``InvalidInputError`` for a name that no template can use, a variable that is always computed, and a value
    that JSON cannot hold.
    """
    forced = sorted(set(values) & set(FORCED))
    if forced:
        raise InvalidInputError(f"{option}: {_quoted(forced)} cannot be set, as it is always computed: take it out")
    checked: dict[str, Value] = {}
    for name, value in values.items():
        if not isinstance(name, str) or not _VARIABLE_NAME.match(name):
            raise InvalidInputError(f"{option}: '{name}' is not a variable name: use letters, digits and '_'")
        if value is None:
            continue
        _check_value(name, value, option=option)
        checked[name] = value
    return checked


def _check_value(name: str, value: Any, *, option: str) -> None:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError) as exc:
        raise InvalidInputError(
            f"{option}: '{name}' cannot be used ({exc}): give text, a number, a boolean or null"
        ) from exc


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
