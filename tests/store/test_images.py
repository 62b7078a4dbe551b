# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images in a store that was damaged, or that another run changes meanwhile; the source is a stand-in for the proxy."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pathlib
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import (
    _describe_images,
    _image_proxy,
    _image_request,
    _images,
    _store,
    _tar_commit,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    NewerSchemaError,
    SourceError,
    StoreError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    RemoteImage,
    SourceOptions,
    parse_manifest,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store
from ansible_collections.projectatomic.system_containers.plugins.module_utils._stored_image import stored_image

NAME = "localhost/app:1"
REF = parse_image_name(NAME).ref


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Source:
    """The image at the source: what ``ImageProxy`` would hand out. ``text`` makes another image of it."""

    def __init__(self, text: str = "one", *, architecture: str | None = None) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo("file")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        layer = archive.getvalue()
        config: dict[str, Any] = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}
        if architecture:
            config["architecture"] = architecture
        data = json.dumps(config).encode()
        kinds = {"application/vnd.oci.image.config.v1+json": data, "application/vnd.oci.image.layer.v1.tar": layer}
        described = [{"mediaType": kind, "digest": digest_of(blob), "size": len(blob)} for kind, blob in kinds.items()]
        manifest = {"schemaVersion": 2, "config": described[0], "layers": described[1:]}
        self.manifest_bytes = json.dumps(manifest).encode()
        self.digest = digest_of(self.manifest_bytes)
        self.blobs = {digest_of(blob): blob for blob in kinds.values()}
        self.config_digest, self.layer_digest = (str(item["digest"]) for item in described)


class FakeBlob:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.move = None

    def read(self) -> bytes:
        return self.data

    def pieces(self) -> Iterator[bytes]:
        yield self.data


class FakeProxy:
    """Hands out what ``current`` is at the time of opening."""

    current = Source()
    opened = 0

    def __init__(self, options: Any) -> None:
        self.source, self.platform, self.limits = options.source, options.platform, options.limits
        self._served = FakeProxy.current
        FakeProxy.opened += 1

    def __enter__(self) -> FakeProxy:
        return self

    def __exit__(self, *unused: object) -> None:
        pass

    def kill(self, cause: object = None) -> None:
        pass

    def image(self) -> RemoteImage:
        data = self._served.manifest_bytes
        return RemoteImage(manifest_bytes=data, manifest_digest=self._served.digest, manifest=parse_manifest(data))

    def index_digest(self, manifest_digest: str) -> None:
        return None

    enforced = True

    def retrying(self, call: Any) -> Any:
        return call()

    def read(self, descriptor: Any) -> bytes:
        return self._served.blobs[descriptor.digest]

    @contextlib.contextmanager
    def blob(self, descriptor: Any, diff_id: str) -> Iterator[FakeBlob]:
        yield FakeBlob(self._served.blobs[descriptor.digest])


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(_image_proxy, "ImageProxy", FakeProxy)
    FakeProxy.current, FakeProxy.opened = Source(), 0
    return FakeProxy.current


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(str(tmp_path / "root/.storage/ostree"))


def parameters(**changes: Any) -> dict[str, Any]:
    keys = ("username", "password", "authfile", "cert_dir", "platform", "source")
    numbers = {"pull_timeout": 60, "pull_retries": 3, "max_layer_size": 2**37}
    limits = {"max_layer_entries": 2_000_000, "max_layer_ratio": 500}
    return {**dict.fromkeys(keys), "validate_certs": True, **numbers, **limits, **changes}


def converge(repository: Repository, *, refresh: bool = False, **changes: Any) -> _images.ImageOutcome:
    request = _image_request.image_request(NAME, parameters(**changes))
    return _images.converge_image(repository, request, refresh=refresh, check_mode=False)


def commit_of(repository: Repository, ref: str) -> str:
    commit = repository.resolve(ref)
    assert commit is not None
    return commit


def object_of(repository: Repository, kind: str, source: Source) -> pathlib.Path:
    """Return the file of an object: the commit of image, config or layer, or the file in the commit of the first two."""
    blobs = {"config": source.config_digest, "layer": source.layer_digest}
    what, _space, part = kind.partition(" ")
    ref = "ociimage/" + blobs[what].partition(":")[2] if what in blobs else REF
    commit = commit_of(repository, ref)
    if part == "commit":
        return pathlib.Path(repository.object_path(commit, "commit"))
    root = repository.root(commit)
    if part == "directory":
        return pathlib.Path(repository.object_path(root.checksum, "dirtree"))
    node = repository._find(commit, "/content" if what == "config" else "/manifest.json")
    assert node is not None
    return pathlib.Path(repository.object_path(node.checksum, "file"))


PARTS = [
    "image commit",
    "image file",
    "image directory",
    "config commit",
    "config file",
    "config directory",
    "layer commit",
]


