# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A forward proxy on loopback for tests of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.

It alone knows the names it is given, so what arrives came through it; ``targets`` lists what was asked for::

    with ForwardProxy({"registry.test": registry.host}) as proxy:
        environment["HTTP_PROXY"] = environment["HTTPS_PROXY"] = proxy.url
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import threading
import urllib.parse
from collections.abc import Mapping


class ForwardProxy:
    """The proxy, as a context manager; ``names`` maps a host's name to the ``address:port`` it stands for."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.targets: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def address(self, target: str) -> tuple[str, int] | None:
        """Return where a ``host:port`` that was asked for really is."""
        self.targets.append(target)
        host, _colon, port = self.names.get(target.partition(":")[0], "").partition(":")
        return (host, int(port)) if host else None

    def __enter__(self) -> ForwardProxy:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: ForwardProxy


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Fetch an absolute URL of plain HTTP."""
        url = urllib.parse.urlsplit(self.path)
        address = self.server.proxy.address(url.netloc)
        if address is None:
            self.send_error(502)
            return
        connection = http.client.HTTPConnection(*address, timeout=30)
        with contextlib.closing(connection):
            path = urllib.parse.urlunsplit(("", "", url.path, url.query, ""))
            connection.request("GET", path, headers=dict(self.headers))
            reply = connection.getresponse()
            content = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_CONNECT(self) -> None:
        """Open a tunnel, as clients want it for TLS."""
        address = self.server.proxy.address(self.path)
        if address is None:
            self.send_error(502)
            return
        with socket.create_connection(address, timeout=30) as other:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_forward, args=(other, self.connection), daemon=True)
            back.start()
            _forward(self.connection, other)
            back.join()

    def log_message(self, *unused: object) -> None:
        """Targets are recorded, not printed."""


def _forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for piece in iter(lambda: source.recv(65536), b""):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
