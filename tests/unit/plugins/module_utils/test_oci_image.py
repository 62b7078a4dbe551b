# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, indexes and configurations: what is read, and what is refused with which reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SourceError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    MAX_MANIFEST,
    Descriptor,
    check_layers,
    layer_compression,
    parse_config,
    parse_manifest,
)

ONE, TWO = ("sha256:" + digit * 64 for digit in "12")
OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
LAYER = {"mediaType": OCI + "layer.v1.tar+gzip", "digest": TWO, "size": 20}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": OCI + "manifest.v1+json",
    "config": {"mediaType": OCI + "config.v1+json", "digest": ONE, "size": 10},
    "layers": [LAYER],
}
INDEX = {
    "schemaVersion": 2,
    "mediaType": OCI + "index.v1+json",
    "manifests": [
        {
            "mediaType": OCI + "manifest.v1+json",
            "digest": ONE,
            "size": 5,
            "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
        },
        {"mediaType": OCI + "manifest.v1+json", "digest": TWO, "size": 6},
    ],
}
CONFIG = {
    "os": "linux",
    "architecture": "amd64",
    "created": "2026-01-02T03:04:05Z",
    "config": {
        "Labels": {"atomic.run": "once"},
        "Entrypoint": ["/init"],
        "Cmd": ["run"],
        "Env": ["A=b"],
        "User": "1:2",
        "WorkingDir": "/w",
    },
    "rootfs": {"type": "layers", "diff_ids": [ONE]},
}


def dumped(document: object, **changes: Any) -> bytes:
    assert isinstance(document, dict)
    return json.dumps({**document, **changes}).encode()


def descriptor_of(size: int) -> dict[str, object]:
    """Return the descriptor of a configuration of that size."""
    return {"mediaType": OCI + "config.v1+json", "digest": ONE, "size": size}


def layered(**changes: Any) -> bytes:
    return dumped(MANIFEST, layers=[{**LAYER, **changes}])


def test_manifest() -> None:
    manifest = parse_manifest(dumped(MANIFEST))
    assert manifest.config == Descriptor(OCI + "config.v1+json", ONE, 10)
    assert manifest.layers == (Descriptor(OCI + "layer.v1.tar+gzip", TWO, 20),)
    assert manifest.media_type == OCI + "manifest.v1+json"
    assert (manifest.config.hex, manifest.config.ref) == ("1" * 64, "ociimage/" + "1" * 64)


@pytest.mark.parametrize("media_type", [None, "", OCI + "manifest.v1+json", DOCKER + "distribution.manifest.v2+json"])
def test_media_types_of_manifests(media_type: str | None) -> None:
    assert parse_manifest(dumped(MANIFEST, mediaType=media_type)).layers


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100000, "not valid JSON"),
        (b'{"size": NaN}', "not valid JSON"),
        (b'{"layers": [], "layers": []}', "twice"),
        (b" " * (MAX_MANIFEST + 1), "more than 4194304"),
        (dumped(INDEX), "an index of several platforms"),
        (dumped({**MANIFEST, **INDEX}), "both a manifest and an index"),
        (dumped({"schemaVersion": 1, "fsLayers": []}), "schema 1"),
        (dumped(MANIFEST, schemaVersion=1), "schema 1"),
        (dumped(MANIFEST, schemaVersion=3), "'schemaVersion' is not 2"),
        (dumped(MANIFEST, schemaVersion=2.0), "'schemaVersion' is not 2"),
        (dumped(MANIFEST, mediaType=OCI + "index.v1+json"), "does not fit"),
        (dumped(MANIFEST, mediaType=7), "does not fit"),
        (dumped(MANIFEST, layers=None), "no list 'layers'"),
        (dumped(MANIFEST, layers=[LAYER] * 1001), "1001 layers"),
        (dumped(MANIFEST, layers=[7]), "layers[0] is not an object"),
        (dumped(MANIFEST, config=None), "config is not an object"),
        (dumped(MANIFEST, config=LAYER), "not the media type of a container image"),
        (dumped(MANIFEST, config=descriptor_of(MAX_MANIFEST + 1)), "config: it has 4194305 bytes"),
        (layered(digest="sha256:" + "A" * 64), "layers[0]: 'sha256:AAA"),
        (layered(digest=ONE + "\n"), "not a digest"),
        (layered(digest="sha512:" + "1" * 128), "not a digest"),
        (layered(digest="../../etc"), "not a digest"),
        (layered(digest=None), "not a digest"),
        (layered(size=-1), "not a size"),
        (layered(size=True), "not a size"),
        (layered(size=1.5), "not a size"),
        (layered(size="1"), "not a size"),
        (layered(size=2**60), "not a size"),
        (layered(mediaType=None), "no media type"),
        (layered(mediaType=DOCKER + "image.rootfs.foreign.diff.tar.gzip"), "not distributable"),
        (layered(mediaType=OCI + "layer.nondistributable.v1.tar+gzip"), "not distributable"),
        (layered(mediaType=OCI + "layer.v1.tar+gzip+encrypted"), "encrypted"),
        (layered(mediaType="text/plain"), "not the media type of a layer"),
    ],
)
def test_refused_manifests(data: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match="The image's manifest is refused") as caught:
        parse_manifest(data)
    assert reason in str(caught.value)


