# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signature policies: real keys, images signed by skopeo, signatures in a lookaside folder, whatever skopeo's proxy enforces."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from lab.image_builder import Image
from lab.scripted_registry import Account, ScriptedRegistry, Stall, Status
from store.sources import FILES, POLICY, Host, add_index, host, skopeo, two_layers

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    SourceError,
    TransientSourceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_proxy import ImageProxy
from ansible_collections.projectatomic.system_containers.plugins.module_utils._proxy_process import ProxyProcess

__all__ = ["host"]

ACCEPT = POLICY["default"]
REJECT = [{"type": "reject"}]
REJECTED = r"is rejected by the signature policy of this host \(policy.json\)"


@pytest.fixture(scope="module")
def keys() -> Iterator[dict[str, str]]:
    """Fingerprints of two keys in a folder of their own, whose public parts are ``NAME.asc`` in it."""
    with tempfile.TemporaryDirectory(prefix="gnupg-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNUPGHOME", folder)
        fingerprints = {}
        try:
            for name in ("ours", "theirs"):
                gpg("--quick-gen-key", f"{name}@example.com", "ed25519", "sign", "never")
                listed = gpg("--with-colons", "--list-keys", f"{name}@example.com").decode().splitlines()
                fingerprints[name], *_others = (line.split(":")[9] for line in listed if line.startswith("fpr:"))
                gpg("--armor", "--output", f"{folder}/{name}.asc", "--export", fingerprints[name])
            yield fingerprints
        finally:
            subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=True)


