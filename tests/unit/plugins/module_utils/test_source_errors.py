# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What skopeo says, and what a user reads of it. The messages are those of skopeo 1.9.3."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    InvalidInputError,
    MissingPlatformError,
    SourceError,
    SystemContainerError,
    TransientSourceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._source_errors import (
    naming,
    stalled,
    translate,
)

SOURCE = "docker://registry.example.com:5000/team/app:1"
GET = 'pinging container registry r:5000: Get "https://r:5000/v2/": '
BLOB = "reading blob sha256:" + "4" * 64 + ": Error fetching blob: invalid status code from registry "


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (GET + "http: server gave HTTP response to HTTPS client", SourceError, "validate_certs: false"),
        (GET + "x509: certificate signed by unknown authority", SourceError, "cert_dir"),
        (GET + "tls: failed to verify certificate", SourceError, "cert_dir"),
        (GET + "dial tcp 127.0.0.1:1: connect: connection refused", SourceError, "connection refused"),
        (GET + "dial tcp: lookup r: no such host", SourceError, "unknown host"),
        (GET + "dial tcp 10.0.0.1:443: i/o timeout", SourceError, "network"),
        ("reading manifest 1 in r/app: unauthorized: authentication required", SourceError, "authfile"),
        ("reading manifest 1 in r/app: denied: requested access is denied", SourceError, "authfile"),
        ("invalid username/password: unauthorized", SourceError, "authfile"),
        ("invalid status code from registry 403 (Forbidden)", SourceError, "authfile"),
        ("reading manifest 1 in r/app: StatusCode: 403, ", SourceError, "authfile"),
        ("reading manifest 1 in r/app: StatusCode: 404, ", ImageNotFoundError, "does not exist"),
        ("pinging container registry r: invalid status code from registry 404 (Not Found)", SourceError, "no registry"),
        (
            "reading manifest 1 in r/app: received unexpected HTTP status: 429 Too Many Requests",
            SourceError,
            "the rate",
        ),
        ("reading manifest 1 in r/app: StatusCode: 429, slow", SourceError, "the rate"),
        (
            "reading manifest 1 in r/app: received unexpected HTTP status: 503 Service Unavailable",
            TransientSourceError,
            "log",
        ),
        (
            "pinging container registry r: invalid status code from registry 502 (Bad Gateway)",
            TransientSourceError,
            "log",
        ),
        ("reading manifest 1 in r/app: manifest unknown: manifest unknown", ImageNotFoundError, "does not exist"),
        ("reading manifest 1 in r/app: name unknown", ImageNotFoundError, "does not exist"),
        ('no descriptor found for reference "x"', ImageNotFoundError, "does not exist"),
        ("open /nowhere/index.json: no such file or directory", ImageNotFoundError, "check the path"),
        (
            'no image found in manifest list for architecture arm64, variant "", OS linux',
            MissingPlatformError,
            "platform",
        ),
        ("no image found in image index for architecture arm64", MissingPlatformError, "platform"),
        ("toomanyrequests: You have reached your pull rate limit", SourceError, "try again later"),
        ("corrupted blob, expecting sha256:" + "4" * 64, SourceError, "damaged data"),
        ("expected 5 bytes in blob, got 4", SourceError, "damaged data"),
        ("unexpected EOF", TransientSourceError, "breaks the connection"),
        ("unsupported legacy manifest MIME type: x", SourceError, "schema 1"),
        ('Invalid image name "foo:bar", unknown transport "foo"', InvalidInputError, "is not a source"),
        ("something else", SourceError, "cannot be read: something else"),
        ("fatal error: runtime: out of memory", SourceError, "runs out of memory"),
        (BLOB + "500 (Internal Server Error)", TransientSourceError, "try again later"),
        (BLOB + "401 (Unauthorized)", SourceError, "other credentials"),
        (GET + "EOF", TransientSourceError, "breaks the connection off"),
        (GET + "read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer", TransientSourceError, "breaks"),
        (GET + "write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe", TransientSourceError, "breaks"),
        (GET + "http: server closed idle connection", TransientSourceError, "breaks"),
        ('Get "https://r:5000/v2/": Bad Gateway', TransientSourceError, "problem of its own"),
        (GET + "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused", SourceError, "NO_PROXY"),
        (GET + "dial tcp: lookup r on 127.0.0.1:53: read udp: connection refused", SourceError, "unknown host"),
        (GET + "net/http: TLS handshake timeout", TransientSourceError, "check network"),
        (GET + "x509: certificate has expired or is not yet valid: current time", SourceError, "the clock"),
        (GET + "tls: failed to verify certificate: x509: certificate has expired", SourceError, "the clock"),
        (GET + "x509: certificate is valid for a, not r", SourceError, "another name"),
        (
            GET + "x509: cannot validate certificate for 127.0.0.1 because it has no IP SANs",
            SourceError,
            "another name",
        ),
        (GET + "remote error: tls: certificate required", SourceError, "NAME.key"),
        (GET + "remote error: tls: handshake failure", SourceError, "how to encrypt"),
        (GET + "http2: server sent GOAWAY and closed the connection", TransientSourceError, "breaks the connection"),
        (GET + "http2: client connection lost", TransientSourceError, "breaks the connection"),
        (GET + "dial tcp 10.0.0.1:443: connect: connection timed out", SourceError, "check network"),
        ("reading manifest 1 in r/app: manifest unknown: lookup of tag failed", ImageNotFoundError, "does not exist"),
        ("StatusCode: 403, the license terms were not accepted", SourceError, "denies access"),
        (GET + "tls: first record does not look like a TLS handshake", SourceError, "speaks plain HTTP"),
        ("Source image rejected: A signature was required, but no signature exists", SourceError, "signature policy"),
        ("Source image rejected: Running image docker://r/app is rejected by policy.", SourceError, "signature policy"),
        (
            'Error loading trust policy: invalid policy in "/p": Unknown key',
            SourceError,
            "policy of this host cannot be",
        ),
        ("registry r:5000/app:1 is blocked in /etc/containers/registries.conf", SourceError, "registries.conf"),
        ("initializing image from source: unsupported schema version 2", SourceError, "Content-Type"),
        ("Manifest does not match provided manifest digest sha256:" + "4" * 64, SourceError, "damaged data"),
        ("StatusCode: 503, toomanyrequests", SourceError, "the rate"),
    ],
)
def test_messages(error: str, kind: type[SystemContainerError], text: str) -> None:
    translated = translate(error, SOURCE)
    assert translated.__class__ is kind
    assert SOURCE in str(translated)
    assert text in str(translated)
    assert error.strip() in str(translated)


