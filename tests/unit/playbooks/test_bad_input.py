# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks refuse bad variables before they do anything, and say what is wrong without showing what is secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from runner.project import base_env

NAMESPACE = "projectatomic.system_containers"


def run(playbook: str, variables: dict[str, Any]) -> str:
    """Run a playbook on this machine, which it has to refuse; return what it said."""
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            f"{NAMESPACE}.{playbook}",
            "--inventory=localhost,",
            "--connection=local",
            "--check",
            f"--extra-vars={json.dumps({'ansible_python_interpreter': sys.executable, **variables})}",
        ],
        env=base_env(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "changed=0" in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("playbook", ["install", "rolling_update"])
@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        (None, "has to be a list of dicts"),
        ({"name": "app"}, "has to be a list of dicts"),
        (["app"], "has to be a list of dicts"),
        ([{"image": "registry.test/app"}], "each with a name of its own"),
        ([{"name": "app"}, {"name": "app"}], "each with a name of its own"),
        ([{"name": "app", "imag": "Confidant"}], "app has what is no option of system_container: imag"),
    ],
    ids=["missing", "dict", "text", "no name", "twice", "unknown option"],
)
def test_the_list_of_containers(playbook: str, containers: Any, expected: str) -> None:
    said = run(playbook, {} if containers is None else {"system_containers": containers})
    assert expected in said
    assert "Confidant" not in said


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "rollback_names has to be the name of a container"),
        ({"rollback_names": []}, "rollback_names has to be the name of a container"),
        ({"rollback_names": "app", "rollback_to": "1"}, "neither the id of a deployment"),
    ],
    ids=["no names", "empty names", "bad id"],
)
def test_rollback(variables: dict[str, Any], expected: str) -> None:
    assert expected in run("rollback", variables)
