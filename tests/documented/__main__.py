# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a playbook for each page: python -m documented OUTPUT_FOLDER [--target TARGET] [--replace JSON].

The names of the playbooks, the tags of their sections in order and a summary are printed as JSON.

Without a target these are the examples that no target names; and those that do not run are checked. What is wrong with them ends it.
What is replaced, a JSON object, are texts that are the reader's own, such as addresses, and what stands there instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from documented.check import check
from documented.examples import Example, find_examples, plays_of, summary
from documented.known import ROOT, find_known, runs_examples, shell_problems

PAGES = ("README.md", "docs/*.md", "roles/*/README.md")


def main() -> None:
    """Write the playbooks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target", default="")
    parser.add_argument("--replace", type=json.loads, default={})
    arguments = parser.parse_args()
    folder, target = arguments.folder, arguments.target
    folder.mkdir(parents=True, exist_ok=True)
    playbooks, sections, examples = [], list[str](), []
    for path in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        page = path.relative_to(ROOT).as_posix()
        found = find_examples(page, path.read_text(encoding="utf-8"))
        examples += found
        plays = plays_of([replaced(example, arguments.replace) for example in found], target)
        if plays:
            name = page.replace("/", "-").removesuffix(".md") + ".yml"
            folder.joinpath(name).write_text(json.dumps(plays, indent=1), encoding="utf-8")
            playbooks.append(name)
            sections += dict.fromkeys(play["tags"][0] for play in plays)
    problems = [] if target else find_problems(examples)
    texts = "".join(example.text for example in examples if example.target == target)
    problems += [f"nothing to replace: {text}" for text in arguments.replace if text not in texts]
    if problems:
        sys.exit("\n".join(problems))
    print(json.dumps({"playbooks": playbooks, "sections": sections, "summary": summary(examples, target)}))


def replaced(example: Example, replacements: Mapping[str, str]) -> Example:
    """Return an example with what a target has in the place of the reader's own."""
    text = example.text
    for old, new in replacements.items():
        text = text.replace(old, new)
    return dataclasses.replace(example, text=text)


def find_problems(examples: Sequence[Example]) -> list[str]:
    """Return what is wrong with examples that do not run, and with the targets that are said to run others."""
    known = find_known()
    problems = [
        f"{example.where}: the target '{example.target}' runs no examples"
        for example in examples
        if example.target and not runs_examples(example.target)
    ]
    skipped = [example for example in examples if example.kind == "skip"]
    return problems + [problem for example in skipped for problem in check(example, known) + shell_problems(example)]


if __name__ == "__main__":
    main()
