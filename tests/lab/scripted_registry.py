# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container registry on loopback that serves OCI layouts and misbehaves as a test tells it.

    with ScriptedRegistry({"team/app": image.layout}) as registry:
        registry.script("/blobs/" + digest, Status(503), times=2)
        pull(registry.source("team/app:1"))
        assert registry.count("/blobs/" + digest) == 3

It reads the layouts at every request, so an image that ``build_image`` tags meanwhile is a tag that moves. Only reading
is served. A script is a pattern (``re.search`` on the path), what happens instead of or with the answer, and how often;
of several that fit, the first that is not used up counts.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import secrets
import socket
import ssl
import struct
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from .image_builder import MANIFEST_TYPE, TAG_ANNOTATION

_PIECE = 64 * 1024
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<what>[^/]+)\Z")


@dataclass(frozen=True)
class Status:
    """Answer with this status, such as 503, instead of what was asked for."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cut:
    """Break the connection after this many bytes of the body, by a reset or an ordinary end; None: before any answer."""

    after: int | None = None
    reset: bool = False


@dataclass(frozen=True)
class Stall:
    """Send nothing more after this many bytes of the body, and keep the connection; None: not even an answer."""

    after: int | None = None


@dataclass(frozen=True)
class Slow:
    """Send the body in pieces of this many bytes, each after this many seconds."""

    size: int
    seconds: float


@dataclass(frozen=True)
class Corrupt:
    """Flip a bit of the byte at this offset of the body."""

    at: int = 0


@dataclass(frozen=True)
class Reply:
    """Answer rightly but unusually. A header that is None is left out; ``body`` replaces the content."""

    headers: Mapping[str, str | None] = field(default_factory=dict)
    chunked: bool = False
    body: bytes | None = None


Action = Union[Status, Cut, Stall, Slow, Corrupt, Reply]


@dataclass
class _Script:
    pattern: str
    action: Action
    left: int | None


@dataclass
class Request:
    """A request as soon as it came in; ``status`` is 0 without an answer, ``sent`` counts the bytes of the body."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Account:
    """Who may pull. ``token``: by a token from the registry's own /token (its realm), else by basic authentication."""

    username: str
    password: str
    token: bool = False
    identity_token: str | None = None


class ScriptedRegistry:
    """The registry, as a context manager; ``host`` is ``127.0.0.1:PORT``."""

    def __init__(
        self,
        layouts: Mapping[str, str | os.PathLike[str]],
        *,
        account: Account | None = None,
        certificate: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
    ) -> None:
        """``layouts``: repository name to OCI layout. ``certificate``: files of certificate and key, for TLS."""
        self.layouts = {name: Path(layout) for name, layout in layouts.items()}
        self.account = account
        self.requests: list[Request] = []
        self.tokens: dict[str, str] = {}
        self.scheme = "https" if certificate else "http"
        self.over = threading.Event()
        self._scripts: list[_Script] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.tls = context
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def source(self, image: str) -> str:
        """Return ``docker://HOST/IMAGE``."""
        return f"docker://{self.host}/{image}"

    def script(self, pattern: str, action: Action, *, times: int | None = None) -> None:
        """Let the next ``times`` requests (all, if None) whose path fits ``pattern`` have ``action``."""
        with self._lock:
            self._scripts.append(_Script(pattern, action, times))

    def forget(self) -> None:
        """Drop all scripts and recorded requests."""
        with self._lock:
            self._scripts.clear()
            self.requests.clear()

    def matching(self, pattern: str) -> list[Request]:
        """Return the recorded requests whose path fits ``pattern``."""
        with self._lock:
            return [request for request in self.requests if re.search(pattern, request.path)]

    def count(self, pattern: str) -> int:
        """Return how many requests had a path that fits ``pattern``."""
        return len(self.matching(pattern))

    def __enter__(self) -> ScriptedRegistry:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def action(self, path: str) -> Action | None:
        """Take what is scripted for a request."""
        with self._lock:
            for script in self._scripts:
                if script.left != 0 and re.search(script.pattern, path):
                    script.left = None if script.left is None else script.left - 1
                    return script.action
        return None

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def find(self, path: str) -> tuple[bytes, str] | None:
        """Return content and media type of a manifest or blob."""
        match = _PATH.match(path)
        layout = self.layouts.get(match["name"]) if match else None
        if match is None or layout is None:
            return None
        digest, media_type = match["what"], "application/octet-stream"
        if match["kind"] == "manifests":
            digest = _tagged(layout, digest) or digest
        algorithm, _colon, hexadecimal = digest.partition(":")
        file = layout / "blobs" / algorithm / hexadecimal
        if not hexadecimal or not file.is_file():
            return None
        content = file.read_bytes()
        if match["kind"] == "manifests":
            media_type = json.loads(content).get("mediaType", MANIFEST_TYPE)
        return content, media_type


