# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render an image part by part, so that an error in one does not hide those in others (pure).

An installation renders all at once and stops at the first error. Here it is the same rendering, each time of an image of
which all but one part are replaced by ones that are right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._capabilities import capability_names
from ._deployment import Deployment, Inputs, Value
from ._exports import HOSTFS, ExportsManifest, ImageFiles, is_template
from ._host_file_plan import check_places
from ._host_files import dropped_bits, named_in_vain
from ._lint_config import check_config
from ._lint_findings import Finding, Findings
from ._lint_rules import (
    CONFIG,
    CONFIG_TEMPLATE,
    MANIFEST,
    SERVICE,
    TMPFILES,
    check_defaults,
    check_files,
    check_unit,
    made_paths,
    missing_variables,
    template_texts,
)
from ._models import HostFacts, Paths
from ._mount_targets import Lookup, check_mount_targets
from ._render import ImageIdentity, Target, render
from ._runtime_spec import parse_runtime_spec
from ._template import FORCED, HOST_DEFAULTS, variables
from ._tmpfiles import MissingSource

RUNTIME = "/usr/bin/runc"
"""The runtime of the host that images are rendered for."""

_ROOT = "/var/lib/containers/atomic"
_FACTS = HostFacts(
    uid=0,
    gid=0,
    runtime=RUNTIME,
    machine_id="0" * 32,
    capabilities=capability_names(-1),
    selinux=True,
    apparmor=True,
)
"""A host that lacks nothing."""

_RIGHT = ImageFiles(
    config='{"process": {"args": ["/"]}, "root": {"path": "rootfs", "readonly": true}}',
    service_template="[Service]\nExecStart=$EXEC_START\n",
    tmpfiles_template="",
)


@dataclass(frozen=True)
class Scene:
    """An image to check: what it has in /exports, the user's values, and how to look at its other files."""

    image: ImageIdentity
    files: ImageFiles
    values: Mapping[str, Value]
    lookup: Lookup
    is_regular_file: Callable[[str], bool]

    @property
    def paths(self) -> Paths:
        """A container of the image's name."""
        name = self.image.name.partition("@")[0].rpartition("/")[2].partition(":")[0]
        return Paths(name=name, root=_ROOT)


def check_rendering(scene: Scene, findings: Findings) -> Deployment | None:
    """Add what is wrong with an image's files, and return what would be installed, None when that is not possible."""
    files = scene.files
    findings.add([*check_files(files), *check_defaults(files)])
    findings.add(missing_variables(template_texts(files), _valued(scene)))
    unit = _check_unit(scene, findings)
    config = _part(
        scene, findings, "config", _config_path(files), config=files.config, config_template=files.config_template
    )
    tmpfiles = _check_tmpfiles(scene, findings, fits=config is not None)
    _check_host_files(scene, findings)
    if config is not None:
        _check_config(scene, findings, config, unit=unit, tmpfiles=tmpfiles)
    # Alone, no part shows what is wrong with all of them together, such as a label of the image.
    whole = None if findings.has_errors else findings.attempt("image", None, lambda: _render(scene, files))
    if whole is not None:
        findings.attempt("hostfs", HOSTFS, lambda: check_places(whole))
    return None if findings.has_errors else whole


def _check_unit(scene: Scene, findings: Findings) -> Deployment | None:
    if scene.files.manifest.no_container_service:
        return None
    made = _part(scene, findings, "unit", SERVICE, service_template=scene.files.service_template)
    if made is not None:
        unit = text_of(made, scene.paths.unit)
        findings.add(check_unit(unit, is_default=scene.files.service_template is None))
    return made


def _check_tmpfiles(scene: Scene, findings: Findings, *, fits: bool) -> Deployment | None:
    """Render tmpfiles.template; without one, its lines come from the mounts of a config.json that ``fits``."""
    changes: dict[str, Any] = {"tmpfiles_template": scene.files.tmpfiles_template}
    if scene.files.tmpfiles_template is None:
        if not fits:
            return None
        changes.update(config=scene.files.config, config_template=scene.files.config_template)
    return _part(scene, findings, "tmpfiles", TMPFILES, **changes)


