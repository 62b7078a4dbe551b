# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup, against a registry on loopback that misbehaves as it is told."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible.constants
import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lab.image_builder import Image, build_image, tar_files
from lab.scripted_registry import Account, Cut, Reply, ScriptedRegistry, Slow, Stall, Status

from ansible_collections.projectatomic.system_containers.plugins.lookup import image_digest
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils import _http_client, _registry

PASSWORD = "very+secret/word"
BASIC = Account("me", PASSWORD)
TOKEN = Account("me", PASSWORD, token=True, identity_token="identity+secret")
MANIFEST = "/v2/team/app/manifests/1"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of its own, a user without credentials or proxies."""
    monkeypatch.setattr(ansible.constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "home" / name.lower()))
    for name in (
        "REGISTRY_AUTH_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build_image(tmp_path_factory.mktemp("image"), layers=[tar_files({"a": "1"})], tag="1")


@contextlib.contextmanager
def serve(image: Image, **options: Any) -> Iterator[ScriptedRegistry]:
    with ScriptedRegistry({"team/app": image.layout}, **options) as running:
        yield running


@pytest.fixture
def registry(image: Image) -> Iterator[ScriptedRegistry]:
    with serve(image) as running:
        yield running


def look_up(*terms: Any, **options: Any) -> list[str]:
    """Run the lookup as a template does."""
    options = {"validate_certs": False, "timeout": 5, **options}
    plugin = lookup_loader.get("projectatomic.system_containers.image_digest")
    return plugin.run(list(terms), {}, **options)


def error_of(*terms: Any, **options: Any) -> str:
    with pytest.raises(AnsibleLookupError) as caught:
        look_up(*terms, **options)
    message = str(caught.value)
    assert "Traceback" not in message
    assert "ConnectionPool" not in message
    assert "secret" not in message
    assert base64.b64encode(f"me:{PASSWORD}".encode()).decode() not in message
    return message


# What is returned.


def test_a_tag_becomes_a_digest(registry: ScriptedRegistry, image: Image) -> None:
    name = f"{registry.host}/team/app"
    assert look_up(f"{name}:1") == [f"{name}@{image.manifest_digest}"]
    assert [request.method for request in registry.matching("/v2/")] == ["HEAD"]
    accepted = registry.matching(MANIFEST)[0].headers["Accept"]
    assert all(kind in accepted for kind in _registry.MANIFEST_TYPES)


def test_the_digest_alone(registry: ScriptedRegistry, image: Image) -> None:
    assert look_up(f"{registry.host}/team/app:1", want="digest") == [image.manifest_digest]


def test_names_keep_their_order(registry: ScriptedRegistry, image: Image) -> None:
    name, digest = f"{registry.host}/team/app", "sha256:" + "0" * 64
    assert look_up(f"{name}@{digest}", f"{name}:1") == [f"{name}@{digest}", f"{name}@{image.manifest_digest}"]


def test_nobody_is_asked_for_a_name_with_a_digest() -> None:
    name = "registry.invalid/app@sha256:" + "0" * 64
    assert look_up(name, validate_certs=True) == [name]


def test_an_index_has_its_own_digest(registry: ScriptedRegistry) -> None:
    kind = "application/vnd.oci.image.index.v1+json"
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": []}).encode()
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    registry.script(MANIFEST, Reply({"Content-Type": kind, "Docker-Content-Digest": digest}, body=body))
    assert look_up(f"{registry.host}/team/app:1", want="digest") == [digest]


@pytest.mark.parametrize(
    "action",
    [
        Reply({"Docker-Content-Digest": None}),
        Reply({"Docker-Content-Digest": "sha512:" + "0" * 128}),
        Status(405),
        Status(404),
    ],
    ids=["no header", "another algorithm", "HEAD not allowed", "HEAD not known"],
)
def test_a_registry_without_the_header(registry: ScriptedRegistry, image: Image, action: Any) -> None:
    """The manifest is fetched, and its digest computed."""
    registry.script(MANIFEST, action, times=1)
    registry.script(MANIFEST, Reply({"Docker-Content-Digest": None}), times=1)
    assert look_up(f"{registry.host}/team/app:1", want="digest") == [image.manifest_digest]
    assert [request.method for request in registry.matching(MANIFEST)] == ["HEAD", "GET"]


# Once in a run.


def test_a_tag_that_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run sees one digest, whoever asks; cache=false and the next run see the other."""
    first = build_image(tmp_path / "layout", layers=[tar_files({"a": "1"})], tag="1")
    with serve(first) as registry:
        name = f"{registry.host}/team/app:1"
        assert look_up(name, want="digest") == [first.manifest_digest]
        second = build_image(tmp_path / "layout", layers=[tar_files({"a": "2"})], tag="1")
        assert look_up(name, want="digest") == [first.manifest_digest]
        assert registry.count(MANIFEST) == 1
        assert look_up(name, want="digest", cache=False) == [second.manifest_digest]
        assert look_up(name, want="digest") == [first.manifest_digest]
        monkeypatch.setattr(ansible.constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "next run"))
        assert look_up(name, want="digest") == [second.manifest_digest]