def gpg(*arguments: str) -> bytes:
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def signed_by(name: str) -> list[dict[str, str]]:
    return [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": f"{os.environ['GNUPGHOME']}/{name}.asc"}]


@pytest.fixture
def image(host: Host) -> Image:
    return two_layers(host.path / "oci")


@pytest.fixture
def registry(host: Host, image: Image) -> Iterator[ScriptedRegistry]:
    with ScriptedRegistry({"app": image.layout, "team/app": image.layout}) as running:
        lookaside = f"docker:\n  {running.host}:\n    lookaside: file://{host.path}/lookaside\n"
        host.write(".config/containers/registries.d/test.yaml", lookaside)
        yield running


def sign(host: Host, registry: ScriptedRegistry, image: Image, key: str, *, reference: str = "app:1") -> None:
    """Sign the image for a reference, as ``skopeo copy`` does when it pushes, and publish the signature."""
    target = host.path / "signed"
    shutil.rmtree(target, ignore_errors=True)
    identity = ["--sign-by", key, "--sign-identity", f"{registry.host}/{reference}"]
    skopeo("--insecure-policy", "copy", "--preserve-digests", *identity, image.reference, f"dir:{target}")
    name = reference.partition(":")[0]
    folder = host.path / "lookaside" / f"{name}@{image.manifest_digest.replace(':', '=')}"
    folder.mkdir(parents=True)
    shutil.copy(target / "signature-1", folder)


def scoped(scopes: Mapping[str, Any], *, default: Any, transport: str = "docker") -> dict[str, Any]:
    return {"default": default, "transports": {transport: dict(scopes)}}


def refused(host: Host, registry: ScriptedRegistry, source: str, text: str = REJECTED) -> None:
    """A pull, and the same again, is refused; nothing stays."""
    for _attempt in range(2):
        with pytest.raises(SourceError, match=text) as failure:
            host.converge(source)
        assert not isinstance(failure.value, TransientSourceError)
        assert f"'{source}'" in str(failure.value)
    assert not os.path.exists(host.repository.path) or host.refs() == set()
    assert host.leftovers() == []


def test_a_signed_image(host: Host, registry: ScriptedRegistry, image: Image, keys: dict[str, str]) -> None:
    sign(host, registry, image, keys["ours"])
    host.policy(scoped({registry.host: signed_by("ours")}, default=REJECT))
    source = registry.source("app:1")
    foretold = host.converge(source, check_mode=True)
    assert not host.repository.exists()
    assert registry.count("/blobs/") == 0
    outcome = host.converge(source)
    assert outcome.manifest_digest == foretold.manifest_digest == image.manifest_digest
    assert set(host.files(outcome)) == set(FILES)
    assert outcome.stored is not None
    assert outcome.stored.source == source
    assert host.leftovers() == []
    registry.forget()
    assert host.converge(source, refresh=True).plan.actions == ()
    assert [request.path for request in registry.requests] == ["/v2/", "/v2/app/manifests/1"]


def test_an_index_of_signed_images(host: Host, registry: ScriptedRegistry, image: Image, keys: dict[str, str]) -> None:
    index = add_index(image.layout, "all", {"linux/amd64": image})
    sign(host, registry, image, keys["ours"], reference="app:all")
    host.policy({"default": signed_by("ours")})
    outcome = host.converge(registry.source("app:all"), platform="linux/amd64")
    assert outcome.stored is not None
    assert (outcome.stored.manifest_digest, outcome.stored.index_digest) == (image.manifest_digest, index)


@pytest.mark.parametrize("by", ["nobody", "theirs", "ours for another tag"])
def test_not_rightly_signed(
    host: Host, registry: ScriptedRegistry, image: Image, keys: dict[str, str], by: str
) -> None:
    if by != "nobody":
        name, _space, other = by.partition(" ")
        sign(host, registry, image, keys[name], reference="app:2" if other else "app:1")
    host.policy({"default": signed_by("ours")})
    refused(host, registry, registry.source("app:1"))
    assert registry.count(image.layers[0].digest) == 0


def test_a_digest_is_signed_with_any_tag(
    host: Host, registry: ScriptedRegistry, image: Image, keys: dict[str, str]
) -> None:
    sign(host, registry, image, keys["ours"], reference="app:2")
    host.policy({"default": signed_by("ours")})
    assert host.converge(registry.source(f"app@{image.manifest_digest}")).plan.actions


@pytest.mark.parametrize("where", ["default", "host", "repository", "namespace"])
def test_rejected(host: Host, registry: ScriptedRegistry, where: str) -> None:
    """At once: the registry is not asked, in check mode neither."""
    scope = {"host": registry.host, "repository": f"{registry.host}/team/app", "namespace": f"{registry.host}/team"}
    host.policy({"default": REJECT} if where == "default" else scoped({scope[where]: REJECT}, default=ACCEPT))
    source = registry.source("team/app:1")
    refused(host, registry, source)
    with pytest.raises(SourceError, match=REJECTED):
        host.converge(source, check_mode=True)
    assert registry.requests == []
    if where in ("repository", "namespace"):
        assert host.converge(registry.source("app:1")).plan.actions


def test_accepted_as_an_exception(host: Host, registry: ScriptedRegistry) -> None:
    host.policy(scoped({f"{registry.host}/team": ACCEPT}, default=REJECT))
    assert host.converge(registry.source("team/app:1")).plan.actions
    refused_name = registry.source("app:1")
    with pytest.raises(SourceError, match=REJECTED):
        host.converge(refused_name, name="localhost/other:1")


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive", "dir"])
def test_other_transports(host: Host, image: Image, keys: dict[str, str], transport: str) -> None:
    """A policy that accepts twice changes nothing but the way."""
    place = f"{host.path}/made"
    source = {"dir": f"dir:{place}"}.get(transport, f"{transport}:{place}:localhost/app:1")
    skopeo("copy", image.reference, source)
    without = host.converge(source).manifest_digest
    shutil.rmtree(host.repository.path)
    host.policy({"default": [*ACCEPT, *ACCEPT]})
    outcome = host.converge(source)
    assert outcome.manifest_digest == without
    assert set(host.files(outcome)) == set(FILES)
    assert host.leftovers() == []
    host.policy(scoped({"": signed_by("ours")}, default=ACCEPT, transport=transport))
    with pytest.raises(SourceError, match=REJECTED):
        host.converge(source, name="localhost/other:1")
    assert host.leftovers() == []


def test_containers_storage_is_refused_where_it_had_to_be_verified(host: Host, image: Image) -> None:
    """It cannot hand out what was signed: layers as they were compressed."""
    source = "containers-storage:localhost/app:1"
    skopeo("copy", image.reference, source)
    host.policy(scoped({"[vfs@/elsewhere]": REJECT}, default=ACCEPT, transport="containers-storage"))
    with pytest.raises(SourceError, match=r"cannot be copied unchanged, which the signature policy of this host"):
        host.converge(source)
    assert (host.refs(), host.leftovers()) == (set(), [])
    host.policy(scoped({"": ACCEPT}, default=REJECT, transport="containers-storage"))
    assert host.converge(source).plan.actions


@pytest.mark.parametrize(
    "policy",
    [
        {"default": [{"type": "unheard-of"}]},
        {"default": []},
        {},
        {"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/nowhere"}]},
        {"default": ACCEPT, "transports": {"docker": {"": [{"type": "insecureAcceptAnything", "more": 1}]}}},
    ],
    ids=repr,
)
def test_policies_that_nobody_understands(host: Host, registry: ScriptedRegistry, policy: Mapping[str, Any]) -> None:
    host.policy(policy)
    refused(host, registry, registry.source("app:1"), "signature policy")


