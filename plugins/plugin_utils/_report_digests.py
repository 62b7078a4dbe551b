# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where one image, or one name, stands for different bytes in a fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Place = tuple[str, str]  # host and container


def place(row: Row) -> Place:
    """Return what identifies a row: its host and the name of its container."""
    return row["host"], row["name"]


def differing_digests(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the images, and the names of containers, that have more than one digest.

    Each is a dict of ``name`` and ``image``, both set when both are the same for all its containers, and ``digests``, the most
    frequent first: dicts of ``digest``, ``images`` (the names it has there) and ``containers`` (dicts of ``host`` and
    ``name``). Platforms of one index count as the same. What has no recorded digest is left out.
    """
    version = _version_of(rows)
    known = [row for row in rows if version(row) is not None]
    by_name = _differing(known, key="name", version=version)
    by_image = _differing(known, key="image", version=version)
    found = [_describe(members, version) for members in by_name]
    # Where all containers of an image have one name, both say the same.
    seen = {_places(members) for members in by_name}
    found += [_describe(members, version) for members in by_image if _places(members) not in seen]
    return sorted(found, key=lambda item: (item["name"] or "", item["image"] or ""))


def odd_places(differing: Iterable[Mapping[str, Any]]) -> set[Place]:
    """Return the containers that have another digest than most; all of them where none is the most frequent."""
    found: set[Place] = set()
    for entry in differing:
        first, second, *_rest = (part["containers"] for part in entry["digests"])
        for part in entry["digests"][len(first) > len(second) :]:
            found |= {(item["host"], item["name"]) for item in part["containers"]}
    return found


def _version_of(rows: Iterable[Row]) -> Callable[[Row], str | None]:
    """Return what tells the digest to compare: that of the index, also where only the manifest was named."""
    indexes = {row["manifest_digest"]: row["index_digest"] for row in rows if row["index_digest"]}

    def version(row: Row) -> str | None:
        manifest = row["manifest_digest"]
        return row["index_digest"] or indexes.get(manifest, manifest)

    return version


def _differing(rows: Iterable[Row], *, key: str, version: Callable[[Row], str | None]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row[key]:
            groups.setdefault(row[key], []).append(row)
    return [members for members in groups.values() if len({version(row) for row in members}) > 1]


def _places(rows: Iterable[Row]) -> frozenset[Place]:
    return frozenset(place(row) for row in rows)


def _describe(rows: Sequence[Row], version: Callable[[Row], str | None]) -> dict[str, Any]:
    digests: dict[str, list[Row]] = {}
    for row in rows:
        digests.setdefault(str(version(row)), []).append(row)
    return {
        "name": _only(row["name"] for row in rows),
        "image": _only(row["image"] for row in rows),
        "digests": [
            {
                "digest": digest,
                "images": sorted({row["image"] for row in members if row["image"]}),
                "containers": [{"host": row["host"], "name": row["name"]} for row in members],
            }
            for digest, members in sorted(digests.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
    }


def _only(values: Iterable[str | None]) -> str | None:
    """Return the value that all have, None when they differ."""
    different = set(values)
    return different.pop() if len(different) == 1 else None
