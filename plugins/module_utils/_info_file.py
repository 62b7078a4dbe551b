# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file ``info`` of a deployment: Atomic's keys, and this project's record in one key of its own."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import field
from typing import Any

from ._deployment import (
    RENDERER,
    SCHEMA,
    Deployment,
    GeneratedFile,
    HostFile,
    Inputs,
    Mount,
    UnitOptions,
    deployment_id,
)
from ._errors import InvalidInputError, NewerSchemaError
from ._image_name import is_digest
from ._record import dataclass

OWN_KEY = "system-containers"
_MODE = re.compile(r"[0-7]{4}\Z")


def info_file(deployment: Deployment) -> GeneratedFile:
    """Return the file ``info`` of a deployment; values may be secret, so only root reads it."""
    return GeneratedFile(path=f"{deployment.directory}/info", content=render_info(deployment), mode=0o600)


def render_info(deployment: Deployment) -> str:
    """Return the text of ``info`` for a deployment, readable by Atomic; what Atomic wrote itself stays as it is."""
    if deployment.atomic_info is not None:
        return deployment.atomic_info
    inputs = deployment.inputs
    host_files = deployment.host_files
    info: dict[str, Any] = {
        "image": deployment.image,
        "revision": deployment.image_id,
        "ostree-commit": deployment.image_commit,
        "created": deployment.created,
        "values": dict(deployment.values),
        "has-container-service": deployment.has_service,
        "installed-files": [file.path for file in host_files if file.ours],
        "installed-files-checksum": {file.path: file.sha256 or "0" for file in host_files if file.ours},
        "installed-files-template": [file.path for file in host_files if file.content is not None],
        "rename-installed-files": dict(deployment.renames),
        "rpm-installed": None,
        "system-package": "no",
        "remote": None,
        "use-links": deployment.use_links,
        "runtime": inputs.runtime if inputs else None,
    }
    if inputs:
        info[OWN_KEY] = {
            "schema": SCHEMA,
            "renderer": RENDERER,
            "id": deployment.id,
            "manifest-digest": inputs.manifest_digest,
            "index-digest": deployment.index_digest,
            "values": dict(inputs.values),
            "secret-values": dict(inputs.secrets),
            "mounts": [dataclasses.asdict(mount) for mount in inputs.mounts],
            "unit-options": {section: dict(options) for section, options in deployment.unit_options.items()},
            "created-directories": list(deployment.created_directories),
            "files": [_file_record(file) for file in deployment.files],
            "host-files": [_host_file_record(file) for file in host_files],
        }
    return json.dumps(info, indent=4) + "\n"


def _file_record(file: GeneratedFile) -> dict[str, Any]:
    masked = {} if file.masked is None else {"masked": file.masked}
    return {"path": file.path, "mode": f"{file.mode:04o}", "sha256": file.sha256, "content": file.content, **masked}


def _host_file_record(file: HostFile) -> dict[str, Any]:
    return {**dataclasses.asdict(file), "mode": f"{file.mode:04o}"}


def parse_info(text: str, *, name: str, slot: int, directory: str) -> Deployment:
    """Return the deployment that ``info`` describes.

    Raises ``NewerSchemaError`` when a newer version wrote it, ``InvalidInputError`` when it cannot be used.
    """
    try:
        info = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"its info file is not JSON ({exc})") from exc
    _check_text(text, info)
    info = _checked(info, dict, "info")
    own = _get(info, OWN_KEY, dict) if info.get(OWN_KEY) is not None else None
    if own is not None and _get(own, "schema", int) > SCHEMA:
        raise NewerSchemaError(
            f"a newer version of this collection wrote it (schema {own['schema']}, known here: {SCHEMA}): upgrade"
        )
    record = _parse_record(own, runtime=info.get("runtime"), directory=directory) if own is not None else _Record()
    return Deployment(
        name=name,
        slot=slot,
        directory=directory,
        id=record.id,
        image=_get(info, "image", str),
        image_id=_get(info, "revision", str),
        image_commit=_get(info, "ostree-commit", str),
        index_digest=record.index_digest,
        inputs=record.inputs,
        values=_get(info, "values", dict),
        # Early versions of Atomic did not record it: all of their images had a service.
        has_service=_get({"has-container-service": own is None, **info}, "has-container-service", bool),
        use_links=info.get("use-links") is not False,
        files=record.files,
        created=_get(info, "created", int),
        host_files=record.host_files if own is not None else _atomic_host_files(info),
        unit_options=record.unit_options,
        created_directories=record.created_directories,
        renames=_nullable(info, "rename-installed-files", dict) or {},
        atomic_info=text if own is None else None,
    )


