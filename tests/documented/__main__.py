# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a playbook for each page: python -m documented OUTPUT_FOLDER. Their names and a summary are printed as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from documented.examples import find_examples, plays_of, summary

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/*.md", "roles/*/README.md")


def main() -> None:
    """Write the playbooks."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    playbooks, examples = [], []
    for path in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        page = path.relative_to(ROOT).as_posix()
        found = find_examples(page, path.read_text(encoding="utf-8"))
        examples += found
        plays = plays_of(found)
        if plays:
            name = page.replace("/", "-").removesuffix(".md") + ".yml"
            folder.joinpath(name).write_text(json.dumps(plays, indent=1), encoding="utf-8")
            playbooks.append(name)
    print(json.dumps({"playbooks": playbooks, "summary": summary(examples)}))


if __name__ == "__main__":
    main()
