# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn an image's templates and values into the files of a deployment.

Deterministic: ids, clock and host facts are arguments. The same image, values and facts give the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ._deployment import MASK, Deployment, GeneratedFile, HostFile, Inputs, deployment_id
from ._errors import InvalidInputError
from ._exports import HOSTFS, ImageFiles
from ._host_files import dropped_bits, host_files, named_in_vain, render_renames
from ._models import HostFacts, Paths
from ._mounts import merge_mounts
from ._oci_image import ImageConfig
from ._record import dataclass
from ._runtime_fit import fit_runtime_spec
from ._runtime_spec import bind_sources, default_runtime_spec, image_user, parse_runtime_spec
from ._secrets import hide
from ._systemd_unit import DEFAULT_UNIT_TEMPLATE, render_drop_in, start_stop_values, uses_pid_file
from ._template import FORCED, variables
from ._tmpfiles import MissingSource, add_lines, created_mount_sources, default_tmpfiles
from ._values import host_values, substitute_json, substitute_tmpfiles, substitute_unit

FindMissing = Callable[[Sequence[tuple[str, str]]], Sequence[MissingSource]]
"""Says which of the (source, destination) bind mounts have a source that the host lacks."""


@dataclass(frozen=True)
class ImageIdentity:
    """How an image is told apart: its name as written, Atomic's image id, the store's commit and the index's digest."""

    name: str
    image_id: str
    commit: str
    index_digest: str | None
    config: ImageConfig


@dataclass(frozen=True)
class Target:
    """Where a deployment goes: the container's paths, the slot, and what the container already has."""

    paths: Paths
    slot: int
    recorded_uuid: str | None
    created: int


