# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep secret values out of what is shown of the files on a host (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ._deployment import MASK, GeneratedFile
from ._models import FileState, Observed


def shown_text(observed: Observed, path: str, found: FileState) -> str:
    """Return the text of a file on the host as it may be shown.

    One that is as recorded has its recorded mask. In an edited one each secret is replaced wherever its text stands. What repeats
    secrets in many forms (the record itself), and what only root may read and no record explains, is shown by its digest.
    """
    records = [file for item in observed.deployments for file in item.files if file.path == path]
    intact = next((file for file in records if _bytes(file) == found.content), None)
    if intact is not None:
        return intact.shown
    secrets = [value for item in observed.deployments if item.inputs for value in item.inputs.secrets.values()]
    unexplained = not records and not found.mode & 0o077 and (secrets or observed.broken)
    if unexplained or (secrets and path.endswith("/info")):
        return digest_text(found.content)
    text = found.content.decode("utf-8", "replace")
    return hide(text, secrets) if any(file.masked is not None for file in records) else text


def digest_text(content: bytes) -> str:
    """Return what stands for a content that is not shown."""
    return f"sha256: {hashlib.sha256(content).hexdigest()}\n"


def hide(text: str, secrets: list[Any]) -> str:
    """Return a text with a mask for each scalar of the secret values, also as JSON and tmpfiles.d spell it."""
    forms = {form for secret in secrets for scalar in _scalars(secret) for form in _forms(scalar)}
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _scalars(item)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def _forms(text: str) -> Iterator[str]:
    for form in (text, text.replace("\\", "\\\\")):
        yield from (form, form.replace("%", "%%"))
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])


def _bytes(file: GeneratedFile) -> bytes:
    return file.content.encode("utf-8", "surrogateescape")
