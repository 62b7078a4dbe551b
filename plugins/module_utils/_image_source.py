# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources as users write them, and what skopeo has to be told of them: credentials, flags, platforms (pure)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from ._errors import InvalidInputError, SourceError
from ._image_name import is_digest, parse_image_name
from ._oci_image import MAX_MANIFEST, ImageConfig, SourceOptions
from ._strict_json import parse_json

TRANSPORTS = ("docker", "oci", "oci-archive", "docker-archive", "dir", "containers-storage", "docker-daemon")


def credentials(source: str, *, username: str | None, password: str | None) -> bytes:
    """Return a containers-auth.json(5) with a user's name and password for the registry of ``source``."""
    if not username or password is None or ":" in username:
        raise InvalidInputError("'username' (without a colon) and 'password' have to be given together")
    transport, _colon, rest = source.partition("://")
    if transport != "docker":
        raise InvalidInputError(f"'username' and 'password' are for registries, which '{source}' is not")
    registry = rest.partition("/")[0]
    auth = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    return json.dumps({"auths": {registry: {"auth": auth}}}).encode()


def platform_flags(platform: str | None) -> list[str]:
    if platform is None:
        return []
    parts = platform.split("/")
    if not 2 <= len(parts) <= 3 or not all(re.match(r"[a-z0-9._-]+\Z", part) for part in parts):
        raise InvalidInputError(f"'{platform}' is not a platform: write it as os/arch or os/arch/variant")
    return [f"--override-{key}={part}" for key, part in zip(("os", "arch", "variant"), parts)]


_ARCHITECTURES = {
    "x86_64": "amd64",
    "i386": "386",
    "i686": "386",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
    "mips64": "mips64le",
}
"""Machines as uname(2) has them, and what images call them."""


def check_platform(config: ImageConfig, *, platform: str | None, machine: str, source: str) -> None:
    """Raise ``SourceError`` for an image of another platform than ``platform``, by default that of ``machine``.

    skopeo chooses by platform from an index only: an image for a single one it hands out whatever was asked for.
    What the configuration does not say, and a machine that is not known, are accepted.
    """
    host = _ARCHITECTURES.get(machine, config.architecture)
    wanted = (platform or f"linux/{host}").split("/")
    found = (config.os, config.architecture, config.variant)
    if config.architecture and any(has and has != asked for asked, has in zip(wanted, found)):
        has = "/".join(part for part in found if part)
        raise SourceError(
            f"'{source}' is an image for {has}, not for {'/'.join(wanted)}: choose another image, or set 'platform: {has}'"
            " if it is meant"
        )


def platforms_of(index: bytes) -> list[str]:
    """Return the platforms of an index as ``os/arch[/variant]``, sorted; none for what is no index."""
    found = [entry["platform"] for entry in _entries(index) if isinstance(entry.get("platform"), Mapping)]
    names = {"/".join(str(platform[key]) for key in _PLATFORM if platform.get(key)) for platform in found}
    names.discard("unknown/unknown")  # what builders call attestations
    return sorted(filter(_PLATFORM_NAME.match, names))


_PLATFORM = ("os", "architecture", "variant")
_PLATFORM_NAME = re.compile(r"[A-Za-z0-9._/-]{1,80}\Z")


def lists_manifest(index: bytes, digest: str) -> bool:
    """Tell whether this is an index that has a manifest with this digest, whatever else is in it."""
    return any(entry.get("digest") == digest for entry in _entries(index))


def _entries(index: bytes) -> list[Mapping[str, Any]]:
    """Return the entries of an index that are objects; none for what is no index."""
    try:
        entries = parse_json(index[: MAX_MANIFEST + 1].decode("utf-8"))["manifests"]
        return [entry for entry in entries if isinstance(entry, Mapping)]
    except (ValueError, RecursionError, LookupError, TypeError):
        return []


def check_source(source: str) -> None:
    """Raise ``InvalidInputError`` for a source of the wrong form, or one that leaves something to be guessed.

    skopeo would take names without a registry from docker.io, and relative paths from wherever a module runs.
    """
    transport, _colon, rest = source.partition(":")
    if transport not in TRANSPORTS:
        known = ", ".join(f"'{known}:'" for known in TRANSPORTS)
        raise InvalidInputError(f"source: '{source}' is not supported: it has to start with one of {known}")
    if any(ord(character) < 32 or ord(character) == 127 for character in source):
        raise InvalidInputError(f"source: {source!r} has a control character")
    _CHECKS.get(transport, _check_path)(source, rest)


def _check_registry(source: str, rest: str) -> None:
    if not rest.startswith("//"):
        raise InvalidInputError(f"source: '{source}' has to be written 'docker://REGISTRY/NAME:TAG'")
    if not parse_image_name(rest[2:]).qualified:
        raise InvalidInputError(
            f"source: '{source}' says no registry, and none is guessed: write it as 'docker://REGISTRY/{rest[2:]}', such"
            f" as 'docker://docker.io/library/{rest[2:]}'"
        )


def _check_storage(source: str, rest: str) -> None:
    """Accept ``[[STORE]]NAME`` and ``[[STORE]]@ID``; images that were built on the host have the registry ``localhost``."""
    name = re.sub(r"\A\[[^\]]*\]", "", rest)
    if re.match(r"@[0-9a-f]{64}\Z", name):
        return
    if not parse_image_name(name).qualified:
        raise InvalidInputError(
            f"source: '{source}' says no registry, and none is guessed: write it as 'podman images' shows it, such as"
            f" 'containers-storage:localhost/{name}'"
        )


def _check_daemon(source: str, rest: str) -> None:
    """Accept ``NAME:TAG``, ``NAME@DIGEST`` and ``sha256:ID``. The daemon knows its images by such names: none is guessed."""
    if is_digest(rest):
        return
    if rest.startswith("sha256:"):
        raise InvalidInputError(f"source: '{source}' is not the ID of an image (sha256: and 64 hex digits)")
    name = parse_image_name(rest)
    if name.digest is None and not rest.endswith(f":{name.tag}"):
        raise InvalidInputError(
            f"source: '{source}' has to say the tag: write it as '{source}:latest' if that is meant"
        )


def _check_path(source: str, rest: str) -> None:
    if not rest.startswith("/"):
        raise InvalidInputError(
            f"source: '{source}' has to have an absolute path on the target host, such as"
            f" '{source.partition(':')[0]}:/srv/images/{rest.lstrip('./') or 'NAME'}'"
        )


_CHECKS = {"docker": _check_registry, "containers-storage": _check_storage, "docker-daemon": _check_daemon}


def source_flags(options: SourceOptions, authfile: str | None, *, prefix: str = "") -> list[str]:
    """Return the flags for a command of skopeo; those of ``skopeo copy`` have the ``prefix`` 'src-'."""
    flags = [] if options.validate_certs else [f"--{prefix}tls-verify=false"]
    flags += [f"--{prefix}authfile={authfile}"] if authfile else []
    return flags + ([f"--{prefix}cert-dir={options.cert_dir}"] if options.cert_dir else [])
