# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file ``info`` of a deployment: Atomic's keys, and this project's record in one key of its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ._errors import InvalidInputError, NewerSchemaError
from ._models import RENDERER, SCHEMA, Deployment, GeneratedFile, Inputs, deployment_id

OWN_KEY = "system-containers"
_MODE = re.compile(r"[0-7]{4}\Z")


def info_file(deployment: Deployment) -> GeneratedFile:
    """Return the file ``info`` of a deployment; values may be secret, so only root reads it."""
    return GeneratedFile(path=f"{deployment.directory}/info", content=render_info(deployment), mode=0o600)


def render_info(deployment: Deployment) -> str:
    """Return the text of ``info`` for a deployment, readable by Atomic."""
    inputs = deployment.inputs
    info: dict[str, Any] = {
        "image": deployment.image,
        "revision": deployment.image_id,
        "ostree-commit": deployment.image_commit,
        "created": deployment.created,
        "values": dict(deployment.values),
        "has-container-service": deployment.has_service,
        "installed-files": [],
        "installed-files-checksum": {},
        "installed-files-template": [],
        "rename-installed-files": {},
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
            "files": [
                {"path": file.path, "mode": f"{file.mode:04o}", "sha256": file.sha256, "content": file.content}
                for file in deployment.files
            ],
        }
    return json.dumps(info, indent=4) + "\n"


def parse_info(text: str, *, name: str, slot: int, directory: str) -> Deployment:
    """Return the deployment that ``info`` describes.

    Raises ``NewerSchemaError`` when a newer version wrote it, ``InvalidInputError`` when it cannot be used.
    """
    try:
        info = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"its info file is not JSON ({exc})") from exc
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
        has_service=_get(info, "has-container-service", bool),
        use_links=info.get("use-links") is not False,
        files=record.files,
        created=_get(info, "created", int),
    )


@dataclass(frozen=True)
class _Record:
    """What this project's own key holds; empty for a deployment of Atomic's."""

    id: str = ""
    index_digest: str | None = None
    inputs: Inputs | None = None
    files: tuple[GeneratedFile, ...] = ()


def _parse_record(own: dict[str, Any], *, runtime: Any, directory: str) -> _Record:
    index_digest = own.get("index-digest")
    inputs = Inputs(
        manifest_digest=_get(own, "manifest-digest", str),
        values=_get(own, "values", dict),
        runtime=_checked(runtime, str, "runtime"),
    )
    files = tuple(_parse_file(_checked(item, dict, "files")) for item in _get(own, "files", list))
    record = _Record(
        id=_get(own, "id", str),
        index_digest=None if index_digest is None else _checked(index_digest, str, "index-digest"),
        inputs=inputs,
        files=files,
    )
    if deployment_id(inputs.manifest_digest, files, directory) != record.id:
        raise InvalidInputError("its info file was changed: the recorded files do not fit the deployment's id")
    return record


def _parse_file(item: dict[str, Any]) -> GeneratedFile:
    mode = _get(item, "mode", str)
    if not _MODE.match(mode):
        raise InvalidInputError(f"its info file cannot be used: '{mode}' is not a mode")
    return GeneratedFile(path=_get(item, "path", str), content=_get(item, "content", str), mode=int(mode, 8))


def _get(mapping: dict[str, Any], key: str, kind: type) -> Any:
    return _checked(mapping.get(key), kind, key)


def _checked(value: Any, kind: type, key: str) -> Any:
    """Return ``value`` when it is of the type that JSON's ``kind`` has; a boolean is no number."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidInputError(f"its info file cannot be used: '{key}' is missing or not of type {kind.__name__}")
    return value
