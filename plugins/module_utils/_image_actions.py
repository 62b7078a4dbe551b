# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that a plan for images and their store is made of: plain values that say what is done."""

from __future__ import annotations

from typing import Union

from ._record import dataclass


@dataclass(frozen=True)
class PullImage:
    """Bring the image's missing layers into the repository and point ``ref`` at it."""

    ref: str
    digest: str

    def __str__(self) -> str:
        return f"pull image {self.ref} ({self.digest})"


@dataclass(frozen=True)
class DiscardObjects:
    """Remove damaged objects (checksum and kind) of a commit in the repository; pulling brings them back."""

    commit: str
    objects: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"discard {len(self.objects)} damaged objects of commit {self.commit}"


@dataclass(frozen=True)
class TagImage:
    """Give a stored image one more name."""

    ref: str
    digest: str

    def __str__(self) -> str:
        return f"tag image {self.ref} ({self.digest})"


@dataclass(frozen=True)
class RemoveImage:
    """Delete the image's ref; its layers stay until they are pruned."""

    ref: str

    def __str__(self) -> str:
        return f"remove image {self.ref}"


@dataclass(frozen=True)
class RemoveBlob:
    """Delete the ref of a layer or a configuration that no image needs."""

    ref: str

    def __str__(self) -> str:
        return f"remove unused blob {self.ref}"


@dataclass(frozen=True)
class PruneObjects:
    """Delete commits that no ref names, and all objects that nothing reaches then (``objects``: how many)."""

    commits: tuple[str, ...]
    objects: int

    def __str__(self) -> str:
        return f"prune {len(self.commits)} unused commits, {self.objects} objects in all"


ImageAction = Union[PullImage, DiscardObjects, TagImage, RemoveImage, RemoveBlob, PruneObjects]
