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
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Callable

from ._deployment import MASK, Value
from ._errors import InvalidInputError
from ._models import HostFacts
from ._strict_json import load_json
from ._template import pieces
from ._unit_lines import UnitLines, open_quote

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ENVIRONMENT = ("Environment", "PassEnvironment", "UnsetEnvironment")  # systemd.exec(5): words with quotes and escapes
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


class _Elements(str):
    """Elements of a list or members of an object in raw JSON, whose separating commas depend on what is around them."""

    __slots__ = ()


def substitute_json(template: str, values: Mapping[str, Any], *, file: str, masked: Container[str] = ()) -> str:
    """Fill a JSON template; inside a JSON string a value is escaped, elsewhere it stands as it is.

    A list or dict stands for its elements, with the commas that separate them from what is there already. A raw value
    must be JSON by itself where it stands between other JSON, so that it can add elements but never close what surrounds
    it. A mask stands for the values of the names in ``masked``. Raises ``InvalidInputError`` that names ``file``.
    """
    inside = _string_mask(template)
    found: list[str] = []
    for text, name, position in pieces(template, file=file):
        found.append(text)
        if name is None:
            continue
        if inside(position):
            found.append(_inside_json(MASK if name in masked else values[name], name=name, file=file))
        else:
            found.append(
                _raw_json(_masked_json(values[name]) if name in masked else values[name], name=name, file=file)
            )
    return "".join(_with_commas(found))


def substitute_unit(template: str, values: Mapping[str, Any], *, trusted: Container[str] = ()) -> str:
    """Fill a template of a unit (systemd.syntax(7)), so that a value never means more than itself.

    Control characters, a value at the beginning of a line, and a backslash that would continue the line are refused. Inside
    of quotes a value is escaped. ``%`` is doubled, and in command lines ``$``. In command lines and lists of environment
    variables backslashes are doubled; quotes are refused in command lines, and in the lists unless they end. White space
    separates words, as in the template. The names in ``trusted`` are the image author's own, and stand as they are.
    """
    file = "service.template"
    lines = UnitLines(file)
    for text, name, _position in pieces(template, file=file):
        lines.add(text)
        if name is not None:
            value = _line_text(values[name], name=name, file=file)
            if lines.quote:
                value = value.replace("\\", "\\\\").replace(lines.quote, "\\" + lines.quote)
            if name not in trusted:
                _check_unit_text(value, lines, name=name, file=file)
                value = _unit_text(value, lines)
            lines.add_value(value, name=name)
    return lines.text()


def _check_unit_text(text: str, lines: UnitLines, *, name: str, file: str) -> None:
    """Raise for a value that would be more than a part of the line where it stands."""
    value = f"{file}: the value of '{name}'"
    if not lines.before.strip():
        raise InvalidInputError(f"{value} would be a line of its own: it can only be part of one")
    if lines.starts_line and text.lstrip()[:1] in ("#", ";"):
        raise InvalidInputError(f"{value} would make its line a comment: let it begin with another character")
    if "=" in text and not lines.key and lines.before.lstrip()[:1] not in ("#", ";", "["):
        raise InvalidInputError(f"{value} would name a setting: only what comes after a '=' can be set")
    quoted = re.search("[\"']", text) and not lines.quote
    if _is_command(lines.key) and (quoted or (not lines.quote and ";" in text.split())):
        raise InvalidInputError(f"{value} has a quote or a lone ';' in a command line")
    if lines.key in _ENVIRONMENT and not lines.quote and open_quote(text):
        raise InvalidInputError(
            f"{value} has a quote that does not end, and {lines.key}= has none around it: leave it out, or set the variable by"
            " 'unit_options'"
        )


def _unit_text(text: str, lines: UnitLines) -> str:
    """Return a value as it means itself where it stands; inside of quotes it is escaped already, as in those of its own."""
    command = _is_command(lines.key)
    if not lines.quote and (command or (lines.key in _ENVIRONMENT and not re.search("[\"']", text))):
        text = text.replace("\\", "\\\\")
    return (text.replace("$", "$$") if command else text).replace("%", "%%")


def _is_command(key: str) -> bool:
    """Tell whether a setting is a command line, systemd.service(5)."""
    return key.startswith("Exec") and not key.endswith(("Path", "Paths"))


def substitute_tmpfiles(
    template: str, values: Mapping[str, Any], *, trusted: Container[str] = (), masked: Container[str] = ()
) -> str:
    """Fill a template of tmpfiles.d(5), so that a value stays within its field; ``trusted`` as for units, ``masked`` as in
    JSON.

    Only the last field, the argument, may hold white space, quotes and backslashes.
    """
    file = "tmpfiles.template"
    found: list[str] = []
    for own, name, position in pieces(template, file=file):
        found.append(own)
        if name is None:
            continue
        text = MASK if name in masked else _line_text(values[name], name=name, file=file)
        before = template[template.rfind("\n", 0, position) + 1 : position]
        in_argument = len(f"{before}x".split(maxsplit=6)) > 6
        if not in_argument and re.search(r"[\s\"'\\]", text):
            raise InvalidInputError(
                f"{file}: the value of '{name}' has white space, a quote or a backslash: leave it out"
            )
        if name not in trusted:
            if in_argument and before.lstrip()[:1] in _UNESCAPED_TYPES:
                text = text.replace("\\", "\\\\")
            text = text.replace("%", "%%")
        found.append(text)
    return "".join(found)


def _line_text(value: Any, *, name: str, file: str) -> str:
    if isinstance(value, (list, dict)):
        raise InvalidInputError(f"{file}: the value of '{name}' is a {type(value).__name__}: give text")
    text = as_text(value)
    if _CONTROL.search(text):
        raise InvalidInputError(f"{file}: the value of '{name}' holds a line break or another control character")
    return text


def _inside_json(value: Any, *, name: str, file: str) -> str:
    if isinstance(value, (list, dict)):
        raise InvalidInputError(f"{file}: the value of '{name}' stands inside of a JSON string: give text")
    return json.dumps(as_text(value), ensure_ascii=False)[1:-1]


def _raw_json(value: Any, *, name: str, file: str) -> str:
    if isinstance(value, (list, dict)):
        return _Elements(json.dumps(value)[1:-1])
    text = as_text(value)
    _check_raw_json(text, name=name, file=file)
    return text


def _with_commas(found: Sequence[str]) -> Iterator[str]:
    """Yield the pieces of a text, elements with commas where they touch others. All else stays as it is: text that is a value
    brings its own commas, as it did for Atomic."""
    before = ""
    for index, piece in enumerate(found):
        text = str(piece)
        if isinstance(piece, _Elements) and piece:
            after = next((found[later] for later in range(index + 1, len(found)) if found[later].strip()), "")
            leading = "" if before.rstrip()[-1:] in ("", "[", "{", ",") else ","
            # Elements that follow bring the comma themselves.
            trailing = "" if isinstance(after, _Elements) or after.lstrip()[:1] in ("", "]", "}", ",") else ","
            text = f"{leading}{piece}{trailing}"
        before = text if text.strip() else before
        yield text


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
