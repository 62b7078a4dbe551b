# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How registries are reached: credentials, certificates, mirrors, proxies, names; all of it on loopback."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from lab.forward_proxy import ForwardProxy
from lab.image_builder import Image
from lab.scripted_registry import Account, Cut, ScriptedRegistry, Status
from store.sources import FILES, Host, host, two_layers

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    InvalidInputError,
    SourceError,
    TransientSourceError,
)

__all__ = ["host"]

PASSWORD = "hidden-word:with%signs"
KINDS = {
    "basic": Account("me", PASSWORD),
    "token": Account("me", PASSWORD, token=True),
    "identity token": Account("me", PASSWORD, token=True, identity_token="hidden-token"),
}


@pytest.fixture
def image(host: Host) -> Image:
    return two_layers(host.path / "oci")


@pytest.fixture
def registry(image: Image) -> Iterator[ScriptedRegistry]:
    with ScriptedRegistry({"app": image.layout, "team/app": image.layout}) as running:
        yield running


# Credentials.


def auth(account: Account, *, password: str | None = None) -> dict[str, str]:
    text = f"{account.username}:{password or account.password}"
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("how", ["options", "authfile", "the host's own file"])
@pytest.mark.parametrize("kind", ["basic", "token"])
def test_credentials(host: Host, image: Image, kind: str, how: str) -> None:
    """With a token, the registry's realm checks name and password, and every request the scope.

    What is given as options is in memory only: no file is written for skopeo.
    """
    account = KINDS[kind]
    arguments, authfiles = host.path / "arguments", host.write("authfiles", "")
    host.wrap_skopeo(
        f'printf "%s\\n" "$*" >> {arguments}; env >> {arguments}\n'
        f'for word; do case $word in --authfile=*) readlink "${{word#*=}}" >> {authfiles} || true;; esac; done'
    )
    with ScriptedRegistry({"team/app": image.layout}, account=account) as registry:
        changes: dict[str, Any] = {"username": account.username, "password": account.password}
        if how != "options":
            name = "auth.json" if how == "authfile" else ".docker/config.json"
            file = host.write(name, json.dumps({"auths": {registry.host: auth(account)}}))
            changes = {"authfile": str(file)} if how == "authfile" else {}
        outcome = host.converge(registry.source("team/app:1"), **changes)
        assert set(host.files(outcome)) == set(FILES)
        assert registry.count("/blobs/") == 3
        assert set(registry.tokens.values()) == ({"repository:team/app:pull"} if account.token else set())
    said = arguments.read_text()
    assert "experimental-image-proxy" in said
    for secret in (PASSWORD, auth(account)["auth"]):
        assert secret not in said
        assert secret not in str(outcome)
    links = set(authfiles.read_text().splitlines())
    assert links == ({"/memfd:auth.json (deleted)"} if how == "options" else set())
    assert host.leftovers() == []


def test_an_identity_token(host: Host, image: Image) -> None:
    account = KINDS["identity token"]
    with ScriptedRegistry({"team/app": image.layout}, account=account) as registry:
        entry = {
            "auth": base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode(),
            "identitytoken": "hidden-token",
        }
        file = host.write("auth.json", json.dumps({"auths": {registry.host: entry}}))
        assert host.converge(registry.source("team/app:1"), authfile=str(file)).plan.actions
        assert registry.count("/token") > 0


@pytest.mark.parametrize("given", ["nothing", "another password", "another registry's"])
@pytest.mark.parametrize("kind", ["basic", "token"])
def test_wrong_credentials(host: Host, image: Image, kind: str, given: str) -> None:
    account = KINDS[kind]
    with ScriptedRegistry({"team/app": image.layout}, account=account) as registry:
        changes: dict[str, Any] = {}
        if given == "another password":
            changes = {"username": "me", "password": "hidden-word-too"}
        elif given == "another registry's":
            file = host.write("auth.json", json.dumps({"auths": {"127.0.0.1:1": auth(account)}}))
            changes = {"authfile": str(file)}
        with pytest.raises(SourceError, match=r"team/app:1' wants other credentials.*'authfile'") as failure:
            host.converge(registry.source("team/app:1"), **changes)
    assert "hidden" not in str(failure.value)
    assert not isinstance(failure.value, TransientSourceError)