def _check_text(text: str, info: Any) -> None:
    """Raise for what JSON can spell and no file can hold: halves of surrogate pairs, but for those that stand for a byte."""
    if "\\ud" not in text and "\\uD" not in text:
        return
    try:
        json.dumps(info, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise InvalidInputError(f"its info file cannot be used: a text in it is not UTF-8 ({exc.reason})") from exc


def _atomic_host_files(info: dict[str, Any]) -> tuple[HostFile, ...]:
    """Return the host files that Atomic recorded; its early versions did so without checksums."""
    from ._host_files import atomic_host_files

    listed = _nullable(info, "installed-files", list) or []
    checksums = _nullable(info, "installed-files-checksum", dict) or {}
    return atomic_host_files({**{path: None for path in listed if isinstance(path, str)}, **checksums})


@dataclass(frozen=True)
class _Record:
    """What this project's own key holds; empty for a deployment of Atomic's."""

    id: str = ""
    index_digest: str | None = None
    inputs: Inputs | None = None
    files: tuple[GeneratedFile, ...] = ()
    host_files: tuple[HostFile, ...] = ()
    unit_options: UnitOptions = field(default_factory=dict)
    created_directories: tuple[str, ...] = ()


def _parse_record(own: dict[str, Any], *, runtime: Any, directory: str) -> _Record:
    index_digest = own.get("index-digest")
    inputs = Inputs(
        manifest_digest=_digest(own, "manifest-digest"),
        values=_get(own, "values", dict),
        runtime=_checked(runtime, str, "runtime"),
        mounts=tuple(_parse_mount(_checked(item, dict, "mounts")) for item in _optional(own, "mounts", list)),
        secrets=_optional(own, "secret-values", dict),
    )
    options = _optional(own, "unit-options", dict)
    directories = _optional(own, "created-directories", list)
    host_files = tuple(
        _parse_host_file(_checked(item, dict, "host-files")) for item in _optional(own, "host-files", list)
    )
    files = tuple(_parse_file(_checked(item, dict, "files")) for item in _get(own, "files", list))
    record = _Record(
        id=_get(own, "id", str),
        index_digest=None if index_digest is None else _digest(own, "index-digest"),
        inputs=inputs,
        files=files,
        host_files=host_files,
        unit_options={section: dict(_checked(keys, dict, "unit-options")) for section, keys in options.items()},
        created_directories=tuple(_checked(item, str, "created-directories") for item in directories),
    )
    ids = (
        deployment_id(inputs.manifest_digest, files, directory, host_files=host_files, by_slot=by_slot)
        for by_slot in (False, True)
    )
    if record.id not in ids:
        raise InvalidInputError("its info file was changed: the recorded files do not fit the deployment's id")
    return record


def _parse_file(item: dict[str, Any]) -> GeneratedFile:
    mode = _get(item, "mode", str)
    if not _MODE.match(mode):
        raise InvalidInputError(f"its info file cannot be used: '{mode}' is not a mode")
    return GeneratedFile(
        path=_get(item, "path", str),
        content=_get(item, "content", str),
        mode=int(mode, 8),
        masked=_nullable(item, "masked", str),
    )


def _parse_host_file(item: dict[str, Any]) -> HostFile:
    mode = _get(item, "mode", str)
    if not _MODE.match(mode):
        raise InvalidInputError(f"its info file cannot be used: '{mode}' is not a mode")
    texts = ("sha256", "target", "origin", "content", "masked")
    return HostFile(
        path=_get(item, "path", str),
        kind=_get(item, "kind", str),
        mode=int(mode, 8),
        uid=_get(item, "uid", int),
        gid=_get(item, "gid", int),
        ours=_get(item, "ours", bool),
        **{key: _nullable(item, key, str) for key in texts},
    )


def _parse_mount(item: dict[str, Any]) -> Mount:
    return Mount(
        destination=_get(item, "destination", str),
        source=_nullable(item, "source", str),
        type=_get(item, "type", str),
        options=tuple(_checked(option, str, "options") for option in _get(item, "options", list)),
        create=_nullable(item, "create", str),
    )


def _optional(mapping: dict[str, Any], key: str, kind: type) -> Any:
    """Return what earlier versions did not record, empty then."""
    return kind() if key not in mapping else _get(mapping, key, kind)


def _nullable(mapping: dict[str, Any], key: str, kind: type) -> Any:
    return None if mapping.get(key) is None else _get(mapping, key, kind)


def _digest(mapping: dict[str, Any], key: str) -> str:
    if not is_digest(mapping.get(key)):
        raise InvalidInputError(f"its info file cannot be used: '{key}' is missing or no digest")
    return str(mapping[key])


def _get(mapping: dict[str, Any], key: str, kind: type) -> Any:
    return _checked(mapping.get(key), kind, key)


def _checked(value: Any, kind: type, key: str) -> Any:
    """Return ``value`` when it is of the type that JSON's ``kind`` has; a boolean is no number."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidInputError(f"its info file cannot be used: '{key}' is missing or not of type {kind.__name__}")
    return value
