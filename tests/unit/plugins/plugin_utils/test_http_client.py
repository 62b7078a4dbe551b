# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failed request to a registry means to a user."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import requests
import urllib3

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SourceError
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._http_client import (
    Connection,
    NoTlsError,
    explain,
)

URL = "https://user:secret@r.example.com/v2/"


def tls_error(kind: type[ssl.SSLError], **attributes: Any) -> ssl.SSLError:
    error = kind(1, "no text of it is shown")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def wrapped(reason: BaseException) -> requests.exceptions.ConnectionError:
    """Wrap an error as requests and urllib3 do."""
    pool: Any = None
    return requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(pool, URL, reason))


def caused_by(cause: BaseException) -> requests.exceptions.ConnectionError:
    error = requests.exceptions.ConnectionError(URL)
    error.__cause__ = cause
    return error


def circle() -> requests.exceptions.ConnectionError:
    error = requests.exceptions.ConnectionError(URL)
    error.__cause__ = RuntimeError("about", error)
    error.__cause__.__context__ = error
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            wrapped(tls_error(ssl.SSLCertVerificationError, verify_message="self-signed certificate")),
            SourceError,
            (
                "r.example.com: its certificate is not valid: self-signed certificate;"
                " set ca_path or cert_dir for an authority of your own"
            ),
        ),
        (
            wrapped(tls_error(ssl.SSLError, reason="WRONG_VERSION_NUMBER")),
            NoTlsError,
            "r.example.com does not speak TLS (wrong version number); validate_certs=false permits plain HTTP",
        ),
        (
            caused_by(tls_error(ssl.SSLError, reason=None)),
            NoTlsError,
            "r.example.com does not speak TLS (unknown); validate_certs=false permits plain HTTP",
        ),
        (
            requests.exceptions.ProxyError(URL),
            SourceError,
            "r.example.com: the proxy of the environment (HTTPS_PROXY, NO_PROXY) cannot be used",
        ),
        (
            wrapped(socket.gaierror(-2, "Name or service not known")),
            SourceError,
            "r.example.com: there is no host of this name, or no name server answers",
        ),
        (
            requests.exceptions.ReadTimeout(URL),
            SourceError,
            "r.example.com did not answer within 1.5 seconds; raise timeout, or try again later",
        ),
        (
            wrapped(TimeoutError("timed out")),
            SourceError,
            "r.example.com did not answer within 1.5 seconds; raise timeout, or try again later",
        ),
        (
            wrapped(ConnectionRefusedError(111, "Connection refused")),
            SourceError,
            "r.example.com refuses connections: nothing listens there",
        ),
        (
            caused_by(ConnectionResetError(104, "Connection reset by peer")),
            SourceError,
            "r.example.com cannot be reached: Connection reset by peer",
        ),
        (
            requests.exceptions.ConnectionError(URL),
            SourceError,
            "r.example.com cannot be reached: the connection broke",
        ),
        (circle(), SourceError, "r.example.com cannot be reached: the connection broke"),
    ],
)
def test_explain(error: BaseException, kind: type[SourceError], message: str) -> None:
    found = explain(error, "r.example.com", Connection(timeout=1.5))
    assert (type(found), str(found)) == (kind, message)
