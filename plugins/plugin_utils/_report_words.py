# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a report spells images, digests, sizes, times and exits, the same in the table and on the page."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def short_digest(digest: str | None) -> str:
    """Return the first 12 hex digits of a digest, as ``sha256:`` is the only kind there is."""
    return (digest or "").partition(":")[2][:12]


def image_parts(image: str | None) -> tuple[str, str, str]:
    """Return registry and folders, the last part of the name, and the tag or the short digest, as they are printed.

    Together they are the whole name, but for the rest of a digest: ``("registry.example.com/", "etcd", ":3.5")``.
    """
    name, _at, digest = (image or "").partition("@")
    folder, slash, last = name.rpartition("/")
    base, colon, tag = last.partition(":")
    return folder + slash, base, colon + tag + (f"@{short_digest(digest)}" if digest else "")


def size(number: float | None) -> str:
    """Return a number of bytes with three digits at most and the unit, such as ``12.5 MiB``; empty for None."""
    if number is None:
        return ""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 99.95 else f"{value:.1f} {UNITS[unit]}"


def moment(when: str | None) -> str:
    """Return a time of ISO 8601 to the minute, such as ``2026-11-23 18:17``; empty for None."""
    return (when or "")[:16].replace("T", " ")


def last_exit(found: Mapping[str, Any] | None) -> str:
    """Return how a main process ended, such as ``exit 1`` or ``SIGKILL``; empty for None."""
    if not found:
        return ""
    number = found.get("signal")
    if number is None:
        return f"exit {found.get('status')}"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"{name}, dumped" if found.get("code") == "dumped" else name


def status_words(row: Mapping[str, Any]) -> str:
    """Return the state of a row, with what systemd calls it where that says more."""
    status, substate = row["status"], row["substate"]
    if status == "failed" and substate == "auto-restart":
        return "failed, restarting"
    return str(row["state"] or "unknown") if status == "changing" else str(status)


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, such as ``1 host`` or ``2 hosts``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