def test_a_mirror_gets_no_credentials(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    with ScriptedRegistry({"app": image.layout}, account=KINDS["basic"]) as primary:
        host.registries(mirror(primary.host, registry.host))
        registry.script("/v2/$", Status(401, {"WWW-Authenticate": 'Basic realm="mirror"'}))
        changes: dict[str, Any] = {"username": "me", "password": PASSWORD}
        assert host.converge(primary.source("app:1"), **changes).plan.actions
        assert registry.count("/manifests/") > 0
    secret = auth(KINDS["basic"])["auth"]
    assert all(secret not in str(request.headers) for request in registry.requests)


# TLS.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with ca.crt, server.crt and server.key for 127.0.0.1 and registry.test."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:registry.test\n")
    new_key = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    sign = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"]
    for command in (
        [*new_key, "-x509", "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt"],
        [*new_key, "-subj", "/CN=registry.test", "-keyout", "server.key", "-out", "server.csr"],
        ["openssl", "x509", "-req", "-in", "server.csr", "-out", "server.crt", *sign],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    authority = folder / "authority"
    authority.mkdir()
    (authority / "ca.crt").write_bytes((folder / "ca.crt").read_bytes())
    return folder


@pytest.fixture
def tls_registry(image: Image, certificates: pathlib.Path) -> Iterator[ScriptedRegistry]:
    pair = (certificates / "server.crt", certificates / "server.key")
    with ScriptedRegistry({"app": image.layout}, certificate=pair, account=KINDS["token"]) as running:
        yield running


CREDENTIALS: dict[str, Any] = {"username": "me", "password": PASSWORD}


def test_a_private_authority(host: Host, tls_registry: ScriptedRegistry, certificates: pathlib.Path) -> None:
    cert_dir = str(certificates / "authority")
    source = tls_registry.source("app:1")
    outcome = host.converge(source, validate_certs=True, cert_dir=cert_dir, **CREDENTIALS)
    assert set(host.files(outcome)) == set(FILES)


@pytest.mark.parametrize("known", [False, True])
def test_an_authority_that_is_not_known(host: Host, tls_registry: ScriptedRegistry, known: bool) -> None:
    """Unless nobody asks for it."""
    source = tls_registry.source("app:1")
    if known:
        assert host.converge(source, validate_certs=False, **CREDENTIALS).plan.actions
        return
    with pytest.raises(SourceError, match=r"certificate that is not trusted: set 'cert_dir'"):
        host.converge(source, validate_certs=True, **CREDENTIALS)
    assert tls_registry.requests == []


def test_plain_http(host: Host, registry: ScriptedRegistry) -> None:
    with pytest.raises(SourceError, match=r"speaks plain HTTP: set 'validate_certs: false'"):
        host.converge(registry.source("app:1"), validate_certs=True)


# registries.conf.


def mirror(location: str, *mirrors: str, more: str = "") -> str:
    """Return a registries.conf with mirrors, by plain HTTP, of a registry."""
    lines = ["[[registry]]", f'location = "{location}"', "insecure = true", more]
    for one in mirrors:
        lines += ["[[registry.mirror]]", f'location = "{one}"', "insecure = true"]
    return "\n".join(lines) + "\n"


def test_a_mirror(host: Host, registry: ScriptedRegistry, image: Image) -> None:
    """The registry itself is not asked, not even for its address; what is stored says where the image belongs."""
    host.registries(mirror("registry.test/far", f"{registry.host}/team"))
    outcome = host.converge(None, name="registry.test/far/app:1", validate_certs=None)
    assert outcome.stored is not None
    assert outcome.stored.source == "docker://registry.test/far/app:1"
    assert outcome.stored.name == "registry.test/far/app:1"
    assert outcome.manifest_digest == image.manifest_digest
    assert registry.count("^/v2/team/app/blobs/") == 3


@pytest.mark.parametrize("action", [Status(404), Status(503), Cut()], ids=repr)
def test_a_mirror_that_fails(host: Host, registry: ScriptedRegistry, image: Image, action: Status) -> None:
    with ScriptedRegistry({"app": image.layout}) as other:
        other.script("/manifests/", action)
        host.registries(mirror(registry.host, other.host))
        assert set(host.files(host.converge(registry.source("app:1")))) == set(FILES)
        assert other.count("/manifests/") > 0


def test_a_mirror_is_no_cause(host: Host, registry: ScriptedRegistry, image: Image) -> None:
    """What the registry itself says counts, and is not tried again as what the mirror says would be."""
    with ScriptedRegistry({"app": image.layout}) as other:
        other.script("/manifests/", Status(503))
        host.registries(mirror(registry.host, other.host))
        with pytest.raises(ImageNotFoundError, match=r"does not exist.*Mirrors also failed.*503"):
            host.converge(registry.source("app:nope"))
        assert other.count("/manifests/") == 1


def test_a_blocked_registry(host: Host, registry: ScriptedRegistry) -> None:
    host.registries(mirror(registry.host, more="blocked = true"))
    with pytest.raises(SourceError, match=r"not pulled: the registries.conf of this host blocks its registry"):
        host.converge(registry.source("app:1"))
    assert registry.requests == []


# Proxies and names.


def through(host: Host, proxy: ForwardProxy, **more: str) -> None:
    for name, value in {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, **more}.items():
        host.environment.setenv(name, value)


def test_a_proxy(host: Host, registry: ScriptedRegistry) -> None:
    with ForwardProxy({"registry.test": registry.host}) as proxy:
        through(host, proxy)
        assert set(host.files(host.converge("docker://registry.test/app:1"))) == set(FILES)
        assert proxy.targets.count("registry.test") >= 4


def test_a_proxy_and_tls(host: Host, tls_registry: ScriptedRegistry, certificates: pathlib.Path, image: Image) -> None:
    """The certificate is the registry's: the proxy tunnels."""
    with ForwardProxy({"registry.test": tls_registry.host, "127.0.0.1": tls_registry.host}) as proxy:
        through(host, proxy)
        changes: dict[str, Any] = {"validate_certs": True, "cert_dir": str(certificates / "authority"), **CREDENTIALS}
        assert host.converge("docker://registry.test/app:1", **changes).manifest_digest == image.manifest_digest
        assert set(proxy.targets) == {"registry.test:443"}


@pytest.mark.parametrize("no_proxy", ["", "registry.test", ".test", "other.test"])
def test_no_proxy(host: Host, registry: ScriptedRegistry, no_proxy: str) -> None:
    host.names("registry.test")
    port = registry.host.partition(":")[2]
    with ForwardProxy({"registry.test": registry.host}) as proxy:
        through(host, proxy, NO_PROXY=no_proxy)
        assert host.converge(f"docker://registry.test:{port}/app:1").plan.actions
        assert (proxy.targets == []) == (no_proxy in ("registry.test", ".test"))


def test_a_proxy_that_is_not_there(host: Host) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        host.environment.setenv(name, "http://127.0.0.1:1")
    with pytest.raises(SourceError, match=r"cannot be reached through the proxy: check HTTPS_PROXY"):
        host.converge("docker://registry.test/app:1")


def test_an_unknown_name(host: Host) -> None:
    host.names("other.test")
    with pytest.raises(SourceError, match=r"cannot be reached \(unknown host\)") as failure:
        host.converge("docker://registry.test/app:1")
    assert not isinstance(failure.value, TransientSourceError)


def test_nobody_listens(host: Host) -> None:
    with pytest.raises(SourceError, match=r"cannot be reached \(connection refused\)"):
        host.converge("docker://127.0.0.1:1/app:1")


@pytest.mark.parametrize(("option", "what"), [("authfile", "file"), ("cert_dir", "directory")])
def test_what_is_not_on_the_host(host: Host, option: str, what: str) -> None:
    """skopeo would go on without it."""
    missing: dict[str, Any] = {option: "/nowhere"}
    with pytest.raises(InvalidInputError, match=rf"^{option}: '/nowhere' is not on this host, or is no {what}$"):
        host.converge("docker://127.0.0.1:1/app:1", **missing)
