# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is done about an image, from what the store and the source have of it (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ._errors import InvalidInputError
from ._image_actions import DiscardObjects, PullImage, RemoveImage, TagImage
from ._image_name import ImageName
from ._oci_image import RemoteImage, StoredImage
from ._plan import NOTHING_TO_DO, Plan, state_diff
from ._record import dataclass

if TYPE_CHECKING:
    from ._file_object import Damage


class UsedImage(NamedTuple):
    """The image of a deployment: its name as it was asked for, its commit, and its digest when that was recorded."""

    name: str
    commit: str | None
    manifest_digest: str | None


@dataclass(frozen=True)
class Held:
    """What the store has of an image.

    ``state`` is absent, incomplete or present, or after a verification damaged, with the ``damage``; ``image`` is None if
    unreadable.
    """

    state: str
    commit: str | None = None
    image: StoredImage | None = None
    damage: tuple[Damage, ...] = ()

    @property
    def manifest_digest(self) -> str | None:
        """The image's digest, None when there is none that can be read."""
        return self.image.manifest_digest if self.image else None

    def shown(self) -> dict[str, str]:
        """Return what a diff shows."""
        digest = {"manifest_digest": self.image.manifest_digest} if self.image else {}
        return {"state": self.state, **digest}


def needs_pull(held: Held, remote: RemoteImage | None) -> bool:
    """Tell whether an image has to be pulled: what counts at its source is the platform's manifest digest.

    ``remote`` is None when the source was not asked, as what is stored will do.
    """
    return remote is not None and (held.state != "present" or held.manifest_digest != remote.manifest_digest)


def plan_image(ref: str, held: Held, remote: RemoteImage | None, *, tags: Mapping[str, Held]) -> Plan:
    """Decide how the image gets under its ``ref`` and the refs of its ``tags``."""
    pulls = needs_pull(held, remote)
    digest = remote.manifest_digest if remote is not None else held.manifest_digest or ""
    actions: list[object] = []
    diff: list[dict[str, str]] = []
    after = {"state": "present", "manifest_digest": digest}
    if pulls:
        actions = [*_discards(held.damage), PullImage(ref, digest)]
        diff += state_diff(held.shown(), after, header=ref)
    for tag, tagged in tags.items():
        if tagged.state != "present" or tagged.manifest_digest != digest:
            actions.append(TagImage(tag, digest))
            diff += state_diff(tagged.shown(), after, header=tag)
    return Plan(tuple(actions), tuple(diff))


def _discards(damage: Sequence[Damage]) -> list[object]:
    """Return what removes damaged objects, commit by commit."""
    objects: dict[str, dict[tuple[str, str], None]] = {}
    for item in damage:
        objects.setdefault(item.commit, {})[item.checksum, item.kind] = None
    return [DiscardObjects(commit, tuple(found)) for commit, found in objects.items()]


def plan_removal(names: Mapping[ImageName, Held], *, users: Mapping[ImageName, Sequence[str]], force: bool) -> Plan:
    """Decide how names of images leave the store; raises ``InvalidInputError`` when a container uses one of them."""
    plans = [_plan_removal(name, held, used_by=users[name], force=force) for name, held in names.items()]
    return Plan(
        tuple(action for plan in plans for action in plan.actions), tuple(e for plan in plans for e in plan.diff)
    )


def _plan_removal(name: ImageName, held: Held, *, used_by: Sequence[str], force: bool) -> Plan:
    if held.state == "absent":
        return NOTHING_TO_DO
    if used_by and not force:
        raise InvalidInputError(
            f"The image '{name}' is used by {', '.join(used_by)}: remove these containers first, or set 'force'"
        )
    # An incomplete image leaves as any other: only its name has to be there.
    before = {**held.shown(), "state": "present"}
    return Plan((RemoveImage(name.ref),), state_diff(before, {"state": "absent"}, header=name.ref))


def users_of(name: str, held: Held, containers: Mapping[str, Sequence[UsedImage]]) -> list[str]:
    """Return the containers that have a deployment of the image; when it cannot be read, by its name too."""
    digest = held.manifest_digest
    return [
        container
        for container, images in containers.items()
        if any(
            (held.commit is not None and item.commit == held.commit)
            or (item.manifest_digest == digest if digest is not None else item.name == name)
            for item in images
        )
    ]
