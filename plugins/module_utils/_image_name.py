# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image names: what a user writes, and the OSTree ref that it stands for.

The grammar is that of the distribution project's reference package
(https://pkg.go.dev/github.com/distribution/reference). Whether a name has a registry is decided by grammar alone:
its first component has a dot or a colon, or is ``localhost``. No registry is ever guessed.
"""

from __future__ import annotations

import itertools
import re

from ._errors import InvalidInputError
from ._record import dataclass

REF_PREFIX = "ociimage/"

IMPORT_KEY = "system-containers.import"
"""Metadata of the commit that an imported layer is made from: of no use once the layer has its own."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_REGISTRY = re.compile(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
    r"|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?\Z"
)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_ESCAPED = re.compile(r"_([0-9A-F]{2})")
_MAX_NAME = 255
_MAX_FILE_NAME = 255
"""Bytes, as all common file systems of Linux have it (limits.h, NAME_MAX)."""


@dataclass(frozen=True)
class ImageName:
    """A parsed image name; ``tag`` and ``digest`` are never both set, and one of them always is."""

    registry: str | None
    path: str
    tag: str | None
    digest: str | None

    @property
    def repository(self) -> str:
        """The name without tag and digest, such as ``registry.example.com/app``."""
        return f"{self.registry}/{self.path}" if self.registry else self.path

    @property
    def qualified(self) -> bool:
        """Whether the name says which registry it comes from."""
        return self.registry is not None

    @property
    def ref(self) -> str:
        """The OSTree ref of the image, such as ``ociimage/localhost_2Fapp_3Alatest``.

        ``InvalidInputError`` for a name that is too long for it: the ref is the name of a file.
        """
        encoded = encode_ref(str(self))
        if len(encoded) > _MAX_FILE_NAME:
            raise _invalid(
                str(self),
                f"it is too long to be stored: '/', '_', ':' and '@' count three times, and all may have {_MAX_FILE_NAME}"
                f" characters, but have {len(encoded)}: choose a shorter name, and give the long one as 'source'",
            )
        return REF_PREFIX + encoded

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse_image_name(text: str) -> ImageName:
    """Parse ``[registry/]path[:tag]`` or ``[registry/]path@sha256:...``; the tag ``latest`` is added when missing.

    Raises ``InvalidInputError`` with the part that is wrong.
    """
    name, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        raise _invalid(text, f"'{digest}' is not a digest (sha256: and 64 hex digits)")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    elif not _TAG.match(tag):
        raise _invalid(text, f"'{tag}' is not a tag (letters, digits, '_', '.', '-', at most 128)")
    if tag and digest:
        raise _invalid(text, f"it has both a tag and a digest: write '{head}@{digest}' or '{head}:{tag}'")
    registry, path = _split_registry(head)
    if registry is not None and not _REGISTRY.match(registry):
        raise _invalid(text, f"'{registry}' is not a registry (host name and optional port)")
    for component in path.split("/"):
        if not _COMPONENT.match(component):
            raise _invalid(text, f"'{component}' is not a path component (lower-case letters, digits, '.', '_', '-')")
    if len(head) > _MAX_NAME:
        raise _invalid(text, f"it is longer than {_MAX_NAME} characters")
    return ImageName(registry=registry, path=path, tag=None if digest else (tag or "latest"), digest=digest or None)


def encode_ref(text: str) -> str:
    """Return ``text`` with each byte outside ``[A-Za-z0-9.-]`` as ``_XX`` (upper-case hex), as Atomic wrote it."""
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in ".-") else f"_{byte:02X}"
        for byte in text.encode("utf-8")
    )


def decode_ref(text: str) -> str:
    """Undo ``encode_ref``."""
    pieces = _ESCAPED.split(text)  # text, two hex digits, text, ...
    decoded = b"".join(
        bytes([int(piece, 16)]) if odd else piece.encode("utf-8", "surrogateescape")
        for piece, odd in zip(pieces, itertools.cycle((False, True)))
    )
    return decoded.decode("utf-8", "replace")


def is_digest(text: object) -> bool:
    """Tell whether ``text`` is ``sha256:`` and 64 lower-case hex digits, nothing else."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def _split_registry(head: str) -> tuple[str | None, str]:
    first, slash, rest = head.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return None, head


def _invalid(text: str, reason: str) -> InvalidInputError:
    return InvalidInputError(f"'{text}' is not an image name: {reason}")
