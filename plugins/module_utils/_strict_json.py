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

_MAX_DEPTH = 100
"""Objects and lists within each other: far more than a config.json needs, and few enough to go through by recursion."""


def load_json(text: str, *, file: str) -> Any:
    """Parse JSON; raises ``InvalidInputError`` that names ``file`` for what another parser could read differently."""
    try:
        document = parse_json(text, key=str.casefold)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"{file}: not JSON: {exc}") from exc
    _check_depth(document, file=file)
    if not is_utf8(document):
        raise InvalidInputError(
            f"{file}: a text in it has half of a surrogate pair, such as \\ud800, which is no UTF-8: take it out"
        )
    return document


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


def is_utf8(value: Any) -> bool:
    """Tell whether all text of a JSON value can be written to a file: lone surrogates, which JSON can spell, are no UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def member(mapping: dict[str, Any], key: str, *, file: str) -> Any:
    """Return a member, None when it is missing; a name that differs in case only is refused, as Go would take it."""
    for other in mapping:
        if other != key and other.casefold() == key:
            raise InvalidInputError(f"{file}: '{other}' has to be written '{key}'")
    return mapping.get(key)


def _check_depth(document: Any, *, file: str) -> None:
    level = [document]
    for _depth in range(_MAX_DEPTH + 1):
        level = [
            item
            for part in level
            if isinstance(part, (dict, list))
            for item in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return
    raise InvalidInputError(f"{file}: nested more than {_MAX_DEPTH} levels deep: make it flatter")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