@pytest.mark.parametrize("removed", [True, False], ids=["removed", "changed"])
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_image_is_mended(repository: Repository, source: Source, part: str, removed: bool) -> None:
    """Each damage makes the image incomplete; pulled again, the store is as before, and a third run has nothing to do."""
    first = converge(repository)
    path = object_of(repository, part, source)
    good = path.read_bytes()
    if removed:
        path.unlink()
    else:
        path.chmod(0o644)
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert _images.look_up(repository, REF).state == "incomplete"
    second = converge(repository)
    assert [str(action) for action in second.plan.actions] == [f"pull image {REF} ({source.digest})"]
    assert path.read_bytes() == good
    assert second.stored == first.stored
    assert converge(repository).plan.actions == ()
    assert converge(repository, refresh=True).plan.actions == ()


@pytest.mark.parametrize("what", ["image", "config", "layer"])
def test_an_empty_ref_is_mended(repository: Repository, source: Source, what: str) -> None:
    """A crash of the host can leave an empty file."""
    converge(repository)
    digests = {"config": source.config_digest, "layer": source.layer_digest}
    ref = "ociimage/" + digests[what].partition(":")[2] if what in digests else REF
    heads = pathlib.Path(repository.path, "refs/heads", ref)
    heads.write_text("", encoding="ascii")
    assert len(_describe_images.list_images(repository, None, {})) == 1
    assert converge(repository).plan.actions
    assert converge(repository).plan.actions == ()


@pytest.mark.parametrize("part", ["image commit", "image file", "image ref", "config file"])
def test_a_damaged_image_can_be_removed_and_is_listed(repository: Repository, source: Source, part: str) -> None:
    converge(repository)
    whole = _describe_images.list_images(repository, None, {})[0]
    if part == "image ref":
        pathlib.Path(repository.path, "refs/heads", REF).write_text("", encoding="ascii")
    else:
        object_of(repository, part, source).unlink()
    broken = _describe_images.list_images(repository, None, {})[0]
    assert set(broken) == set(whole)
    assert broken["name"] == NAME
    assert broken["broken"] is not None
    assert (broken["labels"], broken["used_by"]) == ({}, [])
    name = _image_request.image_request(NAME, parameters())
    assert _images.remove_image(repository, name, {}, force=False, check_mode=True).actions
    assert _images.remove_image(repository, name, {}, force=False, check_mode=False).actions
    assert not repository.has_ref(REF)
    assert _images.remove_image(repository, name, {}, force=False, check_mode=False).actions == ()


def test_what_a_newer_version_stored_is_left_alone(repository: Repository, source: Source) -> None:
    converge(repository)
    metadata = {"docker.digest": source.digest, "system-containers": '{"schema": 99}'}
    repository.commit_files({"manifest.json": source.manifest_bytes}, metadata=metadata, ref=REF)
    with pytest.raises(NewerSchemaError, match="newer version"):
        converge(repository)
    with pytest.raises(NewerSchemaError, match="newer version"):
        _images.remove_image(
            repository, _image_request.image_request(NAME, parameters()), {}, force=True, check_mode=False
        )


@pytest.mark.parametrize("key", ["manifest_digest", "index_digest"])
@pytest.mark.parametrize("junk", ["../../etc", "sha256:" + "A" * 64, 5])
def test_what_is_recorded_as_a_digest_and_is_none_is_mended(
    repository: Repository, source: Source, key: str, junk: object
) -> None:
    metadata = {"docker.digest": source.digest, "system-containers": json.dumps({"schema": 1, key: junk})}
    repository.create()
    repository.commit_files({"manifest.json": source.manifest_bytes}, metadata=metadata, ref=REF)
    with pytest.raises(StoreError, match=f"has a '{key}' that is none: pull the image again"):
        stored_image(repository, REF)
    assert converge(repository).plan.actions
    found = stored_image(repository, REF)
    assert found is not None
    assert found.manifest_digest == source.digest


def test_two_runs_pull_once(repository: Repository, source: Source) -> None:
    repository.create()
    outcomes: list[_images.ImageOutcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(converge(repository))) for _number in range(3)]
    with repository.lock():
        for thread in threads:
            thread.start()
        while FakeProxy.opened < len(threads):
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert sorted(len(outcome.plan.actions) for outcome in outcomes) == [0, 0, 1]
    assert {outcome.manifest_digest for outcome in outcomes} == {source.digest}


