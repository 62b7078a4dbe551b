# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check examples that do not run: that they can be read, and that the modules, roles, playbooks and options in them exist (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from documented.examples import Example, PageError, commands_of, plays_of_one

COLLECTION = "projectatomic.system_containers"
FOLDERS = ("images", "playbooks", "extensions")
"""Folders of the project whose files examples name by their paths."""
ROLE_KEYWORDS = {"role", "name", "tags", "when", "become", "vars"}

Options = Mapping[str, Mapping[str, Any]]


_PLAYBOOK_VARIABLES = ("system_containers", "rolling_update_", "rollback_", "report_")
"""Begin of the names of variables that playbooks of the collection have; the playbooks check them themselves."""


@dataclass(frozen=True)
class Known:
    """What there is to use: options by the full names of modules, roles and inventory plugins; playbooks by their full names;
    commands of ``make``; and files of the project."""

    modules: Mapping[str, Options]
    roles: Mapping[str, Options]
    inventories: Mapping[str, Options]
    playbooks: frozenset[str]
    make: frozenset[str]
    files: frozenset[str]


def check(example: Example, known: Known) -> tuple[list[str], list[dict[str, Any]]]:
    """Return what is wrong with an example, and its plays, for a look at their syntax by Ansible itself.

    Raises ``PageError`` for what can be neither read nor checked.
    """
    if example.language != "yaml":
        return [f"{example.where}: {problem}" for problem in _command_problems(example, known)], []
    data = yaml.safe_load(example.text)
    if isinstance(data, Mapping):
        if "plugin" in data:
            problems = _inventory_problems(data, known)
        elif all(key.startswith((*_PLAYBOOK_VARIABLES, *map(_prefix, known.roles))) for key in data):
            problems = _variable_problems(data, known)
        else:
            raise PageError(f"{example.where}: this kind of file is not known, so it cannot be checked")
        return [f"{example.where}: {problem}" for problem in problems], []
    plays = list(plays_of_one(example))
    return [f"{example.where}: {problem}" for play in plays for problem in _play_problems(play, known)], plays


def _variable_problems(data: Mapping[str, Any], known: Known) -> Iterator[str]:
    for role, options in known.roles.items():
        given = {key: value for key, value in data.items() if key.startswith(_prefix(role))}
        if given:
            yield from option_problems(role, given, options)


def _prefix(role: str) -> str:
    """Return how the names of a role's variables begin."""
    return role.rpartition(".")[2] + "_"


def _command_problems(example: Example, known: Known) -> Iterator[str]:
    for line in commands_of(example):
        words = line.split("#", 1)[0].split()
        if words[:1] == ["make"]:
            yield from (f"make {word}: there is no such command" for word in words[1:] if word not in known.make)
        for word in words:
            if word.partition("/")[0] in FOLDERS and word not in known.files:
                yield f"{word}: there is no such file"
            if words[0] == "ansible-playbook" and word.startswith(f"{COLLECTION}.") and word not in known.playbooks:
                yield f"{word}: there is no such playbook"


def _play_problems(play: Mapping[str, Any], known: Known) -> Iterator[str]:
    yield from _defaults_problems(play.get("module_defaults") or {}, known)
    for role in play.get("roles") or ():
        name = role if isinstance(role, str) else role.get("role", role.get("name"))
        if name.startswith(f"{COLLECTION}."):
            yield from _role_problems(name, role, play.get("vars") or {}, known)
    for task in play.get("tasks") or ():
        yield from _task_problems(task, known)


def _role_problems(name: str, role: Any, variables: Mapping[str, Any], known: Known) -> Iterator[str]:
    if name not in known.roles:
        yield f"{name}: there is no such role"
        return
    given = {key: value for key, value in variables.items() if key.startswith(_prefix(name))}
    if not isinstance(role, str):
        given |= {key: value for key, value in role.items() if key not in ROLE_KEYWORDS} | (role.get("vars") or {})
    yield from option_problems(name, given, known.roles[name])


def _task_problems(task: Mapping[str, Any], known: Known) -> Iterator[str]:
    for part in ("block", "rescue", "always"):
        for inner in task.get(part) or ():
            yield from _task_problems(inner, known)
    for name, arguments in task.items():
        if name.startswith(f"{COLLECTION}."):
            if name in known.modules:
                yield from option_problems(name, arguments or {}, known.modules[name])
            else:
                yield f"{name}: there is no such module"


def _defaults_problems(defaults: Mapping[str, Any], known: Known) -> Iterator[str]:
    shared = {name: option for options in known.modules.values() for name, option in options.items()}
    for name, arguments in defaults.items():
        if name == f"group/{COLLECTION}.system_container":
            optional = {key: {**option, "required": False} for key, option in shared.items()}
            yield from option_problems(name, arguments, optional)
        elif name.removeprefix("group/").startswith(f"{COLLECTION}."):
            yield f"{name}: there is no such group of modules"


def _inventory_problems(config: Mapping[str, Any], known: Known) -> Iterator[str]:
    if config["plugin"] in known.inventories:
        yield from option_problems(config["plugin"], config, known.inventories[config["plugin"]])
    else:
        yield f"{config['plugin']}: there is no such inventory plugin"


def option_problems(name: str, given: Mapping[str, Any], options: Options) -> Iterator[str]:
    """Yield what an argument specification says against options; what a template gives is not looked at."""
    later = {key for key, value in given.items() if "{{" in json.dumps(value)}
    specification = {
        key: {"type": "raw"} if key in later else _specification(option) for key, option in options.items()
    }
    result = ArgumentSpecValidator(specification).validate(dict(given))
    yield from (f"{name}: {message}" for message in result.error_messages)


def _specification(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return an option as argument specifications have it, from how it is documented."""
    found = {key: option[key] for key in ("type", "elements", "choices", "required", "aliases") if key in option}
    inner = option.get("options") or option.get("suboptions")
    return {**found, "options": {key: _specification(value) for key, value in inner.items()}} if inner else found
