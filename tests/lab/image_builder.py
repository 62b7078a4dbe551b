# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds OCI images (image layouts on disk) for tests, the same bytes from the same input.

A test needs few lines::

    image = build_image(tmp_path / "oci", layers=[folder], labels={"a": "b"}, tag="1")
    image.manifest_digest  # sha256:...

A layer is a folder, or the bytes of a tar archive as they are: so tests can make archives that no tool would.
Extended attributes of a folder's files are not taken over.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Union

MEDIA_TYPES = {
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "plain": "application/vnd.oci.image.layer.v1.tar",
}
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
TAG_ANNOTATION = "org.opencontainers.image.ref.name"
EPOCH = "1970-01-01T00:00:00Z"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

LayerSource = Union[str, "os.PathLike[str]", bytes]


@dataclass(frozen=True)
class Layer:
    """A layer as stored: its compressed bytes' digest and size, and the digest of the archive itself."""

    digest: str
    size: int
    diff_id: str
    media_type: str


@dataclass(frozen=True)
class Image:
    """An image that was built. Digests read ``sha256:`` and 64 hex digits."""

    layout: Path
    tag: str
    manifest_digest: str
    config_digest: str
    layers: tuple[Layer, ...]

    @property
    def reference(self) -> str:
        """The image as skopeo spells it."""
        return f"oci:{self.layout}:{self.tag}"


def build_image(
    layout: str | os.PathLike[str],
    *,
    layers: Sequence[LayerSource],
    tag: str = "latest",
    base: str = "",
    labels: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] | None = None,
    cmd: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    architecture: str = "",
    compression: str = "gzip",
    root_owned: bool = True,
) -> Image:
    """Build an image into a layout; a layout that exists keeps its other tags.

    Args:
        layout: folder of the image layout.
        layers: the lowest first: folders, or tar archives as bytes.
        tag: the image's name in the layout; an image that has it loses it.
        base: name of an image in the layout whose layers, and settings, come first.
        labels, entrypoint, cmd, env: the config's Labels, Entrypoint, Cmd and Env.
        config: more keys of the config's own ``config``, such as User or WorkingDir.
        architecture: as Go spells it; this machine's by default.
        compression: of all layers: gzip, zstd (needs the zstd program) or plain.
        root_owned: folders' files belong to root in the image; else to whom they belong on disk.

    Raises:
        ValueError: unknown compression.
        OSError: a folder cannot be read, or the layout not written.
        KeyError: the layout has no image named as base.
    """
    root = Path(layout).absolute()
    (root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    below, inherited = _read_image(root, base) if base else ((), {})
    stored = (*below, *(_store_layer(root, source, compression, root_owned) for source in layers))
    settings = _settings({**inherited, **(config or {})}, labels, entrypoint, cmd, env)
    config_digest, config_size = store_blob(root, _encode(_description(settings, architecture, stored)))
    manifest_digest, manifest_size = store_blob(root, _encode(_manifest(config_digest, config_size, stored)))
    tag_manifest(root, tag, manifest_digest, manifest_size)
    return Image(root, tag, manifest_digest, config_digest, stored)


def _read_image(root: Path, tag: str) -> tuple[tuple[Layer, ...], dict[str, Any]]:
    """Return the layers and the settings of an image in a layout."""
    by_tag = {
        entry.get("annotations", {}).get(TAG_ANNOTATION): entry
        for entry in json.loads((root / "index.json").read_bytes())["manifests"]
    }
    manifest = _read_blob(root, by_tag[tag]["digest"])
    description = _read_blob(root, manifest["config"]["digest"])
    layers = zip(manifest["layers"], description["rootfs"]["diff_ids"])
    return tuple(Layer(one["digest"], one["size"], diff, one["mediaType"]) for one, diff in layers), description[
        "config"
    ]


def _read_blob(root: Path, digest: str) -> dict[str, Any]:
    return dict(json.loads((root / "blobs" / digest.replace(":", "/")).read_bytes()))


def _settings(
    config: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None,
    entrypoint: Sequence[str] | None,
    cmd: Sequence[str] | None,
    env: Mapping[str, str] | None,
) -> dict[str, Any]:
    settings: dict[str, Any] = dict(config or {})
    for key, value in (("Entrypoint", entrypoint), ("Cmd", cmd)):
        if value is not None:
            settings[key] = list(value)
    if env:
        settings["Env"] = [f"{name}={value}" for name, value in env.items()]
    if labels:
        settings["Labels"] = dict(labels)
    return settings


def _description(settings: Mapping[str, Any], architecture: str, stored: Sequence[Layer]) -> dict[str, Any]:
    return {
        "created": EPOCH,
        "architecture": architecture or ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in stored]},
        "history": [{"created": EPOCH, "created_by": "image_builder"} for _layer in stored],
    }


