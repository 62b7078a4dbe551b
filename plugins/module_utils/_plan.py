# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan: what is done, and the difference that it makes. Check mode and diff mode show it, a normal run applies it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ._record import dataclass


@dataclass(frozen=True)
class Plan:
    """Actions in order, and the difference that they make, in the form that Ansible's diff mode shows.

    ``edited`` are host files that somebody edited and that stay as they are.
    """

    actions: tuple[object, ...]
    diff: tuple[dict[str, str], ...]
    edited: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.actions)

    def results(self) -> dict[str, Any]:
        """Return the part of a module's result that every plan gives."""
        return {
            "changed": self.changed,
            "actions": shown(self.actions),
            "diff": list(self.diff),
        }


NOTHING_TO_DO = Plan((), ())


def shown(actions: Iterable[object]) -> list[str]:
    """Return actions as a result shows them; some are of no interest to users."""
    return [text for text in map(str, parts_of(actions)) if text]


def parts_of(actions: Iterable[object]) -> list[object]:
    """Return the actions, those that stand for several taken apart."""
    return [part for action in actions for part in getattr(action, "parts", (action,))]


def text_diff(*, header: str, before: str, after: str) -> dict[str, str]:
    """Return one entry of Ansible's diff."""
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def state_diff(before: dict[str, Any], after: dict[str, Any], *, header: str) -> tuple[dict[str, str], ...]:
    """Return the diff of two summaries, none when they are equal."""
    if before == after:
        return ()
    return (text_diff(header=header, before=_pretty(before), after=_pretty(after)),)


def _pretty(summary: dict[str, Any]) -> str:
    return json.dumps(summary, indent=2, sort_keys=True) + "\n"