def test_an_answer_is_for_who_may_have_it(image: Image) -> None:
    with serve(image, account=BASIC) as registry:
        name = f"{registry.host}/team/app:1"
        look_up(name, username="me", password=PASSWORD)
        assert "wants credentials (401)" in error_of(name)


# Credentials.


@pytest.mark.parametrize("account", [BASIC, TOKEN], ids=["basic", "token"])
def test_a_password(image: Image, account: Account) -> None:
    with serve(image, account=account) as registry:
        found = look_up(f"{registry.host}/team/app:1", username="me", password=PASSWORD, want="digest")
        assert found == [image.manifest_digest]


@pytest.mark.parametrize("account", [BASIC, TOKEN], ids=["basic", "token"])
@pytest.mark.parametrize("place", ["xdg_runtime_dir/containers/auth.json", ".docker/config.json", "given.json"])
def test_an_authfile(
    image: Image, tmp_path: Path, account: Account, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_CONFIG")
    with serve(image, account=account) as registry:
        path = tmp_path / "home" / place
        path.parent.mkdir(parents=True)
        auth = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        path.write_text(
            json.dumps({"auths": {f"{registry.host}/team": {"auth": auth}, registry.host: {"auth": "eDp5"}}})
        )
        options = {"authfile": str(path), "username": "not me", "password": "x"} if place == "given.json" else {}
        assert look_up(f"{registry.host}/team/app:1", want="digest", **options) == [image.manifest_digest]


def test_an_identity_token(image: Image, tmp_path: Path) -> None:
    with serve(image, account=TOKEN) as registry:
        path = tmp_path / "auth.json"
        path.write_text(json.dumps({"auths": {registry.host: {"identitytoken": "identity+secret"}}}))
        assert look_up(f"{registry.host}/team/app:1", authfile=str(path), want="digest") == [image.manifest_digest]
        assert [request.method for request in registry.matching("/token")] == ["POST"]
        assert all("secret" not in request.path for request in registry.requests)


@pytest.mark.parametrize("account", [BASIC, TOKEN], ids=["basic", "token"])
def test_refused_credentials(image: Image, tmp_path: Path, account: Account) -> None:
    with serve(image, account=account) as registry:
        name = f"{registry.host}/team/app:1"
        assert "refuses the credentials from the options (401)" in error_of(name, username="me", password="secret")
        assert "set username and password, or authfile" in error_of(name)
        path = tmp_path / "auth.json"
        path.write_text(json.dumps({"auths": {registry.host: {"auth": base64.b64encode(b"me:secret").decode()}}}))
        assert f"refuses the credentials from the file '{path}'" in error_of(name, authfile=str(path))


def test_a_password_of_netrc_is_not_sent(image: Image, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".netrc").write_text(f"machine 127.0.0.1 login me password {PASSWORD}\n")
    with serve(image, account=BASIC) as registry:
        error_of(f"{registry.host}/team/app:1")
        assert all("Authorization" not in request.headers for request in registry.requests)


# TLS.


def _make_pair(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=2))
    builder = builder.add_extension(address, critical=False)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    (folder / "ca.crt").write_bytes(certificate.public_bytes(pem))
    return folder / "ca.crt", folder / "key.pem"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _make_pair(tmp_path_factory.mktemp("pair"), "registry.test")


