# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which contents of files are shown as text (pure)."""

from __future__ import annotations

SMALL_TEXT = 16 * 1024
"""Bytes that a file may have to be shown as text in a diff."""


def small_text(content: bytes) -> str | None:
    """Return the text of a file as a diff shows it, None when it is not UTF-8, not text, or not small."""
    if len(content) > SMALL_TEXT or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