def test_thousand_layers() -> None:
    assert len(parse_manifest(dumped(MANIFEST, layers=[LAYER] * 1000)).layers) == 1000


def test_config() -> None:
    config = parse_config(dumped(CONFIG))
    assert (config.os, config.architecture, config.variant) == ("linux", "amd64", None)
    assert (config.entrypoint, config.cmd, config.env) == (("/init",), ("run",), ("A=b",))
    assert (config.user, config.working_dir, config.labels) == ("1:2", "/w", {"atomic.run": "once"})
    assert (config.created, config.diff_ids) == ("2026-01-02T03:04:05Z", (ONE,))


@pytest.mark.parametrize("inner", [None, {}, dict.fromkeys(("Labels", "Env", "Cmd", "Entrypoint", "User"))])
def test_config_with_next_to_nothing(inner: dict[str, None] | None) -> None:
    config = parse_config(dumped({"rootfs": {"type": "layers", "diff_ids": None}}, config=inner))
    assert (config.labels, config.env, config.cmd, config.user, config.diff_ids) == ({}, (), (), "", ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rootfs": None}, "rootfs"),
        ({"rootfs": {"type": "other", "diff_ids": []}}, "rootfs"),
        ({"rootfs": {"type": "layers", "diff_ids": ["x"]}}, "diff ID 'x'"),
        ({"rootfs": {"type": "layers", "diff_ids": [1]}}, "'diff_ids'"),
        ({"config": []}, "'config'"),
        ({"config": {"Labels": []}}, "'Labels'"),
        ({"config": {"Labels": {"a": 1}}}, "'Labels'"),
        ({"config": {"Env": "A=b"}}, "'Env'"),
        ({"config": {"Cmd": [1]}}, "'Cmd'"),
        ({"config": {"User": 1}}, "'User'"),
        ({"os": 1}, "'os'"),
    ],
)
def test_refused_configs(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SourceError, match="The image's config is refused") as caught:
        parse_config(dumped(CONFIG, **changes))
    assert reason in str(caught.value)


def test_one_diff_id_for_each_layer() -> None:
    manifest, config = parse_manifest(dumped(MANIFEST)), parse_config(dumped(CONFIG))
    check_layers(manifest, config)
    with pytest.raises(SourceError, match="lists 1 diff IDs for 2 layers"):
        check_layers(parse_manifest(dumped(MANIFEST, layers=[LAYER, LAYER])), config)


@pytest.mark.parametrize(
    ("media_type", "compression"),
    [
        (OCI + "layer.v1.tar", "none"),
        (OCI + "layer.v1.tar+gzip", "gzip"),
        (OCI + "layer.v1.tar+zstd", "zstd"),
        (DOCKER + "image.rootfs.diff.tar.gzip", "gzip"),
        (DOCKER + "image.rootfs.diff.tar", "none"),
    ],
)
def test_compression(media_type: str, compression: str) -> None:
    assert layer_compression(media_type) == compression


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*MANIFEST, *CONFIG, "manifests", "fsLayers"]), JSON))
def test_anything_is_parsed_or_refused(changes: dict[str, Any]) -> None:
    for parse, document in ((parse_manifest, MANIFEST), (parse_config, CONFIG)):
        try:
            parse(dumped(document, **changes))
        except SourceError as exc:
            assert "is refused" in str(exc)  # noqa: PT017
