# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all benchmarks of one run share: options, the work folder, the environment of programs, registry and images."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import registry as registries
from benchmarks.contenders import Empty, Floor, Ours, OursAgain, Podman
from benchmarks.content import Shape
from benchmarks.hosts import BenchHost
from benchmarks.images import PublishedImage, publish
from benchmarks.isolation import installed_inflaters, unmount_below

PODMAN_STORE = "podman"
_ACCEPT_ALL = {"default": [{"type": "insecureAcceptAnything"}]}
_STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n'
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Options:
    """What a user chooses. ``scale`` makes all images smaller (or larger), for a quick look."""

    work: Path
    pairs: int = 5
    scale: float = 1.0
    python: str = "/usr/bin/python3"


class Session:
    """One run of benchmarks; ``folder`` is a new one below the work folder."""

    def __init__(
        self, options: Options, folder: Path, environment: dict[str, str], registry: registries.Registry
    ) -> None:
        self.pairs, self.python = options.pairs, options.python
        self.folder, self.environment, self.registry = folder, environment, registry
        self._scale = options.scale
        self._images: dict[tuple[Shape, int | None], PublishedImage] = {}
        self._host: BenchHost | None = None

    def shape(self, *, size: int, files: int, layers: int = 1, even: bool = False, seed: int = 1) -> Shape:
        """Return a shape at this run's scale."""
        files = max(round(files * self._scale), layers)
        return Shape(max(round(size * self._scale), 100 * files), files, layers, even, seed)

    @property
    def single_file(self) -> Shape:
        """The shape of an image that has next to nothing in it."""
        return Shape(size=3_000, files=1)

    def image(self, shape: Shape, *, layers: int | None = None) -> PublishedImage:
        """Return an image of a shape, or of its first ``layers``, made when it is first asked for."""
        known = self._images.get((shape, layers))
        if known is None:
            folder = self.folder / "images" / f"{len(self._images)}"
            known = publish(shape, folder=folder, registry=self.registry, environment=self.environment, layers=layers)
            self._images[shape, layers] = known
        return known

    def ours(self, image: PublishedImage, *, state: str = "present", again: bool = False, name: str = "ours") -> Ours:
        """Return the module as a contender; with ``again`` its image is stored already, and nothing is to change."""
        kind = OursAgain if again else Ours
        folder = self.folder / "ours"
        return kind(image, folder=folder, environment=self.environment, python=self.python, state=state, name=name)

    def empty_module(self) -> Empty:
        return Empty(folder=self.folder, environment=self.environment, python=self.python)

    def floor(self, image: PublishedImage) -> Floor:
        return Floor(image, folder=self.folder, environment=self.environment)

    def podman(self, image: PublishedImage) -> Podman:
        return Podman(image, store=self.folder / PODMAN_STORE, environment=self.environment)

    @property
    def host(self) -> BenchHost:
        """A host of the lab, booted when it is first asked for."""
        if self._host is None:
            self._host = BenchHost(folder=self.folder / "host", python=self.python)
        return self._host

    def close(self) -> None:
        """Take the host down."""
        if self._host is not None:
            self._host.down()

    @property
    def inflaters(self) -> dict[str, str]:
        """Faster inflaters of the machine, by name; they are hidden unless a benchmark shows one."""
        return installed_inflaters()


@contextlib.contextmanager
def session(options: Options, folder: Path) -> Iterator[Session]:
    """Open a session in an empty folder and clear the folder afterwards."""
    environment = _environment(folder)
    try:
        with contextlib.ExitStack() as stack:
            registry = stack.enter_context(registries.running(folder / "registry", environment))
            yield stack.enter_context(contextlib.closing(Session(options, folder, environment, registry)))
    finally:
        unmount_below(folder)
        shutil.rmtree(folder)


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of all programs, with settings that let all images in, and temporary files in ``folder``."""
    home, temporary = folder / "home", folder / "tmp"
    settings = home / ".config/containers"
    settings.mkdir(parents=True)
    temporary.mkdir()
    (settings / "policy.json").write_text(json.dumps(_ACCEPT_ALL), encoding="ascii")
    (settings / "registries.conf").touch()
    (settings / "storage.conf").write_text(_STORAGE.format(folder=folder / PODMAN_STORE), encoding="ascii")
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(settings / "registries.conf"),
    }
