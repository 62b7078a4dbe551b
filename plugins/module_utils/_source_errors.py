# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What skopeo says, translated into errors for users (pure)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from ._errors import (
    ImageNotFoundError,
    InvalidInputError,
    MissingPlatformError,
    SourceError,
    SystemContainerError,
    TransientSourceError,
)

_DAMAGED = "hands out damaged data: push the image again"


def _status(code: str) -> str:
    """Return the pattern of an HTTP status as skopeo writes it; a bare number may be a port, or part of a digest."""
    return rf"(?:[Ss]tatus ?[Cc]ode|HTTP status)(?: from registry)?:? {code}\b"


_CAUSES: tuple[tuple[str, type[SystemContainerError], str], ...] = (
    (
        r"image rejected|rejected by policy|signature was required|signatures were accepted|GPG signature",
        SourceError,
        "is rejected by the signature policy of this host (policy.json)",
    ),
    (
        "fatal error: .*memory",
        SourceError,
        "cannot be read: skopeo runs out of memory, perhaps as the registry's answer has no end",
    ),
    (r"trust policy|invalid policy", SourceError, "is not pulled: the signature policy of this host cannot be used"),
    (
        r"[Ii]nstructed to preserve digests",
        SourceError,
        "cannot be copied unchanged, which the signature policy of this host (policy.json) needs: pull it from a registry",
    ),
    (
        r"registry \S* ?is blocked in",
        SourceError,
        "is not pulled: the registries.conf of this host blocks its registry",
    ),
    (
        r"proxyconnect|[Pp]roxy [Aa]uthentication",
        SourceError,
        "cannot be reached through the proxy: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the task's environment",
    ),
    (
        r"Cannot connect to the Docker daemon",
        SourceError,
        "cannot be read: the Docker daemon does not answer: check that it runs on this host",
    ),
    (
        r"dial (tcp|udp)[46]?: lookup |no such host|server misbehaving",
        SourceError,
        "cannot be reached (unknown host): check the name and DNS",
    ),
    (r"connection refused", SourceError, "cannot be reached (connection refused): check that the registry runs"),
    (r"no image found in (manifest list|image index)", MissingPlatformError, "has no image for this platform"),
    (
        r"server gave HTTP response to HTTPS client|first record does not look like a TLS handshake",
        SourceError,
        "speaks plain HTTP: set 'validate_certs: false' if that is meant",
    ),
    (
        r"certificate has expired|not yet valid",
        SourceError,
        "has a certificate that is not valid today: have it renewed, and check the clock of this host",
    ),
    (
        "x509: (certificate is (not )?valid for|cannot validate certificate for|certificate relies on legacy Common Name)",
        SourceError,
        "has a certificate for another name: use a name that it is for",
    ),
    (
        r"remote error: tls: (certificate required|bad certificate)",
        SourceError,
        "wants to see a certificate of this host, or another one: put it with its key into 'cert_dir' (NAME.cert, NAME.key)",
    ),
    (
        r"x509: |tls: failed to verify certificate",
        SourceError,
        "has a certificate that is not trusted: set 'cert_dir', or install its authority on the host",
    ),
    (
        r"TLS handshake timeout",
        TransientSourceError,
        "cannot be reached: check network and proxy settings",
    ),
    (
        r"\btls: ",
        SourceError,
        "does not agree with this host on how to encrypt (TLS): look at the registry's settings",
    ),
    (
        "pinging container registry .*" + _status("404"),
        SourceError,
        "cannot be read, as no registry answers there: check the name of the host, and the port",
    ),
    (
        r"toomanyrequests|too many requests|" + _status("429"),
        SourceError,
        "limits the rate of requests: try again later",
    ),
    (
        r"\bdenied\b|" + _status("403"),
        SourceError,
        "denies access: check that the account of 'username' or 'authfile' may pull it, and the name of the image",
    ),
    (
        r"unauthorized|authentication required|invalid username/password|" + _status("401"),
        SourceError,
        "wants other credentials: check 'username' and 'password' or 'authfile', and the name of the image",
    ),
    (
        r"manifest unknown|name unknown|not known to registry|no descriptor found for reference|No such image"
        r"|does not resolve to an image ID|Tag \S+ not found|Invalid source index|" + _status("404"),
        ImageNotFoundError,
        "does not exist: check the name and the tag or digest",
    ),
    (
        r"more than one image in oci|expected 1 item, got [1-9]",
        InvalidInputError,
        "holds more than one image: say which one, by its tag or name at the end of 'source'",
    ),
    (r"no such file or directory", ImageNotFoundError, "does not exist on the host: check the path"),
    (
        r"i/o timeout|deadline exceeded|connection timed out|no route to host|network is unreachable",
        SourceError,
        "cannot be reached: check network and proxy settings",
    ),
    (
        _status("5[0-9]{2}") + r"|: (Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout)\Z",
        TransientSourceError,
        "has a problem of its own: look at the registry's log, or try again later",
    ),
    (
        r"\bEOF\b|connection reset|broken pipe|server closed idle connection|stream error|use of closed network|http2: ",
        TransientSourceError,
        "breaks the connection off: try again later",
    ),
    (r"legacy manifest|schema ?1", SourceError, "has Docker's manifest schema 1, which is no longer supported"),
    (
        r"unsupported schema version|[Uu]nsupported manifest MIME type",
        SourceError,
        "has a manifest whose Content-Type does not say what it is: look at the registry's settings",
    ),
    (r"corrupted blob|bytes in blob|\b[Dd]igest\b", SourceError, _DAMAGED),
    (
        r"[Ii]nvalid (image name|source name|reference)|unknown transport|neither a tag nor a digest",
        InvalidInputError,
        "is not a source",
    ),
)


