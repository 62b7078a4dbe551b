# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which containers have deployments of which images, by what Atomic's keys in their records say (reads only)."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from ._container_name import is_container_name
from ._image_plan import UsedImage

_SLOT = re.compile(r"(.+)\.(?:0|[1-9][0-9]*)\Z")


def images_in_use(root: str) -> dict[str, list[UsedImage]]:
    """Return the images of the deployments of every container below ``root``; what cannot be read is left out."""
    found: dict[str, list[UsedImage]] = {}
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    for entry in entries:
        match = _SLOT.match(entry.name)
        if match and is_container_name(match.group(1)) and entry.is_dir(follow_symlinks=False):
            image = _image_of(os.path.join(entry.path, "info"))
            if image is not None:
                found.setdefault(match.group(1), []).append(image)
    return found


def _image_of(path: str) -> UsedImage | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            info = json.load(file)
    except (OSError, ValueError):
        return None
    if not isinstance(info, dict):
        return None
    own = info.get("system-containers")
    digest = own.get("manifest-digest") if isinstance(own, dict) else None
    return UsedImage(str(info.get("image")), _text(info.get("ostree-commit")), _text(digest))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
