# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Around the image proxy, without a process: credentials, skopeo's words translated, signature policies, flags (pure)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ._errors import ImageNotFoundError, InvalidInputError, SourceError, SystemContainerError
from ._image_name import parse_image_name
from ._oci_image import ImageConfig, SourceOptions

_ACCEPT_ANYTHING = {"type": "insecureAcceptAnything"}


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


def _status(code: str) -> str:
    """Return the pattern of an HTTP status as skopeo writes it; a bare number may be a port, or part of a digest."""
    return rf"(?:[Ss]tatus ?[Cc]ode|HTTP status)(?: from registry)?:? {code}\b"


_CAUSES: tuple[tuple[str, type[SystemContainerError], str], ...] = (
    (r"connection refused", SourceError, "cannot be reached (connection refused): check that the registry runs"),
    (r"no image found in (manifest list|image index)", ImageNotFoundError, "has no image for this platform"),
    (
        r"server gave HTTP response to HTTPS client",
        SourceError,
        "speaks plain HTTP: set 'validate_certs: false' if that is meant",
    ),
    (
        r"x509: |tls: ",
        SourceError,
        "has a certificate that is not trusted: set 'cert_dir', or install its authority on the host",
    ),
    (
        r"unauthorized|authentication required|invalid username/password|\bdenied\b|" + _status("40[13]"),
        SourceError,
        "refuses access: check 'username' and 'password' or 'authfile', and the name of the image",
    ),
    (
        r"toomanyrequests|too many requests|" + _status("429"),
        SourceError,
        "limits the rate of requests: try again later",
    ),
    (
        r"manifest unknown|name unknown|not known to registry|no descriptor found for reference|" + _status("404"),
        ImageNotFoundError,
        "does not exist: check the name and the tag or digest",
    ),
    (r"no such file or directory", ImageNotFoundError, "does not exist on the host: check the path"),
    (r"no such host|server misbehaving", SourceError, "cannot be reached (unknown host): check the name and DNS"),
    (
        r"i/o timeout|deadline exceeded|no route to host|network is unreachable",
        SourceError,
        "cannot be reached: check network and proxy settings",
    ),
    (
        r"corrupted blob|bytes in blob|unexpected EOF|\bdigest\b",
        SourceError,
        "hands out damaged data: push the image again",
    ),
    (_status("5[0-9]{2}"), SourceError, "has a problem of its own: look at the registry's log, or try again later"),
    (r"legacy manifest|schema ?1", SourceError, "has Docker's manifest schema 1, which is no longer supported"),
    (r"[Ii]nvalid (image name|source name|reference)|unknown transport", InvalidInputError, "is not a source"),
)


def translate(error: str, source: str) -> SystemContainerError:
    """Return the error for what skopeo said: the first cause that fits, and skopeo's words.

    Names and addresses are no cause, although an image may be called 'certificate' and a host 'denied'.
    """
    words = re.sub(r"https?://[^\s\"]+|reading manifest \S+ in \S+", "", error)
    rest = source.partition(":")[2].lstrip("/") if source.startswith("docker:") else source.partition(":")[2]
    untagged = re.sub(r"(:[^/:@]*)?(@.*)?\Z", "", rest)
    for name in (source, rest, untagged):
        words = words.replace(name, "") if name else words
    for pattern, kind, text in _CAUSES:
        if re.search(pattern, words):
            return kind(f"'{source}' {text} ({error[:500]})")
    return SourceError(f"'{source}' cannot be read: {error[:500]}")


def check_policy(policy: Mapping[str, Any] | None, source: str) -> None:
    """Raise ``SourceError`` unless a policy accepts anything from ``source``: the proxy does not enforce it."""
    if policy is None:
        raise SourceError(
            f"'{source}' is not pulled: this host has no signature policy (/etc/containers/policy.json): install the "
            "package that brings it, such as 'containers-common' or 'golang-github-containers-common'"
        )
    transport, _colon, rest = source.partition(":")
    scopes = policy.get("transports", {}).get(transport, {})
    requirements = [policy.get("default")]
    if transport == "docker":
        requirements = [scopes.get(scope) for scope in _scopes(rest[2:]) if scope in scopes][:1] or requirements
    elif scopes:
        requirements = list(scopes.values()) + ([] if "" in scopes else requirements)
    if any(requirement != [_ACCEPT_ANYTHING] for requirement in requirements):
        raise SourceError(
            f"'{source}' is not pulled: the signature policy of this host (policy.json) asks for more than "
            "'insecureAcceptAnything', and the installed skopeo does not enforce it here: install one with image proxy protocol 0.2.6"
        )


def _scopes(name: str) -> Iterator[str]:
    """Yield the scopes of a docker image from the narrowest to the widest, as containers-policy.json(5) has them."""
    registry = name.partition("/")[0] if "/" in name else ""
    if "." not in registry and ":" not in registry and registry != "localhost":
        name = "docker.io/" + (name if registry else "library/" + name)
    yield name
    yield name + ":latest"
    scope = re.sub(r"(:[^/:@]*)?(@.*)?\Z", "", name)
    while scope:
        yield scope
        scope = scope.rpartition("/")[0]
    host = re.sub(r":\d+\Z", "", name.partition("/")[0])
    while "." in host:
        host = host.partition(".")[2]
        yield "*." + host
    yield ""


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


def check_source(source: str) -> None:
    """Raise ``InvalidInputError`` for a registry's image without the registry: skopeo would take it from docker.io."""
    transport, _colon, rest = source.partition(":")
    if transport != "docker":
        return
    if not rest.startswith("//"):
        raise InvalidInputError(f"source: '{source}' has to be written 'docker://REGISTRY/NAME:TAG'")
    if not parse_image_name(rest[2:]).qualified:
        raise InvalidInputError(
            f"source: '{source}' says no registry, and none is guessed: write it as 'docker://REGISTRY/{rest[2:]}', such"
            f" as 'docker://docker.io/library/{rest[2:]}'"
        )


def source_flags(options: SourceOptions, authfile: str | None) -> list[str]:
    flags = [] if options.validate_certs else ["--tls-verify=false"]
    flags += [f"--authfile={authfile}"] if authfile else []
    return flags + ([f"--cert-dir={options.cert_dir}"] if options.cert_dir else [])
