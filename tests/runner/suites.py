# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stages that pytest runs."""

from __future__ import annotations

import os
import sys

from runner.project import OUTPUT, ROOT
from runner.results import Result, failure, parse_junit, with_exit_code
from runner.stage import Context, is_root


def run_pytest(context: Context, folder: str, *, timeout: float = 1800) -> Result:
    """Run one folder of tests, for ``timeout`` seconds at most, and read pytest's report."""
    if not (ROOT / folder).is_dir():
        return failure(f"{folder} does not exist")
    report = OUTPUT / f"junit-{context.name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", folder, f"--junitxml={report}", "--durations=5"]
    code = context.run(*command, timeout=timeout)
    return with_exit_code(parse_junit(report), code, "pytest")


def unit(context: Context) -> Result:
    """Tests without hosts; those on recorded outputs of Atomic read GOLDEN_DIR."""
    return run_pytest(context, "tests/unit")


def page(context: Context) -> Result:
    """The report page, opened in Chromium."""
    return run_pytest(context, "tests/report")


def store(context: Context) -> Result:
    """Tests on real OSTree repositories of this machine; files keep their owners only for root."""
    if not is_root():
        return failure("a store needs root")
    return run_pytest(context, "tests/store")


def faults(context: Context) -> Result:
    """Modules that are killed, or have system calls fail; FAULTS=all tries every point."""
    if not is_root():
        return failure("what the modules change needs root")
    return run_pytest(context, "tests/faults", timeout=24 * 3600 if os.environ.get("FAULTS") == "all" else 1800)


def fuzz(context: Context) -> Result:
    """A bounded run of the fuzzers, the same at every run; some of them commit to OSTree repositories as root."""
    if not is_root():
        return failure("a store needs root")
    return run_pytest(context, "tests/fuzz")


def lab(context: Context) -> Result:
    """Tests of the lab itself."""
    if not is_root():
        return failure("the lab's hosts need root")
    return run_pytest(context, "tests/lab/tests")
