# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories above a path (pure)."""

from __future__ import annotations


def parents_of(path: str) -> tuple[str, ...]:
    """Return the directories that lead to an absolute path, the topmost first, without the root."""
    names = path.split("/")[1:-1]
    return tuple("/" + "/".join(names[: index + 1]) for index in range(len(names)))
