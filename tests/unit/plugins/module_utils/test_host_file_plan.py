# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is decided about host files, from what is recorded and what is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from unit.plugins.module_utils.builders import deployment as rendered
from unit.plugins.module_utils.builders import strings

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    MASK,
    Deployment,
    HostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_file_diff import host_file_diff
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_file_plan import (
    HostFileChanges,
    edited_files,
    matches,
    missing_files,
    observed_paths,
    plan_host_files,
    plan_host_files_absent,
    shared_paths,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import HostFileState

Host = Mapping[str, "HostFileState | None"]


def file(path: str = "/etc/app", text: str = "one", **changes: Any) -> HostFile:
    facts = {
        "mode": 0o644,
        "uid": 0,
        "gid": 0,
        "sha256": f"sha of {text}",
        "origin": f"/exports/hostfs{path}",
        **changes,
    }
    return HostFile(path, "-", **facts)


def link(path: str = "/etc/app", target: str = "/one") -> HostFile:
    return HostFile(path, "l", 0o777, 0, 0, target=target, origin=f"/exports/hostfs{path}")


def folder(path: str = "/etc/app", **changes: Any) -> HostFile:
    return HostFile(path, "d", 0o755, 0, 0, origin=f"/exports/hostfs{path}", **changes)


def there(item: HostFile, **changes: Any) -> HostFileState:
    """Return a file as it is found when nobody touched it."""
    state = HostFileState(item.kind, item.mode, item.uid, item.gid, sha256=item.sha256, target=item.target)
    return dataclasses.replace(state, **changes)


def made(*files: HostFile, slot: int = 0, created: tuple[str, ...] = ()) -> Deployment:
    return dataclasses.replace(rendered(slot=slot), host_files=files, created_directories=created)


EDITED = there(file(text="edited"))
BLOCKED = HostFileState("x", 0, 0, 0, target="/etc")
DIRECTORY = HostFileState("d", 0o755, 0, 0)
FIFO = HostFileState("?", 0o644, 0, 0)


def plan(
    target: Deployment, found: Mapping[str, HostFileState | None], active: Deployment | None = None, **options: Any
) -> HostFileChanges:
    kept = options.pop("kept", [active] if active else [])
    return plan_host_files(target=target, active=active, kept=kept, found=found, **options)


def actions(changes: HostFileChanges) -> list[str]:
    return strings(changes.actions)


def ours(changes: HostFileChanges) -> dict[str, bool]:
    return {item.path: item.ours for item in changes.host_files}


# --- what is the same


@pytest.mark.parametrize(
    ("item", "state", "same"),
    [
        (file(), there(file()), True),
        (file(), None, False),
        (file(), there(file(text="two")), False),
        (file(), there(file(), mode=0o600), False),
        (file(), there(file(), uid=1), False),
        (file(), there(file(), gid=1), False),
        (file(), there(link()), False),
        (file(), DIRECTORY, False),
        (file(mode=-1, uid=-1, gid=-1), there(file(), mode=0o600, uid=7, gid=7), True),
        (file(mode=-1, uid=-1, gid=-1), there(file(text="two")), False),
        (link(), there(link()), True),
        (link(), there(link(target="/two")), False),
        (folder(), DIRECTORY, True),
        (folder(), there(folder(), mode=0o700, names=("f",)), True),
        (folder(), there(link()), False),
        (dataclasses.replace(link(), kind="?"), there(link(target="/two")), True),
        (dataclasses.replace(folder(), kind="?"), DIRECTORY, True),
        (dataclasses.replace(folder(), kind="?"), there(file()), False),
    ],
)
def test_matches(item: HostFile, state: HostFileState | None, same: bool) -> None:
    assert matches(item, state) is same


# --- installing


@pytest.mark.parametrize("item", [file(), link()])
def test_install(item: HostFile) -> None:
    changes = plan(made(item), {"/etc/app": None})
    assert actions(changes) == ["install host file /etc/app"]
    assert ours(changes) == {"/etc/app": True}
    assert changes.created_directories == ()


def test_install_a_directory() -> None:
    changes = plan(made(folder()), {"/etc/app": None})
    assert actions(changes) == ["make directory /etc/app"]
    assert (changes.make[0].origin, ours(changes)) == ("/exports/hostfs/etc/app", {"/etc/app": True})


def test_parents_are_made_and_recorded() -> None:
    target = made(file("/opt/a/b/f"), file("/opt/a/c/f", origin="/exports/hostfs/x/c/g"))
    found: Host = {"/opt/a/b/f": None, "/opt/a/b": None, "/opt/a": None, "/opt/a/c/f": None, "/opt/a/c": None}
    changes = plan(target, found)
    assert [(action.path, action.origin) for action in changes.make] == [
        ("/opt/a", "/exports/hostfs/opt/a"),
        ("/opt/a/b", "/exports/hostfs/opt/a/b"),
        ("/opt/a/c", None),
    ]
    assert changes.created_directories == ("/opt/a", "/opt/a/b", "/opt/a/c")


def test_a_renamed_directory_is_like_the_one_in_the_image() -> None:
    changes = plan(made(file("/opt/x/f", origin="/exports/hostfs/etc/a/f")), {"/opt/x/f": None, "/opt/x": None})
    assert changes.make[0].origin == "/exports/hostfs/etc/a"


@pytest.mark.parametrize("item", [file(), link(), folder()])
def test_what_the_host_has_already_is_not_ours(item: HostFile) -> None:
    changes = plan(made(item), {"/etc/app": there(item)})
    assert (actions(changes), ours(changes)) == ([], {"/etc/app": False})
    recorded = made(*changes.host_files)
    assert actions(plan_host_files_absent(deployments=[recorded], found={"/etc/app": there(item)})) == []
    assert actions(plan(made(slot=1), {"/etc/app": there(item)}, recorded)) == []


@pytest.mark.parametrize(
    ("item", "state", "reason"),
    [
        (file(), EDITED, "'/etc/app' has other content"),
        (file(), there(file(), mode=0o600), "has mode 0600 instead of 0644"),
        (file(), there(file(), uid=5), "belongs to 5:0 instead of 0:0"),
        (file(), there(link()), "is a link to '/one'"),
        (link(), there(link(target="/two")), "is a link to '/two'"),
        (link(), there(file()), "is a file"),
        (folder(), there(file()), "is no directory"),
        (folder(), there(link()), "is no directory"),
        (file(), DIRECTORY, "is a directory"),
        (file(), FIFO, "is a device, fifo or socket"),
        (file(), BLOCKED, "is below '/etc', which is a link or a file"),
    ],
)
def test_conflicts(item: HostFile, state: HostFileState, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        plan(made(item), {"/etc/app": state})
    assert "Nothing was changed" in str(caught.value)
    if state.kind in "d?x" or item.kind == "d":
        with pytest.raises(InvalidInputError, match=reason):
            plan(made(item), {"/etc/app": state}, force=True)
    else:
        changes = plan(made(item), {"/etc/app": state}, force=True)
        assert (actions(changes), ours(changes)) == (["install host file /etc/app"], {"/etc/app": True})


def test_all_conflicts_are_named() -> None:
    with pytest.raises(InvalidInputError, match=r"'/etc/a' has other content; '/etc/b' is a directory"):
        plan(made(file("/etc/a"), file("/etc/b")), {"/etc/a": EDITED, "/etc/b": DIRECTORY})


@pytest.mark.parametrize(
    "path",
    ["/etc/systemd/system/app.service", "/etc/tmpfiles.d/app.conf", "/srv/containers/app", "/srv/containers/x/y"],
)
def test_the_containers_own_files(path: str) -> None:
    with pytest.raises(InvalidInputError, match="own file or folder"):
        plan(made(file(path)), {path: None}, force=True)


def test_what_nobody_looked_at_is_not_replaced() -> None:
    with pytest.raises(KeyError):
        plan(made(file()), {})


# --- nothing to do, and drift


def test_nothing_to_do() -> None:
    active = made(file(), link("/opt/l"), folder("/opt/d"), created=("/opt",))
    found = {
        "/etc/app": there(file()),
        "/opt/l": there(link("/opt/l")),
        "/opt/d": DIRECTORY,
        "/opt": dataclasses.replace(DIRECTORY, names=("d", "l")),
    }
    changes = plan(active, found, active)
    assert changes == HostFileChanges(host_files=active.host_files, created_directories=("/opt",))
    assert edited_files(active, found) == missing_files(active, found) == ()


@pytest.mark.parametrize(
    "state",
    [EDITED, there(file(), mode=0o600), there(file(), uid=1), there(link()), DIRECTORY, FIFO, BLOCKED],
)
def test_an_edited_file_is_kept(state: HostFileState) -> None:
    active = made(file())
    found = {"/etc/app": state}
    changes = plan(active, found, active)
    assert (actions(changes), changes.edited, ours(changes)) == ([], ("/etc/app",), {"/etc/app": True})
    assert edited_files(active, found) == ("/etc/app",)
    update = plan(made(file(text="two"), slot=1), found, active)
    assert (actions(update), update.edited) == ([], ("/etc/app",))
    dropped = plan(made(slot=1), found, active)
    assert (actions(dropped), dropped.edited) == ([], () if state.kind == "d" else ("/etc/app",))


def test_force_replaces_an_edited_file() -> None:
    changes = plan(made(file()), {"/etc/app": EDITED}, made(file()), force=True)
    assert (actions(changes), changes.edited) == (["install host file /etc/app"], ())


def test_force_removes_nothing_that_was_edited() -> None:
    changes = plan(made(slot=1), {"/etc/app": EDITED}, made(file()), force=True)
    assert (actions(changes), changes.edited) == ([], ("/etc/app",))


def test_a_missing_file_is_restored() -> None:
    active = made(file("/opt/a/f"), created=("/opt/a",))
    found: Host = {"/opt/a/f": None, "/opt/a": None}
    changes = plan(active, found, active)
    assert actions(changes) == ["make directory /opt/a", "install host file /opt/a/f"]
    assert changes.created_directories == ("/opt/a",)
    assert missing_files(active, found) == ("/opt/a/f",)


# --- update and rollback


def test_update() -> None:
    active = made(file("/etc/a"), file("/etc/b"), link("/etc/l"), file("/opt/old/f"), created=("/opt/old",))
    target = made(file("/etc/a", "two"), file("/etc/b"), link("/etc/l", "/two"), file("/opt/new/f"), slot=1)
    found = {item.path: there(item) for item in active.host_files} | {
        "/opt/old": dataclasses.replace(DIRECTORY, names=("f",)),
        "/opt/new": None,
        "/opt/new/f": None,
    }
    changes = plan(target, found, active)
    assert actions(changes) == [
        "remove host file /opt/old/f",
        "remove empty directory /opt/old",
        "make directory /opt/new",
        "install host file /etc/a",
        "install host file /etc/l",
        "install host file /opt/new/f",
    ]
    assert changes.created_directories == ("/opt/new",)
    assert all(action.directory == target.directory for action in changes.install)


def test_a_directory_that_somebody_uses_stays_and_is_remembered() -> None:
    active = made(file("/opt/a/f"), created=("/opt/a",))
    found = {"/opt/a/f": there(file("/opt/a/f")), "/opt/a": dataclasses.replace(DIRECTORY, names=("f", "mine"))}
    changes = plan(made(slot=1), found, active)
    assert actions(changes) == ["remove host file /opt/a/f"]
    assert changes.created_directories == ("/opt/a",)


@pytest.mark.parametrize(
    ("target", "created"),
    [
        pytest.param(made(file(), created=("/opt/a",)), ("/opt/a",), id="the same deployment"),
        pytest.param(made(file(), slot=1), (), id="another one"),
    ],
)
def test_a_directory_that_another_container_needs_is_left_to_it(target: Deployment, created: tuple[str, ...]) -> None:
    """But not by a run that has nothing else to do."""
    active = made(file(), created=("/opt/a",))
    found = {"/etc/app": there(file()), "/opt/a": dataclasses.replace(DIRECTORY, names=("other",))}
    changes = plan(target, found, active, shared=frozenset(["/opt/a", "/opt/a/other"]))
    assert (actions(changes), changes.created_directories) == ([], created)


def test_directories_go_deepest_first() -> None:
    active = made(file("/opt/a/b/f"), folder("/opt/a/e"), created=("/opt", "/opt/a", "/opt/a/b"))
    found = {
        "/opt/a/b/f": there(file("/opt/a/b/f")),
        "/opt/a/b": dataclasses.replace(DIRECTORY, names=("f",)),
        "/opt/a/e": DIRECTORY,
        "/opt/a": dataclasses.replace(DIRECTORY, names=("b", "e")),
        "/opt": dataclasses.replace(DIRECTORY, names=("a", "other")),
    }
    expected = ["remove host file /opt/a/b/f"]
    expected += [f"remove empty directory {path}" for path in ("/opt/a/b", "/opt/a/e", "/opt/a")]
    assert actions(plan_host_files_absent(deployments=[active], found=found)) == expected
    changes = plan(made(slot=1), found, active)
    assert (actions(changes), changes.created_directories) == (expected, ("/opt",))


@pytest.mark.parametrize(
    ("old", "new", "found", "expected"),
    [
        pytest.param(
            [file("/o/a")],
            [file("/o/a/b")],
            {"/o/a": there(file("/o/a")), "/o/a/b": HostFileState("x", 0, 0, 0, target="/o/a")},
            ["remove host file /o/a", "make directory /o/a", "install host file /o/a/b"],
            id="a file becomes a directory",
        ),
        pytest.param(
            [link("/o/a")],
            [folder("/o/a")],
            {"/o/a": there(link("/o/a"))},
            ["remove host file /o/a", "make directory /o/a"],
            id="a link becomes a directory",
        ),
        pytest.param(
            [file("/o/a/b")],
            [file("/o/a")],
            {"/o/a": dataclasses.replace(DIRECTORY, names=("b",)), "/o/a/b": there(file("/o/a/b"))},
            ["remove host file /o/a/b", "remove empty directory /o/a", "install host file /o/a"],
            id="a directory becomes a file",
        ),
        pytest.param(
            [folder("/o/a")],
            [link("/o/a")],
            {"/o/a": DIRECTORY},
            ["remove empty directory /o/a", "install host file /o/a"],
            id="an empty directory becomes a link",
        ),
        pytest.param(
            [file("/o/a")],
            [link("/o/a")],
            {"/o/a": there(file("/o/a"))},
            ["install host file /o/a"],
            id="a file becomes a link",
        ),
    ],
)
def test_one_kind_becomes_another(old: list[HostFile], new: list[HostFile], found: Host, expected: list[str]) -> None:
    active = made(*old, created=("/o/a",) if len(old[0].path) > len("/o/a") else ())
    changes = plan(made(*new, slot=1), found, active)
    assert actions(changes) == expected
    assert all(ours(changes).values())


def test_an_edited_file_is_in_the_way_of_a_directory() -> None:
    found = {"/o/a": EDITED, "/o/a/b": HostFileState("x", 0, 0, 0, target="/o/a")}
    with pytest.raises(InvalidInputError, match="is below '/o/a'"):
        plan(made(file("/o/a/b"), slot=1), found, made(file("/o/a")))


def test_a_foreign_file_does_not_change_with_the_image() -> None:
    active = made(file(ours=False))
    with pytest.raises(InvalidInputError, match="was on the host before, and has other content"):
        plan(made(file(text="two"), slot=1), {"/etc/app": there(file())}, active)


def test_back_to_a_deployment_with_a_file_that_was_edited() -> None:
    """The update has dropped the file from the records of the active deployment, and left it as it was edited."""
    old, active = made(file()), made(slot=1)
    changes = plan(old, {"/etc/app": EDITED}, active, kept=[old, active])
    assert (actions(changes), changes.edited) == ([], ("/etc/app",))


def test_an_old_version_that_somebody_put_back_is_edited() -> None:
    old, active = made(file()), made(file(text="two"), slot=1)
    changes = plan(active, {"/etc/app": there(file())}, active, kept=[old, active])
    assert (actions(changes), changes.edited) == ([], ("/etc/app",))


# --- what a crash left


def test_an_interrupted_update_goes_on() -> None:
    old, new = made(file(), file("/etc/b")), made(file(text="two"), slot=1, created=("/opt/new",))
    found = {
        "/etc/app": there(file(text="two")),
        "/etc/b": there(file("/etc/b")),
        "/opt/new": DIRECTORY,
    }
    changes = plan(new, found, old, kept=[old, new], interrupted=True)
    assert actions(changes) == ["remove host file /etc/b", "remove empty directory /opt/new"]
    assert ours(changes) == {"/etc/app": True}


def test_an_interrupted_update_goes_back() -> None:
    old, new = made(file()), made(file(text="two"), file("/opt/new/f"), slot=1, created=("/opt/new",))
    found = {
        "/etc/app": there(file(text="two")),
        "/opt/new/f": there(file("/opt/new/f")),
        "/opt/new": dataclasses.replace(DIRECTORY, names=(".x.new", "f")),
    }
    for active in (old, new):
        changes = plan(old, found, active, kept=[old, new], interrupted=True, leftovers=["/opt/new/.x.new"])
        assert actions(changes) == [
            "remove host file /opt/new/.x.new",
            "remove host file /opt/new/f",
            "remove empty directory /opt/new",
            "install host file /etc/app",
        ]
        assert (changes.edited, changes.created_directories) == ((), ())


def test_going_back_is_never_in_conflict_with_another_container() -> None:
    old, new = made(file()), made(file(text="two"), slot=1)
    found = {"/etc/app": there(file(text="two"))}
    changes = plan(old, found, new, kept=[old, new], interrupted=True, shared=frozenset(["/etc/app"]))
    assert actions(changes) == ["install host file /etc/app"]


def test_an_interrupted_install_is_recorded_in_its_deployment() -> None:
    kept = made(file(), created=("/opt",))
    changes = plan(made(file(), slot=1), {"/etc/app": there(file()), "/opt": DIRECTORY}, None, kept=[kept])
    assert (actions(changes), ours(changes)) == (["remove empty directory /opt"], {"/etc/app": True})


# --- shared with other containers


SHARED = frozenset(["/opt/a/f", "/opt/a"])


def test_a_shared_file_goes_with_the_last_container() -> None:
    other = made(file("/opt/a/f"), created=("/opt/a",))
    assert shared_paths([other]) == SHARED
    found = {"/opt/a/f": there(file("/opt/a/f")), "/opt/a": dataclasses.replace(DIRECTORY, names=("f",))}
    changes = plan(made(file("/opt/a/f")), found, shared=SHARED)
    assert (actions(changes), ours(changes), changes.created_directories) == ([], {"/opt/a/f": True}, ("/opt/a",))
    recorded = made(*changes.host_files, created=changes.created_directories)
    assert actions(plan_host_files_absent(deployments=[recorded], found=found, shared=SHARED)) == []
    assert actions(plan(made(slot=1), found, recorded, shared=SHARED)) == []
    assert actions(plan_host_files_absent(deployments=[recorded], found=found)) == [
        "remove host file /opt/a/f",
        "remove empty directory /opt/a",
    ]


def test_a_file_that_was_there_before_two_containers_belongs_to_none() -> None:
    assert shared_paths([made(file(ours=False))]) == frozenset()


def test_a_shared_file_that_one_of_them_changes() -> None:
    active, found = made(file("/opt/a/f")), {"/opt/a/f": there(file("/opt/a/f"))}
    target = made(file("/opt/a/f", "two"), slot=1)
    with pytest.raises(InvalidInputError, match="also of another container, and would change"):
        plan(target, found, active, shared=SHARED)
    assert actions(plan(target, found, active, shared=SHARED, force=True)) == ["install host file /opt/a/f"]


# --- removal, and what Atomic left


def test_absent() -> None:
    active, kept = made(file(), file("/etc/e"), file("/etc/m")), made(file(text="old"), slot=1)
    found: Host = {"/etc/app": there(file()), "/etc/e": EDITED, "/etc/m": None}
    changes = plan_host_files_absent(deployments=[kept, active], found=found)
    assert (actions(changes), changes.edited) == (["remove host file /etc/app"], ("/etc/e",))


def test_taking_over_what_atomic_installed() -> None:
    atomic = made(
        file(mode=-1, uid=-1, gid=-1, origin=None),
        HostFile("/etc/l", "?", -1, -1, -1),
        HostFile("/etc/d", "?", -1, -1, -1),
    )
    target = made(file(), link("/etc/l"), folder("/etc/d"))
    found = {"/etc/app": there(file(), mode=0o600), "/etc/l": there(link("/etc/l")), "/etc/d": DIRECTORY}
    changes = plan(target, found, atomic)
    assert (actions(changes), changes.edited) == (["install host file /etc/app"], ())
    assert all(ours(changes).values())
    assert actions(plan_host_files_absent(deployments=[atomic], found=found)) == [
        "remove host file /etc/app",
        "remove host file /etc/l",
        "remove empty directory /etc/d",
    ]


def test_all_paths_are_looked_at() -> None:
    assert observed_paths([made(file("/b/f"), created=("/b",)), made(file("/a"), slot=1)]) == ("/a", "/b", "/b/f")


# --- diff


def diff(changes: HostFileChanges, found: Host, *deployments: Deployment, **texts: str) -> list[tuple[str, str, str]]:
    entries = host_file_diff(changes, deployments=deployments, found=found, texts=texts)
    assert all(entry["before_header"] == entry["after_header"] for entry in entries)
    return [(entry["before_header"], entry["before"], entry["after"]) for entry in entries]


HEAD = "mode: 0644\nowner: 0:0\n"


def test_diff_of_text() -> None:
    active, target = made(file()), made(file(text="two", content="two\n"), link("/etc/l"), folder("/etc/d"), slot=1)
    found: Host = {"/etc/app": there(file(), text="one\n"), "/etc/l": None, "/etc/d": None}
    assert diff(plan(target, found, active), found, active) == [
        ("/etc/d", "", "directory\n"),
        ("/etc/app", f"{HEAD}one\n", f"{HEAD}two\n"),
        ("/etc/l", "", "link to /one\n"),
    ]
    assert diff(plan_host_files_absent(deployments=[active], found=found), found, active) == [
        ("/etc/app", f"{HEAD}one\n", "")
    ]


def test_diff_of_a_file_of_the_image() -> None:
    found: Host = {"/etc/app": None}
    changes = plan(made(file(sha256="abc")), found)
    assert diff(changes, found, abc="text\n") == [("/etc/app", "", f"{HEAD}text\n")]
    assert diff(changes, found) == [("/etc/app", "", f"{HEAD}sha256: abc\n")]


def test_diff_of_binary() -> None:
    active, found = made(file()), {"/etc/app": there(file(), text="one\n")}
    ((_path, before, after),) = diff(plan(made(file(text="two"), slot=1), found, active), found, active)
    assert (before, after) == (f"{HEAD}sha256: sha of one\n", f"{HEAD}sha256: sha of two\n")


@pytest.mark.parametrize("state", [there(file(), text="p=old"), there(file(text="edited"), text="p=mine")])
def test_diff_never_shows_a_secret(state: HostFileState) -> None:
    active = made(file(content="p=old", masked=f"p={MASK}"))
    target = made(file(text="two", content="q=new", masked=f"q={MASK}", mode=0o600), slot=1)
    found: Host = {"/etc/app": state}
    for made_secret_here in (target, made(file(text="two", content="plain"), slot=1)):
        ((_path, before, after),) = diff(plan(made_secret_here, found, active, force=True), found, active)
        shown = before + after
        assert not any(word in shown for word in ("old", "mine", "new", "sha"))
