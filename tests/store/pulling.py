# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull real images from layouts into a real repository, for the tests beside this file."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Sequence
from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _image_request, _images
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import writer
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree_reader import RepositoryReader

NAME = "localhost/app:1"

DEFAULTS: dict[str, Any] = {
    "source": None,
    "username": None,
    "password": None,
    "authfile": None,
    "validate_certs": True,
    "cert_dir": None,
    "platform": None,
    "pull_timeout": 60,
    "pull_retries": 3,
    "max_layer_size": 2**37,
    "max_layer_entries": 2_000_000,
    "max_layer_ratio": 500,
}


def parameters(**changes: Any) -> dict[str, Any]:
    """Return the options of a task, the defaults but for ``changes``."""
    return {**DEFAULTS, **changes}


def request(name: str = NAME, **changes: Any) -> _image_request.ImageRequest:
    """Return what such a task asks."""
    return _image_request.image_request(name, parameters(**changes))


def converge(
    repository: RepositoryReader, name: str = NAME, *, refresh: bool = False, check_mode: bool = False, **changes: Any
) -> _images.ImageOutcome:
    """Run such a task; ``refresh`` is ``state: latest``."""
    return _images.converge_image(repository, request(name, **changes), refresh=refresh, check_mode=check_mode)


def actions(outcome: _images.ImageOutcome) -> list[str]:
    """Return the first word of each action."""
    return [str(action).partition(" ")[0] for action in outcome.plan.actions]


def assert_sound(repository: RepositoryReader) -> None:
    """Have ostree itself look at every object."""
    subprocess.run(["ostree", "fsck", "--quiet", f"--repo={repository.path}"], check=True, stdout=subprocess.DEVNULL)


def checked_out(repository: RepositoryReader, commits: Sequence[str], destination: pathlib.Path) -> dict[str, str]:
    """Check commits out, and return the content of all regular files."""
    writer(repository).checkout(commits, str(destination))
    return {
        str(path.relative_to(destination)): path.read_text(encoding="utf-8")
        for path in sorted(destination.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
