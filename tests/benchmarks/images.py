# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images made from contents and put into the registry."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.image_builder import Image, Layer, build_image
from lab.process import LabError, run

from benchmarks.content import Shape, files_of
from benchmarks.registry import Registry

_TIMEOUT = 600.0


@dataclass(frozen=True)
class PublishedImage:
    """An image in the registry. ``layout`` still holds its layers as files."""

    reference: str
    shape: Shape
    image: Image

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.image.layers

    @property
    def size(self) -> int:
        """Bytes of all layers as they are fetched."""
        return sum(layer.size for layer in self.layers)

    def blob(self, layer: Layer) -> Path:
        """Return the file of a layer."""
        return self.image.layout / "blobs/sha256" / layer.digest.removeprefix("sha256:")

    def __str__(self) -> str:
        return f"{self.shape}, {self.size / 1e6:.0f} MB compressed"


def folders_of(shape: Shape, folder: Path) -> list[Path]:
    """Write the files of a shape and return the folder of each layer."""
    layers = [folder / f"layer{number}" for number in range(shape.layers)]
    for layer, path, content in files_of(shape):
        target = layers[layer] / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return layers


def publish(
    shape: Shape, *, folder: Path, registry: Registry, environment: Mapping[str, str], layers: int | None = None
) -> PublishedImage:
    """Make an image of a shape, or of its first ``layers``, in ``folder``, and put it into the registry."""
    tag = f"{layers or shape.layers}"
    files = folder / "files"
    image = build_image(folder / "layout", layers=folders_of(shape, files)[:layers], tag=tag)
    shutil.rmtree(files)
    reference = f"{registry.address}/{shape.key}:{tag}"
    argv = ["skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", image.reference]
    run([*argv, f"docker://{reference}"], environment=environment, timeout=_TIMEOUT)
    return PublishedImage(reference, shape, image)


def check_space(folder: Path, needed: int) -> None:
    """Raise ``LabError`` when the file system of ``folder`` has fewer free bytes than that."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LabError(
            f"'{folder}' has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed: choose another --work folder"
        )
