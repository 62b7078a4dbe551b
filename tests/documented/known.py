# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find what the collection has for examples to use, and ask Ansible about the syntax of plays."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from documented.check import COLLECTION, FOLDERS, Known
from documented.examples import Example, commands_of

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = (sys.executable, "-m", "ansible")
TARGETS = ROOT / "tests" / "integration" / "targets"
SCENARIOS = ROOT / "extensions" / "molecule"


def find_known() -> Known:
    """Return what there is, as its documentation and the project's files tell."""
    roles = {
        f"{COLLECTION}.{path.parents[1].name}": yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"][
            "main"
        ]["options"]
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
    playbooks = {
        path.relative_to(ROOT / "playbooks").with_suffix("").as_posix() for path in ROOT.glob("playbooks/**/*.yml")
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    files = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    return Known(
        modules=_documented("module", [path.stem for path in ROOT.glob("plugins/modules/[!_]*.py")]),
        roles=roles,
        inventories=_documented("inventory", [path.stem for path in ROOT.glob("plugins/inventory/[!_]*.py")]),
        playbooks=frozenset(f"{COLLECTION}.{name.replace('/', '.')}" for name in playbooks),
        make=frozenset(re.findall(r"(?m)^([a-z-]+):", makefile)),
        files=frozenset(path.relative_to(ROOT).as_posix() for path in files),
    )


def runs_examples(target: str) -> bool:
    """Tell whether an integration target or a Molecule scenario runs examples of pages: it asks for them, or reads a page."""
    paths = [*TARGETS.glob(f"{target}/tasks/*.yml"), *SCENARIOS.glob(f"{target}/*.yml")]
    tasks = [path.read_text(encoding="utf-8") for path in paths]
    asks = f"setup_documented_examples_target: {target}\n"
    return any(asks in text or "/docs/" in text for text in tasks)


def syntax_problems(plays: Sequence[Mapping[str, Any]], folder: Path) -> list[str]:
    """Return what ansible-playbook says against the syntax of plays."""
    if not plays:
        return []
    playbook = folder / "checked.yml"
    playbook.write_text(json.dumps(plays, indent=1), encoding="utf-8")
    done = subprocess.run(
        [*ANSIBLE, "playbook", "--syntax-check", "-i", "localhost,", str(playbook)],
        check=False,
        capture_output=True,
        text=True,
    )
    return [done.stderr.strip()] if done.returncode else []


def shell_problems(example: Example) -> list[str]:
    """Return what bash says against the syntax of commands."""
    script = "\n".join(commands_of(example))
    done = subprocess.run(["bash", "-n", "-c", script], check=False, capture_output=True, text=True)
    return [f"{example.where}: {done.stderr.strip()}"] if done.returncode else []


def _documented(kind: str, names: Sequence[str]) -> dict[str, Any]:
    command = [*ANSIBLE, "doc", "--json", f"--type={kind}", *(f"{COLLECTION}.{name}" for name in names)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: found["doc"]["options"] for name, found in json.loads(done.stdout).items()}
