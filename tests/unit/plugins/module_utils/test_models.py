# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain values: paths, unit states, and what counts as a container on the host."""

from __future__ import annotations

import hashlib

import pytest
from unit.plugins.module_utils.builders import deployment, installed, nothing, with_file

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    BrokenSlot,
    GeneratedFile,
    HostFile,
    deployment_id,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    Observed,
    Paths,
    UnitState,
)


def test_paths() -> None:
    paths = Paths(name="app", root="/srv/x")
    assert paths.link == "/srv/x/app"
    assert paths.slot(1) == "/srv/x/app.1"
    assert paths.unit_name == "app.service"
    assert paths.unit == "/etc/systemd/system/app.service"
    assert paths.drop_in == "/etc/systemd/system/app.service.d/10-system-containers.conf"
    assert paths.tmpfiles == "/etc/tmpfiles.d/app.conf"


@pytest.mark.parametrize(
    ("active", "running"),
    [
        ("active", True),
        ("activating", True),
        ("reloading", True),
        ("refreshing", True),
        ("deactivating", True),
        ("inactive", False),
        ("failed", False),
        ("maintenance", False),
    ],
)
def test_running(active: str, running: bool) -> None:
    assert UnitState(active=active).running is running


@pytest.mark.parametrize(
    ("file_state", "enabled"),
    [
        ("enabled", True),
        ("disabled", False),
        ("static", False),
        ("masked", False),
        ("generated", False),
        ("indirect", False),
        ("", False),
    ],
)
def test_enabled(file_state: str, enabled: bool) -> None:
    assert UnitState(file_state=file_state).enabled is enabled


def test_sha256() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert GeneratedFile("/a", "", 0o600).sha256 == empty
    assert GeneratedFile("/a", "é\udcff", 0o600).sha256 != empty


def unit(text: bytes) -> FileState:
    return FileState(content=text, mode=0o644, mtime=0)


UNIT = Paths("app", "/srv/containers").unit


@pytest.mark.parametrize(
    ("observed", "exists"),
    [
        (nothing(), False),
        (installed(deployment()), True),
        (nothing(has_link=True), True),
        (nothing(broken=(BrokenSlot(0, "/srv/containers/app.0", "x"),)), True),
        (with_file(nothing(), nothing().paths.drop_in, unit(b"# Container: /srv/containers/app\n")), True),
        (with_file(nothing(), nothing().paths.drop_in, unit(b"# Container: /srv/elsewhere/app\n")), False),
        (with_file(nothing(), nothing().paths.drop_in, unit(b"")), False),
        (nothing(leftovers=("/srv/containers/.app.0.new",)), True),
        (with_file(nothing(), UNIT, unit(b"WorkingDirectory=/srv/containers/app.0\n")), True),
        (with_file(nothing(), UNIT, unit(b"WorkingDirectory=/srv/containers/app2.0\n")), False),
        (with_file(nothing(), UNIT, unit(b"ExecStart=/usr/bin/app\n")), False),
        (with_file(nothing(), nothing().paths.tmpfiles, unit(b"")), False),
        (nothing(unit=UnitState(load="loaded", active="active")), False),
    ],
)
def test_exists(observed: Observed, exists: bool) -> None:
    assert observed.exists is exists


def test_active() -> None:
    first, second = deployment(), deployment(slot=1)
    assert installed(first, second).active == first
    assert installed(second, first).active == second
    assert nothing().active is None


def test_deployment_id_never_changes() -> None:
    """Ids are on hosts and in playbooks; a new version of the collection has to give the same ones."""
    files = (GeneratedFile("/r/a.0/config.json", "{}\n", 0o600), GeneratedFile("/etc/x", "in /r/a.0", 0o644))
    assert deployment_id("sha256:" + "0" * 64, files, "/r/a.0") == "0ca20722e01f"


def rendered_host_file(text: str) -> HostFile:
    return HostFile("/usr/bin/x", "-", 0o755, 0, 0, hashlib.sha256(text.encode()).hexdigest(), content=text)


def test_deployment_id_of_rendered_host_files() -> None:
    """One that names the slot's directory is the same in every slot; the others count as they always did."""

    def made(directory: str, text: str, **how: bool) -> str:
        return deployment_id("sha256:1", (), directory, host_files=(rendered_host_file(text),), **how)

    assert made("/r/a.0", "cd /r/a.0") == made("/r/a.1", "cd /r/a.1") != made("/r/a.1", "cd /r/b.1")
    assert made("/r/a.0", "cd /r") == made("/r/a.0", "cd /r", by_slot=True)
    assert made("/r/a.0", "cd /r/a.0", by_slot=True) != made("/r/a.1", "cd /r/a.1", by_slot=True)


def test_deployment_id_ignores_the_slot_alone() -> None:
    def made(directory: str, text: str, path: str = "/etc/x", mode: int = 0o644) -> str:
        files = (GeneratedFile(f"{directory}/config.json", text, 0o600), GeneratedFile(path, f"in {directory}", mode))
        return deployment_id("sha256:1", files, directory)

    assert made("/r/a.0", "x") == made("/r/a.1", "x")
    assert (
        len({made("/r/a.0", "x"), made("/r/a.0", "y"), made("/r/a.0", "x", "/etc/y"), made("/r/a.0", "x", mode=0)}) == 4
    )
