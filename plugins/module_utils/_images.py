# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge one image of the store: look, decide, pull or remove; and describe images for results."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._actions import PullImage, RemoveImage
from ._diff import state_diff
from ._errors import ImageNotFoundError, InvalidInputError, StoreError, SystemContainerError
from ._image_files import ImageTree, read_image_files
from ._image_name import REF_PREFIX, ImageName, decode_ref, parse_image_name
from ._image_source import check_source, platform_flags
from ._layer_import import (
    PullResult,
    fetch_remote,
    is_complete,
    layer_commits,
    pull,
    read_config,
    stored_image,
)
from ._models import Observed
from ._oci_image import RemoteImage, SourceOptions, StoredImage
from ._ostree import Repository
from ._plan import NOTHING_TO_DO, Plan
from ._render import template_variables

if TYPE_CHECKING:
    from ._image_proxy import ImageProxy

_TRANSPORTS = ("docker", "oci")
_BLOB_REF = re.compile(REF_PREFIX + r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class ImageRequest:
    """Which image is meant, and where it comes from; ``options`` is None when nothing says where."""

    name: ImageName
    options: SourceOptions | None

    def source(self) -> SourceOptions:
        """Return where the image comes from; raises ``InvalidInputError`` for an unqualified name with no source."""
        if self.options is None:
            raise InvalidInputError(
                f"The image name '{self.name}' says no registry, and none is guessed: write it with its registry, such as"
                f" 'registry.example.com/{self.name}', or say where it comes from with 'source'"
            )
        return self.options


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


def image_request(name: str, params: Mapping[str, Any]) -> ImageRequest:
    """Return what the options of a task mean; raises ``InvalidInputError`` for a name or source of the wrong form."""
    parsed = parse_image_name(name)
    source = params["source"]
    if source is None:
        source = f"docker://{parsed}" if parsed.qualified else None
    elif source.partition(":")[0] not in _TRANSPORTS:
        known = " or ".join(f"'{transport}:'" for transport in _TRANSPORTS)
        raise InvalidInputError(f"source: '{source}' is not supported: it has to start with {known}")
    platform_flags(params["platform"])  # raises for what is none, also when nothing is pulled
    if source is None:
        return ImageRequest(parsed, None)
    check_source(source)
    keys = ("username", "password", "authfile", "validate_certs", "cert_dir", "platform")
    options = SourceOptions(source=source, **{key: params[key] for key in keys})
    if not source.startswith("docker:"):
        # Defaults for all tasks may set credentials; what is not a registry has no use for them.
        options = dataclasses.replace(options, username=None, password=None, authfile=None)
    return ImageRequest(parsed, options)


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


def plan_pull(ref: str, held: Held, remote: RemoteImage) -> Plan:
    """Decide whether the image at the source has to be pulled: what counts is the platform's manifest digest."""
    if held.state == "present" and held.manifest_digest == remote.manifest_digest:
        return NOTHING_TO_DO
    after = {"state": "present", "manifest_digest": remote.manifest_digest}
    return Plan((PullImage(ref, remote.manifest_digest),), state_diff(held.shown(), after, header=ref))


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


def list_images(
    repository: Repository, names: Sequence[ImageName] | None, containers: Mapping[str, Observed]
) -> list[dict[str, Any]]:
    """Return the named images that are stored, all of them without names, sorted by name."""
    if not repository.exists():
        return []
    refs = [name.ref for name in names] if names is not None else _image_refs(repository)
    images = [_describe_ref(repository, ref, containers) for ref in set(refs)]
    return sorted((image for image in images if image), key=lambda image: str(image["name"]))


def inspect_remote(request: ImageRequest) -> dict[str, Any]:
    """Return what the source says of an image; nothing is stored."""
    from ._image_proxy import ImageProxy

    with ImageProxy(request.source()) as proxy:
        return describe_remote(str(request.name), fetch_remote(proxy))


def describe_outcome(
    repository: Repository, name: ImageName, outcome: ImageOutcome, containers: Mapping[str, Observed]
) -> dict[str, Any]:
    """Return the image after it was converged: as stored, or in check mode as its source has it."""
    if outcome.stored is not None:
        return describe_stored(repository, outcome.stored, used_by=_users_of_stored(outcome.stored, containers))
    return describe_remote(str(name), outcome.remote) if outcome.remote is not None else {}


def describe_pull(result: PullResult | None) -> dict[str, int]:
    """Return what a pull did, zeroes when there was none."""
    return {
        "bytes_downloaded": result.bytes_downloaded if result else 0,
        "layers_pulled": result.layers_pulled if result else 0,
        "layers_reused": result.layers_reused if result else 0,
        "dropped_entries": result.dropped if result else 0,
    }


def describe_remote(name: str, remote: RemoteImage) -> dict[str, Any]:
    """Return what is known of an image at its source."""
    return {
        "name": name,
        "manifest_digest": remote.manifest_digest,
        "config_digest": remote.manifest.config.digest,
        "layers": [{"digest": layer.digest, "size": layer.size} for layer in remote.manifest.layers],
        "size": sum(layer.size for layer in remote.manifest.layers),
    }


def describe_stored(repository: Repository, stored: StoredImage, *, used_by: Sequence[str]) -> dict[str, Any]:
    """Return a stored image as ``system_container_image_info`` lists it; a damaged one with the reason."""
    manifest = stored.manifest
    described: dict[str, Any] = {
        "name": stored.name,
        "ref": stored.ref,
        "commit": stored.commit,
        "manifest_digest": stored.manifest_digest,
        "index_digest": stored.index_digest,
        "config_digest": manifest.config.digest,
        "layers": [{"digest": layer.digest, "size": layer.size} for layer in manifest.layers],
        "size": sum(layer.size for layer in manifest.layers),
        "source": stored.source,
        "used_by": list(used_by),
        "broken": None,
    }
    try:
        config = read_config(repository, stored)
        files = read_image_files(ImageTree(repository, layer_commits(repository, manifest)))
        described.update(created=config.created, labels=dict(config.labels), variables=template_variables(files))
        described["platform"] = "/".join(part for part in (config.os, config.architecture, config.variant) if part)
    except SystemContainerError as exc:
        described.update(created=None, labels={}, variables={}, platform=None, broken=str(exc))
    return described


def _image_refs(repository: Repository) -> list[str]:
    """Return the refs that are names of images; layers and config blobs are 64 hex digits (an image has a tag)."""
    return [ref for ref in repository.refs() if not _BLOB_REF.match(ref)]


def _describe_ref(repository: Repository, ref: str, containers: Mapping[str, Observed]) -> dict[str, Any] | None:
    try:
        stored = stored_image(repository, ref)
    except SystemContainerError as exc:
        return _describe_broken(repository, ref, str(exc), containers)
    return describe_stored(repository, stored, used_by=_users_of_stored(stored, containers)) if stored else None


def _describe_broken(
    repository: Repository, ref: str, reason: str, containers: Mapping[str, Observed]
) -> dict[str, Any]:
    """Return an image that cannot be read with the keys of all others: loops over images go on."""
    name = decode_ref(ref[len(REF_PREFIX) :])
    try:
        commit = repository.resolve(ref)
    except StoreError:
        commit = None
    unknown = ("manifest_digest", "index_digest", "config_digest", "size", "source", "created", "platform")
    return {
        "name": name,
        "ref": ref,
        "commit": commit,
        **dict.fromkeys(unknown),
        "layers": [],
        "labels": {},
        "variables": {},
        "used_by": users_of(name, Held("incomplete", commit), containers),
        "broken": reason,
    }


def _users_of_stored(stored: StoredImage, containers: Mapping[str, Observed]) -> list[str]:
    return users_of(stored.name, Held("present", stored.commit, stored), containers)
