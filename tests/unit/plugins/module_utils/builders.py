# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several tests build: images, deployments, and hosts as observed, with as few words as they need."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    Deployment,
    GeneratedFile,
    Inputs,
    Value,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._drift import active_files
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import ImageFiles
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import info_file
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    HostFacts,
    Observed,
    Paths,
    UnitState,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import ImageConfig
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan import shown
from ansible_collections.projectatomic.system_containers.plugins.module_utils._render import (
    ImageIdentity,
    Target,
    render,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tmpfiles import MissingSource

ROOT = "/srv/containers"
RUNTIME = "/usr/bin/runc"
DIGEST = "sha256:" + "1" * 64
OTHER_DIGEST = "sha256:" + "2" * 64
CREATED = 1_700_000_000
STARTED = 1_700_000_100.0
"""When the service of ``installed`` started: after its files were written."""

UNIT_TEMPLATE = """[Unit]
Description=An app for $RECEIVER

[Service]
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
WorkingDirectory=$DESTDIR

[Install]
WantedBy=multi-user.target
"""
UNIT_WITHOUT_INSTALL = UNIT_TEMPLATE.partition("[Install]")[0]
TMPFILES_TEMPLATE = "d $STATE_DIRECTORY/$NAME 0700 $HOST_UID $HOST_GID - -\n"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value, NaN and Infinity included, as json.loads accepts them."""

utf8_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any text that can be written to a file."""


def spec(**changes: Any) -> dict[str, Any]:
    """Return a small runtime specification that is accepted, with some of its parts replaced."""
    return {"process": {"args": ["/run.sh"]}, "root": {"path": "rootfs", "readonly": True}, **changes}


def config_template(*args: str, extra: str = "") -> str:
    """Return a config.json.template with these arguments, as JSON spells them, and more text before its end."""
    return (
        '{"process": {"args": [' + ", ".join(f'"{arg}"' for arg in args) + "]},\n"
        ' "root": {"path": "rootfs", "readonly": true}' + extra + "}\n"
    )


def image_files(**changes: Any) -> ImageFiles:
    """Return what an image with a service brings."""
    files = ImageFiles(
        config_template=config_template("/run.sh", "$RECEIVER"),
        service_template=UNIT_TEMPLATE,
        tmpfiles_template=TMPFILES_TEMPLATE,
    )
    return dataclasses.replace(files, **changes)


def image_identity(name: str = "localhost/app:latest", **config: Any) -> ImageIdentity:
    """Return an image; ``config`` are fields of its OCI configuration."""
    image_config = ImageConfig(os="linux", architecture="amd64", **config)
    return ImageIdentity(name=name, image_id="a" * 64, commit="b" * 64, index_digest=None, config=image_config)


def host_facts(**changes: Any) -> HostFacts:
    """Return a host."""
    facts = HostFacts(uid=0, gid=0, runtime=RUNTIME, machine_id="0123", capabilities=("CAP_CHOWN", "CAP_KILL"))
    return dataclasses.replace(facts, **changes)


def inputs(values: Mapping[str, Value] | None = None, *, digest: str = DIGEST) -> Inputs:
    """Return inputs of a deployment."""
    return Inputs(manifest_digest=digest, values={"RECEIVER": "World"} if values is None else values, runtime=RUNTIME)


def deployment(
    *,
    slot: int = 0,
    made_from: Inputs | None = None,
    files: ImageFiles | None = None,
    image: ImageIdentity | None = None,
    name: str = "app",
    created: int = CREATED,
    recorded_uuid: str | None = None,
    missing: Sequence[MissingSource] = (),
    facts: HostFacts | None = None,
) -> Deployment:
    """Render a deployment of an image for the container ``app``."""
    return render(
        image=image or image_identity(),
        files=files or image_files(),
        inputs=made_from or inputs(),
        target=Target(Paths(name=name, root=ROOT), slot, recorded_uuid, created),
        facts=facts or host_facts(),
        find_missing=lambda sources: missing,
    )


def content(rendered: Deployment, path: str) -> str:
    """Return the text of a file of a deployment; ``path`` is absolute or below its directory."""
    wanted = path if path.startswith("/") else f"{rendered.directory}/{path}"
    return next(file.content for file in rendered.files if file.path == wanted)


def config_of(rendered: Deployment) -> dict[str, Any]:
    """Return the runtime specification of a deployment."""
    return json.loads(content(rendered, "config.json"))


def as_found(file: GeneratedFile, *, mtime: float = float(CREATED)) -> FileState:
    """Return a generated file as it is found when nobody touched it."""
    return FileState(content=file.content.encode(), mode=file.mode, mtime=mtime)


def unit_state(*, active: str = "active", enabled: bool = True, **changes: Any) -> UnitState:
    """Return the state of an installed unit."""
    state = UnitState(
        load="loaded",
        active=active,
        sub={"active": "running", "inactive": "dead"}.get(active, active),
        file_state="enabled" if enabled else "disabled",
        since=STARTED if active not in ("inactive", "failed") else None,
    )
    return dataclasses.replace(state, **changes)


def nothing(**changes: Any) -> Observed:
    """Return a host that has nothing of the container ``app``."""
    paths = Paths(name="app", root=ROOT)
    return dataclasses.replace(
        Observed(paths=paths, files=dict.fromkeys((paths.unit, paths.drop_in, paths.unit_options, paths.tmpfiles))),
        **changes,
    )


def installed(active: Deployment, *kept: Deployment, unit: UnitState | None = None, **changes: Any) -> Observed:
    """Return a host on which ``active`` is in use, running and enabled, and ``kept`` are in other slots."""
    files = dict(nothing().files)
    for item in (*kept, active):
        for file in (*item.files, info_file(item)):
            outside = not file.path.startswith(ROOT + "/")
            files[file.path] = None if outside and item is not active else as_found(file)
    for file in active_files(active, nothing().paths):
        files[file.path] = as_found(file)
    observed = nothing(
        deployments=tuple(sorted((active, *kept), key=lambda item: item.slot)),
        has_link=True,
        link_slot=active.slot,
        active_slot=active.slot,
        files=files,
        unit=(unit_state() if active.has_service else UnitState()) if unit is None else unit,
    )
    return dataclasses.replace(observed, **changes)


def with_file(observed: Observed, path: str, state: FileState | None) -> Observed:
    """Return a host on which one file is different."""
    return dataclasses.replace(observed, files={**observed.files, path: state})


def edited(observed: Observed, path: str, **changes: Any) -> Observed:
    """Return a host on which somebody changed one file; by default its content."""
    state = observed.files[path]
    assert state is not None
    return with_file(observed, path, dataclasses.replace(state, **(changes or {"content": state.content + b"#\n"})))


def strings(actions: Iterable[object]) -> list[str]:
    """Return actions as a result shows them."""
    return shown(actions)
