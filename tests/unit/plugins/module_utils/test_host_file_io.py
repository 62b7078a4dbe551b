# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host files looked at, installed and removed below a temporary folder that stands for the root."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils.builders import deployment as rendered

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _actions, _host_file_io
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment, HostFile
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    StoreError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_file_plan import (
    HostFileChanges,
    edited_files,
    matches,
    observed_paths,
    plan_host_files,
    plan_host_files_absent,
    shared_paths,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import HostFileState

UID, GID = os.getuid(), os.getgid()
needs_root = pytest.mark.skipif(UID != 0, reason="optional: only root gives files to others")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder that stands for the root of the host."""
    folder = tmp_path / "root"
    (folder / "etc").mkdir(parents=True)
    return folder


@pytest.fixture
def slot(tmp_path: Path) -> Path:
    """Return the directory of a deployment."""
    folder = tmp_path / "app.0"
    (folder / "rootfs").mkdir(parents=True)
    return folder


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def in_image(slot: Path, path: str, data: bytes = b"text\n", **changes: Any) -> HostFile:
    """Put a file into the deployment's checkout, and return what is to be installed."""
    place = slot / "rootfs/exports/hostfs" / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    facts = {"mode": 0o640, "uid": UID, "gid": GID, "sha256": digest(data), **changes}
    return HostFile(path, "-", origin=f"/exports/hostfs{path}", **facts)


def link(path: str, target: str) -> HostFile:
    return HostFile(path, "l", 0o777, UID, GID, target=target, origin=f"/exports/hostfs{path}")


def install(file: HostFile, slot: Path, root: Path) -> None:
    _host_file_io.install(file, str(slot), root=str(root))


def observe(root: Path, *paths: str) -> dict[str, HostFileState | None]:
    return _host_file_io.observe(paths, root=str(root))


def listing(folder: Path) -> list[str]:
    """Return all below a folder with type, mode, inode and time: equal lists mean that nothing was written."""
    found = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.append(f"{path} {status.st_mode:o} {status.st_uid} {status.st_ino} {status.st_mtime_ns}")
    return found


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- looking


def test_observe(root: Path) -> None:
    (root / "etc/f").write_bytes(b"text\n")
    (root / "etc/f").chmod(0o4751)
    (root / "etc/l").symlink_to("/etc/shadow")
    (root / "etc/d").mkdir(mode=0o700)
    (root / "etc/d/b").touch()
    (root / "etc/d/a").mkdir()
    os.mkfifo(root / "etc/p")
    (root / "etc/bin").write_bytes(b"\0" * 3_000_000)
    before = listing(root)
    found = observe(root, "/etc/f", "/etc/l", "/etc/d", "/etc/p", "/etc/bin", "/etc/none", "/opt/a/f")
    assert listing(root) == before
    assert found == {
        "/etc/f": HostFileState("-", 0o4751, UID, GID, sha256=digest(b"text\n"), text="text\n"),
        "/etc/l": HostFileState("l", 0o777, UID, GID, target="/etc/shadow"),
        "/etc/d": HostFileState("d", 0o700, UID, GID, names=("a", "b")),
        "/etc/p": HostFileState("?", stat.S_IMODE((root / "etc/p").lstat().st_mode), UID, GID),
        "/etc/bin": HostFileState("-", 0o644, UID, GID, sha256=digest(b"\0" * 3_000_000)),
        "/etc/none": None,
        "/opt": None,
        "/opt/a": None,
        "/opt/a/f": None,
    }


@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
def test_observe_below_no_directory(root: Path, kind: str) -> None:
    (root / "other/b").mkdir(parents=True)
    (root / "other/b/f").touch()
    if kind == "file":
        (root / "a").touch()
    else:
        (root / "a").symlink_to("other" if kind == "link" else "missing")
    blocked = HostFileState("x", 0, 0, 0, target="/a")
    assert observe(root, "/a/b/f") == {"/a/b": None, "/a/b/f": blocked}
    assert observe(root, "/a/f") == {"/a/f": blocked}


# --- the system's own links


@pytest.mark.parametrize(
    ("link_path", "target", "path"),
    [
        ("bin", "usr/bin", "/bin/f"),
        ("lib64", "/usr/lib64", "/lib64/a/f"),
        ("opt", "var/opt", "/opt/f"),
        ("usr/local", "../var/usrlocal", "/usr/local/f"),
    ],
)
def test_links_of_the_system_are_followed(root: Path, slot: Path, link_path: str, target: str, path: str) -> None:
    (root / "usr").mkdir()
    (root / link_path).symlink_to(target)
    real = (root / link_path).parent / target.lstrip("/")
    (real / path[len(link_path) + 2 :]).parent.mkdir(parents=True)
    file = in_image(slot, path)
    install(file, slot, root)
    assert matches(file, observe(root, path)[path])
    assert names(real)[-1] == path[len(link_path) + 2 :]
    _host_file_io.remove(path, root=str(root))
    assert observe(root, path) == {path: None}


@pytest.mark.parametrize("target", ["etc", "/etc", "usr/bin/../../etc", "usr/sbin"])
def test_links_of_the_system_that_lead_elsewhere_are_not(root: Path, slot: Path, target: str) -> None:
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/sbin").mkdir(parents=True)
    (root / "bin").symlink_to(target)
    before = listing(root)
    found = observe(root, "/bin/f")["/bin/f"]
    assert found is not None
    assert (found.kind, found.target) == ("x", "/bin")
    with pytest.raises(InvalidInputError, match="links are not followed"):
        install(in_image(slot, "/bin/f"), slot, root)
    assert listing(root) == before


# --- installing


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_install(root: Path, slot: Path, mode: int) -> None:
    file = in_image(slot, "/etc/app", b"\0\xff" * 1_500_000, mode=mode)
    old = os.umask(0o077)
    try:
        install(file, slot, root)
    finally:
        os.umask(old)
    assert matches(file, observe(root, "/etc/app")["/etc/app"])
    assert names(root / "etc") == ["app"]
    assert (root / "etc/app").stat().st_nlink == 1


@needs_root
def test_owners_are_kept(root: Path, slot: Path) -> None:
    for file in (in_image(slot, "/etc/f", uid=33, gid=34), dataclasses.replace(link("/etc/l", "x"), uid=33, gid=34)):
        install(file, slot, root)
        status = (root / file.path.lstrip("/")).lstat()
        assert (status.st_uid, status.st_gid) == (33, 34)


def test_install_what_was_rendered(root: Path, slot: Path) -> None:
    text = "ä\n"
    install(HostFile("/etc/app", "-", 0o600, UID, GID, sha256=digest(text.encode()), content=text), slot, root)
    assert (root / "etc/app").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("before", ["nothing", "file", "link", "hard link", "other link"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_replace(root: Path, slot: Path, before: str, kind: str) -> None:
    (root / "secret").write_text("secret")
    place = root / "etc/app"
    if before == "file":
        place.write_text("old")
    elif before == "hard link":
        os.link(root / "secret", place)
    elif before != "nothing":
        place.symlink_to("../secret" if before == "link" else "missing")
    file = in_image(slot, "/etc/app") if kind == "file" else link("/etc/app", "/etc/shadow")
    install(file, slot, root)
    assert matches(file, observe(root, "/etc/app")["/etc/app"])
    assert (root / "secret").read_text() == "secret"
    assert names(root) == ["etc", "etc/app", "secret"]


@pytest.mark.parametrize("left", ["file", "link", "directory"])
def test_what_a_killed_run_left_is_replaced(root: Path, slot: Path, left: str) -> None:
    file = in_image(slot, "/etc/app")
    (beside,) = [name for name in temporary_names(root, slot) if name.startswith("etc/")]
    place = root / beside
    if left == "file":
        place.write_text("half")
    elif left == "link":
        place.symlink_to("/etc/shadow")
    else:
        place.mkdir()
    assert _host_file_io.leftovers(["/etc/app", "/etc/other", "/no/f"], root=str(root)) == (f"/{beside}",)
    install(file, slot, root)
    assert names(root / "etc") == ["app"]
    assert _host_file_io.leftovers(["/etc/app"], root=str(root)) == ()


def temporary_names(root: Path, slot: Path) -> list[str]:
    """Return what is there at the moment when a new file is renamed."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        rename = os.rename

        def record(*arguments: Any, **options: Any) -> None:
            seen.extend(names(root))
            rename(*arguments, **options)

        patch.setattr(os, "rename", record)
        install(in_image(slot, "/etc/app"), slot, root)
    _host_file_io.remove("/etc/app", root=str(root))
    return [name for name in seen if name not in ("etc", "etc/app")]


def test_temporary_names_are_short_and_fit_no_other_file(root: Path, slot: Path) -> None:
    long = "/etc/" + "x" * 255
    install(in_image(slot, long), slot, root)
    assert observe(root, long)[long] is not None
    _host_file_io.remove(long, root=str(root))
    (name,) = temporary_names(root, slot)
    assert re.fullmatch(r"etc/\.system-containers-[0-9a-f]{16}\.new", name)


@pytest.mark.parametrize("kind", ["directory", "read-only parent", "no parent", "damaged copy", "lost copy"])
def test_failed_install_leaves_nothing(root: Path, slot: Path, kind: str) -> None:
    file = in_image(slot, "/etc/app")
    expected: type[Exception] = OSError
    message = "/etc/app"
    if kind == "directory":
        (root / "etc/app").mkdir()
    elif kind == "read-only parent":
        (root / "etc").rmdir()
        (root / "etc").touch()
        expected, message = InvalidInputError, "'/etc/app' is below a link or a file"
    elif kind == "no parent":
        (root / "etc").rmdir()
    elif kind == "damaged copy":
        (slot / "rootfs/exports/hostfs/etc/app").write_bytes(b"texT\n")
        expected, message = StoreError, "is not what was recorded"
    else:
        (slot / "rootfs/exports/hostfs/etc/app").unlink()
    before = names(root)
    with pytest.raises(expected, match=message):
        install(file, slot, root)
    assert names(root) == before


@pytest.mark.parametrize("parent", ["exports", "exports/hostfs", "exports/hostfs/etc", "exports/hostfs/etc/app"])
def test_links_in_the_checkout_are_not_followed(root: Path, slot: Path, tmp_path: Path, parent: str) -> None:
    file = in_image(slot, "/etc/app")
    place = slot / "rootfs" / parent
    outside = tmp_path / "outside"
    place.rename(outside)
    place.symlink_to(outside)
    with pytest.raises(InvalidInputError, match="links are not followed"):
        install(file, slot, root)
    assert names(root) == ["etc"]


@pytest.mark.parametrize("path", ["/etc/../x", "/", "x", "//etc/x", "/etc/x/", "/./x"])
def test_paths_that_are_none(root: Path, slot: Path, path: str) -> None:
    file = dataclasses.replace(in_image(slot, "/etc/app"), path=path)
    with pytest.raises(InvalidInputError, match="no path of a host file"):
        install(file, slot, root)


def test_read_only(root: Path, slot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer is a stand-in here: a mount needs root."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(30, "Read-only file system")

    file = in_image(slot, "/etc/app")
    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(InvalidInputError, match="'/etc/l' cannot be changed, as its file system is read-only"):
        install(link("/etc/l", "x"), slot, root)
    assert file.path == "/etc/app"


# --- directories


def make(path: str, slot: Path, root: Path, *, origin: str | None) -> None:
    _host_file_io.make_directory(path, directory=str(slot), origin=origin, root=str(root))


@pytest.mark.parametrize(("mode", "expected"), [(0o700, 0o700), (0o1777, 0o1777), (0o6755, 0o755)])
def test_make_a_directory_like_the_images(root: Path, slot: Path, mode: int, expected: int) -> None:
    like = slot / "rootfs/exports/hostfs/x"
    like.mkdir(parents=True)
    like.chmod(mode)
    make("/etc/x", slot, root, origin="/exports/hostfs/x")
    assert stat.S_IMODE((root / "etc/x").stat().st_mode) == expected
    assert names(root) == ["etc", "etc/x"]


@needs_root
@pytest.mark.parametrize("origin", [None, "/exports/hostfs/missing"])
def test_make_a_directory_like_none(root: Path, slot: Path, origin: str | None) -> None:
    make("/etc/x", slot, root, origin=origin)
    status = (root / "etc/x").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o755, 0, 0)


@needs_root
def test_a_directory_that_is_there_stays(root: Path, slot: Path) -> None:
    (root / "etc/x").mkdir(mode=0o700)
    (root / "etc/x/f").touch()
    before = (root / "etc/x").stat()
    make("/etc/x", slot, root, origin=None)
    assert (root / "etc/x").stat() == before
    assert names(root) == ["etc", "etc/x", "etc/x/f"]


def test_remove_an_empty_directory(root: Path) -> None:
    for name in ("empty", "full", "full/f"):
        (root / "etc" / name).mkdir()
    (root / "etc/link").symlink_to("empty")
    for name in ("link", "empty", "full", "missing", "missing/below"):
        _host_file_io.remove_empty_directory(f"/etc/{name}", root=str(root))
    assert names(root) == ["etc", "etc/full", "etc/full/f", "etc/link"]


# --- removing


def test_remove(root: Path) -> None:
    (root / "secret").write_text("secret")
    (root / "etc/l").symlink_to("../secret")
    (root / "etc/f").touch()
    for path in ("/etc/l", "/etc/f", "/etc/f", "/none/f"):
        _host_file_io.remove(path, root=str(root))
    assert names(root) == ["etc", "secret"]


def test_nothing_is_removed_through_a_link(root: Path) -> None:
    (root / "etc/f").touch()
    (root / "link").symlink_to("etc")
    with pytest.raises(InvalidInputError, match="links are not followed"):
        _host_file_io.remove("/link/f", root=str(root))
    assert (root / "etc/f").exists()


def test_texts(slot: Path) -> None:
    small, binary = in_image(slot, "/a", b"text"), in_image(slot, "/b", b"\0")
    lost = dataclasses.replace(small, origin="/exports/hostfs/lost")
    filled = dataclasses.replace(small, content="x")
    assert _host_file_io.texts([small, binary, lost, filled, link("/l", "a")], str(slot)) == {digest(b"text"): "text"}


# --- a container's life: decided, carried out, looked at


class Host:
    """A host with containers that put files on it; every step is followed by another that must change nothing."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "root", folder
        self.active: dict[str, Deployment] = {}
        (self.root / "etc").mkdir(parents=True)

    def deployment(self, name: str, slot: int, files: dict[str, str | None]) -> Deployment:
        """Make a deployment; of its files None is an empty directory, and ``->`` begins a link."""
        directory = self.folder / f"{name}.{slot}"
        found = []
        for path, text in files.items():
            place = directory / "rootfs/exports/hostfs" / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                place.mkdir()
                found.append(HostFile(path, "d", 0o755, UID, GID, origin=f"/exports/hostfs{path}"))
            elif text.startswith("->"):
                found.append(link(path, text[2:]))
            else:
                found.append(in_image(directory, path, text.encode(), mode=0o644))
        return dataclasses.replace(
            rendered(name=name, slot=slot), directory=str(directory), host_files=tuple(found), files=()
        )

    def use(self, target: Deployment, **options: Any) -> HostFileChanges:
        """Switch to a deployment, and look whether another run would change anything."""
        changes = self._plan(target, **options)
        self._apply(changes)
        recorded = dataclasses.replace(
            target, host_files=changes.host_files, created_directories=changes.created_directories
        )
        self.active[target.name] = recorded
        before = listing(self.root)
        again = self._plan(recorded)
        assert again.actions == ()
        assert (again.host_files, again.created_directories) == (recorded.host_files, recorded.created_directories)
        assert listing(self.root) == before
        return changes

    def remove(self, name: str) -> HostFileChanges:
        old = self.active.pop(name)
        changes = plan_host_files_absent(deployments=[old], **self._seen(name, old))
        self._apply(changes)
        return changes

    def edited(self, name: str) -> tuple[str, ...]:
        active = self.active[name]
        return edited_files(active, self._seen(name, active)["found"], self.links)

    def link(self, path: str, target: str) -> None:
        """Have a link of the system; what it leads to is a directory."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)
        (self.root / path).resolve().mkdir(parents=True)

    @property
    def links(self) -> dict[str, str]:
        return _host_file_io.system_links(root=str(self.root))

    def _seen(self, name: str, *deployments: Deployment) -> dict[str, Any]:
        """Return what a plan about deployments of a container is made from, as found."""
        others = (item for other, item in self.active.items() if other != name)
        found = observe(self.root, *observed_paths(deployments, self.links))
        return {"found": found, "shared": shared_paths(others, self.links), "links": self.links}

    def _plan(self, target: Deployment, **options: Any) -> HostFileChanges:
        active = self.active.get(target.name)
        kept = [active] if active else []
        seen = self._seen(target.name, target, *kept)
        return plan_host_files(target=target, active=active, kept=kept, **seen, **options)

    def _apply(self, changes: HostFileChanges) -> None:
        root = str(self.root)
        handlers: dict[type, Callable[[Any], None]] = {
            _actions.RemoveHostFile: lambda item: _host_file_io.remove(item.path, root=root),
            _actions.RemoveEmptyDirectory: lambda item: _host_file_io.remove_empty_directory(item.path, root=root),
            _actions.MakeHostDirectory: lambda item: _host_file_io.make_directory(
                item.path, directory=item.directory, origin=item.origin, root=root
            ),
            _actions.InstallHostFile: lambda item: _host_file_io.install(item.file, item.directory, root=root),
        }
        for action in changes.actions:
            handlers[type(action)](action)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


ONE: dict[str, str | None] = {
    "/etc/app.conf": "one",
    "/opt/app/bin/tool": "tool",
    "/opt/app/data": None,
    "/etc/l": "->x",
}
TWO: dict[str, str | None] = {
    "/etc/app.conf": "two",
    "/opt/app/bin": "a file",
    "/opt/app/data/f": "f",
    "/etc/l": "text",
}


@needs_root
def test_life_leaves_nothing(host: Host) -> None:
    host.use(host.deployment("app", 0, ONE))
    assert names(host.root) == [
        *("etc", "etc/app.conf", "etc/l", "opt", "opt/app", "opt/app/bin", "opt/app/bin/tool", "opt/app/data"),
    ]
    host.use(host.deployment("app", 1, TWO))
    assert (host.root / "opt/app/bin").read_text() == "a file"
    assert (host.root / "etc/l").read_text() == "text"
    first = host.deployment("app", 2, ONE)
    host.use(first)
    assert os.readlink(host.root / "etc/l") == "x"
    (host.root / "opt/app/bin/tool").unlink()
    host.use(host.active["app"])
    assert (host.root / "opt/app/bin/tool").read_text() == "tool"
    assert host.remove("app").edited == ()
    assert names(host.root) == ["etc"]


@needs_root
def test_life_keeps_what_is_not_ours(host: Host) -> None:
    (host.root / "etc/app.conf").write_text("one")
    (host.root / "etc/app.conf").chmod(0o644)
    (host.root / "opt").mkdir()
    host.use(host.deployment("app", 0, ONE))
    (host.root / "opt/app/bin/mine").write_text("mine")
    (host.root / "opt/app/data/mine").write_text("mine")
    host.remove("app")
    assert names(host.root) == [
        *(
            "etc",
            "etc/app.conf",
            "opt",
            "opt/app",
            "opt/app/bin",
            "opt/app/bin/mine",
            "opt/app/data",
            "opt/app/data/mine",
        )
    ]


@needs_root
@pytest.mark.parametrize("force", [False, True])
def test_life_with_an_edited_file(host: Host, force: bool) -> None:
    host.use(host.deployment("app", 0, ONE))
    (host.root / "etc/app.conf").write_text("edited")
    assert host.edited("app") == ("/etc/app.conf",)
    changes = host.use(host.deployment("app", 1, {"/etc/app.conf": "two"}), force=force)
    assert changes.edited == (() if force else ("/etc/app.conf",))
    assert (host.root / "etc/app.conf").read_text() == ("two" if force else "edited")
    assert host.remove("app").edited == (() if force else ("/etc/app.conf",))
    assert (host.root / "etc/app.conf").exists() is not force


@needs_root
def test_two_containers_share_files(host: Host) -> None:
    host.use(host.deployment("app", 0, {"/opt/x/shared": "same", "/opt/x/app": "app"}))
    host.use(host.deployment("other", 0, {"/opt/x/shared": "same", "/opt/x/other": "other"}))
    with pytest.raises(InvalidInputError, match="also of another container"):
        host.use(host.deployment("app", 1, {"/opt/x/shared": "changed"}))
    host.use(host.deployment("app", 2, {"/opt/x/app": "two"}))
    assert (host.root / "opt/x/shared").read_text() == "same"
    host.remove("app")
    assert names(host.root) == ["etc", "opt", "opt/x", "opt/x/other", "opt/x/shared"]
    host.remove("other")
    assert names(host.root) == ["etc"]


@needs_root
def test_conflicts_change_nothing(host: Host) -> None:
    (host.root / "etc/app.conf").write_text("mine")
    before = listing(host.root)
    with pytest.raises(InvalidInputError, match=r"'/etc/app\.conf' has other content"):
        host.use(host.deployment("app", 0, ONE))
    assert listing(host.root) == before


# --- where the system has links, one place has two paths

ALIASES = [("bin", "usr/bin"), ("lib64", "usr/lib64"), ("opt", "var/opt"), ("usr/local", "../var/usrlocal")]


@needs_root
@pytest.mark.parametrize(("link_path", "target"), ALIASES)
@pytest.mark.parametrize("text", ["one", "two"])
@pytest.mark.parametrize("back", [False, True])
def test_an_image_moves_a_file_to_where_it_is(host: Host, link_path: str, target: str, text: str, back: bool) -> None:
    host.link(link_path, target)
    before = names(host.root)
    place = "/" + str((host.root / link_path).resolve().relative_to(host.root))
    paths = [f"/{link_path}/app/tool", f"{place}/app/tool"][:: -1 if back else 1]
    host.use(host.deployment("app", 0, {paths[0]: "one"}))
    changes = host.use(host.deployment("app", 1, {paths[1]: text}))
    assert [str(item) for item in changes.actions] == ([f"install host file {place}/app/tool"] if text == "two" else [])
    assert [item.path for item in changes.host_files] == paths[1:]
    assert (host.root / link_path / "app/tool").read_text() == text
    (host.root / link_path / "app/tool").write_text("edited")
    assert host.edited("app") == (f"{place}/app/tool",)
    (host.root / link_path / "app/tool").write_text(text)
    host.remove("app")
    assert names(host.root) == before


@needs_root
@pytest.mark.parametrize(("link_path", "target"), ALIASES)
def test_two_containers_share_a_place(host: Host, link_path: str, target: str) -> None:
    host.link(link_path, target)
    before = names(host.root)
    place = "/" + str((host.root / link_path).resolve().relative_to(host.root))
    host.use(host.deployment("app", 0, {f"/{link_path}/x/shared": "same"}))
    host.use(host.deployment("other", 0, {f"{place}/x/shared": "same"}))
    with pytest.raises(InvalidInputError, match=f"'{place}/x/shared' is also of another container"):
        host.use(host.deployment("app", 1, {f"/{link_path}/x/shared": "changed"}))
    assert host.remove("app").actions == ()
    assert (host.root / link_path / "x/shared").read_text() == "same"
    host.remove("other")
    assert names(host.root) == before


def test_the_link_itself_is_in_the_image(host: Host) -> None:
    host.link("bin", "usr/bin")
    changes = host.use(host.deployment("app", 0, {"/bin": "->usr/bin", "/usr/bin/tool": "tool"}))
    assert [str(item) for item in changes.actions] == ["install host file /usr/bin/tool"]
    assert [item.ours for item in changes.host_files] == [False, True]
    host.remove("app")
    assert names(host.root) == ["bin", "etc", "usr", "usr/bin"]


@pytest.mark.parametrize("text", ["->usr/lib", "->/usr/bin", "a file"])
@pytest.mark.parametrize("force", [False, True])
def test_a_link_of_the_system_is_never_replaced(host: Host, text: str, force: bool) -> None:
    host.link("bin", "usr/bin")
    with pytest.raises(InvalidInputError, match="'/bin' is a link of the system"):
        host.use(host.deployment("app", 0, {"/bin": text}), force=force)
    assert os.readlink(host.root / "bin") == "usr/bin"


def test_a_link_that_the_system_might_have_is_ours(host: Host) -> None:
    (host.root / "usr/lib32").mkdir(parents=True)
    host.use(host.deployment("app", 0, {"/lib32": "->usr/lib32"}))
    host.use(host.deployment("app", 1, {"/lib32": "->/usr/lib32"}))
    assert os.readlink(host.root / "lib32") == "/usr/lib32"
    host.remove("app")
    assert names(host.root) == ["etc", "usr", "usr/lib32"]


def test_an_empty_directory_where_the_system_has_a_link(host: Host) -> None:
    host.link("bin", "usr/bin")
    assert host.use(host.deployment("app", 0, {"/bin": None})).actions == ()
    host.remove("app")
    assert names(host.root) == ["bin", "etc", "usr", "usr/bin"]


@needs_root
def test_records_that_spell_directories_otherwise_stay(host: Host) -> None:
    """Earlier versions recorded directories as the image spells them."""
    host.link("lib", "usr/lib")
    host.use(host.deployment("app", 0, {"/lib/app/x": "x"}))
    host.active["app"] = dataclasses.replace(host.active["app"], created_directories=("/lib/app",))
    changes = host.use(host.active["app"])
    assert (changes.actions, changes.created_directories) == ((), ("/lib/app",))
    host.remove("app")
    assert names(host.root) == ["etc", "lib", "usr", "usr/lib"]