@pytest.mark.parametrize(
    "source",
    [
        "docker://127.0.0.1:4290/app:1",
        "docker://127.0.0.1:4034/app:1",
        "docker://127.0.0.1:4040/app:404",
        "docker://127.0.0.1:5000/certificates:1",
        "docker://denied.example.com/unauthorized/digest:tls",
        "docker://127.0.0.1:5000/app@sha256:" + "403429404" * 7 + "5",
    ],
)
def test_a_name_is_no_cause(source: str) -> None:
    """As skopeo 1.9.3 says it: name, address and the URL that it asked for are in the message."""
    rest = source[len("docker://") :]
    host = rest.partition("/")[0]
    refused = (
        f'pinging container registry {host}: Get "https://{host}/v2/": dial tcp {host}: connect: connection refused'
    )
    assert "connection refused)" in str(translate(refused, source)).partition("): check")[0] + ")"
    for words in (f"reading manifest 1 in {rest}: something else", f"something else of {source} at http://{host}/v2/"):
        assert str(translate(words, source)).startswith(f"'{source}' cannot be read: ")


def test_the_path_of_a_layout_is_no_cause() -> None:
    error = translate("open /srv/unauthorized404/index.json: no such file or directory", "oci:/srv/unauthorized404:1")
    assert "does not exist on the host" in str(error)


def test_a_mirror_is_no_cause() -> None:
    said = "(Mirrors also failed: [m.example/app:1: StatusCode: 401, x]\n[n.example/app:1: EOF]): r/app:1: StatusCode: 503, "
    assert isinstance(translate(said, SOURCE), TransientSourceError)
    said = "(Mirrors also failed: [m.example/app:1: StatusCode: 503, x]): r/app:1: manifest unknown"
    assert isinstance(translate(said, SOURCE), ImageNotFoundError)


def test_a_command_logs_its_last_words() -> None:
    line = 'time="2026-01-01T00:00:00Z" level=fatal msg="Error: open \\"/x\\": no such file or directory"\n'
    error = translate(line, "dir:/x")
    assert (
        str(error)
        == "'dir:/x' does not exist on the host: check the path (Error: open \"/x\": no such file or directory)"
    )


@pytest.mark.parametrize("said", ["loading tar component manifest.json: unexpected EOF", "connection reset by peer"])
def test_what_is_on_the_host_does_not_pass(said: str) -> None:
    error = translate(said, "docker-archive:/srv/app.tar")
    assert error.__class__ is SourceError
    assert "damaged" in str(error)


@pytest.mark.parametrize(
    ("said", "source", "kind", "text"),
    [
        ("more than one image in oci, choose an image", "oci:/a", InvalidInputError, "say which one"),
        (
            "Unexpected tar manifest.json: expected 1 item, got 2",
            "docker-archive:/a",
            InvalidInputError,
            "say which one",
        ),
        ('Tag "localhost/y:1" not found', "docker-archive:/a:localhost/y:1", ImageNotFoundError, "does not exist"),
        ("does not resolve to an image ID: x", "containers-storage:localhost/x", ImageNotFoundError, "does not exist"),
        ("Cannot connect to the Docker daemon at unix:///s.", "docker-daemon:x:1", SourceError, "check that it runs"),
        ("Error response from daemon: No such image: x:1", "docker-daemon:x:1", ImageNotFoundError, "does not exist"),
        ("Instructed to preserve digests, but", "containers-storage:localhost/x", SourceError, "copied unchanged"),
    ],
)
def test_other_transports(said: str, source: str, kind: type[SystemContainerError], text: str) -> None:
    error = translate(said, source)
    assert error.__class__ is kind
    assert text in str(error)


def test_what_signs_an_address_is_not_shown() -> None:
    said = (
        'Get "https://storage.example.com/b?X-Signature=secret&a=b": dial tcp 10.0.0.1:443: connect: connection refused'
    )
    shown = str(translate(said, SOURCE))
    assert "https://storage.example.com/b?..." in shown
    assert "secret" not in shown


def test_naming() -> None:
    with pytest.raises(TransientSourceError, match=f"^'{SOURCE}': damaged$"), naming(SOURCE):
        raise TransientSourceError("damaged")
    with pytest.raises(SourceError, match=f"^{SOURCE} is damaged$"), naming(SOURCE):
        raise SourceError(f"{SOURCE} is damaged")


def test_silence() -> None:
    assert str(stalled(SOURCE, timeout=60, limited=False)).startswith(f"'{SOURCE}' did not answer within 60 seconds")
    assert "limits the rate" in str(stalled(SOURCE, timeout=60, limited=True))
