# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which image a task means, and where it comes from (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ._errors import InvalidInputError
from ._image_name import ImageName, parse_image_name
from ._image_source import check_source, platform_flags
from ._oci_image import LayerLimits, SourceOptions
from ._record import dataclass


@dataclass(frozen=True)
class ImageRequest:
    """Which image is meant, and where it comes from; ``options`` is None when nothing says where.

    ``tags`` are more names for it; ``verify`` asks to hash again what is stored.
    """

    name: ImageName
    options: SourceOptions | None
    tags: tuple[ImageName, ...] = ()
    verify: bool = False

    def source(self) -> SourceOptions:
        """Return where the image comes from; raises ``InvalidInputError`` for an unqualified name with no source."""
        if self.options is None:
            raise InvalidInputError(
                f"The image name '{self.name}' says no registry, and none is guessed: write it with its registry, such as"
                f" 'registry.example.com/{self.name}', or say where it comes from with 'source'"
            )
        return self.options


def image_request(name: str, params: Mapping[str, Any]) -> ImageRequest:
    """Return what the options of a task mean; raises ``InvalidInputError`` for a name or source of the wrong form."""
    parsed = parse_image_name(name)
    source = params["source"]
    if source is None:
        source = f"docker://{parsed}" if parsed.qualified else None
    platform_flags(params["platform"])  # raises for what is none, also when nothing is pulled
    request = ImageRequest(parsed, None, _tags(parsed, params), verify=bool(params.get("verify")))
    if source is None:
        return request
    check_source(source)
    keys = ("username", "password", "authfile", "validate_certs", "cert_dir", "platform")
    options = SourceOptions(
        source=source,
        **{key: params[key] for key in keys},
        timeout=_positive(params, "pull_timeout"),
        retries=_positive(params, "pull_retries", least=0),
        limits=LayerLimits(*(_positive(params, f"max_layer_{what}") for what in ("size", "entries", "ratio"))),
    )
    if not source.startswith("docker:"):
        # Defaults for all tasks may set credentials; what is not a registry has no use for them.
        options = dataclasses.replace(options, username=None, password=None, authfile=None)
    return dataclasses.replace(request, options=options)


def _tags(parsed: ImageName, params: Mapping[str, Any]) -> tuple[ImageName, ...]:
    """Return the option ``tags``, of which a name with a digest is none: only the image itself has its digest."""
    tags = tuple(parse_image_name(tag) for tag in params.get("tags") or ())
    for tag in tags:
        if tag.digest is not None:
            raise InvalidInputError(f"tags: '{tag}' has a digest, which no image can be given: leave out the digest")
    return tuple(tag for tag in dict.fromkeys(tags) if tag != parsed)


def _positive(params: Mapping[str, Any], option: str, *, least: int = 1) -> int:
    value = int(params[option])
    if value < least:
        raise InvalidInputError(f"{option}: {value} is too small, {least} is the least")
    return value
