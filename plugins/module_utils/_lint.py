# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check an image before it is published: have it, read it, render it, and ask systemd's own tools."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._deployment import Deployment, Value
from ._describe_images import describe_stored
from ._errors import CommandError, MissingToolError
from ._exports import ImageFiles, parse_exports_manifest, template_variables
from ._image_files import ImageTree, read_image_files
from ._image_paths import ImagePaths
from ._image_request import ImageRequest
from ._images import converge_image, stored_outcome
from ._io import temporary_folder
from ._lint_findings import Finding, Findings
from ._lint_render import RUNTIME, Scene, check_rendering, text_of
from ._lint_rules import (
    MANIFEST,
    TEXTS,
    check_image,
    check_listing,
    check_manifest,
    systemd_findings,
    tmpfiles_findings,
)
from ._models import Paths
from ._oci_image import StoredImage
from ._ostree import Repository
from ._ostree_reader import RepositoryReader
from ._render import ImageIdentity
from ._runner import Completed, run
from ._store import Store
from ._stored_image import layer_commits, read_config

_PREFIX = "system-containers-lint-"
_NOT_OF_THE_IMAGE = ("ref", "commit", "used_by", "broken", "variables")


@dataclass
class Report:
    """What was found in an image. ``variables`` are those that ``values`` can set, with their defaults; ``files`` are the texts
    that would be written on a host by their path, None when there are errors; ``verified`` tells whether systemd looked at them."""

    image: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list)
    variables: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] | None = None
    verified: bool = False


def lint_image(store: Store, request: ImageRequest, values: Mapping[str, Value], *, pull: bool) -> Report:
    """Check an image; with ``pull`` as its source has it now, else the stored one if there is one.

    Nothing of it stays on the host. Raises ``SystemContainerError`` when the image cannot be had.
    """
    findings = Findings()
    with _image(store, request, pull=pull) as (repository, stored, dropped):
        image = describe_stored(repository, stored, used_by=())
        report = Report({key: value for key, value in image.items() if key not in _NOT_OF_THE_IMAGE})
        commits, config = layer_commits(repository, stored.manifest), read_config(repository, stored)
        findings.add(check_image(config, dropped=dropped))
        tree = ImageTree(repository, commits)
        files = _read(tree, findings)
        if files is not None:
            report.variables = template_variables(files)
            identity = ImageIdentity(
                name=str(request.name),
                image_id=stored.docker_digest.partition(":")[2],
                commit=stored.commit,
                index_digest=stored.index_digest,
                config=config,
            )
            lookup = ImagePaths(repository, commits).lookup
            scene = Scene(identity, files, values, lookup, tree.is_regular_file)
            made = check_rendering(scene, findings)
            if made is not None:
                report.verified = _ask_systemd(made, scene.paths, findings)
                report.files = None if findings.has_errors else _installed(made)
        report.findings = findings.sorted()
    return report


@contextlib.contextmanager
def _image(store: Store, request: ImageRequest, *, pull: bool) -> Iterator[tuple[RepositoryReader, StoredImage, int]]:
    """Yield the repository that has the image, the image, and how many entries were dropped when it was pulled for this."""
    if not pull and store.repository.exists() and store.repository.has_ref(request.name.ref):
        stored = stored_outcome(store.repository, request.name).stored
        if stored is not None:
            yield store.repository, stored, 0
            return
    request.source()  # raises for a name that says no registry
    if os.geteuid() != 0:
        raise PermissionError("An image cannot be unpacked with its owners")
    with temporary_folder(os.environ.get("TMPDIR") or "/var/tmp", _PREFIX) as folder:
        repository = Repository(f"{folder}/repo")
        outcome = converge_image(repository, request, refresh=False, check_mode=False)
        if outcome.stored is not None:
            yield repository, outcome.stored, outcome.result.dropped if outcome.result else 0


def _read(tree: ImageTree, findings: Findings) -> ImageFiles | None:
    """Return what the image has under /exports, None when a part of it cannot be read."""
    listing = findings.attempt("exports", "/exports", lambda: tree.list("/exports"))
    if listing is None:
        return None
    if not listing:
        findings.add([Finding("no-exports", "The image has nothing in /exports")])
    findings.add(check_listing(path for path, placed in listing.items() if placed.entry.type != "d"))
    for path in TEXTS:
        text = findings.attempt("exports", path, functools.partial(tree.read, listing, path))
        if path == MANIFEST and text is not None:
            parsed = findings.attempt("manifest", path, functools.partial(parse_exports_manifest, text))
            findings.add(check_manifest(text) if parsed is not None else ())
    if findings.by_rule("exports", "manifest"):
        return None
    return findings.attempt("exports", None, lambda: read_image_files(tree))


def _ask_systemd(made: Deployment, paths: Paths, findings: Findings) -> bool:
    """Let systemd's own tools judge the unit and the tmpfiles.d file; tell whether this host has them."""
    unit, drop_in, tmpfiles = (text_of(made, path) for path in (paths.unit, paths.drop_in, paths.tmpfiles))
    with temporary_folder(os.environ.get("TMPDIR") or "/var/tmp", _PREFIX) as folder:
        unit_file, tmpfiles_file = f"{folder}/{paths.unit_name}", f"{folder}/{paths.name}.conf"
        os.mkdir(f"{unit_file}.d")
        for file, text in ((unit_file, unit), (f"{unit_file}.d/drop-in.conf", drop_in), (tmpfiles_file, tmpfiles)):
            with open(file, "w", encoding="utf-8", errors="surrogateescape") as output:
                output.write(text)
        # With a prefix that nothing has, lines are read and nothing is made.
        done = _run("systemd-tmpfiles", "--create", "--prefix=/.none", tmpfiles_file)
        if done is not None:
            findings.add(tmpfiles_findings(done.error_text, file=tmpfiles_file))
        if not made.has_service:
            return done is not None
        done = _run("systemd-analyze", "verify", "--man=no", unit_file)
        if done is not None:
            findings.add(systemd_findings(done.error_text, unit=unit_file, runtime=RUNTIME))
        return done is not None


def _installed(made: Deployment) -> dict[str, str]:
    """Return the texts of a deployment by their path, without the copies that it keeps of them."""
    config = f"{made.directory}/config.json"
    return {
        file.path: file.content
        for file in made.files
        if file.path == config or not file.path.startswith(f"{made.directory}/")
    }


def _run(*argv: str) -> Completed | None:
    """Run a tool; None when there is none, or when it does not end."""
    try:
        return run(argv, check=False)
    except (MissingToolError, CommandError):
        return None
