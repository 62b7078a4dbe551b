# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that are documented are those that the modules take."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.projectatomic.system_containers.plugins.doc_fragments import _pull, _store
from ansible_collections.projectatomic.system_containers.plugins.module_utils import _argspec

COLLECTION = "ansible_collections.projectatomic.system_containers"
ROOT = Path(__file__).parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")
ACTION_GROUP = "system_container"


class ConstructedError(Exception):
    """Raised in place of what AnsibleModule would do, with the arguments that it got."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments


def construct(**arguments: Any) -> None:
    raise ConstructedError(**arguments)


def module_arguments(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a module's main() passes to AnsibleModule."""
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.{name}")
    monkeypatch.setattr(module, "AnsibleModule", construct)
    with pytest.raises(ConstructedError) as caught:
        module.main()
    return caught.value.arguments


def constant(name: str, variable: str) -> Any:
    """Return the parsed YAML of DOCUMENTATION, RETURN or EXAMPLES of a module."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == variable:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{name} has no {variable}")


def fragment_documents(name: str) -> list[dict[str, Any]]:
    """Return the fragments that a module's documentation extends."""
    documents = []
    for reference in constant(name, "DOCUMENTATION").get("extends_documentation_fragment", []):
        parts = reference.split(".")
        assert parts[:2] == ["projectatomic", "system_containers"]
        fragment = importlib.import_module(f"{COLLECTION}.plugins.doc_fragments.{parts[2]}").ModuleDocFragment
        documents.append(yaml.safe_load(getattr(fragment, parts[3].upper() if len(parts) > 3 else "DOCUMENTATION")))
    return documents


def documented(name: str) -> dict[str, Any]:
    """Return all options of a module's documentation, those of its fragments included."""
    options: dict[str, Any] = {}
    for document in (*fragment_documents(name), constant(name, "DOCUMENTATION")):
        options.update(document.get("options") or {})
    return options


def comparable(option: dict[str, Any]) -> dict[str, Any]:
    """Reduce an option, documented or specified, to what both say of it."""
    return {
        "type": option.get("type", "str"),
        "default": option.get("default"),
        "required": option.get("required", False),
        "choices": option.get("choices"),
        "elements": option.get("elements"),
        "aliases": option.get("aliases", []),
        "suboptions": compared(option.get("suboptions") or option.get("options") or {}),
    }


def compared(options: dict[str, Any]) -> dict[str, Any]:
    return {name: comparable(option) for name, option in options.items()}


@pytest.mark.parametrize(("fragment", "specification"), [(_store, _argspec.STORE), (_pull, _argspec.PULL)])
def test_fragment(fragment: Any, specification: dict[str, Any]) -> None:
    assert compared(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]) == compared(specification)


def test_modules_are_found() -> None:
    assert MODULES


@pytest.mark.parametrize("name", MODULES)
def test_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(documented(name)) == compared(module_arguments(name, monkeypatch)["argument_spec"])


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_described(name: str) -> None:
    assert all(option.get("description") and option.get("type") for option in documented(name).values())


@pytest.mark.parametrize("name", MODULES)
def test_attributes_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes: dict[str, Any] = {}
    for document in (*fragment_documents(name), constant(name, "DOCUMENTATION")):
        attributes.update(document.get("attributes") or {})
    assert attributes["check_mode"]["support"] == "full"
    assert module_arguments(name, monkeypatch)["supports_check_mode"] is True
    without = {"info": "N/A", "lint": "N/A", "exec": "none"}
    assert attributes["diff_mode"]["support"] == without.get(name.rpartition("_")[2], "full")


@pytest.mark.parametrize("name", MODULES)
def test_rules_name_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = module_arguments(name, monkeypatch)
    options = set(arguments["argument_spec"])
    for rule in ("required_together", "mutually_exclusive", "required_one_of"):
        assert all(set(group) <= options for group in arguments.get(rule, []))
    for option, _value, needed, *_any in arguments.get("required_if", []):
        assert {option, *needed} <= options


@pytest.mark.parametrize("name", MODULES)
def test_secrets_are_never_logged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for option, specification in module_arguments(name, monkeypatch)["argument_spec"].items():
        if any(word in option for word in ("password", "secret", "token")):
            assert specification["no_log"] is True


@pytest.mark.parametrize("name", MODULES)
def test_examples_use_known_options(name: str) -> None:
    options = documented(name)
    names = {*options, *(alias for option in options.values() for alias in option.get("aliases", []))}
    full_name = f"projectatomic.system_containers.{name}"
    used = [task[full_name] for task in constant(name, "EXAMPLES") if full_name in task]
    assert used
    assert all(set(arguments or {}) <= names for arguments in used)


def test_every_module_is_in_the_action_group() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    group = [entry for entry in runtime["action_groups"][ACTION_GROUP] if isinstance(entry, str)]
    assert sorted(entry.rpartition(".")[2] for entry in group) == MODULES
