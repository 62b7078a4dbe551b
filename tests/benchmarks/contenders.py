# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who stores an image: the collection's module, podman, and the least that storing takes."""

from __future__ import annotations

import itertools
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.process import LabError, run

from benchmarks.images import PublishedImage
from benchmarks.module import EMPTY, IMAGE, build_module
from benchmarks.process import Run, measure

PROBE = Path(__file__).with_name("memory_probe.py")


class Contender(ABC):
    """Something that is timed; ``prepare`` makes the start the same for each run, and is not timed."""

    name: str

    @abstractmethod
    def prepare(self) -> None: ...

    @abstractmethod
    def run(self) -> Run: ...


class Ours(Contender):
    """The module: its whole process, with the start of Python."""

    changes = True
    """What it has to return as ``changed``."""

    def __init__(
        self,
        image: PublishedImage,
        *,
        name: str = "ours",
        folder: Path,
        environment: Mapping[str, str],
        python: str,
        state: str = "present",
    ) -> None:
        self.name = name
        self.folder, self.environment, self._python, self._image = folder, environment, python, image
        self.repository = folder / "repo"
        self._archive = build_module(IMAGE, self._arguments(state), folder / f"{name}.py", python=python)

    def _arguments(self, state: str) -> dict[str, Any]:
        return {
            "name": self._image.reference,
            "state": state,
            "root": str(self.folder / "root"),
            "repo": str(self.repository),
            "validate_certs": False,
        }

    def prepare(self) -> None:
        """Start without a repository: the module makes its own."""
        put_aside(self.repository)

    def run(self, *, watch: Callable[[int], None] | None = None) -> Run:
        """Run the module; ``LabError`` when it did not change what it should, or changed what it should not."""
        return self._measured([self._python, str(self._archive)], watch)

    def peak_memory(self) -> int:
        """Run the module and return the peak memory of its own process, in bytes."""
        peak = self.folder / "peak"
        self._measured([self._python, str(PROBE), str(peak), str(self._archive)], None)
        return int(peak.read_text(encoding="ascii")) * 1024

    def _measured(self, argv: Sequence[str], watch: Callable[[int], None] | None) -> Run:
        measured = measure(argv, environment=self.environment, watch=watch)
        if json.loads(measured.output)["changed"] != self.changes:
            raise LabError(f"the module was to return changed={self.changes} for {self._image.reference}")
        return measured


class OursAgain(Ours):
    """The module when all is there: nothing is to be changed."""

    changes = False

    def prepare(self) -> None:
        pass


class Empty(Contender):
    """A module that does nothing, run as the module is."""

    name = "empty-module"

    def __init__(self, *, folder: Path, environment: Mapping[str, str], python: str) -> None:
        self._environment, self._python = environment, python
        self._archive = build_module(EMPTY, {"name": "example.com/app"}, folder / "empty.py", python=python)

    def prepare(self) -> None:
        pass

    def run(self) -> Run:
        return measure([self._python, str(self._archive)], environment=self._environment)


class Floor(Contender):
    """``gzip -dc LAYER | ostree commit --tree=tar=-``: the least that a layer costs with the same programs."""

    name = "floor"

    def __init__(self, image: PublishedImage, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._layer = str(image.blob(image.layers[0]))
        self._repository, self._environment = folder / "floor", environment

    def prepare(self) -> None:
        new_repository(self._repository)

    def run(self) -> Run:
        commit = [
            "ostree",
            "commit",
            f"--repo={self._repository}",
            "--orphan",
            "--tar-autocreate-parents",
            "--tree=tar=-",
        ]
        return measure(["gzip", "-dc", self._layer], commit, environment=self._environment)


class Podman(Contender):
    """``podman pull``, with a store of its own on the same file system as our repository."""

    name = "podman"

    def __init__(self, image: PublishedImage, *, store: Path, environment: Mapping[str, str]) -> None:
        self._reference, self._store, self._environment = image.reference, store, environment
        self._podman = ["podman", "--events-backend=none"]

    def prepare(self) -> None:
        put_aside(self._store)
        run([*self._podman, "images"], environment=self._environment)  # makes an empty store

    def run(self) -> Run:
        return measure(
            [*self._podman, "pull", "-q", "--tls-verify=false", self._reference], environment=self._environment
        )


def new_repository(path: Path) -> None:
    """Make an empty repository in place of what is there."""
    put_aside(path)
    run(["ostree", "init", "--mode=bare", f"--repo={path}"])


def put_aside(path: Path) -> None:
    """Rename what is at ``path``, if anything; it is removed with the session's folder.

    To remove thousands of files between the runs would slow down the next one: for minutes ext4 looks for other places
    than those that became free, and a disk may be told of each.
    """
    if path.exists():
        path.rename(next(aside for aside in map(f"{path}.{{}}".format, itertools.count()) if not os.path.exists(aside)))


def compare(contenders: Sequence[Contender], *, rounds: int) -> dict[str, list[Run]]:
    """Run all of them in turn, round by round, after one round that does not count (caches are warm for all)."""
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            contender.prepare()
            os.sync()
            done = contender.run()
            if number:
                runs[contender.name].append(done)
            print(f"  {contender.name}: {done.seconds:.3f} s, processor {done.cpu:.3f} s", file=sys.stderr, flush=True)
    return runs
