# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of template variables: where each comes from, and how it is put into a template.

The language is that of Python's ``string.Template``: ``$NAME``, ``${NAME}``, and ``$$`` for a dollar sign. What a
value becomes depends on where it stands: inside a JSON string it is escaped, elsewhere in JSON it stands as it is
(and the whole must parse), in a line of a unit or of tmpfiles.d it must not hold a control character.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Container, Mapping
from typing import Any, Callable

from ._deployment import MASK, Value
from ._errors import InvalidInputError
from ._models import HostFacts
from ._strict_json import load_json
from ._template import PLACEHOLDER

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UNESCAPED_TYPES = ("f", "F", "w")  # lines of tmpfiles.d(5) whose argument has C-style escapes
_UUID_NAMESPACE = uuid.UUID("6c1a5c1e-9a37-5d1b-8f0e-2f5d8f0c7a41")


def host_values(
    *, name: str, root: str, facts: HostFacts, user: Mapping[str, Value], recorded_uuid: str | None
) -> dict[str, Value]:
    """Return the variables that the host sets unless the user or the image does.

    ``recorded_uuid`` is the one that the container already has: it is kept.
    """
    run_directory = user.get("RUN_DIRECTORY", "/run")
    return {
        "RUN_DIRECTORY": "/run",
        "STATE_DIRECTORY": "/var/lib",
        "CONF_DIRECTORY": "/etc",
        "PIDFILE": f"{run_directory}/container-{name}.pid",
        "UUID": recorded_uuid or str(uuid.uuid5(_UUID_NAMESPACE, f"{facts.machine_id}:{root}:{name}")),
        "ALL_PROCESS_CAPABILITIES": ",\n".join(f'"{capability}"' for capability in facts.capabilities) + "\n",
        "RUNTIME": facts.runtime,
        "ATOMIC": "/usr/bin/atomic",
    }


