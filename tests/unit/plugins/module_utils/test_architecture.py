# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of the code: what decides is pure, what acts is thin, and no file grows without an end (DESIGN 4)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

MODULE_UTILS = Path(__file__).parents[4] / "plugins" / "module_utils"
FILES = sorted(path for path in MODULE_UTILS.rglob("*.py") if path.name != "__init__.py")
MAX_FILE, MAX_FUNCTION = 400, 60

PURE = {
    "_container_name",
    "_container_plan",
    "_exec_process",
    "_exports",
    "_image_actions",
    "_template",
    "_unit_lines",
    "_actions",
    "_argspec",
    "_atomic_host_files",
    "_capabilities",
    "_deployment",
    "_describe",
    "_diff",
    "_drift",
    "_gvariant",
    "_image_source",
    "_retry",
    "_signature_policy",
    "_source_errors",
    "_errors",
    "_file_object",
    "_host_file_changes",
    "_host_file_diff",
    "_host_file_plan",
    "_host_files",
    "_host_places",
    "_image_name",
    "_image_plan",
    "_image_request",
    "_info_file",
    "_layer_tree",
    "_lint_config",
    "_lint_findings",
    "_lint_render",
    "_lint_rules",
    "_models",
    "_mount_targets",
    "_mounts",
    "_obstacles",
    "_parents",
    "_small_text",
    "_oci_image",
    "_plan",
    "_plan_absent",
    "_process_tree",
    "_prune_plan",
    "_record",
    "_render",
    "_runtime_fit",
    "_runtime_spec",
    "_runtime_versions",
    "_secrets",
    "_strict_json",
    "_systemd_unit",
    "_tar_filter",
    "_tar_header",
    "_tmpfiles",
    "_user_values",
    "_values",
}
EFFECTS = {
    "_beneath",
    "_blob",
    "_short_lived",
    "_exec",
    "_image_users",
    "_deferred_sync",
    "_deployments",
    "_apply",
    "_apply_change",
    "_choice",
    "_containers",
    "_describe_images",
    "_folder_attributes",
    "_host_facts",
    "_host_file_io",
    "_host_file_turn",
    "_image_files",
    "_image_paths",
    "_image_proxy",
    "_images",
    "_inflate",
    "_io",
    "_journal",
    "_kernel",
    "_layer_import",
    "_lint",
    "_lower_links",
    "_module",
    "_new_deployment",
    "_observe",
    "_ostree",
    "_ostree_reader",
    "_prune",
    "_prune_observe",
    "_policy_copy",
    "_proxy_process",
    "_pull",
    "_rootfs_verify",
    "_runner",
    "_runtime",
    "_runtime_info",
    "_skopeo_log",
    "_store",
    "_tar_commit",
    "_store_sizes",
    "_verify",
    "_stored_image",
    "_systemctl",
}
PURE_LIBRARY = {
    "__future__",
    "contextlib",
    "base64",
    "binascii",
    "collections",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "math",
    "posixpath",
    "re",
    "string",
    "struct",
    "types",
    "typing",
    "uuid",
}
"""What a pure file may import; anything else touches a host, a clock or chance until somebody has looked."""

IMPURE_NAMES = {
    "uuid1",
    "uuid4",
    "getnode",
    "now",
    "utcnow",
    "today",
    "open",
    "input",
    "print",
    "exec",
    "eval",
    "compile",
    "__import__",
}
"""Functions that are at hand without an import, or in a module of PURE_LIBRARY."""


def tree_of(name: str) -> ast.Module:
    return ast.parse((MODULE_UTILS / f"{name}.py").read_text(encoding="utf-8"))


def imported(name: str) -> tuple[set[str], set[str]]:
    """Return (module_utils files, other modules) that a file imports, wherever in it."""
    own: set[str] = set()
    other: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            other.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            own.update([node.module.partition(".")[0]] if node.module else [alias.name for alias in node.names])
        elif isinstance(node, ast.ImportFrom):
            path = (node.module or "").split(".")
            in_collection = path[0] == "ansible_collections" and "module_utils" in path[:-1]
            (own if in_collection else other).add(path[-1] if in_collection else path[0])
    return own, other


def closure(name: str) -> set[str]:
    """Return a file and all files of module_utils that it leads to."""
    found, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += imported(current)[0]
    return found


def test_every_file_is_pure_or_an_effect() -> None:
    assert not PURE & EFFECTS
    assert {path.stem for path in FILES} == PURE | EFFECTS


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_file_reaches_no_effect(name: str) -> None:
    assert closure(name) <= PURE
    assert imported(name)[1] <= PURE_LIBRARY


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_file_calls_nothing_impure(name: str) -> None:
    called = {
        getattr(node.func, "id", getattr(node.func, "attr", ""))
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call)
    }
    # re.compile is fine, the builtin compile is not.
    builtin = {
        node.func.id
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not (called - {"compile"}) & IMPURE_NAMES
    assert "compile" not in builtin


@pytest.mark.parametrize("name", sorted(PURE | EFFECTS))
def test_utils_know_no_module(name: str) -> None:
    """Only a module's main() calls fail_json."""
    text = (MODULE_UTILS / f"{name}.py").read_text(encoding="utf-8")
    assert "ansible" not in imported(name)[1]
    assert "fail_json" not in text.replace("``fail_json``", "") or name == "_module"
    assert "check_mode" not in text or name in (
        "_choice",
        "_containers",
        "_images",
        "_lint",
        "_plan",
        "_prune",
        "_container_plan",
        "_actions",
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_size_of_files(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_size_of_functions(path: Path) -> None:
    long = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION
    }
    assert long == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_header_and_docstring(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[2] == "# SPDX-License-Identifier: GPL-3.0-or-later"
    assert ast.get_docstring(ast.parse("\n".join(lines)))
