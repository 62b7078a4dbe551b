# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and texts of systemd units: the name rule, the default unit, the drop-in of every system container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._deployment import GeneratedFile, UnitOptions
from ._errors import InvalidInputError
from ._models import ALSO_LINE, OWNER_LINE, Paths
from ._strict_json import is_utf8

_UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
_OPTION_NAME = re.compile(r"(?:X-)?[A-Za-z][A-Za-z0-9]*\Z")

DEFAULT_UNIT_TEMPLATE = """
[Unit]
Description=$NAME

[Service]
ExecStartPre=$EXEC_STARTPRE
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
ExecStopPost=$EXEC_STOPPOST
Restart=on-failure
WorkingDirectory=$DESTDIR
PIDFile=$PIDFILE

[Install]
WantedBy=multi-user.target
"""
"""The unit of an image that brings none; its form is the one that Atomic gave such images."""


def is_unit_file(path: str) -> bool:
    """Tell whether systemd reads the file at ``path`` as a unit or a part of one."""
    return path.startswith(_UNIT_FOLDERS)


def uses_pid_file(template: str) -> bool:
    """Tell whether a unit template asks for the detached form, by Atomic's rule: it names both variables."""
    return "$EXEC_STOPPOST" in template and "$PIDFILE" in template


def start_stop_values(*, name: str, runtime: str, pid_file: str, detached: bool) -> dict[str, str]:
    """Return the values ``EXEC_START``, ``EXEC_STOP``, ``EXEC_STARTPRE`` and ``EXEC_STOPPOST`` as Atomic spelled them."""
    if detached:
        return {
            "EXEC_START": f"{runtime}  --systemd-cgroup run -d --pid-file {pid_file} '{name}'",
            "EXEC_STOP": "",
            "EXEC_STARTPRE": "",
            "EXEC_STOPPOST": f"{runtime} delete '{name}'",
        }
    return {
        "EXEC_START": f"{runtime} --systemd-cgroup run '{name}'",
        "EXEC_STOP": f"{runtime} --systemd-cgroup kill '{name}'",
        "EXEC_STARTPRE": "",
        "EXEC_STOPPOST": "",
    }


def render_drop_in(*, paths: Paths, runtime: str, unit: str, has_tmpfiles: bool) -> str:
    """Return the drop-in that every system container needs besides the unit of its image.

    A container that outlives its ``runc run`` would keep its id taken and block every later start, and one that
    ends on SIGTERM is not a failure. A detached unit that does not say so is of the type ``forking``.
    """
    lines = [
        "# Made by the Ansible collection projectatomic.system_containers; changes are overwritten.",
        f"{OWNER_LINE}{paths.link}",
        *([f"{ALSO_LINE}{paths.tmpfiles}"] if has_tmpfiles else []),
        "[Service]",
    ]
    if " run -d --pid-file " in unit and not has_setting(unit, section="Service", key="Type"):
        lines.append("Type=forking")
    lines += [f"ExecStopPost=-{runtime} delete --force {paths.name}", "SuccessExitStatus=143"]
    return "\n".join(lines) + "\n"


def check_unit_options(options: Mapping[str, Any]) -> UnitOptions:
    """Return the option ``unit_options`` as strings, without what is null and without sections that are empty.

    A list stands for an option that is given several times. Raises ``InvalidInputError`` for what is no option of a unit.
    """
    checked: dict[str, dict[str, Any]] = {}
    for section, entries in options.items():
        if not isinstance(section, str) or not _OPTION_NAME.match(section) or not isinstance(entries, dict):
            raise InvalidInputError(
                f"unit_options: '{section}' has to be the name of a section, such as 'Service', with a dictionary of its options"
            )
        for key, value in entries.items():
            if not isinstance(key, str) or not _OPTION_NAME.match(key):
                raise InvalidInputError(f"unit_options: '{key}' in '{section}' is not the name of an option of a unit")
            if value is not None:
                texts = [
                    _option_text(item, where=f"{section}.{key}")
                    for item in (value if isinstance(value, list) else [value])
                ]
                checked.setdefault(section, {})[key] = texts if isinstance(value, list) else texts[0]
    return checked


def _option_text(value: Any, *, where: str) -> str:
    """Return a value as a unit has it: ``true`` and ``false`` for booleans (systemd.syntax(7)), numbers as they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise InvalidInputError(
            f"unit_options: the value of '{where}' has to be text, a number, a boolean, or a list of them"
        )
    text = str(value)
    if not is_utf8(text):
        raise InvalidInputError(f"unit_options: the value of '{where}' has text that is not UTF-8: correct it")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text) or text.endswith("\\"):
        raise InvalidInputError(
            f"unit_options: the value of '{where}' holds a control character or ends in a backslash, which would begin"
            " another line of the unit"
        )
    return text


def render_unit_options(options: UnitOptions, *, paths: Paths) -> GeneratedFile | None:
    """Return the drop-in with the user's own options; None when there are none."""
    if not options:
        return None
    lines = ["# Made by the Ansible collection projectatomic.system_containers; changes are overwritten."]
    for section, entries in sorted(options.items()):
        lines.append(f"[{section}]")
        for key, value in sorted(entries.items()):
            lines += [f"{key}={text}" for text in (value if isinstance(value, list) else [value])]
    return GeneratedFile(path=paths.unit_options, content="\n".join(lines) + "\n", mode=0o644)


def settings(unit: str, section: str) -> list[tuple[str, str]]:
    """Return the (key, value) pairs of a section of a unit's text, in order (systemd.syntax(7))."""
    found = []
    current = ""
    text = "\n".join(line for line in unit.splitlines() if line.strip()[:1] not in ("#", ";"))
    for line in re.sub(r"\\\n", " ", text).splitlines():
        stripped = line.strip()
        key, equals, value = stripped.partition("=")
        if stripped.startswith("[") and stripped.endswith("]"):
            current = stripped[1:-1]
        elif current == section and equals:
            found.append((key.strip(), value.strip()))
    return found


def has_setting(unit: str, *, section: str, key: str) -> bool:
    """Tell whether ``key`` is set in ``section`` of a unit's text."""
    return any(name == key for name, _value in settings(unit, section))


def enablement(unit: str) -> list[tuple[str, str]]:
    """Return what ``systemctl enable`` makes of a unit's text (its [Install] section); empty when there is nothing.

    An empty value takes back what was said before of its key (systemd.unit(5)).
    """
    found: list[tuple[str, str]] = []
    for key, value in settings(unit, "Install"):
        if key in ("WantedBy", "RequiredBy", "UpheldBy", "Alias"):
            found = [*found, (key, value)] if value else [item for item in found if item[0] != key]
    return found
