# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show what a plan changes, in the form of Ansible's diff mode: a summary of the container, then each file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._deployment import Deployment, GeneratedFile, Inputs
from ._drift import active_files
from ._models import Observed
from ._plan import state_diff, text_diff
from ._secrets import shown_text


def describe_state(observed: Observed) -> dict[str, Any]:
    """Return the short form of a container that a diff shows."""
    unit, active = observed.own_unit, observed.active
    if not observed.exists:
        return {"state": "absent"}
    if active is None:
        return {"state": "running" if unit.running else "broken"}
    link = observed.paths.slot(observed.link_slot) if observed.link_slot is not None else None
    state = summary(active, link=link, reload=unit.need_daemon_reload, enabled=unit.enabled, running=unit.running)
    return {**state, **secrets_state(observed, active.inputs)}


def summary(deployment: Deployment, *, link: str | None, reload: bool, enabled: bool, running: bool) -> dict[str, Any]:
    return {
        "state": ("running" if running else "stopped") if deployment.has_service else "present",
        "enabled": enabled,
        "image": deployment.image,
        "manifest_digest": deployment.manifest_digest,
        "deployment": deployment.id,
        "link": link,
        "needs_daemon_reload": reload,
        "values": deployment.user_values,
    }


def secrets_state(observed: Observed, inputs: Inputs | None) -> dict[str, str]:
    """Return whether ``inputs`` have other secret values than the deployment in use; nothing where neither has any."""
    active = observed.active
    before = active.inputs.secrets if active is not None and active.inputs is not None else {}
    after = inputs.secrets if inputs is not None else {}
    if not before and not after:
        return {}
    same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    return {"secrets": "unchanged" if same else "changed"}


def render_diff(
    observed: Observed, after: dict[str, Any], *, written: Mapping[GeneratedFile, str], removed: tuple[str, ...]
) -> tuple[dict[str, str], ...]:
    """Return the diff: the summary, then each file that is written (with its text before) or removed."""
    entries = list(state_diff(describe_state(observed), after, header=f"system container {observed.paths.name}"))
    for file, before in written.items():
        new = _with_mode(file.shown, file.mode)
        if before != new:
            entries.append(text_diff(header=file.path, before=before, after=new))
    entries += [text_diff(header=path, before=shown(observed, path), after="") for path in removed]
    return tuple(entries)


def switched_files(
    observed: Observed, target: Deployment, *, damaged: tuple[GeneratedFile, ...]
) -> dict[GeneratedFile, str]:
    """Return the files by which a deployment differs from the one in use, each with its text before.

    These are its config.json and the files outside of the slots, also the drop-in with the user's options. ``damaged`` ones are left to be shown as they are.
    """
    active = observed.active
    compared = {f"{target.directory}/config.json": f"{active.directory}/config.json" if active else ""}
    return {
        file: shown(observed, compared.get(file.path, file.path))
        for file in active_files(target, observed.paths)
        if file not in damaged and (file.path in compared or not file.path.startswith(observed.paths.root + "/"))
    }


def shown(observed: Observed, path: str) -> str:
    """Return a file on the host as a diff shows it."""
    found = observed.files.get(path)
    if found is None:
        return ""
    if found.is_link:
        return f"link to {found.content.decode('utf-8', 'replace')}\n"
    return _with_mode(shown_text(observed, path, found), found.mode)


def _with_mode(text: str, mode: int) -> str:
    return f"mode: {mode:04o}\n{text}"
