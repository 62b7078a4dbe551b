# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries: what they may hand out, their unusual habits, and their failures; the machine's skopeo pulls from loopback."""

from __future__ import annotations

import hashlib
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from lab.image_builder import Image
from lab.scripted_registry import Action, Corrupt, Cut, Reply, ScriptedRegistry, Slow, Stall, Status
from store.sources import FILES, Host, add_document, add_index, as_docker, host, manifest_of, two_layers

from ansible_collections.projectatomic.system_containers.plugins.module_utils import (
    _describe_images,
    _inflate,
    _proxy_process,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    SourceError,
    SystemContainerError,
    TransientSourceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._proxy_process import ProxyProcess
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tar_filter import TarFilter

__all__ = ["host"]

MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


@pytest.fixture
def image(host: Host) -> Image:
    return two_layers(host.path / "oci")


@pytest.fixture
def registry(image: Image) -> Iterator[ScriptedRegistry]:
    with ScriptedRegistry({"app": image.layout}) as running:
        yield running


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between retries, which nobody waits for here."""
    taken: list[float] = []
    monkeypatch.setattr(ProxyProcess, "pause", lambda self, seconds: taken.append(seconds))
    return taken


def part_of(image: Image, name: str) -> str:
    """Return the pattern for requests of a part of an image."""
    layer = "/blobs/" + image.layers[0].digest
    return {"ping": "/v2/$", "manifest": "/manifests/1$", "config": "/blobs/" + image.config_digest, "layer": layer}[
        name
    ]


PARTS = ["ping", "manifest", "config", "layer"]


# What may pass is tried again.


ODD = [Status(500, {}, b"oops"), Status(502, {"Content-Type": "text/html"}, b"<html>"), Cut(reset=True)]


@pytest.mark.parametrize(
    ("part", "action"),
    [
        *((part, action) for part in PARTS for action in (Status(503), Cut())),
        *(("manifest", action) for action in ODD),
        *(("layer", action) for action in ODD),
    ],
    ids=repr,
)
def test_retries(
    host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float], part: str, action: Action
) -> None:
    """The manifest is asked for a second time for the digest of an index, which there is none of."""
    registry.script(part_of(image, part), action, times=2)
    outcome = host.converge(registry.source("app:1"))
    assert set(host.files(outcome)) == set(FILES)
    assert pauses == [0.5, 1.0]
    assert registry.count(part_of(image, "config")) == (3 if part == "config" else 1)
    fetched = [registry.count(layer.digest) for layer in image.layers]
    assert fetched == [3 if part == "layer" else 1, 1]


SHORT = Reply(body=b"x" * 50)


@pytest.mark.parametrize(
    ("part", "action"),
    [
        *((part, action) for part in ("manifest", "config", "layer") for action in (Cut(50), Cut(50, reset=True))),
        ("config", SHORT),
        ("layer", SHORT),
    ],
    ids=repr,
)
def test_a_body_that_breaks_off(
    host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float], part: str, action: Action
) -> None:
    registry.script(part_of(image, part), action, times=1)
    assert set(host.files(host.converge(registry.source("app:1")))) == set(FILES)
    assert pauses == [0.5]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("action", [Status(503), Cut(20)], ids=repr)
def test_retries_come_to_an_end(
    host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float], part: str, action: Action
) -> None:
    if part == "ping" and action == Cut(20):
        action = Cut(reset=True)  # skopeo does not read the body
    registry.script(part_of(image, part), action)
    with pytest.raises(TransientSourceError, match=r"/app:1' (has a problem|breaks)"):
        host.converge(registry.source("app:1"), pull_retries=2)
    assert pauses == [0.5, 1.0]
    assert host.refs() <= {"ociimage/" + layer.digest[7:] for layer in image.layers}


def test_no_retries(host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float]) -> None:
    registry.script(part_of(image, "layer"), Status(503))
    with pytest.raises(TransientSourceError):
        host.converge(registry.source("app:1"), pull_retries=0)
    assert (pauses, registry.count(part_of(image, "layer"))) == ([], 1)


@pytest.mark.parametrize(
    ("action", "kind", "text"),
    [
        (Status(401), SourceError, "wants other credentials"),
        (Status(403), SourceError, "denies access"),
        (Status(404), ImageNotFoundError, "does not exist"),
        (Status(429, {"Retry-After": "0"}), SourceError, "limits the rate"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_what_does_not_pass(
    host: Host,
    image: Image,
    registry: ScriptedRegistry,
    pauses: list[float],
    part: str,
    action: Status,
    kind: type[SystemContainerError],
    text: str,
) -> None:
    """Of 429, skopeo itself makes five requests. An image that lacks a blob is there, with another way out."""
    if action.code == 404 and part != "manifest":
        kind, text = SourceError, r"app:1' lacks the blob sha256:[0-9a-f]{64}, which its manifest names: push"
    registry.script(part_of(image, part), action)
    with pytest.raises(kind, match=text) as failure:
        host.converge(registry.source("app:1"))
    assert not isinstance(failure.value, TransientSourceError)
    assert pauses == []
    assert registry.count(part_of(image, part)) == (5 if action.code == 429 else 1)


def test_damaged_data(host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float]) -> None:
    registry.script(part_of(image, "layer"), Corrupt(at=30))
    with pytest.raises(SourceError) as failure:
        host.converge(registry.source("app:1"))
    assert not isinstance(failure.value, TransientSourceError)
    assert registry.count(part_of(image, "layer")) == 1
    assert f"ociimage/{image.layers[0].digest[7:]}" not in host.refs()


def test_more_than_was_announced(host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float]) -> None:
    content = (image.layout / "blobs/sha256" / image.layers[0].digest[7:]).read_bytes()
    registry.script(part_of(image, "layer"), Reply(body=content + b"more"))
    with pytest.raises(SourceError, match=r"more than|damaged"):
        host.converge(registry.source("app:1"))
    assert pauses == []


# Registries that are slow.


@pytest.mark.parametrize("part", ["ping", "manifest", "layer"])
def test_nothing_comes(host: Host, image: Image, registry: ScriptedRegistry, part: str) -> None:
    registry.script(part_of(image, part), Stall(after=20 if part == "layer" else None))
    with pytest.raises(SourceError, match="did not answer within 1 seconds"):
        host.converge(registry.source("app:1"), pull_timeout=1)


def test_a_host_that_is_slow(
    host: Host, image: Image, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the host needs for a piece is not the registry's time, though nothing is heard of it meanwhile."""
    feed = TarFilter.feed

    def slow_feed(self: TarFilter, data: bytes) -> list[bytes | memoryview]:
        time.sleep(1.5)
        return feed(self, data)

    monkeypatch.setattr(TarFilter, "feed", slow_feed)
    monkeypatch.setattr(_inflate, "_FASTER_THAN_ZLIB", ())
    assert set(host.files(host.converge(registry.source("app:1"), pull_timeout=1))) == set(FILES)


def test_an_answer_that_does_not_end(
    host: Host, image: Image, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """skopeo reads messages whole: it is ended before the host is short of memory."""
    monkeypatch.setattr(_proxy_process, "_MEMORY", 150 * 2**20)
    registry.script(part_of(image, "manifest"), Status(404, {}, bytes(200 * 2**20)))
    with pytest.raises(SourceError, match="app:1' cannot be read: skopeo runs out of memory"):
        host.converge(registry.source("app:1"))


def test_a_slow_layer_does_not_stop_the_others(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    """The proxy answers nothing while it waits for the end of a stream, here for longer than the time-out."""
    size = image.layers[0].size // 4 + 1
    registry.script(part_of(image, "layer"), Slow(size, 1.4))
    registry.script(image.layers[1].digest, Slow(image.layers[1].size, 1.6))
    assert set(host.files(host.converge(registry.source("app:1"), pull_timeout=3))) == set(FILES)


@pytest.mark.parametrize("part", ["manifest", "layer"])
def test_a_registry_that_asks_to_wait(host: Host, image: Image, registry: ScriptedRegistry, part: str) -> None:
    """It is waited for longer than for one that says nothing."""
    registry.script(part_of(image, part), Status(429, {"Retry-After": "2"}), times=1)
    assert host.converge(registry.source("app:1"), pull_timeout=1).plan.actions


@pytest.mark.parametrize("part", ["ping", "manifest", "layer"])
def test_a_registry_that_limits_the_rate(host: Host, image: Image, registry: ScriptedRegistry, part: str) -> None:
    registry.script("/v1/" if part == "ping" else "^$", Status(429, {"Retry-After": "0"}))
    registry.script(part_of(image, part), Status(429, {"Retry-After": "1"}))
    with pytest.raises(SourceError, match="limits the rate of requests: try again later"):
        host.converge(registry.source("app:1"), pull_timeout=1)


def test_a_registry_that_limits_the_rate_and_then_stalls(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    registry.script(part_of(image, "manifest"), Status(429, {"Retry-After": "1"}), times=1)
    registry.script(part_of(image, "manifest"), Stall())
    with pytest.raises(SourceError, match="limits the rate"):
        host.converge(registry.source("app:1"), pull_timeout=1)


# Manifests.


@pytest.mark.parametrize("kind", ["oci", "docker"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_manifests(host: Host, image: Image, registry: ScriptedRegistry, kind: str, by: str) -> None:
    wanted = as_docker(image, "docker") if kind == "docker" else image
    reference = f"app:{wanted.tag}" if by == "tag" else f"app@{wanted.manifest_digest}"
    outcome = host.converge(None, name=f"{registry.host}/{reference}")
    assert outcome.manifest_digest == wanted.manifest_digest
    assert set(host.files(outcome)) == set(FILES)
    assert outcome.stored is not None
    assert outcome.stored.index_digest is None
    assert host.converge(None, name=f"{registry.host}/{reference}", refresh=True).plan.actions == ()


@pytest.mark.parametrize("kind", ["oci", "docker"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_indexes(host: Host, image: Image, registry: ScriptedRegistry, kind: str, by: str) -> None:
    images = {f"linux/{name}": two_layers(image.layout, architecture=name, text=name) for name in ("amd64", "arm64")}
    images["linux/arm/v7"] = two_layers(image.layout, architecture="arm", text="arm", tag="arm")
    if kind == "docker":
        images = {platform: as_docker(one, "docker") for platform, one in images.items()}
        index = add_index(image.layout, "all", images, MANIFEST_LIST)
    else:
        index = add_index(image.layout, "all", images)
    reference = "app:all" if by == "tag" else f"app@{index}"
    for number, platform in enumerate(("linux/amd64", "linux/arm64")):
        name = f"localhost/app:{number}"
        outcome = host.converge(registry.source(reference), name=name, platform=platform)
        assert outcome.manifest_digest == images[platform].manifest_digest
        assert outcome.stored is not None
        assert outcome.stored.index_digest == index
        one = host.converge(
            registry.source(f"app@{outcome.manifest_digest}"), name=name, platform=platform, refresh=True
        )
        assert one.plan.actions == ()
    there = "linux/amd64, linux/arm/v7, linux/arm64"
    with pytest.raises(ImageNotFoundError, match=rf"'platform' to one of those that it has: {there}\Z"):
        host.converge(registry.source(reference), name="localhost/other:1", platform="linux/riscv64")


@pytest.mark.parametrize("media_type", ["v1+json", "v1+prettyjws"])
def test_schema_1(host: Host, image: Image, registry: ScriptedRegistry, media_type: str) -> None:
    layer = {"blobSum": image.layers[0].digest}
    document = {
        "schemaVersion": 1,
        "mediaType": f"application/vnd.docker.distribution.manifest.{media_type}",
        "name": "app",
        "tag": "old",
        "architecture": "amd64",
        "fsLayers": [layer],
        "history": [{"v1Compatibility": json.dumps({"id": "0" * 64, "architecture": "amd64", "os": "linux"})}],
    }
    add_document(image.layout, "old", document)
    with pytest.raises(SourceError, match=r"schema 1|Content-Type"):
        host.converge(registry.source("app:old"))
    assert host.refs() == set()


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
def test_foreign_layers(host: Host, image: Image, registry: ScriptedRegistry, media_type: str) -> None:
    manifest = manifest_of(as_docker(image, "docker") if "docker" in media_type else image)
    manifest["layers"][0].update(mediaType=media_type, urls=[f"http://{registry.host}/elsewhere"])
    add_document(image.layout, "foreign", manifest)
    with pytest.raises(SourceError, match="not distributable"):
        host.converge(registry.source("app:foreign"))
    assert registry.count("elsewhere") == 0


@pytest.mark.parametrize("of", ["manifest", "index"])
def test_a_digest_that_is_not_kept(host: Host, image: Image, registry: ScriptedRegistry, of: str) -> None:
    digest = image.manifest_digest if of == "manifest" else add_index(image.layout, "all", {"linux/amd64": image})
    other = two_layers(image.layout, tag="2", text="!")
    registry.script(f"/manifests/{digest}", Reply(body=json.dumps(manifest_of(other)).encode()))
    with pytest.raises(SourceError, match="damaged data"):
        host.converge(registry.source(f"app@{digest}"))
    assert host.refs() == set()


def test_an_index_that_names_another_manifest(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    """What it hands out for the digest in the index is not that."""
    add_index(image.layout, "all", {"linux/amd64": image})
    other = two_layers(image.layout, tag="2", text="!")
    registry.script(f"/manifests/{image.manifest_digest}", Reply(body=json.dumps(manifest_of(other)).encode()))
    with pytest.raises(SourceError, match="damaged data"):
        host.converge(registry.source("app:all"), platform="linux/amd64")
    assert host.refs() == set()


# Unusual habits.


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"Docker-Content-Digest": None}),
        Reply(chunked=True),
        Reply({"Content-Length": None, "Connection": "close"}),
    ],
    ids=repr,
)
def test_habits(host: Host, image: Image, registry: ScriptedRegistry, reply: Reply) -> None:
    registry.script("/manifests/|/blobs/", reply)
    assert set(host.files(host.converge(registry.source("app:1")))) == set(FILES)


def test_a_body_that_ends_early_without_a_length(
    host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float]
) -> None:
    """Nothing but the size in the manifest tells."""
    registry.script(
        part_of(image, "layer"), Reply({"Content-Length": None, "Connection": "close"}, body=b"\x1f\x8b"), times=1
    )
    assert set(host.files(host.converge(registry.source("app:1")))) == set(FILES)
    assert pauses == [0.5]


def test_a_blob_that_goes_on_ending_early(
    host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float]
) -> None:
    registry.script(part_of(image, "layer"), Reply({"Content-Length": None, "Connection": "close"}, body=b"\x1f\x8b"))
    with pytest.raises(TransientSourceError, match=rf"app:1' breaks off after 2 of {image.layers[0].size} bytes: try"):
        host.converge(registry.source("app:1"), pull_retries=1)
    assert pauses == [0.5]


def test_a_manifest_with_a_wrong_size(
    host: Host, image: Image, registry: ScriptedRegistry, pauses: list[float]
) -> None:
    """It is wrong each time, so it is fetched once."""
    manifest = manifest_of(image)
    layer = manifest["layers"][0]
    size = layer["size"]
    layer["size"] += 1
    add_document(image.layout, "lie", manifest)
    with pytest.raises(
        SourceError, match=rf"hands out a blob of {size} bytes, of which .* that it has {size + 1}: push"
    ):
        host.converge(registry.source("app:lie"))
    assert (pauses, registry.count(layer["digest"])) == ([], 1)


def test_blobs_from_another_place(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    with ScriptedRegistry({"app": image.layout}) as other:
        for digest in (image.config_digest, *(layer.digest for layer in image.layers)):
            place = f"http://{other.host}/v2/app/blobs/{digest}"
            registry.script(digest, Status(307, {"Location": place}))
        assert set(host.files(host.converge(registry.source("app:1")))) == set(FILES)
        assert other.count("/blobs/") == 3
        assert other.count("/manifests/") == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", None])
def test_a_manifest_of_no_known_type(
    host: Host, image: Image, registry: ScriptedRegistry, content_type: str | None
) -> None:
    registry.script("/manifests/", Reply({"Content-Type": content_type}))
    with pytest.raises(SourceError, match="Content-Type does not say what it is"):
        host.converge(registry.source("app:1"))


def test_a_tag_that_moves_between_two_requests(
    host: Host, image: Image, registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is asked for twice. What is stored is the first image, without the digest of an index that lacks it."""
    add_index(image.layout, "all", {"linux/amd64": image})
    find = registry.find
    moved: list[str] = []

    def find_and_move(path: str) -> Any:
        found = find(path)
        if path.endswith("/manifests/all") and not moved:
            moved.append(add_index(image.layout, "all", {"linux/amd64": two_layers(image.layout, tag="2", text="!")}))
        return found

    monkeypatch.setattr(registry, "find", find_and_move)
    outcome = host.converge(registry.source("app:all"), platform="linux/amd64")
    assert outcome.manifest_digest == image.manifest_digest
    assert outcome.stored is not None
    assert outcome.stored.index_digest is None
    newer = host.converge(registry.source("app:all"), platform="linux/amd64", refresh=True)
    assert newer.stored is not None
    assert (newer.stored.index_digest, len(newer.plan.actions)) == (moved[0], 1)


def test_known_layers_are_not_fetched(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    host.converge(registry.source("app:1"))
    two_layers(image.layout, tag="2", text="!")
    registry.forget()
    outcome = host.converge(registry.source("app:2"), name="localhost/app:2")
    assert outcome.result is not None
    assert (outcome.result.layers_pulled, outcome.result.layers_reused) == (1, 1)
    assert registry.count(image.layers[0].digest) == 0


def test_latest_with_nothing_new_asks_for_the_manifest_only(
    host: Host, image: Image, registry: ScriptedRegistry
) -> None:
    host.converge(registry.source("app:1"))
    before = tree(host.repository.path)
    registry.forget()
    assert host.converge(registry.source("app:1"), refresh=True).plan.actions == ()
    assert [request.path for request in registry.requests] == ["/v2/", "/v2/app/manifests/1"]
    assert tree(host.repository.path) == before


def tree(path: str) -> str:
    """Return a digest over names, inodes and times of all that is below a folder."""
    digest = hashlib.sha256()
    for entry in sorted(pathlib.Path(path).rglob("*")):
        status = entry.lstat()
        digest.update(f"{entry} {status.st_ino} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def test_the_manifest_alone_is_asked_of_the_source(host: Host, image: Image, registry: ScriptedRegistry) -> None:
    """``remote: true`` of system_container_image_info."""
    from ansible_collections.projectatomic.system_containers.plugins.module_utils import _argspec
    from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import image_request

    defaults = {key: spec.get("default") for key, spec in _argspec.PULL.items()}
    parameters = {**defaults, "max_layer_size": 2**37, "validate_certs": False}
    described = _describe_images.inspect_remote(image_request(f"{registry.host}/app:1", parameters))
    assert described["manifest_digest"] == image.manifest_digest
    assert registry.count("/blobs/") == 0
    assert not host.repository.exists()
