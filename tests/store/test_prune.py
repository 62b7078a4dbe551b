# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pruning real repositories: what goes, what stays, what it frees."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from lab.image_builder import build_image, tar_files
from store.pulling import NAME, assert_sound, converge, request

from ansible_collections.projectatomic.system_containers.plugins.module_utils import (
    _containers,
    _describe_images,
    _images,
    _observe,
    _prune,
    _pull,
    _stored_image,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    StoreError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.module_utils._journal import (
    remove_journal,
    write_journal,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Journal, UnitState
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._prune_observe import unreachable_objects
from ansible_collections.projectatomic.system_containers.plugins.module_utils._record import dataclass
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import Store
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store_sizes import store_sizes

REF = parse_image_name(NAME).ref


@dataclass(frozen=True)
class WritableStore(Store):
    """A store whose repository can be written to."""

    repository: Repository


@pytest.fixture
def store(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> WritableStore:
    """A store of its own; the locks are beside it, and systemd knows none of its units."""
    monkeypatch.setattr(_containers, "LOCK_FOLDER", str(tmp_path / "locks"))
    monkeypatch.setattr(_observe, "show_units", lambda units: {unit: UnitState() for unit in units})
    root = tmp_path / "root"
    return WritableStore(root=str(root), repository=Repository(str(root / ".storage/ostree")))


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Callable[..., str]:
    """Build an image of layers, each a mapping of files; return its source."""

    def build(*layers: Mapping[str, str], tag: str = "1") -> str:
        return build_image(tmp_path / "oci", layers=[tar_files(dict(layer)) for layer in layers], tag=tag).reference

    return build


def prune(store: WritableStore, *, keep: int | None = None) -> _prune.PruneOutcome:
    """Prune, and see that check mode foretold it without touching anything, that it freed what it says and is settled."""
    before = listing(store)
    foretold = _prune.prune_store(store, keep=keep, check_mode=True)
    assert listing(store) == before
    used = disk_usage(store)
    done = _prune.prune_store(store, keep=keep, check_mode=False)
    assert done == foretold
    assert done.plan.changed == bool(done.plan.diff)
    assert done.size == used - disk_usage(store)
    if not done.plan.changed:
        assert listing(store) == before
    settled = listing(store)
    again = _prune.prune_store(store, keep=keep, check_mode=False)
    assert again.plan.actions == ()
    assert (again.size, again.doomed.warnings) == (0, done.doomed.warnings)
    assert listing(store) == settled
    return done


def walk(store: WritableStore) -> Iterator[tuple[str, os.stat_result]]:
    for folder, folders, files in os.walk(store.root):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            if not path.endswith(".lock"):  # each writer makes it
                yield path, os.lstat(path)


def listing(store: WritableStore) -> dict[str, tuple[int, int, int]]:
    """Return what tells a written file from one that was left alone."""
    return {path: (status.st_ino, status.st_mtime_ns, status.st_nlink) for path, status in walk(store)}


def disk_usage(store: WritableStore) -> int:
    """Return allocated bytes, each inode once, but for refs, and for the folders of objects, which stay."""
    inodes = {
        status.st_ino: status.st_blocks * 512
        for path, status in walk(store)
        if "/refs/" not in path and not (stat.S_ISDIR(status.st_mode) and "/objects" in path)
    }
    return sum(inodes.values())


def ostree(store: WritableStore, command: str, *arguments: str) -> str:
    argv = ["ostree", command, f"--repo={store.repository.path}", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def commits(store: WritableStore) -> set[str]:
    found = pathlib.Path(store.repository.path, "objects").glob("*/*.commit")
    return {path.parent.name + path.stem for path in found}


def foreign_tree(tmp_path: pathlib.Path, text: str) -> str:
    tree = tmp_path / f"tree-{text}"
    tree.mkdir(exist_ok=True)
    (tree / "file").write_text(text, encoding="utf-8")
    return f"--tree=dir={tree}"


def checkout(store: WritableStore, name: str, *commits: str) -> pathlib.Path:
    """Check commits out into a slot, as a run would that was killed before it wrote ``info``."""
    slot = pathlib.Path(store.root, name)
    slot.mkdir()
    store.repository.checkout(commits, str(slot / "rootfs"))
    return slot


def layers_of(store: WritableStore, ref: str = REF) -> list[str]:
    stored = _images.stored_image(store.repository, ref)
    assert stored is not None
    return list(_stored_image.layer_commits(store.repository, stored.manifest))


def test_no_store(store: WritableStore) -> None:
    outcome = prune(store)
    assert outcome.results()["removed"] == {
        "blobs": [],
        "commits": [],
        "objects": 0,
        "checkouts": [],
        "deployments": [],
        "leftovers": [],
    }
    assert not os.path.exists(store.root)


@pytest.mark.parametrize("keep", [0, -1])
def test_keep_counts_the_active_deployment(store: WritableStore, keep: int) -> None:
    with pytest.raises(InvalidInputError, match=f"keep: {keep} is less than 1"):
        _prune.prune_store(store, keep=keep, check_mode=True)


def leave_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pulls leave the commits that layers are imported as, like one that is killed at the very end."""
    monkeypatch.setattr(Repository, "forget_commit", lambda self, commit: None)


def test_a_pull_leaves_nothing(store: WritableStore, layout: Callable[..., str]) -> None:
    converge(store.repository, source=layout({"a": "1"}, {"b": "2"}))
    assert prune(store).plan.actions == ()


def test_what_a_killed_pull_leaves(
    store: WritableStore, layout: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each layer is imported as a commit without a ref, whose tree the layer's own commit has."""
    leave_imports(monkeypatch)
    converge(store.repository, source=layout({"a": "1"}, {"b": "2"}))
    outcome = prune(store)
    assert len(outcome.doomed.commits) == len(outcome.doomed.objects) == 2
    assert [str(action) for action in outcome.plan.actions] == ["prune 2 unused commits, 2 objects in all"]
    assert_sound(store.repository)
    assert converge(store.repository).plan.actions == ()
    assert commits(store) == {*layers_of(store), *map(store.repository.resolve, store.repository.refs())}


def test_a_tag_that_moved(store: WritableStore, layout: Callable[..., str]) -> None:
    """The layer that both images have stays, with its files and the configuration."""
    converge(store.repository, source=layout({"base": "base"}, {"file": "one" * 5000}))
    converge(store.repository, source=layout({"base": "base"}, {"file": "two" * 5000}), refresh=True)
    whole = _describe_images.list_images(store.repository, None, {})
    outcome = prune(store)
    assert len(outcome.doomed.refs) == 2  # a layer and a configuration
    assert len(outcome.doomed.commits) == 3  # of these, and the image
    assert outcome.size > 15000
    assert _describe_images.list_images(store.repository, None, {}) == whole
    assert whole[0]["broken"] is None
    assert unreachable_objects(store.repository, gone=[]) == []
    assert_sound(store.repository)


def test_an_image_that_was_removed(store: WritableStore, layout: Callable[..., str]) -> None:
    converge(store.repository, source=layout({"file": "one"}))
    _images.remove_image(store.repository, request(), {}, force=False, check_mode=False)
    outcome = prune(store)
    assert [type(action).__name__ for action in outcome.plan.actions] == ["RemoveBlob", "RemoveBlob", "PruneObjects"]
    assert store.repository.refs() == {}
    assert commits(store) == set()
    assert_sound(store.repository)


def test_an_image_whose_name_looks_like_hex(store: WritableStore, layout: Callable[..., str]) -> None:
    """Atomic took it for a layer: it was neither listed nor kept."""
    converge(store.repository, "cafe:beef", source=layout({"file": "one"}))
    prune(store)
    assert [image["name"] for image in _describe_images.list_images(store.repository, None, {})] == ["cafe:beef"]
    assert converge(store.repository, "cafe:beef").plan.actions == ()


def test_what_others_have_in_the_repository(
    store: WritableStore, layout: Callable[..., str], tmp_path: pathlib.Path
) -> None:
    """The host's own repository holds its operating system, and whatever else is done with it."""
    converge(store.repository, source=layout({"file": "one"}))
    base = ostree(store, "commit", "--branch=os/stable", "--subject=first", foreign_tree(tmp_path, "first"))
    ostree(store, "commit", "--branch=os/stable", "--subject=second", foreign_tree(tmp_path, "second"))
    kept = {base, ostree(store, "rev-parse", "os/stable")}
    for options in (
        ["--subject=by hand"],
        ["--subject=", "--timestamp=@0"],  # has the metadata ostree.ref-binding
        ["--subject=", "--timestamp=@1", "--no-bindings"],
        ["--subject=x", "--timestamp=@0", "--no-bindings"],
        ["--subject=", "--body=x", "--timestamp=@0", "--no-bindings"],
        ["--subject=", "--timestamp=@0", "--no-bindings", f"--parent={base}"],
        ["--subject=", "--timestamp=@0", "--no-bindings", "--add-metadata-string=ostree.manifest-digest=sha256:1"],
        ["--subject=", "--timestamp=@0", "--no-bindings", "--add-metadata=number=uint32 1"],
    ):
        kept.add(ostree(store, "commit", "--orphan", *options, foreign_tree(tmp_path, f"orphan {len(kept)}")))
    parentless = ostree(store, "commit", "--branch=os/old", "--subject=gone", foreign_tree(tmp_path, "gone"))
    kept.add(ostree(store, "commit", "--branch=os/old", "--subject=child", foreign_tree(tmp_path, "child")))
    os.unlink(store.repository.object_path(parentless, "commit"))
    for place in ("remotes/upstream/os", "mirrors/org.example/os"):
        path = pathlib.Path(store.repository.path, "refs", place)
        path.parent.mkdir(parents=True)
        # Ours by its content, but somebody gave it a name.
        path.write_text(layers_of(store)[0] if "remotes" in place else base, encoding="ascii")
    blob = f"ociimage/{'0' * 64}"
    ostree(store, "refs", f"--create={blob}", base)
    kept.add(layers_of(store)[0])
    _images.remove_image(store.repository, request(), {}, force=False, check_mode=False)
    refs = store.repository.every_ref()
    outcome = prune(store)
    assert kept <= commits(store)
    gone = {f"heads/ociimage/{blob.partition(':')[2]}" for blob in outcome.results()["removed"]["blobs"]}
    assert len(gone) == 2
    assert store.repository.every_ref() == {ref: commit for ref, commit in refs.items() if ref not in gone}
    for commit in kept:
        ostree(store, "ls", "--recursive", commit)
    assert_sound(store.repository)


def test_a_partial_commit_of_others(store: WritableStore, layout: Callable[..., str], tmp_path: pathlib.Path) -> None:
    converge(store.repository, source=layout({"file": "one"}))
    other = Repository(str(tmp_path / "other"))
    other.create()
    subprocess.run(
        ["ostree", "commit", f"--repo={other.path}", "--branch=x", foreign_tree(tmp_path, "far")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    ostree(store, "pull-local", "--commit-metadata-only", other.path, "x")
    outcome = prune(store)
    assert outcome.doomed.warnings == ()
    assert other.resolve("x") in commits(store)


def test_imports_from_before_they_had_a_mark(store: WritableStore, tmp_path: pathlib.Path) -> None:
    store.repository.create()
    options = ["--orphan", "--subject=", "--timestamp=@0", "--parent=none", "--no-bindings"]
    old = ostree(store, "commit", *options, foreign_tree(tmp_path, "old"))
    assert prune(store).doomed.commits == (old,)
    assert_sound(store.repository)


def empty_ref(store: WritableStore) -> None:
    pathlib.Path(store.repository.path, "refs/heads", REF).write_text("", encoding="ascii")


def drop_commit(store: WritableStore) -> None:
    os.unlink(store.repository.object_path(str(store.repository.resolve(REF)), "commit"))


def change_commit(store: WritableStore) -> None:
    path = pathlib.Path(store.repository.object_path(str(store.repository.resolve(REF)), "commit"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def newer_schema(store: WritableStore) -> None:
    commit = str(store.repository.resolve(REF))
    metadata = {**store.repository.metadata(commit), "system-containers": '{"schema": 99}'}
    store.repository.commit_tree_of(commit, metadata=metadata, ref=REF)


@pytest.mark.parametrize(
    "damage", [empty_ref, drop_commit, change_commit, newer_schema], ids=lambda item: item.__name__
)
def test_an_image_that_cannot_be_read_loses_nothing(
    store: WritableStore, layout: Callable[..., str], damage: Callable[[Store], None]
) -> None:
    """Nor does any other image: nothing tells which layers are the damaged one's."""
    source = layout({"file": "one"}, {"file": "two"})
    converge(store.repository, source=source)
    converge(store.repository, "localhost/other:1", source=layout({"other": "other"}, tag="2"))
    _images.remove_image(store.repository, request("localhost/other:1"), {}, force=False, check_mode=False)
    blobs = [ref for ref in store.repository.refs() if ref != REF]
    folder = pathlib.Path(store.repository.path, "tmp/system-containers-left")
    damage(store)
    folder.mkdir()
    outcome = prune(store)
    assert outcome.doomed.leftovers == (str(folder),)
    assert any(f"'{REF}'" in warning for warning in outcome.doomed.warnings)
    assert set(blobs) == set(store.repository.refs()) - {REF}
    if damage is not newer_schema:
        mended = converge(store.repository, source=source)
        assert mended.result is not None
        assert mended.result.layers_pulled == 0
        assert len(prune(store).doomed.refs) == 2
        assert_sound(store.repository)


def test_a_layer_that_cannot_be_followed(store: WritableStore, layout: Callable[..., str]) -> None:
    """ostree itself refuses to prune then; here it is foretold, and what needs no repository goes."""
    source = layout({"folder/file": "one"})
    converge(store.repository, source=source)
    root = store.repository.root(layers_of(store)[0])
    os.unlink(store.repository.object_path(root.checksum, "dirtree"))
    folder = pathlib.Path(store.repository.path, "tmp/system-containers-left")
    folder.mkdir()
    outcome = prune(store)
    assert [str(action) for action in outcome.plan.actions] == [f"remove leftover {folder}"]
    assert "Nothing is pruned from the OSTree repository" in outcome.doomed.warnings[-1]
    assert root.checksum in outcome.doomed.warnings[-1]


def test_a_run_that_was_killed_after_the_commits(store: WritableStore, layout: Callable[..., str]) -> None:
    converge(store.repository, source=layout({"file": "one"}))
    _images.remove_image(store.repository, request(), {}, force=False, check_mode=False)
    planned = _prune.prune_store(store, keep=None, check_mode=True)
    for ref in planned.doomed.refs:
        store.repository.delete_ref(ref)
    for commit in planned.doomed.commits:
        os.unlink(store.repository.object_path(commit, "commit"))
    rest = prune(store)
    assert set(rest.doomed.objects) == {name for name in planned.doomed.objects if not name.endswith(".commit")}
    assert rest.doomed.objects
    assert_sound(store.repository)


@pytest.mark.parametrize("actions", range(1, 5))
def test_a_run_that_was_killed_between_two_actions(
    store: WritableStore, layout: Callable[..., str], actions: int
) -> None:
    """The store is sound, its images whole, and the next run removes the rest."""
    converge(store.repository, source=layout({"file": "one"}))
    converge(store.repository, "localhost/two:1", source=layout({"file": "two"}, tag="2"))
    checkout(store, "gone.0", *layers_of(store))
    (pathlib.Path(store.root) / ".app.0.new").mkdir()
    _images.remove_image(store.repository, request(), {}, force=False, check_mode=False)
    planned = _prune.prune_store(store, keep=None, check_mode=True).plan
    assert len(planned.actions) == 5
    _prune._apply(planned.actions[:actions], store.repository)
    assert_sound(store.repository)
    assert converge(store.repository, "localhost/two:1").plan.actions == ()
    assert prune(store).plan.actions == planned.actions[actions:]
    assert_sound(store.repository)


def test_a_pull_that_has_not_named_its_layers_yet(
    store: WritableStore, layout: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is without a name, and must not go: the pull has the lock."""
    imported, go_on = threading.Event(), threading.Event()
    store_layer = _pull._store_layer

    def wait(*arguments: Any) -> dict[str, str]:
        imported.set()
        assert go_on.wait(60)
        return store_layer(*arguments)

    monkeypatch.setattr(_pull, "_store_layer", wait)
    source = layout({"file": "one"})
    outcomes: list[Any] = []
    pull = threading.Thread(target=lambda: outcomes.append(converge(store.repository, source=source)))
    pruning = threading.Thread(target=lambda: outcomes.append(_prune.prune_store(store, keep=None, check_mode=False)))
    pull.start()
    assert imported.wait(60)
    before = commits(store)
    pruning.start()
    pruning.join(0.3)
    assert pruning.is_alive()
    assert before
    assert before <= commits(store)  # the pull itself may add some
    go_on.set()
    pull.join(60)
    pruning.join(60)
    assert [type(outcome).__name__ for outcome in outcomes] == ["ImageOutcome", "PruneOutcome"]
    assert converge(store.repository).plan.actions == ()
    assert_sound(store.repository)


def test_refs_that_cannot_be_listed(
    store: WritableStore, layout: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they name must not be taken for what nothing names."""
    converge(store.repository, source=layout({"file": "one"}))
    before, scandir = commits(store), os.scandir

    def fail(path: str) -> Any:
        if str(path).endswith("refs/heads"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fail)
        with pytest.raises(StoreError, match=r"refs .* cannot be listed: .*Input/output error"):
            prune(store)
    assert commits(store) == before
    assert_sound(store.repository)


def test_what_a_journal_names_stays(store: WritableStore, layout: Callable[..., str]) -> None:
    """A killed update left its checkout without link, unit and record; the next run may still need it."""
    converge(store.repository, source=layout({"file": "one"}))
    slot = checkout(store, "app.1", *layers_of(store))
    journal = f"{store.root}/.app.journal"
    write_journal(journal, Journal("update", running=True, slots=(0, 1)))
    assert str(slot) not in prune(store).doomed.checkouts
    assert slot.exists()
    remove_journal(journal)
    assert prune(store).doomed.checkouts == (str(slot),)


def test_two_at_once(store: WritableStore, layout: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    leave_imports(monkeypatch)
    converge(store.repository, source=layout({"file": "one"}))
    outcomes: list[_prune.PruneOutcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(_prune.prune_store(store, keep=None, check_mode=False)))
        for _number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(len(outcome.plan.actions) for outcome in outcomes) == [0, 0, 1]
    assert_sound(store.repository)


def start_commit(store: WritableStore) -> subprocess.Popen[bytes]:
    """Start a commit of ostree's, and return once it is in the middle of it."""
    archive = tar_files({"first": "x" * 100_000, "second": "y" * 3_000_000})
    argv = [
        "ostree",
        "commit",
        f"--repo={store.repository.path}",
        "--branch=other",
        "--tar-autocreate-parents",
        "--tree=tar=-",
    ]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(archive[:2_000_000])
    process.stdin.flush()
    return process


def transactions(store: WritableStore) -> list[str]:
    return sorted(path.name for path in pathlib.Path(store.repository.path, "tmp").glob("*staging-*"))


def test_what_a_killed_commit_left(store: WritableStore) -> None:
    store.repository.create()
    with start_commit(store) as process:
        process.kill()
    assert len(transactions(store)) == 2  # and its lock file
    outcome = prune(store)
    assert [str(action).rpartition("/")[2][:8] for action in outcome.plan.actions] == ["staging-"]
    assert transactions(store) == []


def test_a_commit_that_goes_on(store: WritableStore) -> None:
    """Somebody else's, who knows nothing of this collection's lock."""
    store.repository.create()
    with store.repository.lock():  # the first one makes its file
        pass
    with start_commit(store) as process:
        assert prune(store).plan.actions == ()
        assert len(transactions(store)) == 2
        archive = tar_files({"first": "x" * 100_000, "second": "y" * 3_000_000})
        process.communicate(archive[2_000_000:], timeout=60)
    assert process.returncode == 0
    assert ostree(store, "ls", "other", "/second")
    assert_sound(store.repository)


def test_leftovers(store: WritableStore) -> None:
    """Temporary folders go unless they are locked, those of containers unless the container is; nothing else does."""
    store.repository.create()
    root, beside = pathlib.Path(store.root), pathlib.Path(store.repository.path).parent
    tmp = pathlib.Path(store.repository.path, "tmp")
    stale = [
        beside / ".ostree-abc",
        tmp / "system-containers-abc",
        tmp / ".system-containers-abc.removed",
        root / ".app.0.new",
        root / ".app.1.removed",
        root / "..app.0.new.removed",
    ]
    others = [beside / ".other", tmp / "system", root / ".app", root / "data.new", root / ".data", root / ".file.new"]
    for folder in (*stale, *others):
        folder.mkdir()
        (folder / "file").write_bytes(b"x" * 10_000)
    (root / ".app.new").symlink_to("app.0")
    (tmp / "system-containers-ref-0").write_bytes(b"0" * 64)
    with _containers.container_lock("busy", timeout=0):
        (root / ".busy.0.new").mkdir()
        outcome = _prune.prune_store(store, keep=None, check_mode=False)
        assert set(outcome.doomed.leftovers) == {
            *map(str, stale),
            str(root / ".app.new"),
            str(tmp / "system-containers-ref-0"),
        }
        assert len(outcome.doomed.warnings) == 1
        assert "'busy'" in outcome.doomed.warnings[0]
    assert prune(store).doomed.leftovers == (str(root / ".busy.0.new"),)
    assert all(folder.exists() for folder in others)
    assert not any(os.path.lexists(folder) for folder in stale)


def test_the_checkout_of_a_container_that_is_gone(store: WritableStore, layout: Callable[..., str]) -> None:
    """Files that only it and removed layers have count; directories that are no checkout stay."""
    converge(store.repository, source=layout({"file": "one" * 20_000}, {"more": "more" * 20_000}))
    prune(store)
    first, second = layers_of(store)
    slot = checkout(store, "gone.1", first)
    copy = checkout(store, "kept", first, second)  # no slot
    (slot / "config.json").write_bytes(b"x" * 9_000)
    pathlib.Path(store.root, "data.1").mkdir()
    pathlib.Path(store.root, "file.0").touch()
    outcome = prune(store)
    assert outcome.doomed.checkouts == (str(slot),)
    assert 9_000 < outcome.size < 60_000
    assert sorted(os.listdir(store.root)) == [".storage", "data.1", "file.0", "kept"]

    slot = checkout(store, "gone.1", first, second)
    (copy / "rootfs/file").unlink()
    _images.remove_image(store.repository, request(), {}, force=False, check_mode=False)
    outcome = prune(store)
    assert outcome.doomed.checkouts == (str(slot),)
    assert 60_000 < outcome.size < 120_000  # what the copy still has of "more" is not free
    assert (copy / "rootfs/more").read_text(encoding="utf-8") == "more" * 20_000


@pytest.mark.parametrize("evidence", ["process", "link", "runtime"])
def test_what_still_runs(
    store: WritableStore, layout: Callable[..., str], evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Atomic deleted the root file system of a service whose link was lost."""
    converge(store.repository, source=layout({"file": "one"}))
    prune(store)
    slot = checkout(store, "gone.1", *layers_of(store))
    if evidence == "process":
        script = "import os, sys; os.chroot(sys.argv[1]); print(flush=True); sys.stdin.read()"
        argv = [sys.executable, "-c", script, str(slot / "rootfs")]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert prune(store).plan.actions == ()
            process.communicate()
    elif evidence == "link":
        link = pathlib.Path(store.root, "gone")
        link.symlink_to("gone.0")  # leads nowhere
        assert prune(store).plan.actions == ()
        link.unlink()
    else:
        with monkeypatch.context() as patch:
            patch.setattr(_observe, "container_bundle", lambda name: str(slot))
            assert prune(store).plan.actions == ()
    assert prune(store).doomed.checkouts == (str(slot),)


def test_sizes(store: WritableStore, layout: Callable[..., str]) -> None:
    """What info calls reclaimable is the size of archives; what prune frees are blocks on disk."""
    assert store_sizes(store.repository).describe() == {"images": 0, "unique": 0, "shared": 0, "reclaimable": 0}
    base, one, two = {"base": "b" * 100_000}, {"one": "1" * 200_000}, {"two": "2" * 400_000}
    converge(store.repository, source=layout(base, one), tags=["localhost/alias:1"])
    converge(store.repository, "localhost/two:1", source=layout(base, two, tag="2"))
    prune(store)
    sizes = [len(tar_files(layer)) for layer in (base, one, two)]
    summary = {"images": 2, "unique": sizes[1] + sizes[2], "shared": sizes[0], "reclaimable": 0}
    assert store_sizes(store.repository).describe() == summary
    shown = _describe_images.list_images(store.repository, None, {})
    assert [(image["unpacked_size"], image["unique_size"], image["shared_size"]) for image in shown] == [
        (sizes[0] + sizes[1], sizes[1], sizes[0]),
        (sizes[0] + sizes[1], sizes[1], sizes[0]),
        (sizes[0] + sizes[2], sizes[2], sizes[0]),
    ]
    _images.remove_image(store.repository, request("localhost/two:1"), {}, force=False, check_mode=False)
    after = store_sizes(store.repository).describe()
    config = after["reclaimable"] - sizes[2]  # type: ignore[operator]
    assert 0 < config < 4096
    assert after == {"images": 1, "unique": sizes[0] + sizes[1], "shared": 0, "reclaimable": sizes[2] + config}
    freed = prune(store).size
    assert 400_000 < freed < 400_000 + 20 * 4096
    assert store_sizes(store.repository).describe() == {**after, "reclaimable": 0}


@pytest.mark.parametrize("damage", [empty_ref, drop_commit, change_commit], ids=lambda item: item.__name__)
def test_sizes_of_a_damaged_store(
    store: WritableStore, layout: Callable[..., str], damage: Callable[[Store], None]
) -> None:
    converge(store.repository, source=layout({"file": "one"}))
    converge(store.repository, "localhost/two:1", source=layout({"file": "two"}, tag="2"))
    damage(store)
    pathlib.Path(store.repository.path, "refs/heads/ociimage", "0" * 64).write_text("", encoding="ascii")
    size = len(tar_files({"file": "two"}))
    assert store_sizes(store.repository).describe() == {"images": 2, "unique": size, "shared": 0, "reclaimable": None}
    shown = _describe_images.list_images(store.repository, None, {})
    assert [image["unpacked_size"] for image in shown] == [None, size]
    assert all({"unpacked_size", "unique_size", "shared_size"} <= image.keys() for image in shown)
