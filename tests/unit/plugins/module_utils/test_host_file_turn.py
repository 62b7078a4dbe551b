# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs at once whose containers share host files, in every order of their steps, with real files below a folder."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from unit.plugins.module_utils import builders
from unit.plugins.module_utils.builders import deployment, image_files, strings

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _actions as actions
from ansible_collections.projectatomic.system_containers.plugins.module_utils import (
    _apply,
    _host_file_io,
    _host_file_turn,
    _observe,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    choose_slot,
    plan_container,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    LockedError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageHostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import info_file
from ansible_collections.projectatomic.system_containers.plugins.module_utils._io import write_file
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Journal, UnitState
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan_absent import plan_absent

UID, GID = os.getuid(), os.getgid()
SHARED = "/opt/x/shared"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for the root of a host without systemd."""
    (tmp_path / "root").mkdir()
    monkeypatch.setattr(builders, "ROOT", str(tmp_path / "containers"))
    monkeypatch.setattr(_host_file_turn, "LOCK_FOLDER", str(tmp_path / "locks"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # there are many files
    monkeypatch.setattr(_observe, "show_units", lambda units: dict.fromkeys(units, UnitState()))
    for name in (
        "observe",
        "leftovers",
        "system_links",
        "install",
        "remove",
        "make_directory",
        "remove_empty_directory",
    ):
        function = partial(getattr(_host_file_io, name), root=str(tmp_path / "root"))
        monkeypatch.setattr(_host_file_io, name, function)
    monkeypatch.setitem(_apply._HANDLERS, actions.CheckoutDeployment, check_out)
    return tmp_path / "root"


def check_out(action: actions.CheckoutDeployment, context: _apply.Context) -> None:
    made = action.deployment
    for file in made.host_files:
        place = Path(f"{made.directory}/rootfs{file.origin}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(TEXTS[file.sha256 or ""])
    for generated in (*made.files, info_file(made)):
        assert generated.path.startswith(made.directory)
        write_file(generated.path, generated.content.encode(), mode=generated.mode)


TEXTS = {hashlib.sha256(text.encode()).hexdigest(): text for text in ("one", "two")}
DIGESTS = {text: digest for digest, text in TEXTS.items()}


def image(text: str | None, *, name: str, slot: int) -> Deployment:
    """Render a deployment that has the shared file, or none, and no service."""
    files = [ImageHostFile(f"/etc/{name}", "-", 0o644, UID, GID, sha256=DIGESTS["one"])]
    files += [ImageHostFile(SHARED, "-", 0o644, UID, GID, sha256=DIGESTS[text])] if text else []
    return deployment(
        name=name,
        slot=slot,
        created=slot,
        files=image_files(
            service_template=None,
            tmpfiles_template=None,
            manifest=ExportsManifest(no_container_service=True),
            host_files=tuple(files),
        ),
    )


class Run:
    """A run about one container, in four steps. ``text`` is of the shared file, empty for an image without it; None: remove."""

    def __init__(self, name: str, text: str | None) -> None:
        self.name, self.text = name, text
        self.planned: Sequence[object] = ()
        self.failure: InvalidInputError | None = None
        self.steps = [self.look, self.prepare, self.turn, self.finish]

    def look(self) -> None:
        observed = _observe.observe_container(builders.ROOT, self.name)
        if self.text is None:
            self.planned = plan_absent(_observe.observe_host_files(observed)).actions
            return
        target = image(self.text, name=self.name, slot=choose_slot(observed))
        observed = _observe.observe_host_files(observed, target)
        self.planned = plan_container(Desired("present", enabled=True), observed, target).actions

    def prepare(self) -> None:
        self._apply(self.planned[: self._middle])

    def turn(self) -> None:
        self._apply(self.planned[self._middle : self._middle + 1])

    def finish(self) -> None:
        self._apply(self.planned[self._middle + 1 :])

    def step(self, number: int) -> None:
        """Do a step, unless one before it failed; then it is cleaned up as when a new container goes again."""
        if self.failure is None:
            try:
                self.steps[number]()
            except InvalidInputError as exc:
                self.failure = exc
                Run(self.name, None).all()

    def all(self) -> Run:
        for number in range(len(self.steps)):
            self.step(number)
        return self

    @property
    def _middle(self) -> int:
        kinds = [type(action) for action in self.planned]
        return kinds.index(actions.ChangeHostFiles) if actions.ChangeHostFiles in kinds else len(kinds)

    def _apply(self, planned: Sequence[object]) -> None:
        assert not any(
            isinstance(item, (actions.RemoveFile, actions.WriteFile)) and "/etc/" in str(item) for item in planned
        )
        _apply.apply(planned, _apply.Context("runc", Repository("/nowhere")))


ORDERS = sorted(set(itertools.permutations([0] * 4 + [1] * 4)))


def interleave(order: Sequence[int], *runs: Run) -> None:
    done = [0, 0]
    for number in order:
        runs[number].step(done[number])
        done[number] += 1


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def check_that_nothing_is_left(host: Path) -> None:
    """Everything goes with the last container, and a run that finds nothing to do changes nothing."""
    for name in ("a", "b"):
        Run(name, None).all()
    assert [path.name for path in host.rglob("*")] == ["etc"]
    assert names(Path(builders.ROOT)) == []


def in_every_order(host: Path, *containers: tuple[str, str | None, str | None]) -> Iterator[tuple[Run, Run]]:
    """Yield two runs after each order of their steps. A container is its name, the text before (None: none) and after."""
    (host / "etc").mkdir()
    alike = len({(before, after) for _name, before, after in containers}) == 1
    for order in ORDERS[: len(ORDERS) // 2 if alike else None]:  # the other half begins with the other one
        for name, before, _after in containers:
            if before is not None:
                assert Run(name, before).all().failure is None
        one, two = (Run(name, after) for name, _before, after in containers)
        interleave(order, one, two)
        yield one, two
        for name, _before, after in containers:
            if after is not None and not (one.failure or two.failure):
                again = Run(name, after)
                again.look()
                kept = [action for action in again.planned if isinstance(action, actions.ChangeHostFiles)]
                assert strings(action for item in kept for action in item.planned) == [], order
        check_that_nothing_is_left(host)


def test_removal_of_one_and_installation_of_another(host: Path) -> None:
    for one, two in in_every_order(host, ("a", "one", None), ("b", None, "one")):
        assert one.failure is two.failure is None
        assert names(host) == ["etc/b", "opt/x/shared"]


def test_removal_of_two(host: Path) -> None:
    for one, two in in_every_order(host, ("a", "one", None), ("b", "one", None)):
        assert one.failure is two.failure is None
        assert names(host) == []


def test_removal_of_one_and_update_of_another(host: Path) -> None:
    for one, two in in_every_order(host, ("a", "one", None), ("b", "", "one")):
        assert one.failure is two.failure is None
        assert names(host) == ["etc/b", "opt/x/shared"]


def test_removal_of_one_and_an_update_that_drops_the_file(host: Path) -> None:
    for one, two in in_every_order(host, ("a", "one", None), ("b", "one", "")):
        assert one.failure is two.failure is None
        assert names(host) == ["etc/b"]


def test_updates_that_drop_and_bring_the_file(host: Path) -> None:
    for one, two in in_every_order(host, ("a", "one", ""), ("b", "", "one")):
        assert one.failure is two.failure is None
        assert names(host) == ["etc/a", "etc/b", "opt/x/shared"]


def test_installation_of_two(host: Path) -> None:
    for one, two in in_every_order(host, ("a", None, "one"), ("b", None, "one")):
        assert one.failure is two.failure is None
        assert names(host) == ["etc/a", "etc/b", "opt/x/shared"]


def test_installation_of_two_that_differ(host: Path) -> None:
    for one, two in in_every_order(host, ("a", None, "one"), ("b", None, "two")):
        done = [run for run in (one, two) if run.failure is None]
        (failure,) = [run.failure for run in (one, two) if run.failure is not None]
        assert "cannot be put" in str(failure)
        assert names(host) == [f"etc/{run.name}" for run in done] + ["opt/x/shared"]
        assert (host / "opt/x/shared").read_text() == done[0].text


def test_removal_and_installation_by_two_threads(host: Path) -> None:
    (host / "etc").mkdir()
    for _number in range(10):
        Run("a", "one").all()
        runs = [Run("a", None), Run("b", "one")]
        barrier = threading.Barrier(2)

        def work(run: Run, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            run.all()

        threads = [threading.Thread(target=work, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert names(host) == ["etc/b", "opt/x/shared"]
        check_that_nothing_is_left(host)


def test_the_record_follows_what_is_done(host: Path) -> None:
    """Somebody's file, which was there before, is gone when it is the container's turn."""
    (host / "etc").mkdir()
    (host / "etc/a").write_text("one")
    (host / "etc/a").chmod(0o644)
    run = Run("a", "")
    run.look()
    run.prepare()
    (host / "etc/a").unlink()
    run.turn()
    run.finish()
    assert (host / "etc/a").read_text() == "one"
    assert json.loads(Path(builders.ROOT, "a.0/info").read_text())["installed-files"] == ["/etc/a"]
    check_that_nothing_is_left(host)


def test_one_after_the_other(host: Path) -> None:
    message = "Another run is changing host files, and did not end within 0 seconds: try again later"
    with _host_file_turn.turn(timeout=0), pytest.raises(LockedError, match=message), _host_file_turn.turn(timeout=0):
        pass
    with _host_file_turn.turn(timeout=0):
        pass


@pytest.mark.parametrize(
    ("active", "journal", "expected"),
    [
        (0, None, [0]),
        (1, None, [1]),
        (None, None, []),
        (0, Journal("update", running=True, slots=(0, 2)), [0, 2]),
        (0, Journal("update", running=True, slots=(0, 2), host_files=(2,)), [2]),
        (0, Journal("remove", running=False), [0]),
        (0, Journal("remove", running=False, host_files=()), []),
    ],
)
def test_deployments_that_others_leave_files_to(
    active: int | None, journal: Journal | None, expected: list[int]
) -> None:
    found = builders.nothing(deployments=tuple(deployment(slot=slot) for slot in range(3)))
    found = dataclasses.replace(found, active_slot=active, journal=journal)
    assert [item.slot for item in found.with_host_files] == expected
