# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials for a registry, as containers-auth.json(5) says: which file, which of its entries.

A file has ``auths``, whose keys are a registry or a part of one (``registry.example.com/team/app``). The most specific one
counts. The files of Docker (``~/.docker/config.json``) have URLs as keys. Credential helpers are not asked.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import ImageName

_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Credentials:
    """Who asks. ``origin`` says where this comes from, for messages: no message has the rest."""

    origin: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header, for basic authentication."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def default_authfiles(environment: Mapping[str, str]) -> list[Path]:
    """Return where credentials are looked for, in this order: as skopeo and podman do."""
    if environment.get("REGISTRY_AUTH_FILE"):
        return [Path(environment["REGISTRY_AUTH_FILE"])]
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    runtime = environment.get("XDG_RUNTIME_DIR")
    primary = Path(runtime) / "containers" if runtime else Path(f"/run/containers/{os.getuid()}")
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        primary / "auth.json",
        config / "containers" / "auth.json",
        Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json",
    ]


def find_credentials(name: ImageName, files: list[Path]) -> Credentials | None:
    """Return those of the first file that has some for an image, None when no file has.

    Raises ``InvalidInputError`` for a file that cannot be read. One that does not exist has none.
    """
    for path in files:
        entry = _find_entry(name, _read_auths(path))
        found = None if entry is None else _decode(entry, path)
        if found is not None:
            return found
    return None


def _read_auths(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidInputError(f"the authfile '{path}' cannot be read: {error.strerror}") from error
    except ValueError:
        raise InvalidInputError(f"the authfile '{path}' is not JSON, see containers-auth.json(5)") from None
    auths = document.get("auths", {}) if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        raise InvalidInputError(f"the authfile '{path}' has no object 'auths', see containers-auth.json(5)")
    return auths


def _find_entry(name: ImageName, auths: dict[str, Any]) -> Any:
    """Return the entry for the image, of several the most specific one."""
    parts = name.repository.split("/")
    for length in range(len(parts), 0, -1):
        key = "/".join(parts[:length])
        if key in auths:
            return auths[key]
    registry = _plain_host(parts[0])
    return next((entry for key, entry in auths.items() if _plain_host(key) == registry and _is_host(key)), None)


def _is_host(key: str) -> bool:
    """Tell a whole registry, also as a URL (``https://index.docker.io/v1/``), from a part of one (``host/team``)."""
    return "://" in key or "/" not in key


def _plain_host(key: str) -> str:
    host = key.split("://", 1)[-1].split("/", 1)[0]
    return _DOCKER_HUB[0] if host in _DOCKER_HUB else host


def _decode(entry: Any, path: Path) -> Credentials | None:
    broken = InvalidInputError(f"the authfile '{path}' has an entry that cannot be read, see containers-auth.json(5)")
    if not isinstance(entry, dict):
        raise broken
    token, encoded = entry.get("identitytoken", ""), entry.get("auth", "")
    if not isinstance(token, str) or not isinstance(encoded, str):
        raise broken
    try:
        username, _colon, password = base64.b64decode(encoded, validate=True).decode().rstrip("\0").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise broken from None
    if not username and not token:
        return None
    return Credentials(f"the file '{path}'", username, password, token)
