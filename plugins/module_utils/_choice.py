# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployment a container is to have: a kept one, Atomic's, or a new one that is rendered from the image."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._deployment import Deployment, GeneratedFile, Inputs, Mount, UnitOptions, Value, deployment_id
from ._errors import InvalidInputError
from ._image_files import ImageTree, missing_source, read_image_files
from ._image_request import ImageRequest
from ._images import ImageOutcome, converge_image, stored_outcome
from ._models import Observed
from ._observe import is_missing, observe_host
from ._oci_image import StoredImage
from ._plan import choose_deployment, choose_slot
from ._render import ImageIdentity, Target, render
from ._runtime import find_runtime
from ._store import Store
from ._stored_image import layer_commits, read_config
from ._tmpfiles import MissingSource, created_paths
from ._values import as_text

_NOT_COMPARED = ("ATOMIC", "ALL_PROCESS_CAPABILITIES")
"""Values that say something of Atomic's installation and of the kernel that it ran on."""


@dataclass(frozen=True)
class Wanted:
    """What a task asks of a container's deployment: the id of a kept one, or an image with all that is made of it.

    ``runtime`` is a name or a path; ``pull`` is ``missing``, ``always`` or ``never``.
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


@dataclass(frozen=True)
class Choice:
    """The deployment and what it is made from; ``target`` is None in check mode when its image is not stored, ``image`` what
    converging the image gave, None for a kept deployment that was named."""

    target: Deployment | None
    inputs: Inputs
    image: ImageOutcome | None = None


def choose(store: Store, wanted: Wanted, observed: Observed, *, check_mode: bool) -> Choice:
    """Return the deployment that a container is to have; its image is pulled if that is asked for."""
    if wanted.image is None:
        target, inputs = _named(observed, wanted.deployment or "")
        return Choice(_with_options(target, wanted), inputs)
    image = _image(store, wanted, wanted.image, check_mode=check_mode)
    inputs = Inputs(
        manifest_digest=image.manifest_digest,
        values=wanted.values,
        runtime=_runtime(wanted.runtime, observed),
        mounts=wanted.mounts,
        secrets=wanted.secrets,
    )
    found = choose_deployment(observed, inputs)
    if found is None and image.stored is not None:
        found = _taken_over(store, wanted, observed, image.stored, inputs)
        if found is None:
            slot = choose_slot(observed, keep=wanted.keep)
            found = _render(store, wanted, observed, image.stored, inputs, slot=slot, created=int(time.time()))
    return Choice(_with_options(found, wanted) if found else None, inputs, image)


def _with_options(target: Deployment, wanted: Wanted) -> Deployment:
    return dataclasses.replace(target, unit_options=wanted.unit_options)


def _named(observed: Observed, identifier: str) -> tuple[Deployment, Inputs]:
    """Return the kept deployment of this id."""
    known = [item.id for item in observed.deployments if item.id]
    for item in observed.deployments:
        if item.inputs is not None and item.id == identifier:
            return item, item.inputs
    kept = f"it has {', '.join(known)}" if known else "it has none"
    raise InvalidInputError(
        f"deployment: '{observed.paths.name}' has no deployment '{identifier}', {kept}: choose one of them, or declare its image"
    )


def _image(store: Store, wanted: Wanted, request: ImageRequest, *, check_mode: bool) -> ImageOutcome:
    if wanted.pull == "never":
        return stored_outcome(store.repository, request.name)
    return converge_image(store.repository, request, refresh=wanted.pull == "always", check_mode=check_mode)


def _runtime(name: str, observed: Observed) -> str:
    """Return the path of the runtime, spelled as the container has it already if that is the same program."""
    path, active = find_runtime(name), observed.active
    if active is not None:
        recorded = active.inputs.runtime if active.inputs else active.values.get("RUNTIME")
        if isinstance(recorded, str) and os.path.exists(recorded) and os.path.samefile(recorded, path):
            return recorded
    return path


def _taken_over(
    store: Store, wanted: Wanted, observed: Observed, stored: StoredImage, inputs: Inputs
) -> Deployment | None:
    """Return the active deployment of Atomic's as one of this collection; None when it is not what is asked for.

    It is, when the image is the same and each value that Atomic recorded is what rendering would use. Its config.json stays
    as it is when it means the same, or when the image does not say what it should be.
    """
    active = observed.active
    if active is None or active.inputs is not None or active.image_id != _image_id(stored):
        return None
    target = _render(store, wanted, observed, stored, inputs, slot=active.slot, created=active.created)
    recorded = {name: value for name, value in active.values.items() if name not in _NOT_COMPARED}
    if any(as_text(target.values.get(name)) != as_text(value) for name, value in recorded.items()):
        return None
    if set(target.values) - set(active.values) - set(_NOT_COMPARED):
        return None
    config = f"{active.directory}/config.json"
    found = observed.files.get(config)
    text = found.content.decode("utf-8", "surrogateescape") if found is not None else None
    files = tuple(_adopted(file, text) if file.path == config else file for file in target.files)
    identifier = deployment_id(inputs.manifest_digest, files, target.directory, host_files=target.host_files)
    return dataclasses.replace(target, files=files, id=identifier)


def _adopted(config: GeneratedFile, found: str | None) -> GeneratedFile:
    """Return config.json with the text that is on the host, if that means the same."""
    try:
        same = found is not None and json.loads(found) == json.loads(config.content)
    except ValueError:
        same = False
    return dataclasses.replace(config, content=found) if same and found is not None else config


def _render(
    store: Store,
    wanted: Wanted,
    observed: Observed,
    stored: StoredImage,
    inputs: Inputs,
    *,
    slot: int,
    created: int,
) -> Deployment:
    """Render the deployment that the inputs make of a stored image in a slot; ``created`` is in seconds since the epoch."""
    tree = ImageTree(store.repository, layer_commits(store.repository, stored.manifest))
    active = observed.active
    identity = ImageIdentity(
        name=wanted.image_name,
        image_id=_image_id(stored),
        commit=stored.commit,
        index_digest=stored.index_digest,
        config=read_config(store.repository, stored),
    )
    recorded = active.values.get("UUID") if active and "UUID" not in active.user_values else None
    listed = _listed_paths(observed)

    def find_missing(binds: Sequence[tuple[str, str]]) -> list[MissingSource]:
        # What an earlier deployment's lines made exists by now, and is still needed after a boot.
        return [
            missing_source(tree, source=source, destination=destination)
            for source, destination in binds
            if source in listed or is_missing(source)
        ]

    return render(
        image=identity,
        files=read_image_files(tree),
        inputs=inputs,
        target=Target(paths=observed.paths, slot=slot, recorded_uuid=recorded, created=created),
        facts=observe_host(inputs.runtime),
        find_missing=find_missing,
    )


def _image_id(stored: StoredImage) -> str:
    """Return the id that Atomic gave an image."""
    return stored.docker_digest.partition(":")[2]


def _listed_paths(observed: Observed) -> set[str]:
    """Return the paths that the container's tmpfiles.d file creates."""
    if observed.active is None:
        return set()
    state = observed.files.get(f"{observed.active.directory}/{observed.paths.tmpfiles_copy}")
    return created_paths(state.content.decode("utf-8", "replace")) if state is not None else set()
