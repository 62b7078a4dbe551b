# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge one image of the store: look, decide, pull or remove."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ._errors import ImageNotFoundError, StoreError
from ._image_actions import DiscardObjects, PullImage, TagImage
from ._image_name import ImageName
from ._image_plan import Held, UsedImage, needs_pull, plan_image, plan_removal, users_of
from ._image_request import ImageRequest
from ._oci_image import RemoteImage, StoredImage
from ._ostree_reader import RepositoryReader
from ._plan import NOTHING_TO_DO, Plan
from ._record import dataclass
from ._stored_image import image_commits, is_complete, stored_image

if TYPE_CHECKING:
    from ._file_object import Damage
    from ._ostree import Repository
    from ._pull import PullResult


@dataclass(frozen=True)
class ImageOutcome:
    """What converging an image gave.

    ``manifest_digest`` is what the name has, or would have, in the store. ``stored`` is the image with that digest, None
    only in check mode when it is not stored yet; then ``remote`` is what the source says. ``result`` is of the pull,
    ``damage`` what a verification found.
    """

    plan: Plan
    manifest_digest: str
    stored: StoredImage | None = None
    remote: RemoteImage | None = None
    result: PullResult | None = None
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What the store has of an image, and under the refs of its tags."""

    image: Held
    tags: Mapping[str, Held]


@dataclass(frozen=True)
class _Decision:
    """What was found, what the source says (None when it was not asked), and what follows."""

    found: _Found
    remote: RemoteImage | None
    plan: Plan

    def outcome(self, stored: StoredImage | None, result: PullResult | None = None) -> ImageOutcome:
        held = self.found.image
        digest = self.remote.manifest_digest if self.remote else held.manifest_digest or ""
        return ImageOutcome(self.plan, digest, stored, self.remote, result, held.damage)


def look_up(repository: RepositoryReader, ref: str, *, verify: bool = False) -> Held:
    """Return what the store has of an image; one that is damaged counts as incomplete, as pulling it again mends it.

    With ``verify`` all that it is made of is hashed again.
    """
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
    if verify:
        from ._verify import find_damage

        try:
            commits = image_commits(repository, image)
        except StoreError:  # a ref that cannot be read
            return Held("incomplete", commit, image)
        damage = find_damage(repository, commits)
        if damage:
            return Held("damaged", commit, image, damage)
    return Held("present" if is_complete(repository, image) else "incomplete", commit, image)


def converge_image(
    repository: RepositoryReader, request: ImageRequest, *, refresh: bool, check_mode: bool
) -> ImageOutcome:
    """Pull the image when it is missing or incomplete; with ``refresh``, also when the source has moved on."""
    with _Source(request) as source:
        seen = _decide(_look(repository, request), source, refresh=refresh)
        if check_mode or not seen.plan.actions:
            return seen.outcome(None if needs_pull(seen.found.image, seen.remote) else seen.found.image.image)
        from ._ostree import writer

        store = writer(repository)
        store.create()
        with store.lock():
            found = _look(repository, request)
            # Another run was faster: all is decided anew, as a manifest from before could move a tag back.
            decision = seen if found == seen.found else _decide(found, source, refresh=refresh)
            result = _carry_out(store, source, decision)
            damage, result = _mend_deeper(store, source, decision, result)
            outcome = decision.outcome(stored_image(repository, request.name.ref), result)
            return replace(outcome, damage=damage)


def _mend_deeper(
    store: Repository, source: _Source, decision: _Decision, result: PullResult | None
) -> tuple[tuple[Damage, ...], PullResult | None]:
    """Mend what is damaged below a directory that was: only once that is there again does it tell.

    Return all damage, and what all pulls did together; ``result`` is of the first one.
    """
    damage = known = decision.found.image.damage
    while known:
        found = _look(store, source.request)
        if found.image.damage == known:
            raise StoreError(
                f"The image '{source.request.name}' stays damaged ('{known[0].path}' is {known[0].problem}, with {len(known)} in"
                " all) when it is pulled again: check the disk"
            )
        known = found.image.damage
        if known:
            again = _carry_out(store, source, _decide(found, source, refresh=False))
            damage += known
            if result is not None and again is not None:
                result = replace(
                    result,
                    bytes_downloaded=result.bytes_downloaded + again.bytes_downloaded,
                    layers_pulled=result.layers_pulled + again.layers_pulled,
                )
    return damage, result


def _look(repository: RepositoryReader, request: ImageRequest) -> _Found:
    tags = {tag.ref: look_up(repository, tag.ref) for tag in request.tags if tag.ref != request.name.ref}
    return _Found(look_up(repository, request.name.ref, verify=request.verify), tags)


def _decide(found: _Found, source: _Source, *, refresh: bool) -> _Decision:
    """Plan; the source is asked unless what is stored will do."""
    damage = found.image.damage
    if damage and source.request.options is None:
        raise StoreError(
            f"The image '{source.request.name}' is damaged in the store ('{damage[0].path}' is {damage[0].problem}, with"
            f" {len(damage)} in all): say with 'source' where to pull it again from"
        )
    remote = source.ask() if refresh or found.image.state != "present" else None
    return _Decision(found, remote, plan_image(source.request.name.ref, found.image, remote, tags=found.tags))


def _carry_out(repository: Repository, source: _Source, decision: _Decision) -> PullResult | None:
    """Carry out the actions of a plan in order; the caller holds the repository's lock."""
    ref, result = source.request.name.ref, None
    for action in decision.plan.actions:
        if isinstance(action, DiscardObjects):
            repository.discard(action.commit, action.objects)
        elif isinstance(action, PullImage):
            result = source.pull(repository, ref)
        elif isinstance(action, TagImage):
            repository.set_ref(action.ref, repository.resolve(ref) or "")
    return result


class _Source:
    """Where an image comes from: opened when it is first asked, and left open for the pull that may follow."""

    def __init__(self, request: ImageRequest) -> None:
        self.request = request
        self._open = contextlib.ExitStack()

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *unused: object) -> None:
        self._open.close()

    def ask(self) -> RemoteImage:
        """Return what the source has now."""
        from ._image_proxy import ImageProxy

        self._open.close()
        self._proxy = self._open.enter_context(ImageProxy(self.request.source()))
        self._remote = self._proxy.image()
        return self._remote

    def pull(self, repository: Repository, ref: str) -> PullResult:
        """Pull what was seen when the source was asked last."""
        from ._policy_copy import verified
        from ._pull import pull

        with verified(repository, self._proxy, self._remote.manifest_digest) as proxy:
            return pull(repository, proxy, self._remote, refs=[ref])


def stored_outcome(repository: RepositoryReader, name: ImageName) -> ImageOutcome:
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


def describe_damage(damage: Sequence[Damage]) -> list[dict[str, str]]:
    """Return what a verification found, as the module's result shows it."""
    return [{"path": item.path, "problem": item.problem, "commit": item.commit} for item in damage]


def remove_image(
    repository: RepositoryReader,
    request: ImageRequest,
    containers: Mapping[str, Sequence[UsedImage]],
    *,
    force: bool,
    check_mode: bool,
) -> Plan:
    """Take the image's name and tags out of the store; raises ``InvalidInputError`` when a container uses one."""
    names = {name.ref: name for name in (request.name, *request.tags)}
    held = {name: look_up(repository, ref) for ref, name in names.items()}
    users = {name: users_of(str(name), found, containers) for name, found in held.items()}
    plan = plan_removal(held, users=users, force=force)
    if plan.actions and not check_mode:
        from ._ostree import writer

        store = writer(repository)
        with store.lock():
            for ref in names:
                store.delete_ref(ref)
    return plan