def _tagged(layout: Path, tag: str) -> str | None:
    for entry in json.loads((layout / "index.json").read_bytes())["manifests"]:
        if entry.get("annotations", {}).get(TAG_ANNOTATION) == tag:
            return str(entry["digest"])
    return None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    registry: ScriptedRegistry
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS in the connection's own thread: a client that does not would block the others."""
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, or do not trust the certificate, are what tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.request_seen = Request(self.command, self.path, dict(self.headers))
        self.server.registry.record(self.request_seen)
        self._answer(self.server.registry, urllib.parse.urlsplit(self.path).path)

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _answer(self, registry: ScriptedRegistry, path: str) -> None:
        action = registry.action(self.path)
        if isinstance(action, Status):
            self._send(action.code, action.body, action.headers)
        elif path == "/token":
            self._token(registry)
        elif not self._allowed(registry):
            scheme = 'Basic realm="test"'
            if registry.account is not None and registry.account.token:
                scheme = f'Bearer realm="{registry.scheme}://{registry.host}/token",service="test"'
            self._send(401, _error("UNAUTHORIZED", "authentication required"), {"WWW-Authenticate": scheme})
        elif path == "/v2/":
            self._send(200, b"{}", {}, action)
        else:
            found = registry.find(path)
            if found is None:
                self._send(404, _error("MANIFEST_UNKNOWN", "manifest unknown"), {}, action)
                return
            content, media_type = found
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            self._send(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest}, action)

    def _allowed(self, registry: ScriptedRegistry) -> bool:
        account, given = registry.account, self.headers.get("Authorization", "")
        if account is None:
            return True
        if not account.token:
            return given == _basic(account)
        scope = registry.tokens.get(given.partition("Bearer ")[2], "")
        name = _PATH.match(self.path)
        return bool(scope) and (name is None or scope == f"repository:{name['name']}:pull")

    def _token(self, registry: ScriptedRegistry) -> None:
        """Hand out a token for the scope that is asked for."""
        account, query = registry.account, urllib.parse.urlsplit(self.path).query
        if self.command == "POST":
            query = self._body().decode()
        asked = urllib.parse.parse_qs(query)
        refresh = asked.get("refresh_token", [""])[0]
        by_refresh = account is not None and account.identity_token is not None and refresh == account.identity_token
        if account is None or not (self.headers.get("Authorization") == _basic(account) or by_refresh):
            self._send(401, _error("UNAUTHORIZED", "incorrect username or password"), {})
            return
        token = secrets.token_hex(8)
        registry.tokens[token] = asked.get("scope", [""])[0]
        reply = {"token": token, "access_token": token, "expires_in": 300}
        self._send(200, json.dumps(reply).encode(), {"Content-Type": "application/json"})

    def _body(self) -> bytes:
        """Read what the client sends, in chunks or of a given length."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _send(self, code: int, content: bytes, headers: Mapping[str, str], action: Action | None = None) -> None:
        if isinstance(action, (Cut, Stall)) and action.after is None:
            self._break(action)
            return
        content, all_headers = _altered(content, headers, action)
        self.request_seen.status = code
        self.send_response(code)
        for name, value in all_headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        chunked = "Transfer-Encoding" in all_headers
        slow = action if isinstance(action, Slow) else Slow(_PIECE, 0)
        for piece in _pieces(content, action.after if isinstance(action, (Cut, Stall)) else None, slow.size):
            self.server.registry.over.wait(slow.seconds)
            self.request_seen.sent += len(piece)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if isinstance(action, (Cut, Stall)):
            self._break(action)
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _break(self, action: Cut | Stall) -> None:
        self.close_connection = True
        if isinstance(action, Stall):
            self.wfile.flush()
            self.server.registry.over.wait()
        elif action.reset:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                self.connection.close()

    def log_message(self, *unused: object) -> None:
        """Requests are recorded, not printed."""


def _altered(content: bytes, headers: Mapping[str, str], action: Action | None) -> tuple[bytes, dict[str, str | None]]:
    """Return body and headers as an action changes them."""
    if isinstance(action, Corrupt):
        content = content[: action.at] + bytes([content[action.at] ^ 1]) + content[action.at + 1 :]
    if not isinstance(action, Reply):
        return content, {"Content-Length": str(len(content)), **headers}
    content = content if action.body is None else action.body
    length = {"Transfer-Encoding": "chunked"} if action.chunked else {"Content-Length": str(len(content))}
    return content, {**headers, **length, **action.headers}


def _pieces(content: bytes, end: int | None, size: int) -> Iterator[bytes]:
    view = content[:end] if end is not None else content
    for start in range(0, len(view), size):
        yield view[start : start + size]


def _basic(account: Account) -> str:
    return "Basic " + base64.b64encode(f"{account.username}:{account.password}".encode()).decode()


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
