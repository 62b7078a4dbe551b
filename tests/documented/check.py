# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check commands that do not run: what they name of the project has to be there (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from documented.examples import Example, commands_of

COLLECTION = "projectatomic.system_containers"
FOLDERS = ("images", "playbooks", "extensions")
"""Folders of the project whose files examples name by their paths."""


@dataclass(frozen=True)
class Known:
    """What there is to use: playbooks by their full names, commands of ``make``, and files of the project."""

    playbooks: frozenset[str]
    make: frozenset[str]
    files: frozenset[str]


def check(example: Example, known: Known) -> list[str]:
    """Return what is wrong with the commands of an example."""
    return [f"{example.where}: {problem}" for problem in _problems(example, known)]


def _problems(example: Example, known: Known) -> Iterator[str]:
    for line in commands_of(example):
        words = line.split("#", 1)[0].split()
        if words[:1] == ["make"]:
            yield from (f"make {word}: there is no such command" for word in words[1:] if word not in known.make)
        for word in words:
            if word.partition("/")[0] in FOLDERS and word not in known.files:
                yield f"{word}: there is no such file"
            if words[0] == "ansible-playbook" and word.startswith(f"{COLLECTION}.") and word not in known.playbooks:
                yield f"{word}: there is no such playbook"
