# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-test likes to skip in silence; the runner must notice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from runner.results import Skip
from runner.sanity import find_pythons, not_applicable, parse_sanity

NOT_APPLICABLE = "No tests applicable."
FILES = [Path("galaxy.yml"), Path("plugins/modules/one.py")]


def reports(folder: Path, **cases: str) -> list[Path]:
    """Write one report for each test, as ansible-test does."""
    found = []
    for name, content in cases.items():
        path = folder / f"{name}.xml"
        case = f'<testcase classname="sanity" name="{name.replace("_", "-")}">{content}</testcase>'
        path.write_text(f"<testsuites><testsuite>{case}</testsuite></testsuites>")
        found.append(path)
    return found


def skipped(reason: str) -> str:
    """Return the content of a skipped test case."""
    return f"<skipped>{reason}</skipped>"


@pytest.mark.parametrize(
    ("cases", "code", "output", "expected"),
    [
        pytest.param({"pep8": "", "import": ""}, 0, "", (2, 0, 0), id="good"),
        pytest.param({"pep8": "", "import": "<failure/>"}, 1, "", (1, 1, 0), id="one fails"),
        pytest.param({"pep8": ""}, 1, "FATAL: out of memory", (1, 1, 0), id="ends early"),
        pytest.param({}, 0, "WARNING: All targets skipped.", (0, 1, 0), id="all skipped"),
        pytest.param({"pep8": ""}, 0, "WARNING: All targets skipped.", (0, 1, 0), id="all skipped, old report"),
        pytest.param({}, 0, "", (0, 1, 0), id="no report"),
        pytest.param({"pslint": skipped(NOT_APPLICABLE)}, 0, "", (0, 1, 0), id="nothing but skips"),
        pytest.param({"pep8": "", "pslint": skipped(NOT_APPLICABLE)}, 0, "", (1, 0, 0), id="no PowerShell"),
        pytest.param({"pep8": "", "validate_modules": skipped(NOT_APPLICABLE)}, 0, "", (1, 0, 1), id="no modules"),
        pytest.param({"pep8": "", "pslint": skipped("no pwsh")}, 0, "", (1, 0, 1), id="tool is missing"),
    ],
)
def test_parse_sanity(
    tmp_path: Path, cases: dict[str, str], code: int, output: str, expected: tuple[int, int, int]
) -> None:
    result = parse_sanity(reports(tmp_path, **cases), code=code, output=output, files=FILES)
    assert (result.passed, result.failed, len(result.skips)) == expected
    assert result.ok is (expected[1:] == (0, 0))


@pytest.mark.parametrize(
    ("name", "reason", "files", "expected"),
    [
        ("sanity::shellcheck-python-3.11", NOT_APPLICABLE, ["tests/tools/bootstrap"], True),
        ("sanity::shellcheck-python-3.11", NOT_APPLICABLE, ["tests/lab/boot.sh"], False),
        ("sanity::shellcheck", NOT_APPLICABLE, [], True),
        ("sanity::empty-init-python-3.11", NOT_APPLICABLE, ["tests/lab/__init__.py"], True),
        ("sanity::empty-init-python-3.11", NOT_APPLICABLE, ["plugins/modules/__init__.py"], False),
        ("sanity::pslint", "Skipping sanity test, pwsh not found", [], False),
        ("sanity::import-python-3.9", NOT_APPLICABLE, [], False),
    ],
)
def test_not_applicable(name: str, reason: str, files: list[str], expected: bool) -> None:
    assert not_applicable(Skip(name, reason), files) is expected


def test_find_pythons_has_the_one_that_runs_and_no_shims() -> None:
    found = find_pythons()
    assert found[f"{sys.version_info[0]}.{sys.version_info[1]}"] == Path(sys.executable)
    assert not [path for path in found.values() if path.parent.name == "shims"]