def test_an_authority_of_ones_own(image: Image, pair: tuple[Path, Path]) -> None:
    with serve(image, certificate=pair, account=TOKEN) as registry:
        name = f"{registry.host}/team/app:1"
        options: dict[str, Any] = {"username": "me", "password": PASSWORD, "validate_certs": True, "want": "digest"}
        assert look_up(name, ca_path=str(pair[0]), **options) == [image.manifest_digest]
        assert look_up(name, cert_dir=str(pair[0].parent), **options) == [image.manifest_digest]
        assert look_up(name, **{**options, "validate_certs": False}) == [image.manifest_digest]


def test_an_unknown_authority(image: Image, pair: tuple[Path, Path]) -> None:
    with serve(image, certificate=pair) as registry:
        message = error_of(f"{registry.host}/team/app:1", validate_certs=True)
        assert "its certificate is not valid: self" in message
        assert "set ca_path or cert_dir" in message
        assert registry.requests == []


def test_a_registry_without_tls(registry: ScriptedRegistry) -> None:
    message = error_of(f"{registry.host}/team/app:1", validate_certs=True)
    assert "does not speak TLS" in message
    assert "validate_certs=false permits plain HTTP" in message


@pytest.mark.parametrize("header", ["Location", "WWW-Authenticate"])
def test_nothing_leads_out_of_tls(image: Image, pair: tuple[Path, Path], header: str) -> None:
    """Neither a redirect nor a token service on plain HTTP."""
    with serve(image) as plain, serve(image, certificate=pair) as registry:
        elsewhere = f"http://{plain.host}{MANIFEST}"
        value = elsewhere if header == "Location" else f'Bearer realm="{elsewhere}"'
        registry.script(MANIFEST, Status(307 if header == "Location" else 401, {header: value}))
        options = {"username": "me", "password": PASSWORD, "ca_path": str(pair[0])}
        message = error_of(f"{registry.host}/team/app:1", validate_certs=True, **options)
        assert "plain HTTP" in message or "only HTTPS is safe" in message
        assert all("Authorization" not in request.headers for request in plain.requests)


