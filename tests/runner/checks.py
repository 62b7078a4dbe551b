# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stages whose tool says only yes or no."""

from __future__ import annotations

import sys

from runner.collection_link import link_collection
from runner.project import COLLECTION_PATH, ROOT, shell_scripts
from runner.results import Result
from runner.stage import Context, run_checks


def ruff(context: Context) -> Result:
    """Lint rules and format of all Python files."""
    return run_checks(context, ["ruff", "check", "--no-fix", "."], ["ruff", "format", "--check", "."])


def mypy(context: Context) -> Result:
    """Types; the plugins under the name they are imported by."""
    plugins = link_collection().relative_to(ROOT) / COLLECTION_PATH / "plugins"
    return run_checks(context, [sys.executable, "-m", "mypy", plugins, "tests"])


def shellcheck(context: Context) -> Result:
    """Every shell script, also those without a suffix."""
    return run_checks(context, ["shellcheck", "--external-sources", *shell_scripts()])


def ansible_lint(context: Context) -> Result:
    """Profile production, as .ansible-lint says."""
    return run_checks(context, ["ansible-lint", "--offline", "--nocolor"])


def docs(context: Context) -> Result:
    """The documentation inside plugins and roles, its markup and its references."""
    options = ["--plugin-docs", "--validate-collection-refs", "all", "--skip-rstcheck"]
    return run_checks(context, ["antsibull-docs", "lint-collection-docs", *options, "."])


def changelog(context: Context) -> Result:
    """Changelog fragments."""
    return run_checks(context, ["antsibull-changelog", "lint"])
