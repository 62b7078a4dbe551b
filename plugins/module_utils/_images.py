# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge one image of the store: look, decide, pull or remove."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._describe_images import describe_remote, describe_stored, users_of_stored
from ._errors import ImageNotFoundError, StoreError
from ._image_name import ImageName
from ._image_plan import Held, plan_pull, plan_removal, users_of
from ._image_request import ImageRequest
from ._models import Observed
from ._oci_image import RemoteImage, StoredImage
from ._ostree import Repository
from ._plan import NOTHING_TO_DO, Plan
from ._stored_image import is_complete, stored_image

if TYPE_CHECKING:
    from ._image_proxy import ImageProxy
    from ._pull import PullResult


@dataclass(frozen=True)
class ImageOutcome:
    """What converging an image gave.

    ``manifest_digest`` is what the name has, or would have, in the store. ``stored`` is the image with that digest, None
    only in check mode when it is not stored yet; then ``remote`` is what the source says. ``result`` is of the pull.
    """

    plan: Plan
    manifest_digest: str
    stored: StoredImage | None = None
    remote: RemoteImage | None = None
    result: PullResult | None = None


def look_up(repository: Repository, ref: str) -> Held:
    """Return what the store has of an image; one that is damaged counts as incomplete, as pulling it again mends it."""
    commit: str | None = None
    try:
        if not repository.has_ref(ref):
            return Held("absent")
        commit = repository.resolve(ref)
        image = stored_image(repository, ref)
    except StoreError:
        return Held("incomplete", commit)
    if image is None:
        return Held("absent")
    return Held("present" if is_complete(repository, image) else "incomplete", commit, image)


def converge_image(repository: Repository, request: ImageRequest, *, refresh: bool, check_mode: bool) -> ImageOutcome:
    """Pull the image when it is missing or incomplete; with ``refresh``, also when the source has moved on."""
    from ._image_proxy import ImageProxy
    from ._pull import fetch_remote

    held = look_up(repository, request.name.ref)
    if held.image is not None and held.state == "present" and not refresh:
        return ImageOutcome(NOTHING_TO_DO, held.image.manifest_digest, stored=held.image)
    with ImageProxy(request.source()) as proxy:
        remote = fetch_remote(proxy)
        plan = plan_pull(request.name.ref, held, remote)
        if plan.actions and not check_mode:
            repository.create()
            with repository.lock():
                return _pull_locked(repository, request, proxy, (held, remote), refresh=refresh)
    return ImageOutcome(plan, remote.manifest_digest, stored=None if plan.actions else held.image, remote=remote)


def _pull_locked(
    repository: Repository, request: ImageRequest, proxy: ImageProxy, seen: tuple[Held, RemoteImage], *, refresh: bool
) -> ImageOutcome:
    """Pull what was ``seen`` before the lock, unless another run changed the image in the store since then.

    Then all is decided anew, and the source asked again: a manifest from before could move a tag back.
    """
    from ._image_proxy import ImageProxy
    from ._pull import fetch_remote, pull

    ref = request.name.ref
    before, remote = seen
    held = look_up(repository, ref)
    if held != before and held.image is not None and held.state == "present" and not refresh:
        return ImageOutcome(NOTHING_TO_DO, held.image.manifest_digest, stored=held.image)
    with contextlib.ExitStack() as stack:
        if held != before:
            proxy = stack.enter_context(ImageProxy(request.source()))
            remote = fetch_remote(proxy)
        plan = plan_pull(ref, held, remote)
        result = pull(repository, proxy, remote, refs=[ref]) if plan.actions else None
    return ImageOutcome(plan, remote.manifest_digest, stored_image(repository, ref), remote, result)


def stored_outcome(repository: Repository, name: ImageName) -> ImageOutcome:
    """Return an image that has to be in the store; raises ``ImageNotFoundError`` when it is not."""
    try:
        stored = stored_image(repository, name.ref) if repository.exists() else None
    except StoreError as exc:
        raise StoreError(f"The image '{name}' is damaged in the store ({exc}): pull it again") from exc
    if stored is None:
        raise ImageNotFoundError(
            f"The image '{name}' is not in the store '{repository.path}': pull it with system_container_image, or set"
            " 'pull: missing'"
        )
    return ImageOutcome(NOTHING_TO_DO, stored.manifest_digest, stored=stored)


def remove_image(
    repository: Repository, name: ImageName, containers: Mapping[str, Observed], *, force: bool, check_mode: bool
) -> Plan:
    """Take the image's name out of the store; raises ``InvalidInputError`` when a container uses it."""
    held = look_up(repository, name.ref)
    plan = plan_removal(name, held, used_by=users_of(str(name), held, containers), force=force)
    if plan.actions and not check_mode:
        with repository.lock():
            repository.delete_ref(name.ref)
    return plan


def inspect_remote(request: ImageRequest) -> dict[str, Any]:
    """Return what the source says of an image; nothing is stored."""
    from ._image_proxy import ImageProxy
    from ._pull import fetch_remote

    with ImageProxy(request.source()) as proxy:
        return describe_remote(str(request.name), fetch_remote(proxy))


def describe_outcome(
    repository: Repository, name: ImageName, outcome: ImageOutcome, containers: Mapping[str, Observed]
) -> dict[str, Any]:
    """Return the image after it was converged: as stored, or in check mode as its source has it."""
    if outcome.stored is not None:
        return describe_stored(repository, outcome.stored, used_by=users_of_stored(outcome.stored, containers))
    return describe_remote(str(name), outcome.remote) if outcome.remote is not None else {}


def describe_pull(result: PullResult | None) -> dict[str, int]:
    """Return what a pull did, zeroes when there was none."""
    return {
        "bytes_downloaded": result.bytes_downloaded if result else 0,
        "layers_pulled": result.layers_pulled if result else 0,
        "layers_reused": result.layers_reused if result else 0,
        "dropped_entries": result.dropped if result else 0,
    }
