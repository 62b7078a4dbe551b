# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what a runtime is told of a process in a running container (pure): the file of ``runc exec --process``."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import InvalidInputError
from ._runtime_spec import is_below_proc

_MAX_ID = 2**32 - 2
_NOT_FOR_OTHERS = ("ambient", "inheritable")
"""Sets of capabilities that are meant for the user that config.json names, and would be kept by any other."""


@dataclass(frozen=True)
class User:
    """Who a process runs as: numbers of the user, its group, and its other groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def resolve_user(wanted: str, *, passwd: str, group: str, container: str) -> User:
    """Return whom ``NAME``, ``UID``, and either with ``:GROUP`` or ``:GID``, means in a container with these passwd(5) and group(5).

    A number that passwd does not have is a user of group 0, as it is with container engines. Raises ``InvalidInputError`` for
    names that they do not have.
    """
    name, colon, wanted_group = wanted.partition(":")
    uid = _number(name)
    account = _find_account(passwd, name, uid)
    if account is None and uid is None:
        raise InvalidInputError(
            f"user: the system container '{container}' has no user '{name}' in its /etc/passwd: correct it, or give a number"
        )
    own_name, number, gid = account or (None, uid or 0, 0)
    if colon:
        return User(number, _find_group(group, wanted_group, container=container))
    others = [number for _name, number, members in _groups(group) if own_name in members and number != gid]
    return User(number, gid, tuple(dict.fromkeys(others)))


def exec_process(
    base: Mapping[str, Any],
    *,
    argv: Sequence[str],
    chdir: str | None = None,
    env: Mapping[str, Any] | None = None,
    user: User | None = None,
) -> dict[str, Any]:
    """Return ``process`` of a config.json with another command.

    Everything else is as ``base``, the container's own process, has it: capabilities, limits, labels. ``env`` adds to its
    environment; None as a value takes a variable away. Raises ``InvalidInputError`` for what no process can have.
    """
    process = {**base, "args": list(argv), "terminal": False}
    process.pop("consoleSize", None)
    _check_argv(argv)
    if chdir is not None:
        process["cwd"] = _checked_directory(chdir)
    process["env"] = _environment(base.get("env") or (), env or {})
    if user is not None:
        process["user"] = {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}
        if user.uid != (base.get("user") or {}).get("uid"):
            process["capabilities"] = _for_another(base.get("capabilities"))
    return process


def search_path(process: Mapping[str, Any]) -> str:
    """Return the PATH in which a process's command is looked for."""
    found = [item for item in process["env"] if item.startswith("PATH=")]
    return found[-1][len("PATH=") :] if found else ""


def _check_argv(argv: Sequence[str]) -> None:
    if not argv or not argv[0]:
        raise InvalidInputError("argv: it is empty: give a command and its arguments, such as ['ls', '/etc']")
    if any("\0" in argument for argument in argv):
        raise InvalidInputError("argv: an argument of a command cannot hold a NUL character")


def _checked_directory(path: str) -> str:
    if not posixpath.isabs(path) or "\0" in path:
        raise InvalidInputError(f"chdir: '{path}' is not an absolute path in the container")
    if is_below_proc(path):
        # CVE-2024-21626: a file descriptor that leaked into the container leads out of it.
        raise InvalidInputError(f"chdir: '{path}' is below /proc: choose another directory of the container")
    return path


def _environment(base: Sequence[str], added: Mapping[str, Any]) -> list[str]:
    variables = dict(item.split("=", 1) for item in base if "=" in item)
    for name, value in added.items():
        if not name or "=" in name or "\0" in name:
            raise InvalidInputError(f"env: {name!r} cannot be the name of a variable")
        variables.pop(name, None)
        if value is not None:
            variables[name] = _as_text(name, value)
    return [f"{name}={value}" for name, value in variables.items()]


def _as_text(name: str, value: Any) -> str:
    if not isinstance(value, (str, int, float)):
        raise InvalidInputError(f"env: the value of '{name}' is neither text nor a number nor a boolean")
    text = value if isinstance(value, str) else json.dumps(value)
    if "\0" in text:
        raise InvalidInputError(f"env: the value of '{name}' cannot hold a NUL character")
    return text


def _for_another(capabilities: Any) -> Any:
    """Return capabilities without those that would stay when the user is another one than config.json's."""
    if not isinstance(capabilities, Mapping):
        return capabilities
    return {name: values for name, values in capabilities.items() if name not in _NOT_FOR_OTHERS}


def _find_account(passwd: str, name: str, uid: int | None) -> tuple[str, int, int] | None:
    """Return (name, uid, gid) of a user by its name, else by its number."""
    accounts = []
    for line in passwd.splitlines():
        fields = line.split(":")
        numbers = [_number(field) for field in fields[2:4]]
        if len(fields) >= 4 and None not in numbers:
            accounts.append((fields[0], numbers[0] or 0, numbers[1] or 0))
    by_name = (account for account in accounts if account[0] == name)
    by_number = (account for account in accounts if account[1] == uid)
    return next(by_name, None) or next(by_number, None)


def _find_group(group: str, wanted: str, *, container: str) -> int:
    found = next((gid for name, gid, _members in _groups(group) if name == wanted), _number(wanted))
    if found is None:
        raise InvalidInputError(
            f"user: the system container '{container}' has no group '{wanted}' in its /etc/group: correct it, or give a number"
        )
    return found


def _groups(group: str) -> list[tuple[str, int, list[str]]]:
    """Return (name, gid, members) of each line of a group(5)."""
    found = []
    for line in group.splitlines():
        fields = line.split(":")
        gid = _number(fields[2]) if len(fields) >= 4 else None
        if gid is not None:
            found.append((fields[0], gid, fields[3].split(",")))
    return found


def _number(text: str) -> int | None:
    """Return the number of a user or a group, None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and int(text) <= _MAX_ID else None
