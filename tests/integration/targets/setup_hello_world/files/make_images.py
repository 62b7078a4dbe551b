# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build images into a layout: make_images.py PROJECT WORK_FOLDER, with the list of images as JSON on standard input.

An image has "tag", and "layers" (to put on WORK_FOLDER/root) or one "layer": {path: text | null (a folder) |
{"link": target} | {"content": text, "mode": "0755"}}. It may have "entrypoint", "cmd", "env", "labels", "config",
"architecture" and "compression". The digests are printed as JSON, by tag.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

OPTIONS = ("architecture", "cmd", "compression", "config", "entrypoint", "env", "labels")


def write(path: Path, entry: Any) -> None:
    """Write one entry of a layer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry is None:
        path.mkdir(exist_ok=True)
    elif isinstance(entry, str):
        path.write_text(entry, encoding="utf-8")
        path.chmod(0o644)
    elif "link" in entry:
        path.symlink_to(entry["link"])
    else:
        path.write_text(entry["content"], encoding="utf-8")
        path.chmod(int(entry["mode"], 8))


def build(image: dict[str, Any], work: Path, scratch: Path) -> str:
    """Build one image; return its manifest's digest."""
    from lab.image_builder import build_image

    folders = [] if "layer" in image else [work / "root"]
    layers = [image["layer"]] if "layer" in image else image.get("layers", [])
    for number, entries in enumerate(layers):
        folder = scratch / str(number)
        folder.mkdir(mode=0o755)
        folders.append(folder)
        for name, entry in entries.items():
            write(folder / name, entry)
    options = {key: image[key] for key in OPTIONS if key in image}
    return build_image(work / "layout", layers=folders, tag=image["tag"], **options).manifest_digest


def main() -> None:
    """Build all images."""
    sys.path.insert(0, str(Path(sys.argv[1], "tests")))
    digests = {}
    for image in json.load(sys.stdin):
        with tempfile.TemporaryDirectory() as scratch:
            digests[image["tag"]] = build(image, Path(sys.argv[2]), Path(scratch))
    print(json.dumps(digests))


if __name__ == "__main__":
    main()
