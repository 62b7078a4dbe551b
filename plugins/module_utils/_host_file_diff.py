# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show what becomes of host files: as text where they are small text, else by their digests; never a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ._deployment import MASK, Deployment, HostFile
from ._host_file_changes import HostFileChanges
from ._host_file_plan import Found, matches
from ._host_places import NO_LINKS, Links, placed
from ._models import HostFileState
from ._plan import text_diff


def host_file_diff(
    changes: HostFileChanges,
    *,
    deployments: Iterable[Deployment],
    found: Found,
    texts: Mapping[str, str],
    links: Links = NO_LINKS,
) -> tuple[dict[str, str], ...]:
    """Return one entry of Ansible's diff for every host file and directory that is changed.

    ``deployments`` are the kept ones, ``texts`` has the content of small text files by the SHA-256 of it: where one of the
    two sides is not in it, both are shown by their digests.
    """
    records: dict[str, list[HostFile]] = {}
    for file in (file for deployment in deployments for file in placed(deployment.host_files, links)):
        records.setdefault(file.path, []).append(file)
    states = (state for state in found.values() if state is not None)
    known = {state.sha256: state.text for state in states if state.sha256 is not None and state.text is not None}
    files = {**dict.fromkeys(changes.remove), **{action.file.path: action.file for action in changes.install}}
    entries = [
        *(text_diff(header=path, before="directory\n", after="") for path in changes.remove_directories),
        *(text_diff(header=directory.path, before="", after="directory\n") for directory in changes.make),
        *(
            _entry(path, found.get(path), file, records=records.get(path, ()), texts={**known, **texts})
            for path, file in files.items()
        ),
    ]
    return tuple(entry for entry in entries if entry["before"] != entry["after"])


def _entry(
    path: str,
    state: HostFileState | None,
    file: HostFile | None,
    *,
    records: Sequence[HostFile],
    texts: Mapping[str, str],
) -> dict[str, str]:
    secret = any(item.masked is not None for item in (*records, *((file,) if file else ())))
    before, after = _text_before(state, records, texts, secret=secret), _text_after(file, texts)
    if None in (before, after):
        before, after = f"sha256: {state.sha256 if state else None}\n", f"sha256: {file.sha256 if file else None}\n"
    return text_diff(header=path, before=_headed(state, before), after=_headed(file, after))


def _text_before(
    state: HostFileState | None,
    records: Sequence[HostFile],
    texts: Mapping[str, str],
    *,
    secret: bool,
) -> str | None:
    """Return a file as it is on the host; one that has a secret only as recorded, without it."""
    if state is None or state.kind != "-":
        return ""
    if secret:
        record = next((item for item in records if matches(item, state)), None)
        return _text_after(record, texts) if record and record.masked is not None else f"{MASK}\n"
    return texts.get(state.sha256 or "")


def _text_after(file: HostFile | None, texts: Mapping[str, str]) -> str | None:
    if file is None or file.kind != "-":
        return ""
    if file.content is not None:
        return file.content if file.masked is None else file.masked
    return texts.get(file.sha256 or "")


def _headed(item: HostFile | HostFileState | None, text: str | None) -> str:
    """Return a text under the mode and the owner."""
    if item is None:
        return ""
    if item.kind == "l":
        return f"link to {item.target}\n"
    return f"mode: {item.mode:04o}\nowner: {item.uid}:{item.gid}\n{text or ''}"
