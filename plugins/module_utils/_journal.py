# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a change that is under way, beside the container's link: what a crash leaves is finished by the next run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ._errors import InvalidInputError
from ._io import read_state, remove_file, sync_directory, write_file
from ._models import Journal

_SCHEMA = 1


def write_journal(path: str, journal: Journal) -> None:
    """Write the record, and have it on disk before anything else is changed."""
    content = {
        "schema": _SCHEMA,
        "operation": journal.operation,
        "running": journal.running,
        "slots": list(journal.slots),
    }
    if journal.host_files is not None:
        content["host_files"] = list(journal.host_files)
    write_file(path, json.dumps(content).encode("utf-8") + b"\n", mode=0o600)


def remove_journal(path: str) -> None:
    """Remove the record."""
    remove_file(path)
    sync_directory(path.rpartition("/")[0])


def read_journal(path: str) -> Journal | None:
    """Return the record, None when no change is under way.

    One that cannot be read tells only that there was one: it is written in one step, so somebody changed it.
    """
    try:
        state = read_state(path)
        if state is None:
            return None
        content = json.loads(state.content)
        if content["schema"] > _SCHEMA:
            return Journal(str(content.get("operation", "change")), running=False, newer=True)
        kept = content.get("host_files")
        return Journal(
            str(content["operation"]),
            running=content["running"] is True,
            slots=_slots(content["slots"]),
            host_files=None if kept is None else _slots(kept),
        )
    except (InvalidInputError, ValueError, LookupError, TypeError, AttributeError):
        return Journal("change", running=False)


def _slots(found: Iterable[Any]) -> tuple[int, ...]:
    return tuple(slot for slot in found if isinstance(slot, int))
