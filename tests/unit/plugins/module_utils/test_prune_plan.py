# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is pruned and what is not, as tables; and the sums over layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from unit.plugins.module_utils.builders import ROOT, deployment, inputs, installed, nothing, strings, with_file

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment
from ansible_collections.projectatomic.system_containers.plugins.module_utils._gvariant import CommitHeader
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    OWNER_LINE,
    BrokenSlot,
    FileState,
    Observed,
    UnitState,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import Descriptor, Manifest
from ansible_collections.projectatomic.system_containers.plugins.module_utils._prune_plan import (
    ContainersSeen,
    Doomed,
    RepositorySeen,
    choose,
    leftover_owner,
    plan_prune,
    with_objects,
    without_repository,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store_sizes import ImageSizes, sum_up

IMAGE = "ociimage/localhost_2Fapp_3Alatest"
LAYER, CONFIG, OTHER = "1" * 64, "2" * 64, "3" * 64
FOREIGN = CommitHeader({"version": "39"})
BLOB = CommitHeader({"docker.size": "1"})
TAGGED = CommitHeader({"docker.digest": "sha256:" + "9" * 64})
IMPORT = CommitHeader({"system-containers.import": "1"})
BARE = CommitHeader({}, is_bare=True)


def blob(digits: str) -> Descriptor:
    return Descriptor("application/octet-stream", f"sha256:{digits}", 1)


MANIFEST = Manifest(config=blob(CONFIG), layers=(blob(LAYER),), media_type="application/octet-stream")


def repository(**changes: Any) -> RepositorySeen:
    """An image with its layer and its configuration; commits are called after what names them."""
    seen = RepositorySeen(
        refs={f"heads/{IMAGE}": "image", f"heads/ociimage/{LAYER}": "layer", f"heads/ociimage/{CONFIG}": "config"},
        images={IMAGE: MANIFEST},
        commits={"image": TAGGED, "layer": BLOB, "config": BLOB},
    )
    return dataclasses.replace(seen, **changes)


def with_refs(seen: RepositorySeen, refs: Mapping[str, str | None], **commits: CommitHeader) -> RepositorySeen:
    return dataclasses.replace(seen, refs={**seen.refs, **refs}, commits={**seen.commits, **commits})


def chosen(
    seen: RepositorySeen | None = None,
    containers: ContainersSeen | None = None,
    *,
    keep: int | None = None,
    protected: frozenset[str] = frozenset(),
) -> Doomed:
    return choose(seen or RepositorySeen(), containers or ContainersSeen(), keep=keep, protected=protected)


UNUSED = {f"heads/ociimage/{OTHER}": "unused"}

REFS: dict[str, tuple[RepositorySeen, list[str]]] = {
    "all are named": (repository(), []),
    "a layer that no image names": (with_refs(repository(), UNUSED, unused=BLOB), [OTHER]),
    "its ref cannot be read": (with_refs(repository(), {f"heads/ociimage/{OTHER}": None}), [OTHER]),
    "its commit is not there": (with_refs(repository(), UNUSED), [OTHER]),
    "64 hex digits that are no blob": (with_refs(repository(), UNUSED, unused=FOREIGN), []),
    "64 hex digits that are an image": (with_refs(repository(), UNUSED, unused=TAGGED), []),
    "63 hex digits": (with_refs(repository(), {f"heads/ociimage/{OTHER[1:]}": "unused"}, unused=BLOB), []),
    "upper-case digits": (with_refs(repository(), {f"heads/ociimage/{'A' * 64}": "unused"}, unused=BLOB), []),
    "below another folder": (with_refs(repository(), {f"heads/ociimage/x/{OTHER}": "unused"}, unused=BLOB), []),
    "a remote's": (with_refs(repository(), {f"remotes/heads/ociimage/{OTHER}": "unused"}, unused=BLOB), []),
    "an image that looks like hex": (with_refs(repository(), {"heads/ociimage/cafe_3Abeef": "x"}, x=TAGGED), []),
    "no image is left": (repository(images={}), [LAYER, CONFIG]),
    "an image cannot be read": (with_refs(repository(unreadable={"x": "why"}), UNUSED, unused=BLOB), []),
    "the image itself cannot be read": (repository(images={}, unreadable={IMAGE: "why"}), []),
}


@pytest.mark.parametrize(("seen", "gone"), REFS.values(), ids=REFS)
def test_refs(seen: RepositorySeen, gone: list[str]) -> None:
    doomed = chosen(seen)
    assert doomed.refs == tuple(f"ociimage/{digits}" for digits in gone)
    assert doomed.describe()["blobs"] == [f"sha256:{digits}" for digits in gone]
    assert len(doomed.warnings) == len(seen.unreadable)
    # Its commit goes with a ref, in the same run.
    named = {seen.refs[f"heads/{ref}"] for ref in doomed.refs}
    assert set(doomed.commits) == {commit for commit in named if commit in seen.commits}


COMMITS: dict[str, tuple[RepositorySeen, bool]] = {
    "an import": (with_refs(repository(), {}, lost=IMPORT), True),
    "an import without a mark": (with_refs(repository(), {}, lost=BARE), True),
    "an image whose tag moved": (with_refs(repository(), {}, lost=TAGGED), True),
    "a layer that was pulled again": (with_refs(repository(), {}, lost=BLOB), True),
    "somebody else's": (with_refs(repository(), {}, lost=FOREIGN), False),
    "somebody else's, with no metadata": (with_refs(repository(), {}, lost=CommitHeader({})), False),
    "ours, and another ref names it": (with_refs(repository(), {"heads/mine": "lost"}, lost=TAGGED), False),
    "ours, and a remote names it": (with_refs(repository(), {"remotes/a/b": "lost"}, lost=IMPORT), False),
    "ours, and a mirror names it": (with_refs(repository(), {"mirrors/a/b": "lost"}, lost=BARE), False),
    "an image that may be what a damaged one was": (
        with_refs(repository(unreadable={"ociimage/x": "why"}), {}, lost=TAGGED),
        False,
    ),
    "a layer of a damaged image": (with_refs(repository(unreadable={"ociimage/x": "why"}), {}, lost=BLOB), False),
    "an import, beside a damaged image": (
        with_refs(repository(unreadable={"ociimage/x": "why"}), {}, lost=IMPORT),
        True,
    ),
    "a layer whose ref was damaged": (with_refs(repository(), {f"heads/ociimage/{LAYER}": None}, lost=BLOB), False),
    "an image, where a foreign ref is damaged": (with_refs(repository(), {"heads/os": None}, lost=TAGGED), False),
}


@pytest.mark.parametrize(("seen", "goes"), COMMITS.values(), ids=COMMITS)
def test_commits(seen: RepositorySeen, goes: bool) -> None:
    assert ("lost" in chosen(seen).commits) is goes
    assert "lost" not in chosen(seen, protected=frozenset(["lost"])).commits


ACTIVE = deployment(slot=0)
KEPT = deployment(slot=1, made_from=inputs({"RECEIVER": "old"}), created=ACTIVE.created - 10)
OLDEST = deployment(slot=2, made_from=inputs({"RECEIVER": "older"}), created=ACTIVE.created - 20)
HALF = BrokenSlot(1, f"{ROOT}/app.1", "it has no info file")
NEWER = BrokenSlot(1, f"{ROOT}/app.1", "newer", newer=True)
HOST = dict.fromkeys(nothing().files)


def orphan(*left: Deployment, **changes: Any) -> Observed:
    """A container of which only slots are left."""
    slots = {f"{item.directory}/info": None for item in left}
    files: dict[str, FileState | None] = {**HOST, **slots}
    return nothing(**{"deployments": left, "files": files, "active_slot": 0 if left else None, **changes})


def text(content: str) -> FileState:
    return FileState(content=content.encode(), mode=0o644, mtime=0.0)


def seen_with(observed: Observed, *, in_use: frozenset[str] = frozenset(), checkouts: bool = True) -> ContainersSeen:
    broken = frozenset(item.directory for item in observed.broken) if checkouts else frozenset()
    return ContainersSeen(containers={"app": observed}, in_use=in_use, checkouts=broken)


PATHS = nothing().paths
SLOT = ACTIVE.directory

ORPHANS: dict[str, tuple[Observed, bool]] = {
    "nothing but its slot": (orphan(ACTIVE), True),
    "it has its link": (orphan(ACTIVE, has_link=True, link_slot=0), False),
    "it has a link that leads nowhere": (orphan(ACTIVE, has_link=True), False),
    "something is in the link's place": (orphan(ACTIVE, problem="not a link"), False),
    "its unit is there": (with_file(orphan(ACTIVE), PATHS.unit, text(f"ExecStart={SLOT}\n")), False),
    "a unit of its name is there": (with_file(orphan(ACTIVE), PATHS.unit, text("ExecStart=/bin/true\n")), False),
    "its drop-in is there": (with_file(orphan(ACTIVE), PATHS.drop_in, text(f"{OWNER_LINE}{PATHS.link}\n")), False),
    "the unit is another container's": (
        with_file(
            with_file(orphan(ACTIVE), PATHS.unit, text("ExecStart=/bin/true\n")),
            PATHS.drop_in,
            text(f"{OWNER_LINE}/elsewhere/app\n"),
        ),
        True,
    ),
    "its tmpfiles.d file is there": (with_file(orphan(ACTIVE), PATHS.tmpfiles, text("d /var/lib/app\n")), False),
    "systemd knows a unit of its name": (orphan(ACTIVE, unit=UnitState(load="loaded")), False),
    "its unit runs though its file is gone": (orphan(ACTIVE, unit=UnitState(active="active")), False),
    "the runtime knows it": (orphan(ACTIVE, runtime_bundle=SLOT), False),
    "the runtime knows it from another slot": (orphan(ACTIVE, runtime_bundle=f"{ROOT}/app.7"), False),
    "the runtime knows it but does not tell more": (orphan(ACTIVE, runtime_bundle=""), False),
    "the runtime knows another one of that name": (orphan(ACTIVE, runtime_bundle="/elsewhere/app.0"), True),
    "a newer version wrote into one of its slots": (orphan(ACTIVE, broken=(NEWER,)), False),
    "running, link lost": (installed(ACTIVE, has_link=False, link_slot=None), False),
    "stopped, link lost": (installed(ACTIVE, has_link=False, link_slot=None, unit=UnitState()), False),
}


@pytest.mark.parametrize(("observed", "goes"), ORPHANS.values(), ids=ORPHANS)
def test_orphaned_checkouts(observed: Observed, goes: bool) -> None:
    """Atomic deleted the root file system of a service that ran, as its link was lost."""
    doomed = chosen(containers=seen_with(observed))
    assert doomed.checkouts == ((SLOT,) if goes else ())
    assert doomed.deployments == ()
    assert chosen(containers=seen_with(observed, in_use=frozenset([SLOT]))).checkouts == ()
    assert chosen(containers=seen_with(observed), protected=frozenset([SLOT])).checkouts == ()


def test_all_slots_of_an_orphan_go() -> None:
    observed = orphan(ACTIVE, OLDEST, broken=(HALF,))
    assert chosen(containers=seen_with(observed)).checkouts == (HALF.directory, OLDEST.directory, SLOT)
    # Without a root file system, a directory of that name may be anybody's.
    assert chosen(containers=seen_with(observed, checkouts=False)).checkouts == (OLDEST.directory, SLOT)


BROKEN: dict[str, tuple[Observed, bool]] = {
    "beside the active one": (installed(ACTIVE, broken=(HALF,)), True),
    "stopped": (installed(ACTIVE, broken=(HALF,), unit=UnitState()), True),
    "it is the active one": (installed(ACTIVE, broken=(HALF,), active_slot=1), False),
    "the link leads to it": (installed(ACTIVE, broken=(HALF,), link_slot=1), False),
    "the link leads nowhere": (installed(ACTIVE, broken=(HALF,), link_slot=None), False),
    "the link is lost": (installed(ACTIVE, broken=(HALF,), has_link=False, link_slot=None), False),
    "the runtime runs it": (installed(ACTIVE, broken=(HALF,), runtime_bundle=HALF.directory), False),
    "the runtime does not tell": (installed(ACTIVE, broken=(HALF,), runtime_bundle=""), False),
    "the runtime runs the active one": (installed(ACTIVE, broken=(HALF,), runtime_bundle=SLOT), True),
    "the unit names it": (
        with_file(installed(ACTIVE, broken=(HALF,)), PATHS.unit, text(f"WorkingDirectory={HALF.directory}\n")),
        False,
    ),
    "the unit names another with more digits": (
        with_file(installed(ACTIVE, broken=(HALF,)), PATHS.unit, text(f"WorkingDirectory={HALF.directory}0\n")),
        True,
    ),
    "the drop-in names it": (
        with_file(installed(ACTIVE, broken=(HALF,)), PATHS.drop_in, text(f"Environment=X={HALF.directory}/rootfs\n")),
        False,
    ),
    "a newer version wrote it": (installed(ACTIVE, broken=(NEWER,)), False),
    "a newer version wrote another": (
        installed(ACTIVE, broken=(HALF, dataclasses.replace(NEWER, slot=2, directory=f"{ROOT}/app.2"))),
        False,
    ),
    "the container is in the way of itself": (installed(ACTIVE, broken=(HALF,), problem="x"), False),
}


@pytest.mark.parametrize(("observed", "goes"), BROKEN.values(), ids=BROKEN)
def test_broken_slots_of_a_container(observed: Observed, goes: bool) -> None:
    assert chosen(containers=seen_with(observed)).checkouts == ((HALF.directory,) if goes else ())
    assert chosen(containers=seen_with(observed, checkouts=False)).checkouts == ()
    assert chosen(containers=seen_with(observed, in_use=frozenset([HALF.directory]))).checkouts == ()


@pytest.mark.parametrize(
    ("keep", "changes", "gone"),
    [
        (None, {}, []),
        (1, {}, [OLDEST, KEPT]),
        (2, {}, [OLDEST]),
        (3, {}, []),
        (9, {}, []),
        (1, {"link_slot": 1}, [OLDEST]),
        (1, {"link_slot": None}, []),
        (1, {"active_slot": None}, []),
        (1, {"runtime_bundle": KEPT.directory}, [OLDEST]),
        (1, {"runtime_bundle": ""}, []),
        (1, {"problem": "x"}, []),
        (1, {"broken": (dataclasses.replace(NEWER, slot=3),)}, []),
    ],
)
def test_deployments_that_are_kept(keep: int | None, changes: dict[str, Any], gone: list[Deployment]) -> None:
    observed = installed(ACTIVE, KEPT, OLDEST, **changes)
    doomed = chosen(containers=seen_with(observed), keep=keep)
    assert doomed.deployments == tuple(item.directory for item in gone)
    assert doomed.checkouts == ()
    assert set(
        chosen(containers=seen_with(observed), keep=keep, protected=frozenset([OLDEST.directory])).deployments
    ) == {item.directory for item in gone} - {OLDEST.directory}


@pytest.mark.parametrize(
    ("name", "is_link", "owner"),
    [
        (".app.0.new", False, "app"),
        (".app.12.removed", False, "app"),
        ("..app.0.new.removed", False, "app"),
        ("...app.0.removed.removed.removed", False, "app"),
        (".app.new", True, "app"),
        (".app.new.0.new", False, "app.new"),
        (".app.new.new", True, "app.new"),
        (".app.new", False, None),
        (".app.0.new", True, None),
        (".app.0", False, None),
        ("app.0.new", False, None),
        (".app.00.new", False, None),
        (".app.x.new", False, None),
        (".storage", False, None),
        (".new", True, None),
        (".-app.0.new", False, None),
        (".a b.0.new", False, None),
        (".app.0.new\n", False, None),
    ],
)
def test_names_of_leftovers(name: str, is_link: bool, owner: str | None) -> None:
    assert leftover_owner(name, is_link=is_link) == owner


def test_leftovers() -> None:
    containers = ContainersSeen(
        leftovers=(f"{ROOT}/.b.0.new", f"{ROOT}/.a.0.new", f"{ROOT}/.c.0.new"),
        in_use=frozenset([f"{ROOT}/.c.0.new"]),
        busy=("other",),
    )
    doomed = chosen(RepositorySeen(leftovers=("/repo/tmp/x",)), containers, protected=frozenset([f"{ROOT}/.b.0.new"]))
    assert doomed.leftovers == ("/repo/tmp/x", f"{ROOT}/.a.0.new")
    assert len(doomed.warnings) == 1
    assert "'other'" in doomed.warnings[0]


def test_what_is_protected_stays_whole() -> None:
    seen = with_refs(repository(), UNUSED, unused=BLOB)
    doomed = chosen(seen, protected=frozenset([f"ociimage/{OTHER}"]))
    assert (doomed.refs, doomed.commits) == ((), ())


def test_plan() -> None:
    doomed = Doomed(
        refs=("ociimage/r",), commits=("c",), checkouts=("/a.0",), deployments=("/b.1",), leftovers=("/.b.0.new",)
    )
    plan = plan_prune(with_objects(doomed, ["c.commit", "b.file", "a.file"]), header="store", size=7)
    assert strings(plan.actions) == [
        "remove directory /a.0",
        "remove directory /b.1",
        "remove leftover /.b.0.new",
        "remove unused blob ociimage/r",
        "prune 1 unused commits, 3 objects in all",
    ]
    assert plan.diff[0] == {
        "before_header": "store",
        "after_header": "store",
        "before": "/a.0\n/b.1\n/.b.0.new\nociimage/r\ncommit c\n3 objects that nothing reaches\n7 bytes in all of these\n",
        "after": "",
    }
    blind = without_repository(doomed, "why")
    assert strings(plan_prune(blind, header="store", size=0).actions) == strings(plan.actions)[:3]
    assert ": why. Mend" in blind.warnings[0]


def test_nothing_to_do() -> None:
    plan = plan_prune(Doomed(warnings=("x",)), header="store", size=0)
    assert (plan.changed, plan.diff) == (False, ())


def test_objects_alone() -> None:
    """A run that was killed leaves objects that nothing reaches, and no commit."""
    assert plan_prune(with_objects(Doomed(), ["a.file"]), header="store", size=1).changed


A, B, C = f"ociimage/{LAYER}", f"ociimage/{OTHER}", f"ociimage/{'4' * 64}"


def manifest(*layers: str) -> Manifest:
    return dataclasses.replace(MANIFEST, layers=tuple(blob(ref.partition("/")[2]) for ref in layers))


@pytest.mark.parametrize(
    ("manifests", "sizes", "total", "images"),
    [
        ({}, {}, (0, 0, 0), []),
        ({}, {A: 1}, (0, 0, 1), []),
        ({"x": manifest(A, B)}, {A: 1, B: 2, C: 4}, (3, 0, 4), [(3, 3, 0)]),
        ({"x": manifest(A, B), "y": manifest(B, C)}, {A: 1, B: 2, C: 4}, (5, 2, 0), [(3, 1, 2), (6, 4, 2)]),
        ({"x": manifest(A, A)}, {A: 1}, (1, 0, 0), [(1, 1, 0)]),
        ({"x": manifest(A)}, {A: 1, f"ociimage/{CONFIG}": 8}, (1, 0, 0), [(1, 1, 0)]),
        ({"x": manifest(A, B)}, {A: 1, B: None}, (1, 0, 0), [(None, None, None)]),
        ({"x": manifest(A, B)}, {A: 1}, (1, 0, 0), [(None, None, None)]),
        ({"x": manifest(A), "y": None}, {A: 1, B: 2}, (1, 0, None), [(1, 1, 0)]),
    ],
)
def test_sums(
    manifests: dict[str, Manifest | None],
    sizes: dict[str, int | None],
    total: tuple[int | None, ...],
    images: list[tuple[int | None, ...]],
) -> None:
    summed = sum_up(manifests, sizes, count=len(manifests))
    assert (summed.unique, summed.shared, summed.reclaimable) == total
    assert list(summed.images.values()) == [ImageSizes(*item) for item in images]


def test_an_image_without_even_a_commit() -> None:
    summed = sum_up({"x": manifest(A)}, {A: 1, B: 2}, count=2)
    assert summed.describe() == {"images": 2, "unique": 1, "shared": 0, "reclaimable": None}