def _manifest(config_digest: str, config_size: int, stored: Sequence[Layer]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config_digest, "size": config_size},
        "layers": [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in stored],
    }


def store_blob(layout: Path, content: bytes) -> tuple[str, int]:
    """Store bytes in a layout; return their digest and size."""
    hexadecimal = hashlib.sha256(content).hexdigest()
    (layout / "blobs" / "sha256" / hexadecimal).write_bytes(content)
    return f"sha256:{hexadecimal}", len(content)


def tag_manifest(layout: Path, tag: str, digest: str, size: int) -> None:
    """Give a stored manifest a name in its layout, taking the name from any other."""
    index = layout / "index.json"
    kept: list[dict[str, Any]] = []
    if index.exists():
        known = json.loads(index.read_bytes())["manifests"]
        kept = [entry for entry in known if entry.get("annotations", {}).get(TAG_ANNOTATION) != tag]
    entry = {"mediaType": MANIFEST_TYPE, "digest": digest, "size": size, "annotations": {TAG_ANNOTATION: tag}}
    (layout / "oci-layout").write_bytes(_encode({"imageLayoutVersion": "1.0.0"}))
    index.write_bytes(_encode({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*kept, entry]}))


def tar_folder(folder: str | os.PathLike[str], *, root_owned: bool = True) -> bytes:
    """Return a folder's content as a tar archive: sorted, without times; see build_image() for owners."""
    stream = io.BytesIO()
    _write_folder(stream, Path(folder), root_owned)
    return stream.getvalue()


def tar_files(files: Mapping[str, str | bytes], *, executable: Sequence[str] = ()) -> bytes:
    """Return a tar archive of files given by path and content, their folders included.

    Args:
        files: content by path, relative to the image's root.
        executable: which of them have mode 0755 instead of 0644.
    """
    stream = io.BytesIO()
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted({*folders, *files}):
            entry = tarfile.TarInfo(name)
            if name in files:
                value = files[name]
                content = value.encode() if isinstance(value, str) else value
                entry.size = len(content)
                entry.mode = 0o755 if name in executable else 0o644
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
    return stream.getvalue()


def _write_folder(stream: IO[bytes], folder: Path, root_owned: bool) -> None:
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: a layer is a folder, or a tar archive as bytes")
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(_walk(folder), key=lambda one: os.fsencode(one.relative_to(folder))):
            entry = archive.gettarinfo(str(path), arcname=str(path.relative_to(folder)))
            if entry is None:  # a socket
                continue
            entry.mtime = 0
            entry.uname = entry.gname = ""
            if root_owned:
                entry.uid = entry.gid = 0
            if entry.isreg():
                with open(path, "rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent, name)


class _Hashing(io.RawIOBase):
    """Passes what is written to it on, and keeps its digest and size."""

    def __init__(self, target: IO[bytes]) -> None:
        super().__init__()
        self.target = target
        self.sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.target.write(data)
        self.size += len(data)
        return len(data)


@contextlib.contextmanager
def _compressor(target: IO[bytes], compression: str) -> Iterator[IO[bytes]]:
    """Give a stream whose bytes arrive in target, compressed."""
    if compression == "plain":
        yield target
    elif compression == "gzip":
        with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=6) as stream:
            yield stream  # type: ignore[misc]
    elif compression == "zstd":
        target.flush()
        with subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=target) as child:
            if child.stdin is None:
                raise OSError("no pipe to zstd")
            yield child.stdin
            child.stdin.close()
        if child.returncode != 0:
            raise OSError(f"zstd ended with exit code {child.returncode}")
    else:
        raise ValueError(f"compression {compression!r}: choose one of {', '.join(MEDIA_TYPES)}")


def _store_layer(layout: Path, source: LayerSource, compression: str, root_owned: bool) -> Layer:
    blobs = layout / "blobs" / "sha256"
    with tempfile.NamedTemporaryFile(dir=blobs, prefix=".", delete=False) as target, contextlib.ExitStack() as undo:
        undo.callback(os.unlink, target.name)
        with _compressor(target, compression) as stream:
            archive = _Hashing(stream)
            if isinstance(source, bytes):
                archive.write(source)
            else:
                _write_folder(archive, Path(source), root_owned)  # type: ignore[arg-type]
        target.flush()
        digest, size = _digest_of(Path(target.name))
        os.chmod(target.name, 0o644)
        os.replace(target.name, blobs / digest)
        undo.pop_all()
    return Layer(f"sha256:{digest}", size, f"sha256:{archive.sha256.hexdigest()}", MEDIA_TYPES[compression])


def _digest_of(path: Path) -> tuple[str, int]:
    sha256 = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            sha256.update(piece)
    return sha256.hexdigest(), path.stat().st_size


def _encode(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
