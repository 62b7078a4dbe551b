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
from dataclasses import dataclass, field

from . import _host_file_io
from ._container_plan import choose_deployment, choose_slot
from ._deployment import Deployment, GeneratedFile, Inputs, Mount, UnitOptions, Value, deployment_id
from ._drift import Verified, with_damage
from ._errors import InvalidInputError
from ._image_files import ImageTree, read_image_files
from ._image_paths import ImagePaths
from ._image_request import ImageRequest
from ._images import ImageOutcome, converge_image, describe_damage, stored_outcome
from ._models import Observed
from ._mount_targets import check_mount_targets
from ._mounts import check_mount_sources
from ._observe import is_missing, kind_of, observe_host
from ._oci_image import StoredImage
from ._plan import NOTHING_TO_DO
from ._render import ImageIdentity, Target, render
from ._runtime import find_runtime
from ._runtime_spec import parse_runtime_spec
from ._store import Store
from ._stored_image import layer_commits, read_config
from ._tmpfiles import MissingSource, created_paths
from ._values import as_text

_NOT_COMPARED = ("ATOMIC", "ALL_PROCESS_CAPABILITIES", "IMAGE_NAME")
"""Values that say something of Atomic's installation, of the kernel that it ran on, and of which name of the image was used."""


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
    texts = _host_file_io.texts(found.host_files, found.directory) if found is not None else {}
    if found is None and image.stored is not None:
        check_mount_sources(wanted.mounts, kind_of)
        scene = _Scene(store, wanted, observed, image.stored, inputs)
        found = _taken_over(scene) or _render_new(scene)
        texts = scene.texts
    return Choice(_with_options(found, wanted) if found else None, inputs, image, texts, verified)


def _choose_named(store: Store, wanted: Wanted, observed: Observed) -> Choice:
    """Return the kept deployment of the id that is asked for; one that is damaged is made again from the store."""
    target, inputs = _named(observed, wanted.deployment or "")
    verified = _verify(store, observed) if wanted.verify else {}
    observed = with_damage(observed, verified)
    if target.slot not in observed.damaged:
        texts = _host_file_io.texts(target.host_files, target.directory)
        return Choice(_with_options(target, wanted), inputs, texts=texts, verified=verified)
    from ._rootfs_verify import intact_image

    stored = intact_image(store.repository, target)
    wanted = dataclasses.replace(wanted, image_name=target.image)
    scene = _Scene(store, wanted, observed, stored, inputs)
    target = choose_deployment(observed, inputs) or _render_new(scene)
    image = ImageOutcome(NOTHING_TO_DO, stored.manifest_digest, stored=stored)
    return Choice(_with_options(target, wanted), inputs, image, scene.texts, verified)


def _verify(store: Store, observed: Observed) -> dict[str, Verified]:
    """Hash the deployments again; the repository was verified with the image."""
    from ._rootfs_verify import verify_deployments

    return verify_deployments(store.repository, observed.deployments, objects=False)


class _Scene:
    """What a deployment is rendered from: a stored image, and the container as it is."""

    def __init__(self, store: Store, wanted: Wanted, observed: Observed, stored: StoredImage, inputs: Inputs) -> None:
        self.wanted, self.observed, self.stored, self.inputs = wanted, observed, stored, inputs
        commits = layer_commits(store.repository, stored.manifest)
        self.tree, self.paths = ImageTree(store.repository, commits), ImagePaths(store.repository, commits)
        self.files = read_image_files(self.tree)
        self.identity = ImageIdentity(
            name=wanted.image_name,
            image_id=stored.docker_digest.partition(":")[2],
            commit=stored.commit,
            index_digest=stored.index_digest,
            config=read_config(store.repository, stored),
        )

    @property
    def texts(self) -> dict[str, str]:
        """The small host files by the SHA-256 of their content."""
        files = self.files.host_files
        return {file.sha256: file.text for file in files if file.sha256 is not None and file.text is not None}


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


def _taken_over(scene: _Scene) -> Deployment | None:
    """Return the active deployment of Atomic's as one of this collection; None when it is not what is asked for.

    It is, when the image is the same and each value that Atomic recorded is what rendering would use. Its config.json stays
    as it is when it means the same.
    """
    active = scene.observed.active
    if active is None or active.inputs is not None or active.image_id != scene.identity.image_id:
        return None
    if active.slot in scene.observed.damaged:
        return None
    target = _render(scene, slot=active.slot, created=active.created)
    compared = (set(target.values) | set(active.values)) - set(_NOT_COMPARED)
    if any(as_text(target.values.get(name)) != as_text(active.values.get(name)) for name in compared):
        return None
    config = f"{active.directory}/config.json"
    found = scene.observed.files.get(config)
    text = found.content.decode("utf-8", "surrogateescape") if found is not None else None
    files = tuple(_adopted(file, text) if file.path == config else file for file in target.files)
    identifier = deployment_id(scene.inputs.manifest_digest, files, target.directory, host_files=target.host_files)
    return dataclasses.replace(target, files=files, id=identifier)


def _adopted(config: GeneratedFile, found: str | None) -> GeneratedFile:
    """Return config.json with the text that is on the host, if that means the same."""
    try:
        same = found is not None and json.loads(found) == json.loads(config.content)
    except ValueError:
        same = False
    return dataclasses.replace(config, content=found) if same and found is not None else config


def _render_new(scene: _Scene) -> Deployment:
    """Render a deployment in a slot that is free, or is made so."""
    observed = scene.observed
    # Later than all others, whatever the clock says, as the oldest one makes room.
    created = max([int(time.time()), *(item.created + 1 for item in observed.deployments)])
    return _render(scene, slot=choose_slot(observed, keep=scene.wanted.keep), created=created)


def _render(scene: _Scene, *, slot: int, created: int) -> Deployment:
    """Render a deployment in a slot; ``created`` is in seconds since the epoch."""
    observed, active = scene.observed, scene.observed.active
    chosen = {**active.inputs.values, **active.inputs.secrets} if active and active.inputs else {}
    recorded = active.values.get("UUID") if active and "UUID" not in chosen else None
    listed = _listed_paths(observed)

    def find_missing(binds: Sequence[tuple[str, str]]) -> list[MissingSource]:
        # What an earlier deployment's lines made exists by now, and is still needed after a boot.
        return [
            # A file is meant where the image has a file to mount it over.
            MissingSource(path=source, is_file=scene.tree.is_regular_file(destination))
            for source, destination in binds
            if source in listed or is_missing(source)
        ]

    made = render(
        image=scene.identity,
        files=scene.files,
        inputs=scene.inputs,
        target=Target(paths=observed.paths, slot=slot, recorded_uuid=recorded, created=created),
        facts=observe_host(scene.inputs.runtime),
        find_missing=find_missing,
    )
    config = next(file for file in made.files if file.path == f"{made.directory}/config.json")
    check_mount_targets(parse_runtime_spec(config.content, file="config.json"), scene.paths.lookup)
    return made


def _listed_paths(observed: Observed) -> set[str]:
    """Return the paths that the container's tmpfiles.d file creates."""
    if observed.active is None:
        return set()
    state = observed.files.get(f"{observed.active.directory}/{observed.paths.tmpfiles_copy}")
    return created_paths(state.content.decode("utf-8", "replace")) if state is not None else set()
