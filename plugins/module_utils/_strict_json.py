# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON as runc reads it: Go takes member names for equal when only their case differs, so such twins are refused.

encoding/json of Go, Unmarshal: "preferring exact matches but also accepting case-insensitive matches".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from ._errors import InvalidInputError


def load_json(text: str, *, file: str) -> Any:
    """Parse JSON; raises ``InvalidInputError`` that names ``file`` for what another parser could read differently."""
    try:
        return parse_json(text, key=str.casefold)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"{file}: not JSON: {exc}") from exc


def parse_json(text: str, *, key: Callable[[str], str] = str) -> Any:
    """Parse JSON; ``ValueError`` for what is none, or for two members of one object that have the same ``key``."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _value in pairs:
            if key(name) in seen:
                raise ValueError(f"the member '{name}' is there twice")
            seen.add(key(name))
        return dict(pairs)

    return json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)


def member(mapping: dict[str, Any], key: str, *, file: str) -> Any:
    """Return a member, None when it is missing; a name that differs in case only is refused, as Go would take it."""
    for other in mapping:
        if other != key and other.casefold() == key:
            raise InvalidInputError(f"{file}: '{other}' has to be written '{key}'")
    return mapping.get(key)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