def translate(error: str, source: str) -> SystemContainerError:
    """Return the error for what skopeo said: the first cause that fits, and skopeo's words.

    Names and addresses are no cause, although an image may be called 'certificate' and a host 'denied'; nor is what the
    mirrors said. Nothing of a host itself passes when it is tried again, so it is no ``TransientSourceError``.
    """
    said = _MESSAGE.sub(r"\1", error.strip()).replace('\\"', '"')
    said = re.sub(r"(https?://[^\s\"?]+)\?[^\s\"]+", r"\1?...", said)  # signed addresses are secrets
    words = re.sub(r"\(Mirrors also failed: .*\]\): ", "", said, flags=re.DOTALL)
    words = re.sub(r"https?://[^\s\"]+|reading manifest \S+ in \S+", "", words)
    registry = source.startswith("docker:")
    rest = source.partition(":")[2].lstrip("/") if registry else source.partition(":")[2]
    untagged = re.sub(r"(:[^/:@]*)?(@.*)?\Z", "", rest)
    for name in (source, rest, untagged):
        words = words.replace(name, "") if name else words
    for pattern, kind, text in _CAUSES:
        if re.search(pattern, words):
            if kind is TransientSourceError and not registry:
                kind, text = SourceError, "cannot be read: it is damaged, or in another format than its transport says"
            return kind(f"'{source}' {text} ({said[:500]})")
    return SourceError(f"'{source}' cannot be read: {said[:500]}")


@contextlib.contextmanager
def naming(source: str) -> Iterator[None]:
    """Put the source in front of the message of a ``SourceError``, unless it names the source by itself."""
    try:
        yield
    except SourceError as exc:
        if source in str(exc):
            raise
        raise type(exc)(f"'{source}': {exc}") from exc


def stalled(source: str, *, timeout: float, limited: bool) -> SourceError:
    """Return the error for a source that was silent for ``timeout`` seconds, perhaps as it limits the rate (429)."""
    if limited:
        return SourceError(f"'{source}' limits the rate of requests: try again later")
    return SourceError(f"'{source}' did not answer within {timeout:g} seconds: check it, then try again")


_MESSAGE = re.compile(r'\Atime="[^"]*" level=\w+ msg="(.*)"\Z', re.DOTALL)
"""How skopeo's commands log their last words."""
