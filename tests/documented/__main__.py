# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a playbook for each page: python -m documented OUTPUT_FOLDER [TARGET [REPLACEMENTS]].

The names of the playbooks, the tags of their sections in order and a summary are printed as JSON.

Without a target these are the examples that no target names; and those that do not run are checked. What is wrong with them ends it.
REPLACEMENTS is a JSON object: texts that are the reader's own, such as addresses, and what stands there instead.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from documented.check import check
from documented.examples import Example, find_examples, plays_of, summary
from documented.known import ROOT, find_known, runs_examples, shell_problems, syntax_problems

PAGES = ("README.md", "roles/*/README.md", "docs/*.md")


def main() -> None:
    """Write the playbooks."""
    folder, (target, replacements) = Path(sys.argv[1]), (sys.argv[2:] + ["", "{}"][len(sys.argv[2:]) :])
    folder.mkdir(parents=True, exist_ok=True)
    playbooks, sections, examples = [], list[str](), []
    for path in [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]:
        page = path.relative_to(ROOT).as_posix()
        found = find_examples(page, path.read_text(encoding="utf-8"))
        examples += found
        plays = plays_of([replaced(example, json.loads(replacements)) for example in found], target)
        if plays:
            name = page.replace("/", "-").removesuffix(".md") + ".yml"
            folder.joinpath(name).write_text(json.dumps(plays, indent=1), encoding="utf-8")
            playbooks.append(name)
            sections += dict.fromkeys(play["tags"][0] for play in plays)
    problems = [] if target else find_problems(examples, folder)
    if problems:
        sys.exit("\n".join(problems))
    print(json.dumps({"playbooks": playbooks, "sections": sections, "summary": summary(examples)}))


def replaced(example: Example, replacements: Mapping[str, str]) -> Example:
    """Return an example with what a target has in the place of the reader's own."""
    text = example.text
    for old, new in replacements.items():
        text = text.replace(old, new)
    return dataclasses.replace(example, text=text)


def find_problems(examples: Sequence[Example], folder: Path) -> list[str]:
    """Return what is wrong with examples that do not run, and with the targets that are said to run others."""
    known, plays = find_known(), list[dict[str, Any]]()
    problems = [
        f"{example.where}: the target '{example.target}' runs no examples"
        for example in examples
        if example.target and not runs_examples(example.target)
    ]
    for example in examples:
        if example.kind == "skip":
            found, more = check(example, known)
            problems += found if example.language == "yaml" else found + shell_problems(example)
            plays += more
    return problems + syntax_problems(plays, folder)


if __name__ == "__main__":
    main()
