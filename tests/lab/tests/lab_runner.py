# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the lab's command line for tests, and finds what a lab left behind."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from lab import cgroup, state
from lab.state import ID_VARIABLE, STATE_ROOT, Lab

SCRIPT = Path(state.__file__).parent / "lab"


class Runner:
    """Runs the command line on one lab."""

    def __init__(self, name: str) -> None:
        self.lab = Lab(name)
        self.environment = {**os.environ, ID_VARIABLE: name}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([str(SCRIPT), *words], env=self.environment, stdout=subprocess.DEVNULL)

    def run(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """Run one command and return its output; its standard error is part of it."""
        result = subprocess.run(
            [str(SCRIPT), *words],
            env=self.environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == code, result.stdout
        return result.stdout

    def variables(self) -> dict[str, str]:
        lines = [shlex.split(line)[0] for line in self.run("env").splitlines()]
        return dict(line.split("=", 1) for line in lines)

    def leader(self, name: str) -> int:
        found = cgroup.leader(f"{self.lab.cgroup}/host-{name}")
        assert found is not None
        return found

    def residue(self) -> list[str]:
        """Return what the lab left on the machine."""
        signs = (self.lab.id, self.lab.tag)
        links = subprocess.run(["ip", "-oneline", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout
        lines = [*links.splitlines(), *Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
        for folder in (STATE_ROOT, *cgroup.hierarchies(), Path("/run"), Path("/run/netns"), Path("/tmp")):
            if folder.is_dir():
                lines += [str(path) for path in folder.iterdir()]
        lines += processes_mentioning(self.lab.id)
        return [line for line in lines if any(sign in line for sign in signs)]


def processes_mentioning(name: str) -> list[str]:
    """Return the processes that have a lab's id in their arguments, environment or cgroup, but for this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parts = [(folder / part).read_bytes() for part in ("cmdline", "environ", "cgroup")]
        except OSError:
            continue
        if folder.name != str(os.getpid()) and any(name.encode() in part for part in parts):
            found.append(f"{name}: process {folder.name} {parts[0]!r}")
    return found