def as_text(value: Any) -> str:
    """Return a value as templates show it: scalars as JSON spells them, text as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def raw_json(value: Any, *, before: str, after: str) -> str:
    """Return a value as it stands in raw JSON between ``before`` and ``after``.

    A list or dict stands for its elements, with the comma that separates them from what is there already.
    """
    if not isinstance(value, (list, dict)):
        return as_text(value)
    elements = json.dumps(value)[1:-1]
    if not elements:
        return ""
    leading = "" if before.rstrip()[-1:] in ("", "[", "{", ",") else ","
    trailing = "" if after.lstrip()[:1] in ("", "]", "}", ",") else ","
    return f"{leading}{elements}{trailing}"


def substitute_json(template: str, values: Mapping[str, Any], *, file: str, masked: Container[str] = ()) -> str:
    """Fill a JSON template; inside a JSON string a value is escaped, elsewhere it stands as it is.

    A raw value must be JSON by itself where it stands between other JSON, so that it can add elements but never
    close what surrounds it. A mask stands for the values of the names in ``masked``. Raises ``InvalidInputError`` that
    names ``file``, also when the result is not JSON.
    """
    inside = _string_mask(template)

    def put(name: str, match: re.Match[str]) -> str:
        value = values[name]
        if name in masked:
            value = MASK if inside(match.start()) else _masked_json(value)
        if inside(match.start()):
            if isinstance(value, (list, dict)):
                raise InvalidInputError(f"{file}: the value of '{name}' stands inside of a JSON string: give text")
            return json.dumps(as_text(value), ensure_ascii=False)[1:-1]
        text = raw_json(value, before=template[: match.start()], after=template[match.end() :])
        _check_raw_json(text, name=name, file=file)
        return text

    return _substitute(template, put, file=file)


def substitute_unit(template: str, values: Mapping[str, Any], *, trusted: Container[str] = ()) -> str:
    """Fill a template of a unit (systemd.syntax(7)), so that a value never means more than itself.

    Control characters, a value at the beginning of a line, and a backslash that would continue the line are refused. Inside
    of quotes a value is escaped. ``%`` is doubled, and in command lines ``$``; quotes are refused there. White space
    separates words, as in the template. The names in ``trusted`` are the image author's own, and stand as they are.
    """
    file = "service.template"

    def put(name: str, match: re.Match[str]) -> str:
        text = _line_text(values[name], name=name, file=file)
        if text.endswith("\\") and template[match.end() : match.end() + 1] in ("", "\n", "\r"):
            raise InvalidInputError(f"{file}: the value of '{name}' ends in a backslash, which would continue the line")
        before = _line_before(template, match)
        quote = _open_quote(before)
        if quote:
            text = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
        if name in trusted:
            return text
        if not before.strip():
            raise InvalidInputError(
                f"{file}: the value of '{name}' would be a line of its own: it can only be part of one"
            )
        if before.lstrip().startswith("Exec"):
            if not quote and (re.search("[\"']", text) or ";" in text.split()):
                raise InvalidInputError(f"{file}: the value of '{name}' has a quote or a lone ';' in a command line")
            text = text.replace("$", "$$")
        return text.replace("%", "%%")

    return _substitute(template, put, file=file)


def substitute_tmpfiles(
    template: str, values: Mapping[str, Any], *, trusted: Container[str] = (), masked: Container[str] = ()
) -> str:
    """Fill a template of tmpfiles.d(5), so that a value stays within its field; ``trusted`` as for units, ``masked`` as in
    JSON.

    Only the last field, the argument, may hold white space, quotes and backslashes.
    """
    file = "tmpfiles.template"

    def put(name: str, match: re.Match[str]) -> str:
        text = MASK if name in masked else _line_text(values[name], name=name, file=file)
        in_argument = len(f"{_line_before(template, match)}x".split(maxsplit=6)) > 6
        if not in_argument and re.search(r"[\s\"'\\]", text):
            raise InvalidInputError(
                f"{file}: the value of '{name}' has white space, a quote or a backslash: leave it out"
            )
        if name in trusted:
            return text
        if in_argument and _line_before(template, match).lstrip()[:1] in _UNESCAPED_TYPES:
            text = text.replace("\\", "\\\\")
        return text.replace("%", "%%")

    return _substitute(template, put, file=file)


def _line_text(value: Any, *, name: str, file: str) -> str:
    if isinstance(value, (list, dict)):
        raise InvalidInputError(f"{file}: the value of '{name}' is a {type(value).__name__}: give text")
    text = as_text(value)
    if _CONTROL.search(text):
        raise InvalidInputError(f"{file}: the value of '{name}' holds a line break or another control character")
    return text


def _line_before(template: str, match: re.Match[str]) -> str:
    return template[template.rfind("\n", 0, match.start()) + 1 : match.start()]


def _open_quote(line: str) -> str:
    """Return the quote that is open at the end of the beginning of a line, empty when none is."""
    quote = ""
    escaped = False
    for character in line:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
    return quote


def _substitute(template: str, put: Callable[[str, re.Match[str]], str], *, file: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if match.group("escaped") is not None:
            return "$"
        name = match.group("named") or match.group("braced")
        if name is None:
            line = template.count("\n", 0, match.start()) + 1
            raise InvalidInputError(
                f"{file}: line {line} has a '$' that starts no variable: write '$$' for a dollar sign"
            )
        return put(name, match)

    return PLACEHOLDER.sub(replace, template)


def _string_mask(template: str) -> Callable[[int], bool]:
    """Return a function that tells whether a position of a JSON template is inside a string."""
    spans = [match.span() for match in re.finditer(r'"(?:[^"\\]|\\.)*"', template, re.DOTALL)]

    def inside(position: int) -> bool:
        return any(start < position < end for start, end in spans)

    return inside


def _masked_json(value: Any) -> Any:
    """Return a value for raw JSON with a mask for each of its scalars; text is taken apart as the JSON that it is."""
    if isinstance(value, str):
        text = value.strip()
        inner = text.strip(",").strip()
        for opening, closing in ("[]", "{}"):
            with contextlib.suppress(InvalidInputError):
                elements = json.dumps(_masked_elements(load_json(f"{opening}{inner}{closing}", file="")))[1:-1]
                return ("," if text.startswith(",") else "") + elements + ("," if inner and text.endswith(",") else "")
    return _masked_elements(value) if isinstance(value, (list, dict)) else json.dumps(MASK)


def _masked_elements(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_elements(item) for key, item in value.items()}
    return [_masked_elements(item) for item in value] if isinstance(value, list) else MASK


def _check_raw_json(text: str, *, name: str, file: str) -> None:
    """Raise unless ``text`` is elements of a list or members of an object, which can close nothing around it."""
    stripped = text.strip().strip(",").strip()
    for candidate in (f"[{stripped}]", f"{{{stripped}}}"):
        with contextlib.suppress(InvalidInputError):
            load_json(candidate, file=file)
            return
    raise InvalidInputError(
        f"{file}: the value of '{name}' stands outside of a JSON string and is not JSON that can stand there: give a list or a"
        " dict, or JSON text"
    )
