# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find what the project has for examples to use, and ask bash about their syntax."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from documented.check import COLLECTION, FOLDERS, Known
from documented.examples import Example, commands_of

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "tests" / "integration" / "targets"
SCENARIOS = ROOT / "extensions" / "molecule"


def find_known() -> Known:
    """Return what there is, as the project's files tell."""
    playbooks = {
        path.relative_to(ROOT / "playbooks").with_suffix("").as_posix() for path in ROOT.glob("playbooks/**/*.yml")
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    files = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    return Known(
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


def shell_problems(example: Example) -> list[str]:
    """Return what bash says against the syntax of commands."""
    script = "\n".join(commands_of(example))
    done = subprocess.run(["bash", "-n", "-c", script], check=False, capture_output=True, text=True)
    return [f"{example.where}: {done.stderr.strip()}"] if done.returncode else []
