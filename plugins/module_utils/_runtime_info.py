# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OCI runtime of a host as system_container_info shows it."""

from __future__ import annotations

from typing import Any

from ._errors import MissingToolError
from ._runner import run
from ._runtime import find_runtime
from ._runtime_versions import NOTE, known_vulnerabilities


def observe_runtime() -> dict[str, Any]:
    """Return name, path and version of the host's runtime and what is known against it; all None when it has none."""
    nothing = dict.fromkeys(("name", "path", "version", "known_vulnerabilities", "note"))
    for candidate in ("runc", "crun"):
        try:
            path = find_runtime(candidate)
        except MissingToolError:
            continue
        name, version = _identity(path)
        known = known_vulnerabilities(name or candidate, version)
        return {
            "name": name or candidate,
            "path": path,
            "version": version,
            "known_vulnerabilities": known,
            "note": NOTE if known else None,
        }
    return nothing


def _identity(runtime: str) -> tuple[str | None, str | None]:
    """Return the name and the version that a runtime reports, such as ``runc`` and ``1.1.5``."""
    words = run([runtime, "--version"]).text.split()
    return (words[0], words[2]) if len(words) > 2 else (None, None)
