# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where mounts end up in an image with symbolic links, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from unit.plugins.module_utils.builders import spec

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._gvariant import Entry
from ansible_collections.projectatomic.system_containers.plugins.module_utils._mount_targets import check_mount_targets

MERGED_USR = {
    "/dev": None,
    "/proc": None,
    "/sys": None,
    "/lib": "usr/lib",
    "/usr/lib": None,
    "/usr/lib/modules": None,
    "/var": None,
    "/var/run": "../run",
    "/var/lock": "/run/lock",
    "/run": None,
    "/etc": None,
    "/etc/mtab": "../proc/self/mounts",
    "/etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf",
    "/etc/hosts": "-",
    "/loop": "loop2",
    "/loop2": "/loop/x",
    "/self": "self",
    "/above": "../../..",
    "/above2": "usr/../../x",
    "/inside": "usr/../etc",
    "/p": "proc",
    "/d": "/dev/../sys",
    "/data": "srv/data",
    "/chain": "data/more",
    "/dangling": "/nowhere/../else",
    "/dangling-up": "/nowhere/../../else",
    "/dangling-proc": "/nowhere/../proc/x",
    "/leak": "/proc/self/fd/7",
}
"""The everyday image of a distribution, with odd links: a link's target, - for a file, None for a directory."""


class Image:
    """An image, and what was looked up in it."""

    def __init__(self, entries: dict[str, str | None]) -> None:
        self.entries = entries
        self.asked: list[str] = []

    def lookup(self, path: str) -> Entry | None:
        self.asked.append(path)
        for parent in (path[:index] for index, character in enumerate(path) if character == "/" and index):
            assert parent not in self.entries or self.entries[parent] is None, (
                f"'{path}' is looked up through '{parent}'"
            )
        if path not in self.entries:
            return None
        target = self.entries[path]
        kind = "d" if target is None else "-" if target == "-" else "l"
        return Entry(path=path, type=kind, mode=0o755, uid=0, gid=0, target=target if kind == "l" else None)


def bind(destination: str) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": "/host", "options": ["rbind"]}


def tmpfs(destination: str) -> dict[str, Any]:
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs"}


def check(*mounts: dict[str, Any], cwd: str | None = None, entries: dict[str, str | None] | None = None) -> Image:
    image = Image(MERGED_USR if entries is None else entries)
    process = {"args": ["x"], **({"cwd": cwd} if cwd else {})}
    check_mount_targets(spec(mounts=list(mounts), process=process), image.lookup)
    return image


@pytest.mark.parametrize(
    "mounts",
    [
        [],
        [bind("/lib/modules")],
        [bind("/lib/modules/extra/deep")],
        [bind("/var/run/secrets")],
        [bind("/run"), bind("/var/run/secrets")],
        [bind("/run"), bind("/var/run")],
        [tmpfs("/run"), bind("/var/lock/app")],
        [bind("/etc/hosts")],
        [bind("/etc"), bind("/etc/hosts/below")],
        [bind("/etc"), bind("/etc/mtab")],
        [bind("/etc/resolv.conf")],
        [tmpfs("/run"), bind("/etc/resolv.conf")],
        [bind("/dev"), bind("/dev/pts"), bind("/proc"), bind("/sys"), bind("/sys/fs/cgroup")],
        [bind("/data"), bind("/srv/data/more")],
        [bind("/data/a"), bind("/chain")],
        [bind("/inside/app")],
        [bind("/dangling/x")],
        [bind("/new/place")],
        [bind("/data/"), bind("/data//x")],
    ],
)
def test_everyday(mounts: list[dict[str, Any]]) -> None:
    check(*mounts)


@pytest.mark.parametrize(
    ("mounts", "message"),
    [
        ([bind("/etc/mtab")], "'/etc/mtab' leads to '/proc', where the kernel's files are"),
        ([bind("/p/sys")], "'/p' -> 'proc'"),
        ([tmpfs("/p")], "leads to '/proc'"),
        ([bind("/d/x")], "'/d' -> '/dev/../sys'"),
        ([bind("/dangling-proc")], "leads to '/proc'"),
        ([bind("/srv"), bind("/data/x")], "leads to '/srv', where a directory of the host is mounted"),
        ([bind("/srv/data"), bind("/chain")], "leads to '/srv/data', where a directory of the host is mounted"),
        ([bind("/run"), bind("/etc/resolv.conf")], "'/etc/resolv.conf' -> '../run/systemd/resolve/stub-resolv.conf'"),
        ([bind("/data"), bind("/chain")], "leads to '/data', where a directory of the host"),
        ([bind("/loop/x")], "leads in circles"),
        ([bind("/self")], "leads in circles"),
        ([bind("/above")], "leads above the root of the image, by the image's symbolic link '/above' -> '../../..'"),
        ([bind("/above2/x")], "leads above the root"),
        ([bind("/dangling-up")], "leads above the root"),
        ([bind("/etc/hosts/x")], "is below '/etc/hosts', which is a file in the image"),
    ],
)
def test_refused(mounts: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(*mounts)
    assert message in str(caught.value)
    assert f"'{mounts[-1]['destination']}'" in str(caught.value)


def test_a_mount_that_comes_later_does_not_count() -> None:
    check(bind("/data/x"), bind("/srv"))


@pytest.mark.parametrize("path", ["/dev", "/proc", "/sys"])
@pytest.mark.parametrize(
    ("entry", "what"), [("usr", "a symbolic link to 'usr'"), ("/etc", "to '/etc'"), ("-", "a file")]
)
def test_system_directories(path: str, entry: str, what: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(entries={**MERGED_USR, path: entry})
    assert f"'{path}' of the image is" in str(caught.value)
    assert what in str(caught.value)


def test_an_empty_image() -> None:
    check(bind("/proc"), tmpfs("/dev"), bind("/a/b"), entries={}, cwd="/x")


@pytest.mark.parametrize("cwd", ["/", "/var/run/app", "/lib", "/data", "/new", "/inside"])
def test_working_directory(cwd: str) -> None:
    check(bind("/srv"), cwd=cwd)


@pytest.mark.parametrize(
    ("cwd", "message"),
    [("/leak", "process.cwd '/leak' leads to '/proc'"), ("/p/1/cwd", "'/p' -> 'proc'"), ("/self", "circles")],
)
def test_working_directory_refused(cwd: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(cwd=cwd)
    assert message in str(caught.value)


def test_few_lookups() -> None:
    """A path for each of a mount's components, and none below what is mounted or missing."""
    image = check(bind("/proc"), bind("/proc/a/b/c"), bind("/new/a/b/c"), bind("/var/run/a/b"))
    assert image.asked == ["/dev", "/proc", "/sys", "/proc", "/new", "/var", "/var/run", "/run", "/run/a"]
