# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several runs of modules on one store at once, as processes: the end is that of one run after the other."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from faults.harness import result_of
from faults.stores import IMAGE, NAME, REF, REPOSITORY, Sources, Store

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import LockedError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import ImageRequest
from ansible_collections.projectatomic.system_containers.plugins.module_utils._images import remove_image
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository

LOCK = f"{REPOSITORY}/system-containers.lock"
OTHER = "localhost/other:1"
PRUNE = "system_container_prune"


@dataclass(frozen=True)
class Run:
    parameters: Mapping[str, Any]
    module: str = IMAGE
    check_mode: bool = False

    def start(self, store: Store) -> subprocess.Popen[str]:
        return subprocess.Popen(
            store.argv(self.parameters, module=self.module, check_mode=self.check_mode),
            env={**os.environ, **store.place.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, as ostree syncs a lot."""
    path = Path(tempfile.mkdtemp(prefix="locks-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def sources(folder: Path) -> Sources:
    return Sources(folder)


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder / "store")


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout, stderr = process.communicate(timeout=120)
    result, problems = result_of(process.returncode, stdout, stderr)
    assert not problems, problems
    assert not result.get("failed"), result
    return result


def with_delays(store: Store, runs: Sequence[Run], delays: Sequence[float]) -> list[dict[str, Any]]:
    """Start each run after its delay (seconds); return their results."""
    processes = []
    for run, delay in zip(runs, delays):
        time.sleep(delay)
        processes.append(run.start(store))
    return [finish(process) for process in processes]


def from_the_lock(store: Store, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Hold the repository's lock until all runs wait for it; return their results."""
    lock = store.folder / LOCK
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    processes = [run.start(store) for run in runs]
    deadline = time.monotonic() + 60
    while not all(_has_open(process.pid, lock) for process in processes):
        assert time.monotonic() < deadline, [process.poll() for process in processes]
        time.sleep(0.02)
    os.close(descriptor)
    return [finish(process) for process in processes]


def _has_open(pid: int, path: Path) -> bool:
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(descriptor))
        except FileNotFoundError:
            continue
    return str(path) in links


def delays_of(round_: int, count: int = 2) -> list[float]:
    """Return seconds before each start; a run takes about half a second."""
    chosen = random.Random(round_)
    return [0.0, *(chosen.uniform(0, 0.4) for _run in range(count - 1))]


def outcomes(folder: Path, prepare: Callable[[Store], None], runs: Sequence[Run]) -> list[dict[str, str]]:
    """Return the refs after the runs in their order, and in the reverse order."""
    found = []
    for number, order in enumerate([runs, runs[::-1]]):
        serial = Store(folder / f"serial-{number}")
        prepare(serial)
        for run in order:
            finish(run.start(serial))
        found.append(serial.refs())
    return found


@pytest.mark.parametrize("round_", range(4))
def test_two_pulls_of_one_image_into_a_missing_repository(store: Store, sources: Sources, round_: int) -> None:
    results = with_delays(store, [Run(sources.pull(sources.one))] * 2, delays_of(round_))
    assert sorted(result["changed"] for result in results) == [False, True]
    assert {result["image"]["manifest_digest"] for result in results} == {sources.one.manifest_digest}
    assert store.fsck() == ""
    assert not list((store.folder / "root/.storage").glob(".ostree*"))


@pytest.mark.parametrize("state", ["present", "latest"])
def test_two_pulls_that_wait(store: Store, sources: Sources, state: str) -> None:
    finish(Run(sources.pull(sources.other, name=OTHER)).start(store))
    results = from_the_lock(store, [Run(sources.pull(sources.one, state=state))] * 2)
    assert sorted(result["changed"] for result in results) == [False, True]
    assert sorted(result["layers_pulled"] for result in results) == [0, 2]


@pytest.mark.parametrize("round_", range(3))
def test_two_images_that_share_layers(folder: Path, store: Store, sources: Sources, round_: int) -> None:
    runs = [Run(sources.pull(sources.one)), Run(sources.pull(sources.other, name=OTHER))]
    results = with_delays(store, runs, delays_of(round_))
    assert [result["changed"] for result in results] == [True, True]
    assert sorted(result["layers_reused"] for result in results) == [0, 1]
    assert store.refs() in outcomes(folder, lambda _store: None, runs)
    assert store.fsck() == ""


@pytest.mark.parametrize("round_", [None, 0, 1, 2])
def test_pull_and_removal(folder: Path, store: Store, sources: Sources, round_: int | None) -> None:
    def prepare(place: Store) -> None:
        finish(Run(sources.pull(sources.one)).start(place))

    prepare(store)
    runs = [Run(sources.pull(sources.two, state="latest")), Run({"name": NAME, "state": "absent"})]
    results = from_the_lock(store, runs) if round_ is None else with_delays(store, runs, delays_of(round_))
    assert [result["changed"] for result in results] == [True, True]
    assert store.refs() in outcomes(folder, prepare, runs)
    assert store.fsck() == ""


@pytest.mark.parametrize("round_", [None, 0, 1, 2])
def test_pull_and_prune(store: Store, sources: Sources, round_: int | None) -> None:
    """The image that is pulled shares a layer with one that was removed: prune would take the layer from it."""
    finish(Run(sources.pull(sources.other, name=OTHER)).start(store))
    finish(Run({"name": OTHER, "state": "absent"}).start(store))
    runs = [Run(sources.pull(sources.one)), Run({}, module=PRUNE)]
    results = from_the_lock(store, runs) if round_ is None else with_delays(store, runs, delays_of(round_))
    assert results[0]["changed"]
    assert store.fsck() == ""
    again = finish(Run(sources.pull(sources.one, verify=True)).start(store))
    assert (again["changed"], again["damage"]) == (False, [])
    finish(Run({}, module=PRUNE).start(store))
    blobs = {layer.digest for layer in sources.one.layers} | {sources.one.config_digest}
    assert set(store.refs()) == {REF, *(f"ociimage/{blob.partition(':')[2]}" for blob in blobs)}


def test_check_mode_waits_for_nobody(store: Store, sources: Sources) -> None:
    finish(Run(sources.pull(sources.one)).start(store))
    before = store.refs()
    with (store.folder / LOCK).open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = finish(Run(sources.pull(sources.two, state="latest"), check_mode=True).start(store))
    assert result["changed"]
    assert store.refs() == before


@pytest.mark.parametrize("round_", range(2))
def test_pull_and_check_mode(store: Store, sources: Sources, round_: int) -> None:
    runs = [Run(sources.pull(sources.one)), Run(sources.pull(sources.one), check_mode=True)]
    results = with_delays(store, runs, delays_of(round_))
    assert results[0]["changed"]
    assert results[1]["image"]["manifest_digest"] == sources.one.manifest_digest
    assert store.fsck() == ""


def test_a_killed_run_holds_no_lock(store: Store, sources: Sources) -> None:
    finish(Run(sources.pull(sources.one)).start(store))
    lock = store.folder / LOCK
    with lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = Run({"name": NAME, "state": "absent"}).start(store)
        while not _has_open(waiting.pid, lock):
            time.sleep(0.02)
        waiting.kill()
        waiting.communicate()
    assert finish(Run({"name": NAME, "state": "absent"}).start(store))["changed"]


def test_the_lock_times_out(store: Store, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(Run(sources.pull(sources.one)).start(store))
    monkeypatch.setattr(Repository.lock, "__defaults__", (0.1,))
    repository = Repository(str(store.folder / REPOSITORY))
    request = ImageRequest(parse_image_name(NAME), None)
    with (store.folder / LOCK).open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LockedError) as caught:
            remove_image(repository, request, {}, force=False, check_mode=False)
    message = str(caught.value)
    assert message == (
        f"Another run is changing the OSTree repository '{repository.path}', and did not end within 0.1 seconds:"
        " try again later"
    )
    assert REF in store.refs()
    assert remove_image(repository, request, {}, force=False, check_mode=False).actions
