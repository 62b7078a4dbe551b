# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers for images made of Debian's packages: the smallest system, and above it what the packages add.

They are built once from the mirror that this machine's apt uses, and cached under a key that covers all that goes into them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import apt
from .base import ADD_PACKAGES_SCRIPT, RELEASE
from .process import LabError, require
from .state import CACHE_ROOT, locked

SCRIPT = Path(__file__).resolve().parent / "debian-layers.sh"
FOLDER = CACHE_ROOT / "layers"
TIMEOUT = 1200.0


def layers_directory(packages: Sequence[str]) -> Path:
    """Return the folder of the layers with these packages; its name covers what goes into them."""
    scripts = [path.read_text(encoding="utf-8") for path in (SCRIPT, ADD_PACKAGES_SCRIPT)]
    parts = [RELEASE, os.uname().machine, sorted(packages), scripts]
    return FOLDER / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def ensure_layers(packages: Sequence[str]) -> Path:
    """Return a folder with the layers ``base`` and ``packages``, building them first when they are not cached.

    Raises:
        LabError: debootstrap is missing or fails, or a package cannot be installed.
    """
    folder = layers_directory(packages)
    if folder.is_dir():
        return folder
    require("debootstrap", "unshare")
    with locked(FOLDER / "lock"):
        if folder.is_dir():
            return folder
        print(f"lab: building layers with {' '.join(packages)} in {folder} (once, about a minute)", file=sys.stderr)
        target = FOLDER / f".build-{folder.name}"
        if target.exists():  # of a builder that was killed; its mounts ended with its namespace
            shutil.rmtree(target)
        target.mkdir()
        _build(target, packages)
        target.rename(folder)
    return folder


def package_lines(candidates: Sequence[apt.Source], release: str) -> list[str]:
    """Return lines of sources.list(5): the best source of a release, and this machine's of its updates."""
    best = apt.choose(list(candidates), release)
    updates = [source for source in candidates if source.suite in (f"{release}-updates", f"{release}-security")]
    found: dict[str, None] = {}
    for source in (best, *(update for update in updates if "main" in update.components)):
        keyring = apt.keyring_of(source)
        found[f"deb{f' [signed-by={keyring}]' if keyring else ''} {source.uri} {source.suite} main"] = None
    return list(found)


def _build(target: Path, packages: Sequence[str]) -> None:
    candidates = list(apt.sources())
    source = apt.choose(candidates, RELEASE)
    lines = "\n".join(package_lines(candidates, RELEASE))
    argv = ["unshare", "--mount", "--propagation", "private", "/bin/sh", str(SCRIPT)]
    argv += [str(target), RELEASE, source.uri, apt.keyring_of(source), lines, *packages]
    environment = {**os.environ, **apt.proxy_environment(), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    log = target.with_suffix(".log")
    with open(log, "wb") as output:
        code = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, timeout=TIMEOUT, check=False
        ).returncode
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise LabError(f"{shlex.join(argv[4:])} ended with exit code {code}; log: {log}\n{tail}")
    log.unlink()
