# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of README.md, in a lab of its own: it needs root."""

from __future__ import annotations

import os
import subprocess

import pytest
from lab.state import CHECKOUT
from lab.tests.lab_runner import Runner

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")


def test_the_demo_runs_and_leaves_nothing() -> None:
    runner = Runner(f"test-{os.getpid()}-d")
    # As in a shell: without what `make test` and the runner set.
    environment = {key: value for key, value in runner.environment.items() if not key.startswith(("ANSIBLE_", "MAKE"))}

    def make(command: str) -> str:
        done = subprocess.run(
            ["make", command],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    try:
        said = make("demo")
        assert "answers: Hello" in said
        assert said.endswith("demo: ok\n")
        assert "everything is gone" in make("demo-down")
    finally:
        runner.run("down")
    assert runner.residue() == []