# Errors.


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Status(403), "denies access without credentials (403)"),
        (Status(404, body=b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'), "has no such image, or no such tag"),
        (Status(404, {"Content-Type": "text/html"}, b"<html>"), "as a server does that is no registry"),
        (Status(200, {"Content-Type": "text/html"}, b"<html>"), "something that is no manifest"),
        (Status(200, {"Content-Type": _registry.MANIFEST_TYPES[0]}, b"[]"), "something that is no manifest"),
        (Status(301, {}), "answers 301: is that a registry?"),
        (Status(429), "limits the rate of requests"),
        (Status(503), "answers 503: the registry is out of order"),
        (Status(401, {"WWW-Authenticate": "Negotiate"}), "neither Bearer nor Basic"),
        (Status(401), "neither Bearer nor Basic"),
        (Cut(), "the connection broke"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_server_may_answer(registry: ScriptedRegistry, action: Any, expected: str) -> None:
    registry.script(MANIFEST, action)
    assert expected in error_of(f"{registry.host}/team/app:1")


def test_a_manifest_that_is_another(registry: ScriptedRegistry) -> None:
    registry.script(MANIFEST, Reply({"Docker-Content-Digest": None}), times=1)
    registry.script(MANIFEST, Reply({"Docker-Content-Digest": "sha256:" + "0" * 64}))
    assert "but what it sends is sha256:" in error_of(f"{registry.host}/team/app:1")


def test_a_manifest_that_breaks_off(registry: ScriptedRegistry) -> None:
    registry.script(MANIFEST, Reply({"Docker-Content-Digest": None}), times=1)
    registry.script(MANIFEST, Cut(10))
    assert "the connection broke" in error_of(f"{registry.host}/team/app:1")


def test_a_manifest_without_end(registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http_client, "MAX_BODY", 10)
    registry.script(MANIFEST, Reply({"Docker-Content-Digest": None}))
    assert "more than 10 bytes" in error_of(f"{registry.host}/team/app:1")


@pytest.mark.parametrize("action", [Stall(), Slow(64, 0.1)], ids=["silent", "slow"])
def test_a_time_limit(registry: ScriptedRegistry, action: Any) -> None:
    if isinstance(action, Slow):
        registry.script(MANIFEST, Reply({"Docker-Content-Digest": None}), times=1)
    registry.script(MANIFEST, action)
    assert "raise timeout" in error_of(f"{registry.host}/team/app:1", timeout=0.3)


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        (b"{}", 200, "answers without a token"),
        (b'{"token": 1}', 200, "answers without a token"),
        (b'{"token": "a\\nX-Injected: b"}', 200, "answers without a token"),
        (b"", 503, "answers 503"),
        (b"", 404, "its token service"),
        (b"", 403, "refuses the credentials"),
    ],
)
def test_a_token_service_that_fails(image: Image, body: bytes, code: int, expected: str) -> None:
    with serve(image, account=TOKEN) as registry:
        registry.script("/token", Status(code, body=body))
        assert expected in error_of(f"{registry.host}/team/app:1", username="me", password=PASSWORD)


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert "refuses connections" in error_of(f"127.0.0.1:{port}/app:1", validate_certs=True)
    assert "refuses connections" in error_of(f"127.0.0.1:{port}/app:1")


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*unused: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert "there is no host of this name" in error_of("registry.invalid/app:1", validate_certs=True)


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@127.0.0.1:9")
    assert "the proxy of the environment" in error_of("registry.invalid/app:1", validate_certs=True)


@pytest.mark.parametrize(
    ("term", "options", "expected"),
    [
        ("app:1", {}, "has no registry"),
        ("registry.test/App", {}, "is not an image name"),
        (7, {}, "it is not text"),
        ("registry.test/app", {"username": "me"}, "needs a password"),
        ("registry.test/app", {"authfile": "/missing.json"}, "does not exist on the controller"),
        ("registry.test/app", {"cert_dir": "/missing"}, "is not a directory on the controller"),
        ("registry.test/app", {"ca_path": "/missing.crt"}, "No such file"),
        ("registry.test/app", {"ca_path": __file__}, "no certificate that can be read"),
        ("registry.test/app", {"timeout": 0}, "timeout has to be more than 0"),
    ],
)
def test_bad_input(term: Any, options: dict[str, Any], expected: str) -> None:
    assert expected in error_of(term, **options)


def test_requests_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_digest, "REQUESTS_IMPORT_ERROR", "Traceback")
    assert "Failed to import the required Python library (requests)" in error_of("registry.test/app")


def test_the_registry_of_docker_has_another_address() -> None:
    seen = []

    class Client:
        def send(self, method: str, url: str, **unused: object) -> Any:
            seen.append(url)
            headers = {"Docker-Content-Digest": "sha256:" + "0" * 64, "Content-Type": _registry.MANIFEST_TYPES[0]}
            return _http_client.Answer(200, headers, None)

    for name in ("docker.io/app:1", "docker.io/team/app:1"):
        parsed = image_digest.parse_image_name(name)
        _registry._Query(Client(), parsed, _http_client.Connection(), None, "https").digest()  # type: ignore[arg-type]
    assert seen == [
        "https://registry-1.docker.io/v2/library/app/manifests/1",
        "https://registry-1.docker.io/v2/team/app/manifests/1",
    ]