def render(
    *,
    image: ImageIdentity,
    files: ImageFiles,
    inputs: Inputs,
    target: Target,
    facts: HostFacts,
    find_missing: FindMissing,
) -> Deployment:
    """Return the deployment that ``inputs`` make of an image in the target's slot.

    Raises ``InvalidInputError`` when a variable has no value (all of them are named), or when what results is not
    fit to run.
    """
    _check_supported(image)
    paths = target.paths
    unit_template = files.service_template if files.service_template is not None else DEFAULT_UNIT_TEMPLATE
    values = _all_values(image=image, files=files, inputs=inputs, target=target, facts=facts, unit=unit_template)
    has_service = not files.manifest.no_container_service
    _check_missing(files, unit_template if has_service else "", values)
    _check_secrets(unit_template if has_service else "", inputs)
    scene = _Scene(image, files, inputs, target, facts, find_missing, unit_template if has_service else None, values)
    generated, warnings = _generate(scene, masked=frozenset())
    if inputs.secrets:
        generated = _with_masks(generated, scene)
    on_host, renames = _host_files(scene), render_renames(files.manifest.rename_files, values)
    warnings += _host_file_warnings(files)
    return Deployment(
        name=paths.name,
        slot=target.slot,
        directory=paths.slot(target.slot),
        id=deployment_id(inputs.manifest_digest, tuple(generated), paths.slot(target.slot), host_files=on_host),
        image=image.name,
        image_id=image.image_id,
        image_commit=image.commit,
        index_digest=image.index_digest,
        inputs=inputs,
        values=values,
        has_service=has_service,
        use_links=files.manifest.use_links,
        files=tuple(generated),
        created=target.created,
        host_files=on_host,
        renames=renames,
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _Scene:
    """All that the files of a deployment are made from; ``unit`` is the template, None without a service."""

    image: ImageIdentity
    files: ImageFiles
    inputs: Inputs
    target: Target
    facts: HostFacts
    find_missing: FindMissing
    unit: str | None
    values: Mapping[str, Any]


def _generate(scene: _Scene, *, masked: frozenset[str]) -> tuple[list[GeneratedFile], list[str]]:
    """Return the files, with a mask for the values of the names in ``masked``, and warnings."""
    files, paths, values = scene.files, scene.target.paths, scene.values
    directory = paths.slot(scene.target.slot)
    own = {*FORCED, *files.manifest.default_values} - set(scene.inputs.values) - set(scene.inputs.secrets)
    config, warnings = _render_config(scene, masked=masked)
    declared = {mount.source for mount in scene.inputs.mounts}
    binds = bind_sources(parse_runtime_spec(config, file=_config_name(files)))
    missing = scene.find_missing([(source, destination) for source, destination in binds if source not in declared])
    if files.tmpfiles_template is not None:
        tmpfiles = substitute_tmpfiles(files.tmpfiles_template, values, trusted=own, masked=masked)
    else:
        tmpfiles = default_tmpfiles(missing, uid=scene.facts.uid, gid=scene.facts.gid)
    tmpfiles = add_lines(tmpfiles, created_mount_sources(scene.inputs.mounts))
    generated = [GeneratedFile(path=f"{directory}/config.json", content=config, mode=0o600)]
    if tmpfiles:
        generated.append(GeneratedFile(path=f"{directory}/{paths.tmpfiles_copy}", content=tmpfiles, mode=0o644))
        generated.append(GeneratedFile(path=paths.tmpfiles, content=tmpfiles, mode=0o644))
    if scene.unit is not None:
        unit = substitute_unit(scene.unit, values, trusted=own)
        drop_in = render_drop_in(paths=paths, runtime=scene.inputs.runtime, unit=unit, has_tmpfiles=bool(tmpfiles))
        generated.append(GeneratedFile(path=f"{directory}/{paths.unit_name}", content=unit, mode=0o644))
        generated.append(GeneratedFile(path=paths.unit, content=unit, mode=0o644))
        generated.append(GeneratedFile(path=paths.drop_in, content=drop_in, mode=0o644))
    return generated, warnings


def _host_files(scene: _Scene) -> tuple[HostFile, ...]:
    manifest = scene.files.manifest
    return host_files(
        scene.files.host_files,
        scene.values,
        renames=manifest.rename_files,
        templates=manifest.templates,
        masked={**scene.values, **dict.fromkeys(scene.inputs.secrets, MASK)},
    )


def _host_file_warnings(files: ImageFiles) -> list[str]:
    lost = dropped_bits(files.host_files)
    vain = named_in_vain(files.host_files, renames=files.manifest.rename_files, templates=files.manifest.templates)
    return [
        *(f"'{path}' of the image loses its setuid or setgid bits on the host" for path in lost),
        *(f"manifest.json of the image names '{path}', which is not below {HOSTFS}" for path in vain),
    ]


def _with_masks(files: Sequence[GeneratedFile], scene: _Scene) -> list[GeneratedFile]:
    """Return the files with what may be shown of them; only root may read those that hold a secret.

    Where a mask cannot stand for a secret, as that has to be a number or a path, it is put into the text afterwards.
    """
    secrets = scene.inputs.secrets
    try:
        masked = {file.path: file.content for file in _generate(scene, masked=frozenset(secrets))[0]}
    except InvalidInputError:
        masked = {}
    found = []
    for file in files:
        shown = masked[file.path] if file.path in masked else hide(file.content, list(secrets.values()))
        secret = shown != file.content
        found.append(dataclasses.replace(file, masked=shown, mode=file.mode & 0o600) if secret else file)
    return found


def _check_secrets(unit_template: str, inputs: Inputs) -> None:
    """Raise for a secret in a unit: systemd shows units to all users."""
    used = variables(unit_template) | ({"PIDFILE", "RUN_DIRECTORY"} if uses_pid_file(unit_template) else set())
    names = sorted(used & set(inputs.secrets))
    if names:
        raise InvalidInputError(
            f"The image's service.template uses the secret values {', '.join(names)}, and systemd shows units to all users: give"
            " them in 'values' if they may be seen, or use an image that has them in config.json"
        )


def _check_supported(image: ImageIdentity) -> None:
    if image.config.labels.get("atomic.run") == "once":
        raise InvalidInputError(
            f"The image '{image.name}' is to be run once and removed (label atomic.run=once), which this version of the"
            " collection does not support: use an image that does not"
        )


def _all_values(
    *, image: ImageIdentity, files: ImageFiles, inputs: Inputs, target: Target, facts: HostFacts, unit: str
) -> dict[str, Any]:
    """Merge values: forced over the user's over the image's defaults over the host's."""
    name = target.paths.name
    chosen = {**files.manifest.default_values, **inputs.values, **inputs.secrets}
    host = host_values(name=name, root=target.paths.root, facts=facts, user=chosen, recorded_uuid=target.recorded_uuid)
    values: dict[str, Any] = {**host, **chosen}
    values.update(DESTDIR=target.paths.slot(target.slot), NAME=name, HOST_UID=facts.uid, HOST_GID=facts.gid)
    values.update(IMAGE_NAME=image.name, IMAGE_ID=image.image_id)
    values.update(
        start_stop_values(
            name=name, runtime=inputs.runtime, pid_file=str(values["PIDFILE"]), detached=uses_pid_file(unit)
        )
    )
    return values


def _check_missing(files: ImageFiles, unit_template: str, values: Mapping[str, Any]) -> None:
    templates = {
        "config.json.template": files.config_template if files.config is None else None,
        "service.template": unit_template,
        "tmpfiles.template": files.tmpfiles_template,
    }
    missing = [
        f"'{name}' ({file})"
        for file, template in templates.items()
        for name in sorted(variables(template or "") - set(values))
    ]
    if missing:
        raise InvalidInputError(
            f"The image's templates use variables without a value: {', '.join(missing)}: set them in 'values'"
        )


def _config_name(files: ImageFiles) -> str:
    if files.config is not None:
        return "config.json of the image"
    return "config.json.template of the image" if files.config_template is not None else "config.json"


def _render_config(scene: _Scene, *, masked: frozenset[str]) -> tuple[str, list[str]]:
    """Return config.json, the image's own, from its template, or from its OCI configuration, with the user's mounts and as
    it works on the host; and warnings. A text that needs no change stays as it is, to the byte."""
    image, files = scene.image, scene.files
    if files.config is not None:
        text = files.config
    elif files.config_template is not None:
        text = substitute_json(files.config_template, scene.values, file="config.json.template", masked=masked)
    else:
        user = image_user(image.config.user or "", passwd=files.passwd or "", group=files.group or "")
        text = default_runtime_spec(image.config, user=user, hostname=scene.target.paths.name)
    spec = parse_runtime_spec(text, file=_config_name(files))
    fitted, warnings = fit_runtime_spec(merge_mounts(spec, scene.inputs.mounts), scene.facts)
    return (text if fitted == spec else json.dumps(fitted, indent=4, ensure_ascii=False) + "\n"), warnings
