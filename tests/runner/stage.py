# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all stages have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from runner import process
from runner.project import OUTPUT, base_env
from runner.results import Result, total, verdict


@dataclass
class Context:
    """What a stage gets to work with."""

    name: str
    say: Callable[[str], None]
    targets: Sequence[str] = ()
    keep: bool = False
    env: dict[str, str] = field(default_factory=base_env)

    @property
    def log(self) -> Path:
        """Where the output of the stage's commands goes."""
        return OUTPUT / f"{self.name}.log"

    def run(self, *argv: object, **options: object) -> int:
        """Run a command in the project's root, into the stage's log."""
        return process.run(argv, **{"log": self.log, "env": self.env, **options})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Stage:
    """One step of `make test`."""

    name: str
    about: str
    run: Callable[[Context], Result]
    heavy: bool = False
    """Needs hosts: goes into the lane of its own, beside the quick stages."""


def run_checks(context: Context, *commands: Sequence[object]) -> Result:
    """One verdict for each command."""
    results = []
    for command in commands:
        code = context.run(*command)
        what = " ".join(str(arg) for arg in command[:3]).replace(f"{sys.executable} -m ", "")
        results.append(verdict(ok=code == 0, problem=f"{what} ended with exit code {code}"))
    return total(results)


def is_root() -> bool:
    """Whether hosts can be made at all."""
    return os.geteuid() == 0
