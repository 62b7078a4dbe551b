# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render a deployment from a stored image; or take over the one that Atomic made, when it is what is asked for."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._container_plan import choose_slot
from ._deployment import Deployment, GeneratedFile, Inputs, deployment_id
from ._host_facts import is_missing, observe_host
from ._image_files import ImageTree, read_image_files
from ._image_paths import ImagePaths
from ._models import Observed
from ._mount_targets import check_mount_targets
from ._oci_image import StoredImage
from ._render import ImageIdentity, Target, render
from ._runtime_spec import parse_runtime_spec
from ._store import Store
from ._stored_image import layer_commits, read_config
from ._tmpfiles import MissingSource, created_paths
from ._values import as_text

if TYPE_CHECKING:
    from ._choice import Wanted

_NOT_COMPARED = ("ATOMIC", "ALL_PROCESS_CAPABILITIES", "IMAGE_NAME")
"""Values that say something of Atomic's installation, of the kernel that it ran on, and of which name of the image was used."""


class Scene:
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


def taken_over(scene: Scene) -> Deployment | None:
    """Return the active deployment of Atomic's as one of this collection; None when it is not what is asked for.

    It is, when the image is the same and each value that Atomic recorded is what rendering would use. Its config.json stays
    as it is when it means the same. Atomic knew no mounts of the user's.
    """
    active = scene.observed.active
    if active is None or active.inputs is not None or active.image_id != scene.identity.image_id:
        return None
    if scene.inputs.mounts:
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


def render_new(scene: Scene) -> Deployment:
    """Render a deployment in a slot that is free, or is made so."""
    observed = scene.observed
    # Later than all others, whatever the clock says, as the oldest one makes room.
    created = max([int(time.time()), *(item.created + 1 for item in observed.deployments)])
    return _render(scene, slot=choose_slot(observed, keep=scene.wanted.keep), created=created)


def _render(scene: Scene, *, slot: int, created: int) -> Deployment:
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
