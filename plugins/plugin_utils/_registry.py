# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a registry which digest a tag has: the registry API, version 2
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
"""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    InvalidInputError,
    SourceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import ImageName, is_digest
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._http_client import (
    Answer,
    Connection,
    HttpClient,
    NoTlsError,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._registry_challenge import (
    Challenge,
    choose_challenge,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._registry_credentials import Credentials

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CLIENT = "projectatomic.system_containers"


def resolve_digest(name: ImageName, connection: Connection, credentials: Credentials | None) -> str:
    """Return the digest of the manifest or index that a tag names now, such as ``sha256:...``.

    Raises ``InvalidInputError`` for a name without a registry, ``ImageNotFoundError``, ``SourceError``.
    """
    if name.digest:
        return name.digest
    if name.registry is None:
        raise InvalidInputError(f"'{name}' has no registry: write it with one, such as 'registry.example.com/{name}'")
    with HttpClient(connection) as client:
        try:
            return _Query(client, name, connection, credentials, "https").digest()
        except NoTlsError:
            if connection.validate_certs:
                raise
        return _Query(client, name, connection, credentials, "http").digest()


class _Query:
    """The requests that it takes to learn the digest of one name."""

    def __init__(
        self, client: HttpClient, name: ImageName, connection: Connection, credentials: Credentials | None, scheme: str
    ) -> None:
        self._client = client
        self._name = name
        self._connection = connection
        self._credentials = credentials
        self._authorization: str | None = None
        host, path = name.registry, name.path
        if host in ("docker.io", "index.docker.io"):
            host, path = "registry-1.docker.io", path if "/" in path else f"library/{path}"
        self._path = path
        self._url = f"{scheme}://{host}/v2/{path}/manifests/{name.tag}"

    def digest(self) -> str:
        """Ask for the header first; the manifest itself, as not every registry has the header, or knows HEAD."""
        head = self._ask("HEAD")
        if head.status == 200 and is_digest(head.headers.get("Docker-Content-Digest")) and _is_manifest(head):
            return str(head.headers["Docker-Content-Digest"])
        answer = self._ask("GET")
        self._refuse_status(answer)
        body = answer.body or b""
        if not _is_manifest(answer) or not _looks_like_manifest(body):
            raise self._error("answers with something that is no manifest: it is no registry, or too old a one")
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        told = answer.headers.get("Docker-Content-Digest", digest)
        if is_digest(told) and told != digest:
            raise self._error(f"says that the manifest is {told}, but what it sends is {digest}")
        return digest

    def _ask(self, method: str) -> Answer:
        headers = {"Accept": ", ".join(MANIFEST_TYPES), "User-Agent": CLIENT}
        if self._authorization is None:
            answer = self._client.send(method, self._url, headers=headers)
            if answer.status != 401:
                return answer
            self._authorization = self._authorize(answer)
        answer = self._client.send(method, self._url, headers={**headers, "Authorization": self._authorization})
        if answer.status == 401:
            raise self._refused()
        return answer

    def _authorize(self, answer: Answer) -> str:
        challenge = choose_challenge(answer.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            raise self._error("wants authentication (401) in a way that is not supported: neither Bearer nor Basic")
        if challenge.scheme == "bearer":
            return f"Bearer {self._token(challenge)}"
        if self._credentials is None or not self._credentials.username:
            raise self._refused()
        return self._credentials.basic

    def _token(self, challenge: Challenge) -> str:
        """Ask the realm for a token to pull this image, with the credentials if there are some."""
        realm = challenge.parameters["realm"]
        parts = urllib.parse.urlsplit(realm)
        secure = parts.scheme == "https" or (parts.scheme == "http" and not self._connection.validate_certs)
        if not secure or not parts.netloc or "@" in parts.netloc:
            raise self._error(
                f"wants a token of '{parts.scheme}://{parts.netloc.rpartition('@')[2]}': only HTTPS is safe"
            )
        query = {"scope": challenge.parameters.get("scope") or f"repository:{self._path}:pull"}
        if challenge.parameters.get("service"):
            query["service"] = challenge.parameters["service"]
        answer = self._ask_realm(realm, parts, query)
        if answer.status in (401, 403):
            raise self._refused()
        if answer.status == 404 or answer.status == 400:
            raise self._error(f"its token service {parts.netloc} answers {answer.status}")
        self._refuse_status(answer)
        reply = _json_object(answer.body or b"")
        token = reply.get("token") or reply.get("access_token")
        if not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise self._error(f"its token service {parts.netloc} answers without a token")
        return token

    def _ask_realm(self, realm: str, parts: urllib.parse.SplitResult, query: dict[str, str]) -> Answer:
        headers = {"User-Agent": CLIENT}
        if self._credentials is not None and self._credentials.identity_token:
            grant = {
                "grant_type": "refresh_token",
                "refresh_token": self._credentials.identity_token,
                "client_id": CLIENT,
            }
            return self._client.send("POST", realm, headers=headers, data={**query, **grant})
        if self._credentials is not None:
            headers["Authorization"] = self._credentials.basic
            query["account"] = self._credentials.username
        both = f"{parts.query}&{urllib.parse.urlencode(query)}".lstrip("&")
        return self._client.send("GET", urllib.parse.urlunsplit(parts._replace(query=both)), headers=headers)

    def _refuse_status(self, answer: Answer) -> None:
        if answer.status == 200:
            return
        if answer.status == 404:
            if _json_object(answer.body or b"").get("errors"):
                raise ImageNotFoundError(f"{self._name}: the registry has no such image, or no such tag of it (404)")
            raise self._error("answers 404 as a server does that is no registry; look at the host's name and port")
        if answer.status == 403:
            who = (
                f"with the credentials from {self._credentials.origin}" if self._credentials else "without credentials"
            )
            raise self._error(f"denies access {who} (403)")
        if answer.status == 429:
            raise self._error("limits the rate of requests (429); try again later")
        kind = "the registry is out of order, try again later" if answer.status >= 500 else "is that a registry?"
        raise self._error(f"answers {answer.status}: {kind}")

    def _refused(self) -> SourceError:
        if self._credentials is None:
            return self._error("wants credentials (401); set username and password, or authfile")
        return self._error(f"refuses the credentials from {self._credentials.origin} (401)")

    def _error(self, what: str) -> SourceError:
        return SourceError(f"{self._name}: {self._name.registry} {what}")


def _is_manifest(answer: Answer) -> bool:
    return str(answer.headers.get("Content-Type", "")).partition(";")[0].strip().lower() in MANIFEST_TYPES


def _looks_like_manifest(body: bytes) -> bool:
    return _json_object(body).get("schemaVersion") == 2


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