def test_a_policy_that_is_no_json(host: Host, registry: ScriptedRegistry) -> None:
    host.write(".config/containers/policy.json", "{")
    refused(host, registry, registry.source("app:1"), r"the signature policy '.*policy.json' cannot be read")


# The copy is a pull like others.


@pytest.fixture
def verified(host: Host, registry: ScriptedRegistry, image: Image, keys: dict[str, str]) -> str:
    """The source of a signed image that has to be verified."""
    sign(host, registry, image, keys["ours"])
    host.policy({"default": signed_by("ours")})
    return registry.source("app:1")


def test_retries(
    host: Host, registry: ScriptedRegistry, image: Image, verified: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(ProxyProcess, "pause", lambda self, seconds: pauses.append(seconds))
    registry.script("/blobs/" + image.layers[0].digest, Status(503), times=2)
    assert set(host.files(host.converge(verified))) == set(FILES)
    assert pauses == [0.5, 1.0]
    assert host.leftovers() == []


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Stall(20), "did not answer within 1 seconds"),
        (Status(429, {"Retry-After": "2"}), "limits the rate"),
        (Status(404), "does not exist"),
    ],
    ids=repr,
)
def test_failures(host: Host, registry: ScriptedRegistry, image: Image, verified: str, action: Any, text: str) -> None:
    registry.script("/blobs/" + image.layers[0].digest, action)
    with pytest.raises(Exception, match=text):
        host.converge(verified, pull_timeout=1)
    assert (host.refs(), host.leftovers()) == (set(), [])


def test_a_tag_that_moves_meanwhile(
    host: Host, registry: ScriptedRegistry, image: Image, verified: str, keys: dict[str, str], monkeypatch: Any
) -> None:
    """Both images are signed; what was decided on is not what was copied."""
    find = registry.find
    asked: list[str] = []

    def find_and_move(path: str) -> Any:
        found = find(path)
        if path.endswith("/manifests/1") and not asked:
            asked.append(path)
            sign(host, registry, two_layers(image.layout, text="!"), keys["ours"])
        return found

    monkeypatch.setattr(registry, "find", find_and_move)
    with pytest.raises(SourceError, match="changed while it was being verified: try again"):
        host.converge(verified)
    assert (host.refs(), host.leftovers()) == (set(), [])
    assert host.converge(verified).plan.actions


def test_secrets(host: Host, image: Image, keys: dict[str, str]) -> None:
    account = Account("me", "hidden-word", token=True)
    arguments = host.path / "arguments"
    with ScriptedRegistry({"app": image.layout}, account=account) as registry:
        host.write(
            ".config/containers/registries.d/test.yaml",
            f"docker:\n  {registry.host}:\n    lookaside: file://{host.path}/lookaside\n",
        )
        sign(host, registry, image, keys["ours"])
        host.policy({"default": signed_by("ours")})
        host.wrap_skopeo(f'printf "%s\\n" "$*" >> {arguments}')
        assert host.converge(registry.source("app:1"), username="me", password="hidden-word").plan.actions
    said = arguments.read_text()
    assert " copy --quiet --preserve-digests " in said
    assert "hidden-word" not in said


def test_the_copy_is_private(
    host: Host, registry: ScriptedRegistry, verified: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[tuple[str, int]] = []
    enter = ImageProxy.__enter__

    def look(proxy: ImageProxy) -> ImageProxy:
        folders = pathlib.Path(host.repository.path, "tmp").glob("system-containers-pull-*")
        modes.extend((folder.name[:23], folder.stat().st_mode & 0o777) for folder in folders)
        return enter(proxy)

    monkeypatch.setattr(ImageProxy, "__enter__", look)
    host.converge(verified)
    assert modes == [("system-containers-pull-", 0o700)]