def _check_host_files(scene: Scene, findings: Findings) -> None:
    files = scene.files
    renames, templates = files.manifest.rename_files, files.manifest.templates
    if _part(scene, findings, "hostfs", MANIFEST, manifest=ExportsManifest(rename_files=renames)) is None:
        return
    for file in files.host_files:
        if is_template(file.path, renames=renames, templates=templates):
            _part(scene, findings, "hostfs", HOSTFS + file.path, manifest=files.manifest, host_files=(file,))
    _part(scene, findings, "hostfs", HOSTFS, manifest=files.manifest, host_files=files.host_files)
    for path in dropped_bits(files.host_files):
        findings.add([Finding("hostfs-setuid", f"'{path}' loses its setuid or setgid bits on the host", path)])
    for path in named_in_vain(files.host_files, renames=renames, templates=templates):
        findings.add([Finding("manifest-path", f"It names '{path}', which is not below {HOSTFS}", MANIFEST)])


def _check_config(
    scene: Scene, findings: Findings, made: Deployment, *, unit: Deployment | None, tmpfiles: Deployment | None
) -> None:
    path = _config_path(scene.files)
    spec = parse_runtime_spec(text_of(made, f"{made.directory}/config.json"), file="config.json")
    findings.add(Finding("runtime", warning, path) for warning in made.warnings)
    findings.attempt("mounts", path, lambda: check_mount_targets(spec, scene.lookup))
    if findings.by_rule("mounts"):
        return
    places = made_paths(
        text_of(unit, scene.paths.unit) if unit else "", text_of(tmpfiles, scene.paths.tmpfiles) if tmpfiles else ""
    )
    places |= {file.path for file in scene.files.host_files}
    findings.add(check_config(spec, scene.lookup, path=path, made=places))


def text_of(made: Deployment, path: str) -> str:
    """Return the text of a file of a deployment, empty when it has no such file."""
    return next((file.content for file in made.files if file.path == path), "")


def _part(scene: Scene, findings: Findings, rule: str, path: str | None, **changes: Any) -> Deployment | None:
    """Render an image of which only ``changes`` are as they are; None when that fails, or lacks a value."""
    manifest = scene.files.manifest
    bare = dataclasses.replace(manifest, rename_files={}, templates=(), no_container_service=False)
    if "manifest" in changes:
        kept = changes["manifest"]
        changes["manifest"] = dataclasses.replace(bare, rename_files=kept.rename_files, templates=kept.templates)
    files = dataclasses.replace(
        _RIGHT, **{"manifest": bare, "passwd": scene.files.passwd, "group": scene.files.group, **changes}
    )
    if any(variables(text) - _valued(scene) for text in template_texts(files).values()):
        return None
    image = dataclasses.replace(scene.image, config=dataclasses.replace(scene.image.config, labels={}))
    return findings.attempt(rule, path, lambda: _render(dataclasses.replace(scene, image=image), files))


def _render(scene: Scene, files: ImageFiles) -> Deployment:
    def find_missing(binds: Sequence[tuple[str, str]]) -> list[MissingSource]:
        # As on a host that has none of them: no line of tmpfiles.d may be one that cannot be written.
        return [MissingSource(source, is_file=scene.is_regular_file(destination)) for source, destination in binds]

    return render(
        image=scene.image,
        files=files,
        inputs=Inputs(manifest_digest="", values=scene.values, runtime=RUNTIME),
        target=Target(paths=scene.paths, slot=0, recorded_uuid=None, created=0),
        facts=_FACTS,
        find_missing=find_missing,
    )


def _valued(scene: Scene) -> set[str]:
    """Return the variables that have a value."""
    return {*scene.values, *scene.files.manifest.default_values, *FORCED, *HOST_DEFAULTS}


def _config_path(files: ImageFiles) -> str | None:
    """Return the file that config.json is made from, None when it is the image's configuration."""
    if files.config is not None:
        return CONFIG
    return CONFIG_TEMPLATE if files.config_template is not None else None
