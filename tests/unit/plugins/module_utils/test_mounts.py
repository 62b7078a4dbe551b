# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's mounts: what is accepted, what it means, and where it goes in a config.json."""

from __future__ import annotations

from typing import Any

import pytest
from unit.plugins.module_utils.builders import spec

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Mount
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._mounts import (
    BIND_OPTIONS,
    check_mount_sources,
    merge_mounts,
    parse_mounts,
)


def parse(**entry: Any) -> Mount:
    (mount,) = parse_mounts([entry])
    return mount


@pytest.mark.parametrize(
    ("entry", "mount"),
    [
        ({"source": "/b"}, Mount("/a", "/b", "bind", BIND_OPTIONS)),
        ({"source": "/b", "type": None, "options": None, "create": None}, Mount("/a", "/b", "bind", BIND_OPTIONS)),
        ({"source": "//b/./c//"}, Mount("/a", "/b/c", "bind", BIND_OPTIONS)),
        ({"source": "/b", "options": []}, Mount("/a", "/b", "bind", ("rbind", "rprivate"))),
        ({"source": "/b", "options": ["ro"]}, Mount("/a", "/b", "bind", ("rbind", "rprivate", "ro"))),
        ({"source": "/b", "options": ["bind", "ro"]}, Mount("/a", "/b", "bind", ("rprivate", "bind", "ro"))),
        ({"source": "/b", "options": ["rslave"]}, Mount("/a", "/b", "bind", ("rbind", "rslave"))),
        ({"source": "/b", "options": ["rbind", "shared"]}, Mount("/a", "/b", "bind", ("rbind", "shared"))),
        ({"source": "/b", "create": "file"}, Mount("/a", "/b", "bind", BIND_OPTIONS, "file")),
        ({"source": "/b", "create": "directory"}, Mount("/a", "/b", "bind", BIND_OPTIONS, "directory")),
        ({"source": "/b c/ü"}, Mount("/a", "/b c/ü", "bind", BIND_OPTIONS)),
        ({"type": "tmpfs"}, Mount("/a", "tmpfs", "tmpfs", ())),
        ({"type": "tmpfs", "options": ["size=1m", "nodev"]}, Mount("/a", "tmpfs", "tmpfs", ("size=1m", "nodev"))),
        ({"type": "nfs", "source": "host:/x"}, Mount("/a", "host:/x", "nfs", ())),
        ({"type": "none", "source": "/b", "options": ["bind"]}, Mount("/a", "/b", "none", ("rprivate", "bind"))),
        (
            {"type": "tmpfs", "options": ['context="u:r:t:s0:c1,c2"']},
            Mount("/a", "tmpfs", "tmpfs", ('context="u:r:t:s0:c1,c2"',)),
        ),
    ],
)
def test_accepted(entry: dict[str, Any], mount: Mount) -> None:
    assert parse(destination="/a", **entry) == mount


def test_what_was_parsed_is_the_same_when_it_is_parsed_again() -> None:
    mount = parse(destination="/a/", source="/b/", options=["ro"])
    again = parse(destination=mount.destination, source=mount.source, type=mount.type, options=list(mount.options))
    assert again == mount


@pytest.mark.parametrize(
    ("written", "clean"), [("/a/", "/a"), ("//a//b", "/a/b"), ("/a/./b", "/a/b"), ("/a b", "/a b")]
)
def test_clean_destination(written: str, clean: str) -> None:
    assert parse(destination=written, source="/x").destination == clean


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": "/b"}, "a destination has to be an absolute path, not None"),
        ({"destination": "", "source": "/b"}, "absolute path"),
        ({"destination": "a", "source": "/b"}, "absolute path, not 'a'"),
        ({"destination": "/a/../b", "source": "/b"}, "'..' in it"),
        ({"destination": "/..", "source": "/b"}, "'..' in it"),
        ({"destination": "/", "source": "/b"}, "'/' cannot be a destination"),
        ({"destination": "//./", "source": "/b"}, "'/' cannot be a destination"),
        ({"destination": "/a\n", "source": "/b"}, "control characters"),
        ({"destination": "/a\ud800", "source": "/b"}, "not UTF-8"),
        ({"destination": "/a", "source": "/b\ud800"}, "not UTF-8"),
        ({"destination": "/a", "type": "tmpfs", "source": "\ud800"}, "not UTF-8"),
        ({"destination": "/a", "type": "tmpfs", "options": ["\ud800"]}, "no type or option"),
        ({"destination": "/a"}, "needs a 'source'"),
        ({"destination": "/a", "source": "b"}, "the source for '/a' has to be an absolute path, not 'b'"),
        ({"destination": "/a", "source": "/b/.."}, "the source for '/a' has '..'"),
        ({"destination": "/a", "source": "/b\x7f"}, "the source for '/a' has control characters"),
        ({"destination": "/a", "source": "/b", "create": "socket"}, "can be 'directory' or 'file' only"),
        ({"destination": "/a", "type": "tmpfs", "create": "directory"}, "'create' is for bind mounts only"),
        ({"destination": "/a", "type": "tmpfs", "source": "a\tb"}, "control characters"),
        ({"destination": "/a", "source": "/b", "options": ["ro,noexec"]}, "list each option by itself"),
        ({"destination": "/a", "source": "/b", "options": [""]}, "no type or option"),
        ({"destination": "/a", "source": "/b", "options": ["ro\n"]}, "no type or option"),
        ({"destination": "/a", "type": "tmp\nfs"}, "no type or option"),
    ],
)
def test_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_mounts([entry])
    assert message in str(caught.value)


