# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is done about an image, from what the store and the source have of it (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._actions import PullImage, RemoveImage
from ._diff import state_diff
from ._errors import InvalidInputError
from ._image_name import ImageName
from ._models import Observed
from ._oci_image import RemoteImage, StoredImage
from ._plan import NOTHING_TO_DO, Plan


@dataclass(frozen=True)
class Held:
    """What the store has of an image: ``state`` is absent, incomplete or present; ``image`` is None if unreadable."""

    state: str
    commit: str | None = None
    image: StoredImage | None = None

    @property
    def manifest_digest(self) -> str | None:
        """The image's digest, None when there is none that can be read."""
        return self.image.manifest_digest if self.image else None

    def shown(self) -> dict[str, str]:
        """Return what a diff shows."""
        digest = {"manifest_digest": self.image.manifest_digest} if self.image else {}
        return {"state": self.state, **digest}


def plan_pull(ref: str, held: Held, remote: RemoteImage) -> Plan:
    """Decide whether the image at the source has to be pulled: what counts is the platform's manifest digest."""
    if held.state == "present" and held.manifest_digest == remote.manifest_digest:
        return NOTHING_TO_DO
    after = {"state": "present", "manifest_digest": remote.manifest_digest}
    return Plan((PullImage(ref, remote.manifest_digest),), state_diff(held.shown(), after, header=ref))


def plan_removal(name: ImageName, held: Held, *, used_by: Sequence[str], force: bool) -> Plan:
    """Decide how an image leaves the store; raises ``InvalidInputError`` when a container uses it."""
    if held.state == "absent":
        return NOTHING_TO_DO
    if used_by and not force:
        raise InvalidInputError(
            f"The image '{name}' is used by {', '.join(used_by)}: remove these containers first, or set 'force'"
        )
    # An incomplete image leaves as any other: only its name has to be there.
    before = {**held.shown(), "state": "present"}
    return Plan((RemoveImage(name.ref),), state_diff(before, {"state": "absent"}, header=name.ref))


def users_of(name: str, held: Held, containers: Mapping[str, Observed]) -> list[str]:
    """Return the containers that have a deployment of the image; when it cannot be read, by its name too."""
    digest = held.manifest_digest
    return [
        container
        for container, observed in containers.items()
        if any(
            (held.commit is not None and item.image_commit == held.commit)
            or (item.manifest_digest == digest if digest is not None else item.image == name)
            for item in observed.deployments
        )
    ]
