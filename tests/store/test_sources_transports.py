# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of every transport that needs no network, made by the machine's skopeo and pulled by it."""

from __future__ import annotations

import io
import json
import pathlib
import tarfile

import pytest
from store.sources import FILES, Host, add_index, digest_of, host, skopeo, two_layers

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    InvalidInputError,
    SourceError,
    TransientSourceError,
)

__all__ = ["host"]

SOURCES = {
    "oci": "oci:{path}/made:1",
    "oci without a tag": "oci:{path}/made",
    "oci-archive": "oci-archive:{path}/made.tar:1",
    "oci-archive without a tag": "oci-archive:{path}/made.tar",
    "docker-archive": "docker-archive:{path}/made.tar:localhost/app:1",
    "docker-archive without a name": "docker-archive:{path}/made.tar",
    "dir": "dir:{path}/made",
    "containers-storage": "containers-storage:localhost/app:1",
    "containers-storage elsewhere": "containers-storage:[vfs@{path}/other+{path}/run]localhost/app:1",
}


def make(host: Host, kind: str, compression: str = "gzip") -> str:
    """Make an image with skopeo and return it as a source."""
    image = two_layers(host.path / "oci", compression=compression)
    source = SOURCES[kind].format(path=host.path)
    skopeo("copy", image.reference, source)
    return source


@pytest.mark.parametrize("kind", SOURCES)
def test_every_transport(host: Host, kind: str) -> None:
    source = make(host, kind)
    foretold = host.converge(source, check_mode=True)
    assert not host.repository.exists()
    outcome = host.converge(source)
    assert outcome.manifest_digest == foretold.manifest_digest == digest_of(skopeo("inspect", "--raw", source))
    assert {name: content.decode() for name, content in host.files(outcome).items()} == FILES
    assert outcome.stored is not None
    assert outcome.stored.source == source
    assert outcome.result is not None
    assert (outcome.result.layers_pulled, outcome.result.layers_reused) == (2, 0)
    assert host.converge(source, refresh=True).plan.actions == ()
    assert host.leftovers() == []


@pytest.mark.parametrize("compression", ["plain", "zstd"])
@pytest.mark.parametrize("kind", ["oci", "dir", "containers-storage"])
def test_other_compressions(host: Host, kind: str, compression: str) -> None:
    outcome = host.converge(make(host, kind, compression))
    assert set(host.files(outcome)) == set(FILES)


def test_layers_are_stored_under_the_digests_of_the_manifest(host: Host) -> None:
    """containers-storage has unpacked layers only; the image is the one that a registry has, so layers are shared."""
    image = two_layers(host.path / "oci")
    skopeo("copy", image.reference, "containers-storage:localhost/app:1")
    outcome = host.converge("containers-storage:localhost/app:1")
    assert outcome.manifest_digest == image.manifest_digest
    assert {f"ociimage/{layer.digest[7:]}" for layer in image.layers} <= host.refs()
    again = host.converge(image.reference, name="localhost/other:1")
    assert again.result is not None
    assert (again.result.layers_pulled, again.result.bytes_downloaded) == (0, 0)


def test_an_archive_of_several_images(host: Host) -> None:
    """As ``docker save`` makes it of two images."""
    source = make(host, "docker-archive without a name")
    single = pathlib.Path(source.partition(":")[2])
    several = single.with_name("several.tar")
    with tarfile.open(single) as old, tarfile.open(several, "w") as new:
        for member in old.getmembers():
            content = old.extractfile(member) if member.isreg() else None
            if member.name == "manifest.json":
                assert content is not None
                entry = json.loads(content.read())[0]
                data = json.dumps([{**entry, "RepoTags": [f"localhost/{name}:1"]} for name in "ab"]).encode()
                member.size, content = len(data), io.BytesIO(data)
            new.addfile(member, content)
    with pytest.raises(InvalidInputError, match="more than one image: say which"):
        host.converge(f"docker-archive:{several}")
    for name, reference in {"localhost/by-name:1": "localhost/b:1", "localhost/by-number:1": "@1"}.items():
        assert host.converge(f"docker-archive:{several}:{reference}", name=name).plan.actions
    with pytest.raises(ImageNotFoundError, match="does not exist"):
        host.converge(f"docker-archive:{several}:localhost/c:1")
    assert host.leftovers() == []


def test_a_layout_of_several_images(host: Host) -> None:
    two_layers(host.path / "oci", tag="1")
    two_layers(host.path / "oci", tag="2", text="!")
    with pytest.raises(InvalidInputError, match="more than one image: say which"):
        host.converge(f"oci:{host.path}/oci")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("oci:{path}/oci:nope", "does not exist: check the name"),
        ("oci:{path}/nowhere:1", "check the path"),
        ("oci-archive:{path}/nowhere.tar", "check the path"),
        ("docker-archive:{path}/nowhere.tar", "check the path"),
        ("dir:{path}/nowhere", "check the path"),
        ("containers-storage:localhost/nowhere:1", "does not exist"),
    ],
)
def test_what_is_not_there(host: Host, source: str, text: str) -> None:
    two_layers(host.path / "oci")
    with pytest.raises(ImageNotFoundError, match=text):
        host.converge(source.format(path=host.path))
    assert host.leftovers() == []


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_what_is_no_archive(host: Host, transport: str) -> None:
    """It is not tried again, as if it might pass."""
    file = host.write("file.tar", "no archive")
    with pytest.raises(SourceError, match="cannot be read") as failure:
        host.converge(f"{transport}:{file}")
    assert not isinstance(failure.value, TransientSourceError)


def test_no_docker_daemon(host: Host) -> None:
    host.environment.setenv("DOCKER_HOST", f"unix://{host.path}/docker.sock")
    with pytest.raises(SourceError, match="Docker daemon does not answer"):
        host.converge("docker-daemon:app:1")


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "dir"])
def test_an_index(host: Host, kind: str) -> None:
    images = {
        f"linux/{name}": two_layers(host.path / "oci", architecture=name, text=name) for name in ("amd64", "arm64")
    }
    index = add_index(host.path / "oci", "all", images)
    source = {
        "oci": f"oci:{host.path}/oci:all",
        "oci-archive": f"oci-archive:{host.path}/all.tar",
        "dir": f"dir:{host.path}/all",
    }[kind]
    if kind != "oci":
        skopeo("copy", "--all", f"oci:{host.path}/oci:all", source)
    for platform, image in images.items():
        outcome = host.converge(source, platform=platform, name=f"localhost/{platform[-5:]}:1")
        assert outcome.manifest_digest == image.manifest_digest
        assert outcome.stored is not None
        assert outcome.stored.index_digest == index
    with pytest.raises(ImageNotFoundError, match=r"'platform' to one of those that it has: linux/amd64, linux/arm64\Z"):
        host.converge(source, platform="linux/s390x", name="localhost/other:1")
    assert host.leftovers() == []