def test_two_of_one_destination() -> None:
    with pytest.raises(InvalidInputError, match="two entries have the destination '/a'"):
        parse_mounts([{"destination": "/a", "source": "/b"}, {"destination": "/a/", "type": "tmpfs"}])


def image(*destinations: str) -> dict[str, Any]:
    return spec(mounts=[{"destination": path, "type": "image"} for path in destinations])


def merged(config: dict[str, Any], *destinations: str) -> list[tuple[str, str]]:
    mounts = [Mount(path, "tmpfs", "tmpfs") for path in destinations]
    return [(entry["destination"], entry["type"]) for entry in merge_mounts(config, mounts)["mounts"]]


@pytest.mark.parametrize(
    ("before", "added", "after"),
    [
        ([], ["/a"], [("/a", "tmpfs")]),
        (["/x"], ["/a"], [("/x", "image"), ("/a", "tmpfs")]),
        (["/x", "/a", "/y"], ["/a"], [("/x", "image"), ("/a", "tmpfs"), ("/y", "image")]),
        (["/a/", "/y"], ["/a"], [("/a", "tmpfs"), ("/y", "image")]),
        (["/a", "/y", "//a"], ["/a"], [("/a", "tmpfs"), ("/y", "image")]),
        (["/x", "/a/b", "/a/c"], ["/a"], [("/x", "image"), ("/a", "tmpfs"), ("/a/b", "image"), ("/a/c", "image")]),
        (["/ab"], ["/a"], [("/ab", "image"), ("/a", "tmpfs")]),
        ([], ["/a/b", "/a"], [("/a", "tmpfs"), ("/a/b", "tmpfs")]),
    ],
)
def test_merged(before: list[str], added: list[str], after: list[tuple[str, str]]) -> None:
    config = image(*before)
    assert merged(config, *added) == after
    assert config == image(*before)


def test_an_image_without_mounts() -> None:
    assert merged(spec(), "/a") == merged(spec(mounts=None), "/a") == [("/a", "tmpfs")]


def test_no_mounts_change_nothing() -> None:
    config = image("/a")
    assert merge_mounts(config, ()) is config


def test_entry() -> None:
    mounts = [parse(destination="/a", source="/b", options=["ro"]), parse(destination="/c", type="tmpfs")]
    assert merge_mounts(spec(), mounts)["mounts"] == [
        {"destination": "/a", "type": "bind", "source": "/b", "options": ["rbind", "rprivate", "ro"]},
        {"destination": "/c", "type": "tmpfs", "source": "tmpfs"},
    ]


@pytest.mark.parametrize(
    ("create", "found", "message"),
    [
        (None, "directory", None),
        (None, "file", None),
        (None, None, "does not exist on the host: create it, or set 'create'"),
        ("directory", None, None),
        ("directory", "directory", None),
        ("directory", "file", "exists, but not as a directory"),
        ("file", None, None),
        ("file", "file", None),
        ("file", "directory", "exists, but not as a file"),
    ],
)
def test_sources(create: str | None, found: str | None, message: str | None) -> None:
    mounts = [parse(destination="/a", source="/b", create=create), parse(destination="/t", type="tmpfs")]
    asked: list[str] = []

    def kind(path: str) -> str | None:
        asked.append(path)
        return found

    if message is None:
        check_mount_sources(mounts, kind)
    else:
        with pytest.raises(InvalidInputError) as caught:
            check_mount_sources(mounts, kind)
        assert message in str(caught.value)
        assert "'/b'" in str(caught.value)
    assert asked == ["/b"]
