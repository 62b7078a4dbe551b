# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployment a container is to have: a kept one, Atomic's, or a new one that is rendered from the image."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import field

from ._container_plan import choose_deployment
from ._deployment import Deployment, Inputs, Mount, UnitOptions, Value
from ._drift import Verified, with_damage
from ._errors import InvalidInputError
from ._image_request import ImageRequest
from ._images import ImageOutcome, converge_image, describe_damage, stored_outcome
from ._models import Observed
from ._oci_image import StoredImage
from ._plan import NOTHING_TO_DO
from ._record import dataclass
from ._runtime import find_runtime
from ._store import Store


@dataclass(frozen=True)
class Wanted:
    """What a task asks of a container's deployment: the id of a kept one, or an image with all that is made of it.

    ``runtime`` is a name or a path; ``pull`` is ``missing``, ``always`` or ``never``. ``verify`` asks to hash again what is there.
    """

    image: ImageRequest | None
    image_name: str
    values: Mapping[str, Value]
    secrets: Mapping[str, Value]
    mounts: tuple[Mount, ...]
    runtime: str
    pull: str
    keep: int
    unit_options: UnitOptions
    deployment: str | None = None
    verify: bool = False


@dataclass(frozen=True)
class Choice:
    """The deployment and what it is made from; ``target`` is None in check mode when its image is not stored.

    ``image`` is what converging the image gave, None for a kept, undamaged deployment that was named. ``texts`` are the
    target's small host files by the SHA-256 of their content. ``verified`` is what hashing the deployments again found, by
    directory, if that was asked for.
    """

    target: Deployment | None
    inputs: Inputs
    image: ImageOutcome | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    verified: Mapping[str, Verified] = field(default_factory=dict)

    @property
    def damage(self) -> list[Mapping[str, str | None]]:
        """What hashing again found: in the image, then in the root file systems, which no commit is behind."""
        found = (deviation for item in self.verified.values() for deviation in item.rootfs)
        return [
            *describe_damage(self.image.damage if self.image else ()),
            *({"path": item.path, "problem": item.problem, "commit": None} for item in found),
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know of how the deployment was chosen and made."""
        unverified = (
            f"'{directory}' was not verified: {item.reason}"
            for directory, item in self.verified.items()
            if item.reason is not None
        )
        return (*(self.target.warnings if self.target else ()), *unverified)


def choose(store: Store, wanted: Wanted, observed: Observed, *, check_mode: bool) -> Choice:
    """Return the deployment that a container is to have; its image is pulled if that is asked for."""
    if wanted.image is None:
        return _choose_named(store, wanted, observed)
    runtime = _runtime(wanted.runtime, observed)  # before anything is pulled
    image = _image(store, wanted, wanted.image, check_mode=check_mode)
    verified = _verify(store, observed) if wanted.verify else {}
    observed = with_damage(observed, verified)
    inputs = Inputs(
        manifest_digest=image.manifest_digest,
        values=wanted.values,
        runtime=runtime,
        mounts=wanted.mounts,
        secrets=wanted.secrets,
    )
    found = choose_deployment(observed, inputs)
    texts = _texts(found) if found is not None else {}
    if found is None and image.stored is not None:
        found, texts = _made(store, wanted, observed, image.stored, inputs)
    return Choice(_with_options(found, wanted) if found else None, inputs, image, texts, verified)


def _choose_named(store: Store, wanted: Wanted, observed: Observed) -> Choice:
    """Return the kept deployment of the id that is asked for; one that is damaged is made again from the store."""
    target, inputs = _named(observed, wanted.deployment or "")
    verified = _verify(store, observed) if wanted.verify else {}
    observed = with_damage(observed, verified)
    if target.slot not in observed.damaged:
        return Choice(_with_options(target, wanted), inputs, texts=_texts(target), verified=verified)
    from ._new_deployment import Scene, render_new
    from ._rootfs_verify import intact_image

    stored = intact_image(store.repository, target)
    wanted = dataclasses.replace(wanted, image_name=target.image)
    scene = Scene(store, wanted, observed, stored, inputs)
    target = choose_deployment(observed, inputs) or render_new(scene)
    image = ImageOutcome(NOTHING_TO_DO, stored.manifest_digest, stored=stored)
    return Choice(_with_options(target, wanted), inputs, image, scene.texts, verified)


def _made(
    store: Store, wanted: Wanted, observed: Observed, stored: StoredImage, inputs: Inputs
) -> tuple[Deployment, Mapping[str, str]]:
    """Return a deployment that is made from a stored image, or was by Atomic, with the texts of its host files."""
    from ._host_facts import kind_of
    from ._mounts import check_mount_sources
    from ._new_deployment import Scene, render_new, taken_over

    check_mount_sources(wanted.mounts, kind_of)
    scene = Scene(store, wanted, observed, stored, inputs)
    return taken_over(scene) or render_new(scene), scene.texts


def _texts(kept: Deployment) -> Mapping[str, str]:
    """Return the small host files of a deployment on the host by the SHA-256 of their content."""
    if not kept.host_files:
        return {}
    from ._host_file_io import texts

    return texts(kept.host_files, kept.directory)


def _verify(store: Store, observed: Observed) -> dict[str, Verified]:
    """Hash the deployments again; the repository was verified with the image."""
    from ._rootfs_verify import verify_deployments

    return verify_deployments(store.repository, observed.deployments, objects=False)


def _with_options(target: Deployment, wanted: Wanted) -> Deployment:
    return dataclasses.replace(target, unit_options=wanted.unit_options)


def _named(observed: Observed, identifier: str) -> tuple[Deployment, Inputs]:
    """Return the kept deployment of this id."""
    # Two slots have the same id where values differ that no template uses.
    for item in sorted(observed.deployments, key=lambda item: item.slot != observed.active_slot):
        if item.inputs is not None and item.id == identifier:
            return item, item.inputs
    known = [item.id for item in observed.deployments if item.id]
    kept = f"it has {', '.join(known)}" if known else "it has none"
    raise InvalidInputError(
        f"deployment: '{observed.paths.name}' has no deployment '{identifier}', {kept}: choose one of them, or declare its image"
    )


def _image(store: Store, wanted: Wanted, request: ImageRequest, *, check_mode: bool) -> ImageOutcome:
    if wanted.pull == "never":
        outcome = stored_outcome(store.repository, request.name)
        if wanted.verify and outcome.stored is not None:
            from ._rootfs_verify import refuse_damage

            refuse_damage(
                store.repository, outcome.stored, way_out="'pull: never' forbids to mend it: set 'pull: missing'"
            )
        return outcome
    return converge_image(store.repository, request, refresh=wanted.pull == "always", check_mode=check_mode)


def _runtime(name: str, observed: Observed) -> str:
    """Return the path of the runtime, spelled as the container has it already if that is the same program."""
    path, active = find_runtime(name), observed.active
    if active is not None:
        recorded = active.inputs.runtime if active.inputs else active.values.get("RUNTIME")
        if isinstance(recorded, str) and os.path.exists(recorded) and os.path.samefile(recorded, path):
            return recorded
    return path
