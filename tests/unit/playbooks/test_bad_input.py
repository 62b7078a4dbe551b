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


APP = {"name": "app", "image": "registry.test/app:1"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"rolling_update_serial": 0}, "rolling_update_serial is 0: it has to be a number of hosts such as 2"),
        ({"rolling_update_serial": [1, "a quarter"]}, "rolling_update_serial is [1, "),
        ({"rolling_update_serial": []}, "rolling_update_serial is []"),
        ({"rolling_update_drain": "drain.yml"}, "rolling_update_drain is 'drain.yml': it has to be the absolute path"),
        ({"rolling_update_check": "/nonexistent.yml"}, "rolling_update_check is '/nonexistent.yml'"),
        ({"rolling_update_undrain": "/"}, "rolling_update_undrain is '/'"),
        (
            {"system_containers_defaults": {"passwort": "Confidant"}},
            "app has what is no option of system_container: passwort",
        ),
        ({"system_containers_defaults": ["root"]}, "system_containers_defaults has to be a dict"),
        ({"system_containers": [{**APP, "image": "127.0.0.1:1/app:1"}]}, "image_digest: 127.0.0.1:1"),
    ],
    ids=[
        "none at a time",
        "words",
        "no batch",
        "relative",
        "missing",
        "folder",
        "unknown default",
        "list of defaults",
        "no registry",
    ],
)
def test_rolling_update(variables: dict[str, Any], expected: str) -> None:
    said = run("rolling_update", {"system_containers": [APP], **variables})
    assert expected in said
    assert "Confidant" not in said


@pytest.mark.parametrize("playbook", ["rolling_update", "rollback"])
def test_unreachable_host(playbook: str) -> None:
    said = run(
        playbook,
        {
            "system_containers": [APP],
            "rollback_names": "app",
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": 1,
        },
    )
    assert (
        "localhost cannot be reached, so no host was changed. Mend that, or leave such hosts out: --limit 'all:!localhost'"
        in said
    )


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "rollback_names has to be the name of a container"),
        ({"rollback_names": []}, "rollback_names has to be the name of a container"),
        ({"rollback_names": "app", "rollback_to": "1"}, "neither the id of a deployment"),
        ({"rollback_names": "app", "rollback_serial": "-1"}, "rollback_serial is"),
    ],
    ids=["no names", "empty names", "bad id", "all at a time"],
)
def test_rollback(variables: dict[str, Any], expected: str) -> None:
    assert expected in run("rollback", variables)
