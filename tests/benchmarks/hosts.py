# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is timed on a host of the lab, where systemd runs: modules as Ansible sends them, and other programs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faults.lab_host import FOLDER, LabHost
from lab.process import LabError

from benchmarks.contenders import Contender
from benchmarks.module import EMPTY, build_module
from benchmarks.process import Run

_NAME = "bench"


class BenchHost:
    """The host. Times are taken on it, so it does not matter what it takes to get there."""

    def __init__(self, *, folder: Path, python: str) -> None:
        self._folder, self._python = folder, python
        self._numbers = itertools.count(1)
        self._host = LabHost(_NAME, packages=["podman"])

    def down(self) -> None:
        """Remove it."""
        self._host.down()

    def send_folder(self, source: Path, folder: str) -> None:
        """Copy a folder to it."""
        self._host.send_folder(source, folder)

    def run(self, *argv: str) -> str:
        """Run a command that has to go well; return its output."""
        return self._host.run(*argv)

    def module(self, source: Path, arguments: Mapping[str, Any]) -> list[str]:
        """Send a module with its arguments in one file; return the command that runs it."""
        folder = self._folder / f"{next(self._numbers)}"
        archive = build_module(source, arguments, folder / f"{source.stem}.py", python=self._python)
        target = f"{FOLDER}/bench/{folder.name}"
        self._host.send_folder(folder, target)
        return [self._python, f"{target}/{archive.name}"]

    def result(self, source: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module; return its result."""
        found: dict[str, Any] = json.loads(self.measure(self.module(source, arguments)).output)
        return found

    def measure(self, argv: Sequence[str]) -> Run:
        """Time a command there; ``LabError`` when it fails."""
        (done,) = self._host.steps([["time", *argv]])
        if done["code"] != 0:
            said = _message(done["stdout"]) or done["stdout"] + done["stderr"]
            raise LabError(f"{' '.join(argv)}: exit code {done['code']}: {said[-2000:]}")
        return Run(done["seconds"], done["cpu"], done["stdout"])


class OnHost(Contender):
    """A command on the host; ``prepare`` is run before, ``changed`` is what a module has to return."""

    def __init__(
        self,
        host: BenchHost,
        name: str,
        argv: Sequence[str],
        *,
        prepare: Callable[[], None] | None = None,
        changed: bool | None = None,
    ) -> None:
        self.name, self._host, self._argv, self._prepare, self._changed = name, host, argv, prepare, changed

    def prepare(self) -> None:
        if self._prepare is not None:
            self._prepare()

    def run(self) -> Run:
        done = self._host.measure(self._argv)
        if self._changed is not None and json.loads(done.output)["changed"] != self._changed:
            raise LabError(f"{self.name}: the module was to return changed={self._changed}: {done.output}")
        return done


def empty_module(host: BenchHost) -> OnHost:
    """Return a module that does nothing."""
    return OnHost(host, "empty-module", host.module(EMPTY, {"name": "example.com/app"}), changed=False)


def _message(output: str) -> str:
    """Return the message of a module that failed; nothing for other programs."""
    try:
        return str(json.loads(output)["msg"])
    except (ValueError, LookupError, TypeError):
        return ""
