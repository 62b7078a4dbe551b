# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Atomic put on the host comes back when an update of its container fails."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils.builders import deployment, image_files, inputs, installed, strings, unit_state
from unit.plugins.module_utils.host_model import apply

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _host_file_io
from ansible_collections.projectatomic.system_containers.plugins.module_utils._actions import InstallHostFile, StartUnit
from ansible_collections.projectatomic.system_containers.plugins.module_utils._apply_change import _plan_back
from ansible_collections.projectatomic.system_containers.plugins.module_utils._atomic_host_files import restorable
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    plan_container,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import HostFile
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageHostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_files import atomic_host_files
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import HostFileState
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan import parts_of

CONF, TOOL, LINK, FOLDER = "/etc/app.conf", "/usr/bin/app-tool", "/etc/app-link", "/srv/app"
BINARY = b"\x7fELF\0"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def there(data: bytes, *, mode: int = 0o644, text: bool = True) -> HostFileState:
    return HostFileState("-", mode, 3, 4, sha256(data), text=data.decode() if text else None)


FOUND: dict[str, HostFileState | None] = {
    CONF: there(b"Hello World"),
    TOOL: there(BINARY, mode=0o755, text=False),
    LINK: HostFileState("l", 0o777, 0, 0, target="app.conf"),
    FOLDER: HostFileState("d", 0o750, 5, 6),
}
ATOMIC = dataclasses.replace(
    deployment(),
    inputs=None,
    id="",
    host_files=atomic_host_files({CONF: sha256(b"Hello World"), TOOL: sha256(BINARY), LINK: 0, FOLDER: 0}),
    renames={"/usr/bin/tool": TOOL},
)


def completed(path: str, *, image: bytes | None = None, **found: HostFileState | None) -> HostFile | None:
    """Return one of the files; ``conf`` is what was found of the first one otherwise, ``now`` what is, ``image`` what it has."""
    before = {**FOUND, CONF: found.get("conf", FOUND[CONF])}
    now = {**before, CONF: found.get("now", before[CONF])}
    files = restorable(ATOMIC, before, now, read=lambda origin: image).host_files
    return next((file for file in files if file.path == path), None)


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        (CONF, {"kind": "-", "mode": 0o644, "uid": 3, "gid": 4, "content": "Hello World"}),
        (TOOL, {"kind": "-", "mode": 0o755, "content": None, "origin": "/exports/hostfs/usr/bin/tool"}),
        (LINK, {"kind": "l", "target": "app.conf"}),
        (FOLDER, {"kind": "d", "mode": 0o750, "uid": 5, "gid": 6}),
    ],
)
def test_completed_by_what_is_there(path: str, facts: dict[str, Any]) -> None:
    file = completed(path)
    assert {key: getattr(file, key) for key in facts} == facts


def test_what_was_edited_comes_from_the_image() -> None:
    file = completed(CONF, conf=there(b"edited"))
    assert file is not None
    assert (file.sha256, file.content, file.origin) == (sha256(b"Hello World"), None, f"/exports/hostfs{CONF}")


@pytest.mark.parametrize(
    ("image", "content"),
    [(b"Hello $RECEIVER", "Hello World"), (b"Hello ${RECEIVER}", "Hello World"), (b"Hello World", None)],
    ids=["template", "braces", "as it is"],
)
def test_what_was_edited_is_rendered_again(image: bytes, content: str | None) -> None:
    """From what Atomic recorded of the values; a plain file is copied."""
    file = completed(CONF, image=image, conf=there(b"edited", mode=0o600))
    assert file is not None
    assert (file.sha256, file.content, file.mode) == (sha256(b"Hello World"), content, 0o600)


@pytest.mark.parametrize("image", [b"another version", b"Hello $UNKNOWN", b"$ 5", b"\xff"])
def test_what_is_lost_stays_as_it_is(image: bytes) -> None:
    file = completed(CONF, image=image, conf=there(b"edited"), now=there(b"the new version's", mode=0o640))
    assert file is not None
    assert (file.sha256, file.mode) == (sha256(b"the new version's"), 0o640)


def test_what_is_missing_is_none_of_its_files() -> None:
    assert completed(CONF, conf=None) is None


def test_what_is_there_is_looked_up_by_place() -> None:
    (file,) = restorable(
        dataclasses.replace(ATOMIC, host_files=atomic_host_files({FOLDER: 0})),
        {"/var/srv/app": FOUND[FOLDER]},
        {},
        read=lambda origin: None,
        links={"/srv": "/var/srv"},
    ).host_files
    assert (file.path, file.kind) == (FOLDER, "d")


@pytest.mark.parametrize(
    ("renames", "path", "origin"),
    [
        ({}, "/a/b", "/a/b"),
        ({"/a": "/x"}, "/x/b", "/a/b"),
        ({"/a/b": "/x/app"}, "/x/app", "/a/b"),
        ({"/a/b": "/x/app"}, "/x/apple", "/x/apple"),
        ({"/a": "/x", "/x/b": "/y"}, "/y", "/x/b"),
    ],
)
def test_origin(renames: dict[str, str], path: str, origin: str) -> None:
    atomic = dataclasses.replace(ATOMIC, renames=renames, host_files=atomic_host_files({path: "a" * 64}))
    (file,) = restorable(atomic, {path: there(b"x")}, {}, read=lambda origin: None).host_files
    assert file.origin == f"/exports/hostfs{origin}"


def test_an_update_that_fails_brings_the_files_back(tmp_path: Path) -> None:
    """A rendered one that changed, and a program that the new image has no more."""
    atomic = dataclasses.replace(
        ATOMIC, host_files=atomic_host_files({CONF: sha256(b"Hello World"), TOOL: sha256(BINARY)})
    )
    before = dataclasses.replace(
        installed(deployment()), deployments=(atomic,), host_files={CONF: FOUND[CONF], TOOL: FOUND[TOOL]}
    )
    host_files = (ImageHostFile(CONF, "-", 0o644, 3, 4, text="Hello $RECEIVER"),)
    files = image_files(manifest=ExportsManifest(templates=(CONF,)), host_files=host_files)
    target = deployment(slot=1, made_from=inputs({"RECEIVER": "Ansible"}), files=files)
    steps = plan_container(Desired("started", True), before, target).actions
    failed = apply(before, steps[: [type(step) for step in steps].index(StartUnit) + 1])
    failed = dataclasses.replace(failed, unit=unit_state(active="failed"))
    back = _plan_back(before, failed, target, keep=2)
    assert back is not None

    root, slot = tmp_path / "host", tmp_path / "slot"
    for place, content in (
        (root / "etc", b""),
        (root / "usr/bin", b""),
        (slot / "rootfs/exports/hostfs/usr/bin", BINARY),
    ):
        place.mkdir(parents=True)
        (place / "tool").write_bytes(content)
    for action in parts_of(back.actions):
        if isinstance(action, InstallHostFile):
            mine = dataclasses.replace(action.file, uid=-1, gid=-1)
            _host_file_io.install(mine, str(slot), root=str(root))
    assert (root / CONF[1:]).read_text() == "Hello World"
    assert (root / TOOL[1:]).read_bytes() == BINARY
    assert (root / TOOL[1:]).stat().st_mode & 0o777 == 0o755

    after = apply(failed, back.actions)
    assert (after.active_slot, after.unit.active) == (0, "active")
    assert f"write {atomic.directory}/info" not in strings(back.actions)
