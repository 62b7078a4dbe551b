# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OCI runtime: where it is, and what it knows of a container."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

from ._errors import CommandError, InvalidInputError, MissingToolError
from ._runner import run

# A fixed order, not PATH: the path is written into units, and must not depend on who runs the module.
_PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
# Where they keep what they know of a container: folder and file, by name.
_STATES = {"runc": ("/run/runc", "state.json"), "crun": ("/run/crun", "status")}
# What a unit holds without quotes.
_RUNTIME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*|(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+")


def find_runtime(name: str = "runc") -> str:
    """Return the absolute path of an OCI runtime that is given by its name or path.

    Raises ``MissingToolError`` when the host does not have it, ``InvalidInputError`` for what is neither.
    """
    if not _RUNTIME.fullmatch(name):
        raise InvalidInputError(
            f"The OCI runtime {name!r} is neither a name, such as 'crun', nor a plain absolute path"
        )
    if name.startswith("/"):
        if os.path.isfile(name) and os.access(name, os.X_OK):
            return name
        raise MissingToolError(f"The OCI runtime '{name}' is no program on this host: install it, or correct 'runtime'")
    for place in _PLACES:
        path = f"{place}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise MissingToolError(
        f"The OCI runtime '{name}' is not installed on this host: install it, for example the package '{name}'"
    )


def container_bundle(container: str) -> str | None:
    """Return the bundle of a container that runc or crun knows, empty when that cannot be told, None when they know none.

    The state is where they keep it by default: runc has the bundle among its labels, crun has it in its status.
    """
    found = [_bundle(f"{root}/{container}", file) for root, file in _STATES.values()]
    return next((bundle for bundle in found if bundle is not None), None)


def _bundle(folder: str, name: str) -> str | None:
    try:
        with open(f"{folder}/{name}", encoding="utf-8") as file:
            state = json.load(file)
        if name == "status":
            return str(state["bundle"])
        labels = state["config"]["labels"]
    except FileNotFoundError:
        return "" if os.path.isdir(folder) else None
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    bundles = [str(label)[len("bundle=") :] for label in labels or () if str(label).startswith("bundle=")]
    return bundles[0] if bundles else ""


def runtime_of(container: str, runtime: str) -> str:
    """Return the path of the runtime that has a container, which is ``runtime`` unless another one is found to have it."""
    for name, (root, _file) in _STATES.items():
        if os.path.basename(runtime) != name and os.path.isdir(f"{root}/{container}"):
            runtime = name
    return find_runtime(runtime)


def delete_container(runtime: str, container: str) -> None:
    """Kill what is left of a container and delete the state of it, by the runtime that has it if not by ``runtime``."""
    run([runtime_of(container, runtime), "delete", "--force", container])


def container_state(runtime: str, container: str) -> dict[str, Any]:
    """Return what the runtime says of a container that it has: ``pid``, ``status``, ``bundle`` and more."""
    state = json.loads(run([runtime, "state", container]).text)
    return state if isinstance(state, dict) else {}


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
