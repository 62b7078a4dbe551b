# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OCI runtime: where it is, and what it knows of a container."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from ._errors import CommandError, MissingToolError
from ._runner import run

# A fixed order, not PATH: the path is written into units, and must not depend on who runs the module.
_PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
_STATE_ROOT = "/run/runc"


def find_runtime(name: str = "runc") -> str:
    """Return the absolute path of the OCI runtime; raises ``MissingToolError`` when the host has none."""
    for place in _PLACES:
        path = f"{place}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise MissingToolError(
        f"The OCI runtime '{name}' is not installed on this host: install it, for example the package '{name}'"
    )


def container_bundle(container: str) -> str | None:
    """Return the bundle of a container that the runtime knows, empty when that cannot be told, None when it knows none.

    The state is where runc keeps it by default, the bundle among the labels there.
    """
    try:
        with open(f"{_STATE_ROOT}/{container}/state.json", encoding="utf-8") as file:
            labels = json.load(file)["config"]["labels"]
    except FileNotFoundError:
        return "" if os.path.isdir(f"{_STATE_ROOT}/{container}") else None
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    found = [str(label)[len("bundle=") :] for label in labels or () if str(label).startswith("bundle=")]
    return found[0] if found else ""


def delete_container(runtime: str, container: str) -> None:
    """Kill what is left of a container and delete the runtime's state of it."""
    run([runtime, "delete", "--force", container])


def health(runtime: str, container: str, argv: Sequence[str], timeout: float) -> str | None:
    """Run a command inside of a container; return None when it ends with 0, else what it said.

    ``timeout`` is in seconds.
    """
    try:
        done = run([runtime, "exec", container, *argv], timeout=timeout, check=False)
    except CommandError as exc:
        return str(exc)
    said = (done.error_text or done.text.strip())[-1000:]
    return None if done.rc == 0 else f"it ended with exit code {done.rc}" + (f": {said}" if said else "")


def observe_runtime() -> dict[str, Any]:
    """Return path and version of the host's runtime, both None when it has none."""
    try:
        path = find_runtime()
    except MissingToolError:
        return {"path": None, "version": None}
    return {"path": path, "version": runtime_version(path)}


def runtime_version(runtime: str) -> str | None:
    """Return the version that the runtime reports, such as ``1.1.5``."""
    words = run([runtime, "--version"]).text.split()
    return words[2] if len(words) > 2 else None