def test_a_run_that_waited_moves_no_tag_back(
    repository: Repository, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked the source before the tag moved; another run pulls the newer image before it gets the lock."""
    converge(repository)
    FakeProxy.current = Source("two")
    lock = Repository.lock

    def late(self: Repository) -> contextlib.AbstractContextManager[None]:
        monkeypatch.setattr(Repository, "lock", lock)
        FakeProxy.current = Source("three")
        converge(repository, refresh=True)
        return lock(self)

    monkeypatch.setattr(Repository, "lock", late)
    outcome = converge(repository, refresh=True)
    assert outcome.plan.actions == ()
    assert outcome.manifest_digest == Source("three").digest


def test_the_image_of_another_platform(repository: Repository, source: Source) -> None:
    FakeProxy.current = Source(architecture="amd64")
    with pytest.raises(SourceError, match=r"is an image for linux/amd64, not for linux/nope.*platform"):
        converge(repository, platform="linux/nope")
    assert not repository.has_ref(REF)
    assert converge(repository, platform="linux/amd64").plan.actions
    # What is stored is kept, whatever platform is asked for.
    assert converge(repository, platform="linux/arm64").plan.actions == ()


def test_only_root_enters_a_new_repository(repository: Repository) -> None:
    repository.create()
    path = pathlib.Path(repository.path)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path, path.parent)] == [0o700, 0o700]
    assert [entry.name for entry in path.parent.iterdir()] == ["ostree"]
    path.chmod(0o755)
    repository.create()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_an_empty_directory_becomes_a_repository(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lost+found").mkdir()
    Repository(str(tmp_path)).create()
    assert Repository(str(tmp_path)).mode == "bare"
    assert (tmp_path / "lost+found").exists()


@pytest.mark.parametrize(
    ("there", "on_one_file_system", "chosen"),
    [(True, True, "ostree/repo"), (True, False, None), (False, True, None)],
)
def test_the_repository_without_repo(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, there: bool, on_one_file_system: bool, chosen: str | None
) -> None:
    """A host that OSTree boots has one already; hard links lead into it from its own file system only."""
    place = tmp_path / "ostree/repo"
    if there:
        Repository(str(place)).create()
    monkeypatch.setattr(_store, "_HOST_REPOSITORY", str(place))
    if not on_one_file_system:
        monkeypatch.setattr(_store, "_device", lambda path: 1 if path == str(place) else 2)
    store = locate_store({"root": str(tmp_path / "root"), "repo": None})
    assert store.repository.path == str(tmp_path / (chosen or "root/.storage/ostree"))


@pytest.mark.parametrize("mode", ["archive", "archive-z2", "bare-user"])
def test_a_repository_of_another_mode_is_refused(tmp_path: pathlib.Path, mode: str) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "config").write_text(f"[core]\nrepo_version=1\nmode={mode}\n", encoding="ascii")
    with pytest.raises(InvalidInputError, match=f"has mode '{mode}', and only 'bare'.*'repo'"):
        locate_store({"root": str(tmp_path), "repo": str(tmp_path)})


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_what_is_no_repository_is_left_alone(tmp_path: pathlib.Path, kind: str) -> None:
    path = tmp_path / "repo"
    if kind == "directory":
        path.mkdir()
        (path / "data").touch()
    elif kind == "file":
        path.touch()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(InvalidInputError, match="neither an OSTree repository nor an empty directory"):
        locate_store({"root": str(tmp_path), "repo": str(path)})
    with pytest.raises(InvalidInputError, match="neither"):
        Repository(str(path)).create()


@pytest.mark.parametrize("platform", ["linux", "linux/", "a/b/c/d", "Linux/amd64", ""])
@pytest.mark.parametrize("name", [NAME, "app"])
def test_a_malformed_platform_is_refused_early(platform: str, name: str) -> None:
    with pytest.raises(InvalidInputError, match="os/arch"):
        _image_request.image_request(name, parameters(platform=platform))


@pytest.mark.parametrize("source", ["docker://hello-world", "docker://library/hello-world:1", "docker:hello-world"])
def test_a_source_without_a_registry_is_refused(source: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^source: .*docker://"):
        _image_request.image_request(NAME, parameters(source=source))


def test_defaults_with_credentials_do_no_harm_to_a_layout() -> None:
    credentials = {"username": "me", "password": "secret"}
    options = _image_request.image_request(NAME, parameters(source="oci:/srv/images:1", **credentials)).source()
    assert (options.username, options.password) == (None, None)
    options = _image_request.image_request(NAME, parameters(**credentials)).source()
    assert (options.username, options.password) == ("me", "secret")


def test_who_may_not_enter_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, a user other than root would see a store without images."""

    def refuse(*unused: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.stat", refuse)
    with pytest.raises(PermissionError):
        Repository(str(tmp_path)).exists()


def test_an_authfile_goes_before_a_user() -> None:
    options = SourceOptions(source="docker://r.example/app", username="me", password="x", authfile="/root/auth.json")
    assert _image_proxy.ImageProxy(options)._authfile() == "/root/auth.json"


def test_ostree_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tar_commit, "TIMEOUT", 0.05)
    monkeypatch.setattr(_tar_commit, "_STAGING_TIMEOUT", 0.05)
    commit = _tar_commit.TarCommit(["sleep", "60"], "/repo")
    try:
        with pytest.raises(StoreError, match="did not end within"):
            commit.finish()
    finally:
        commit.abort()
    commit = _tar_commit.TarCommit(["sh", "-c", "exec <&-; sleep 60"], "/repo")
    try:
        with pytest.raises(StoreError, match="did not end within"):
            commit.write([bytes(4 * 1024 * 1024)])
    finally:
        commit.abort()
