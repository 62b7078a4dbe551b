# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request to a registry: TLS, proxies, time limits, and errors that say what is wrong."""

from __future__ import annotations

import os
import socket
import ssl
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    SourceError,
)

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
except ImportError:
    REQUESTS_IMPORT_ERROR: str | None = traceback.format_exc()
    HTTPAdapter = object
else:
    REQUESTS_IMPORT_ERROR = None

MAX_BODY = 4 * 1024 * 1024


@dataclass(frozen=True)
class Connection:
    """How a registry is reached. ``timeout`` in seconds, for each request as a whole."""

    validate_certs: bool = True
    ca_path: str | None = None
    cert_dir: str | None = None
    timeout: float = 30.0


@dataclass(frozen=True)
class Answer:
    """What a registry answered; ``body`` is None for HEAD."""

    status: int
    headers: Any
    body: bytes | None


class NoTlsError(SourceError):
    """The server did not speak TLS."""


class HttpClient:
    """Sends requests, as a context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session = requests.Session()
        # Proxies are taken from the environment below; a password that ~/.netrc happens to have is none of ours.
        self._session.trust_env = False
        self._session.mount("https://", _TlsAdapter(tls_context(connection)))

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *unused: object) -> None:
        self._session.close()

    def send(self, method: str, url: str, *, headers: dict[str, str], data: dict[str, str] | None = None) -> Answer:
        """Send one request and follow redirects.

        Raises ``NoTlsError`` when the server of an ``https`` URL speaks no TLS, else ``SourceError`` with the cause.
        """
        limit = self._connection.timeout
        deadline = time.monotonic() + limit
        authority = url.split("/")[2]
        verify: Any = False
        if self._connection.validate_certs:
            verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)  # the user asked for it
                reply = self._session.request(
                    method,
                    url,
                    headers=headers,
                    data=data,
                    timeout=limit,
                    verify=verify,
                    stream=True,
                    proxies=requests.utils.get_environ_proxies(url),
                )
            with reply:
                self._refuse_downgrade(url, reply, authority)
                body = None if method == "HEAD" else _read(reply, deadline, authority)
                return Answer(reply.status_code, reply.headers, body)
        except requests.exceptions.RequestException as error:
            raise explain(error, authority, self._connection) from error

    def _refuse_downgrade(self, url: str, reply: Any, authority: str) -> None:
        """Plain HTTP after a redirect is as unsafe as before one."""
        places = [response.url for response in [*reply.history, reply]]
        if (
            self._connection.validate_certs
            and url.startswith("https:")
            and not all(p.startswith("https:") for p in places)
        ):
            raise SourceError(f"{authority} redirects to plain HTTP, which is permitted with validate_certs=false only")


class _TlsAdapter(HTTPAdapter):
    """Uses a context that has the system's certificates and those of the options."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Return a context for TLS that trusts the system's certificates, ``ca_path`` and ``cert_dir``.

    ``cert_dir`` is read as containers-certs.d(5) says: ``*.crt`` are authorities, ``NAME.cert`` and ``NAME.key`` the client's.
    Raises ``InvalidInputError`` for a file that cannot be used.
    """
    context = ssl.create_default_context()
    if not connection.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.ca_path:
        _load(Path(connection.ca_path), "ca_path", context.load_verify_locations)
    if connection.cert_dir:
        folder = Path(connection.cert_dir)
        if not folder.is_dir():
            raise InvalidInputError(f"cert_dir '{folder}' is not a directory on the controller")
        for path in sorted(folder.glob("*.crt")):
            _load(path, "cert_dir", context.load_verify_locations)
        for path in sorted(folder.glob("*.cert")):
            _load(path, "cert_dir", lambda path: context.load_cert_chain(path, path.with_suffix(".key")))
    return context


def _load(path: Path, option: str, load: Any) -> None:
    try:
        load(path)
    except OSError as error:
        reason = "it has no certificate that can be read" if isinstance(error, ssl.SSLError) else error.strerror
        raise InvalidInputError(f"{option}: '{path}' cannot be used: {reason}") from error


def _read(reply: Any, deadline: float, authority: str) -> bytes:
    body = b""
    for piece in reply.iter_content(256):  # it waits until a piece is full: small ones keep the deadline
        body += piece
        if len(body) > MAX_BODY:
            raise SourceError(f"{authority} answers with more than {MAX_BODY} bytes, which no manifest has")
        if time.monotonic() > deadline:
            raise SourceError(f"{authority} did not send its whole answer in time; raise timeout, or try again later")
    return body


def explain(error: BaseException, authority: str, connection: Connection) -> SourceError:
    """Return what a failed request means to a user. No text of the error itself is used, as it may have a URL."""
    causes = _causes(error)
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        why = f"its certificate is not valid: {tls.verify_message}"
        return SourceError(f"{authority}: {why}; set ca_path or cert_dir for an authority of your own")
    if tls is not None:
        reason = (tls.reason or "unknown").lower().replace("_", " ")
        return NoTlsError(f"{authority} does not speak TLS ({reason}); validate_certs=false permits plain HTTP")
    if isinstance(error, requests.exceptions.ProxyError):
        return SourceError(f"{authority}: the proxy of the environment (HTTPS_PROXY, NO_PROXY) cannot be used")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return SourceError(f"{authority}: there is no host of this name, or no name server answers")
    if isinstance(error, requests.exceptions.Timeout) or any(isinstance(cause, TimeoutError) for cause in causes):
        return SourceError(
            f"{authority} did not answer within {connection.timeout:g} seconds; raise timeout, or try again later"
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return SourceError(f"{authority} refuses connections: nothing listens there")
    system = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return SourceError(f"{authority} cannot be reached: {system or 'the connection broke'}")


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error with all that led to it: libraries keep it in various places."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found
