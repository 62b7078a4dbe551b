# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stores that faults are tried on: what is there before, what is done, what has to be there afterwards."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.harness import ALL, Fault, local_place, result_of
from faults.supervisor import Report
from lab.image_builder import Image, build_image, tar_files

IMAGE = "system_container_image"
PRUNE = "system_container_prune"
NAME = "localhost/app:1"
REF = "ociimage/localhost_2Fapp_3A1"
SHARED = {"etc/shared": "shared", "usr/share/doc": "text" * 100}
REPOSITORY = "root/.storage/ostree"
TEMPORARY = f"{REPOSITORY}/tmp/"
_OSTREES_OWN = re.compile(r"(cache(/.*)?|staging-[^/]*(/.*)?)\Z")
"""What ostree leaves in its ``tmp``: it takes it up again, or removes it after a day or a reboot."""


@dataclass(frozen=True)
class Scenario:
    """One run of a module on a store.

    ``before`` are runs (module, parameters) that make the store, ``damage`` changes it then.
    """

    name: str
    parameters: Mapping[str, Any]
    module: str = IMAGE
    before: tuple[Mapping[str, Any], ...] = ()
    damage: Callable[[Path], None] | None = None


class Sources:
    """Images in one layout: ``one`` and ``two`` of the same tag at two times share a layer, ``other`` is apart."""

    def __init__(self, folder: Path) -> None:
        layout = folder / "oci"
        first, second = tar_files({"etc/app": "one"}), tar_files({"etc/app": "two", "etc/new": "x"})
        exports = tar_files({"exports/config.json": "{}"})
        self.one = build_image(layout, layers=[tar_files(SHARED), first, exports], tag="one")
        self.two = build_image(layout, layers=[tar_files(SHARED), second, exports], tag="two", labels={"a": "b"})
        self.other = build_image(layout, layers=[tar_files(SHARED), tar_files({"etc/other": "o"})], tag="other")

    def pull(self, image: Image, *, name: str = NAME, **options: Any) -> dict[str, Any]:
        """Return the parameters of a pull."""
        return {"name": name, "source": image.reference, **options}


def scenarios(sources: Sources) -> dict[str, Scenario]:
    """Return all scenarios by name."""
    one, two, other = (sources.pull(image) for image in (sources.one, sources.two, sources.other))
    other["name"] = "localhost/other:1"
    found = [
        Scenario("first pull", one),
        Scenario("pull", one, before=(other,)),
        Scenario("moved tag", {**two, "state": "latest"}, before=(one,)),
        Scenario("repair", one, before=(one, other), damage=damage_records),
        Scenario("verify", {**one, "verify": True}, before=(one, other), damage=damage_files),
        Scenario("tags", {**one, "tags": ["localhost/a:1", "localhost/b:1"]}, before=(one,)),
        Scenario("absent", {"name": NAME, "state": "absent"}, before=(one, other)),
        Scenario(
            "absent tags",
            {"name": NAME, "state": "absent", "tags": ["localhost/a:1"]},
            before=({**one, "tags": ["localhost/a:1"]}, other),
        ),
        Scenario("prune", {}, module=PRUNE, before=(one, other, {"name": NAME, "state": "absent"})),
    ]
    return {scenario.name: scenario for scenario in found}


def damage_records(folder: Path) -> None:
    """Remove what the image's ref names, and empty the ref of a layer: what a crash of the host may leave."""
    repository = folder / REPOSITORY
    commit = (repository / "refs/heads" / REF).read_text().strip()
    (repository / "objects" / commit[:2] / f"{commit[2:]}.commit").unlink()
    layers = [path for path in sorted((repository / "refs/heads/ociimage").iterdir()) if len(path.name) == 64]
    layers[0].write_text("")


def damage_files(folder: Path) -> None:
    """Change a file that two images share, and remove one."""
    files = sorted((folder / REPOSITORY / "objects").glob("*/*.file"))
    by_content = {path.read_bytes(): path for path in files}
    by_content[b"shared"].write_bytes(b"SHARED")
    by_content[b"one"].unlink()


def _is_probe(path: Path) -> bool:
    """Tell whether Python made a file to see which folder takes temporary files: nobody else could remove it."""
    return path.parent.name == "tmp" and path.is_file() and path.read_bytes() in (b"", b"blat")


@dataclass
class Store:
    """A store in a folder of its own."""

    folder: Path
    view: Path | None = None
    """Where the folder is seen from here, when it is in another mount namespace."""
    wrapper: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.place = local_place(self.folder / "tmp")
        if self.wrapper:
            self.place = type(self.place)(prefix=self.wrapper, environment=self.place.environment)
        self.seen = self.view or self.folder
        (self.seen / "tmp").mkdir(parents=True, exist_ok=True)

    def argv(self, parameters: Mapping[str, Any], *, module: str = IMAGE, check_mode: bool = False) -> list[str]:
        """Return the command that runs a module on this store."""
        return self.place.module_argv(module, {"root": str(self.folder / "root"), **parameters}, check_mode=check_mode)

    def run(self, parameters: Mapping[str, Any], *, module: str = IMAGE) -> tuple[dict[str, Any], list[str]]:
        """Run a module without a fault; return its result and what is wrong with how it ended."""
        done = self.place.run(self.argv(parameters, module=module))
        return result_of(done.returncode, done.stdout, done.stderr)

    def supervise(self, scenario: Scenario, fault: Fault | None = None) -> Report:
        """Run a scenario's module under a fault."""
        argv = self.argv(scenario.parameters, module=scenario.module)
        return self.place.supervise(argv, under=str(self.folder), fault=fault)

    def refs(self) -> dict[str, str]:
        """Return all refs with what they hold."""
        heads = self.seen / REPOSITORY / "refs/heads"
        return {str(path.relative_to(heads)): path.read_text().strip() for path in heads.rglob("*") if path.is_file()}

    def fsck(self) -> str:
        """Return what ``ostree fsck`` complains of; nothing when there is no repository yet."""
        if not (self.seen / REPOSITORY).exists():
            return ""
        done = self.place.run(["ostree", "fsck", "--quiet", f"--repo={self.folder / REPOSITORY}"])
        return f"{done.stdout} {done.stderr}".strip() if done.returncode else ""

    def fsck_of_refs(self) -> str:
        """Return what ``ostree fsck`` complains of in what refs name; the store itself is not touched.

        Killed between moving a commit and its files into place, ostree leaves a commit that nothing names.
        """
        if not (self.seen / REPOSITORY).exists():
            return ""
        named = set(self.refs().values())
        with tempfile.TemporaryDirectory(dir=self.seen) as scratch:
            repository = Path(scratch, "repo")
            subprocess.run(["cp", "-al", str(self.seen / REPOSITORY), str(repository)], check=True)
            for path in repository.glob("objects/*/*.commit"):
                if path.parent.name + path.stem not in named:
                    path.unlink()
            visible = self.folder / repository.relative_to(self.seen)
            done = self.place.run(["ostree", "fsck", "--quiet", f"--repo={visible}"])
        return f"{done.stdout} {done.stderr}".strip() if done.returncode else ""

    def everything(self) -> set[str]:
        """Return the paths of all files there are, but those that every change of an OSTree repository makes anew."""
        found = {str(path.relative_to(self.seen)) for path in self.seen.rglob("*") if not path.is_dir()}
        return {path for path in found if not path.startswith(("tmp/", f"{REPOSITORY}/tmp/cache"))}

    def files(self) -> set[str]:
        """Return the paths of all there is, without ostree's objects and its own temporary files."""
        found = {str(path.relative_to(self.seen)) for path in self.seen.rglob("*") if not _is_probe(path)}
        objects, temporary = f"{REPOSITORY}/objects/", TEMPORARY
        return {
            path
            for path in found
            if not path.startswith(objects)
            and not (path.startswith(temporary) and _OSTREES_OWN.match(path[len(temporary) :]))
        }


@dataclass
class Expected:
    """The states that a scenario leads from and to, taken from a run without a fault."""

    old: dict[str, str]
    new: dict[str, str]
    files: set[str]
    pruned: set[str]
    sound: bool
    calls: Report = field(repr=False)

    def wrong_state(self, store: Store) -> list[str]:
        """Return what is neither the old nor the new state, after a run that was cut short."""
        problems = []
        found = store.refs()
        good = set(self.new.values())
        for ref in sorted({*found, *self.old, *self.new}):
            value = found.get(ref)
            if ref.startswith("ociimage/tmp.") and value in good:  # ostree's, between making and renaming a ref
                continue
            allowed = {self.old.get(ref) or None, self.new.get(ref), self.old.get(ref)}  # an empty one may go first
            if value not in allowed:
                problems.append(f"the ref {ref} is neither old nor new but '{value}'")
        if any(found.get(ref) == self.new[ref] != self.old.get(ref) for ref in self.images()):
            lacking = [ref for ref in self.new if ref not in found and ref not in self.images()]
            problems += [f"the image has its ref, and there is no {ref}" for ref in lacking]
        if self.sound and (damage := store.fsck_of_refs()):
            problems.append(f"what refs name is damaged: {damage}")
        return problems

    def images(self) -> list[str]:
        """Return the refs of images, which are not those of their parts."""
        return [ref for ref in self.new if not re.fullmatch(r"ociimage/[0-9a-f]{64}", ref)]

    def wrong_end(self, store: Store) -> list[str]:
        """Return what differs from the new state, after one more run."""
        problems = []
        found = store.refs()
        if found != self.new:
            changed = sorted(ref for ref in {*found, *self.new} if found.get(ref) != self.new.get(ref))
            problems.append(f"one more run did not converge: {changed}")
        if damage := store.fsck():
            problems.append(f"after one more run, ostree fsck: {damage}")
        left = {path for path in store.files() - self.files if not path.startswith(f"{TEMPORARY}system-containers-")}
        if left:
            problems.append(f"left behind after one more run: {sorted(left)}")
        if lacking := sorted(self.files - store.files()):
            problems.append(f"lacking after one more run: {lacking}")
        return problems

    def wrong_after_prune(self, store: Store) -> list[str]:
        """Prune the store; return what differs from one that was never cut short, objects and all."""
        _result, problems = store.run({}, module=PRUNE)
        found = store.everything()
        if found != self.pruned:
            problems.append(
                f"after a prune, there is {sorted(found - self.pruned)} and lacks {sorted(self.pruned - found)}"
            )
        return problems


class Laboratory:
    """Makes stores as scenarios want them, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = Sources(folder)
        self.scenarios = scenarios(self.sources)
        self._expected: dict[str, Expected] = {}

    def base(self, scenario: Scenario) -> Path:
        """Return the folder of the store as it is before the run."""
        folder = self.folder / "base" / scenario.name.replace(" ", "-")
        if not folder.exists():
            store = Store(folder)
            for parameters in scenario.before:
                _result, problems = store.run(parameters)
                assert not problems, problems
            if scenario.damage:
                scenario.damage(folder)
        return folder

    def copy(self, scenario: Scenario) -> Store:
        """Return a store of its own for one run."""
        folder = Path(tempfile.mkdtemp(prefix="case-", dir=self.folder))
        subprocess.run(["cp", "-a", f"{self.base(scenario)}/.", str(folder)], check=True)
        return Store(folder)

    def expected(self, scenario: Scenario) -> Expected:
        """Return what the run does without a fault."""
        if scenario.name not in self._expected:
            store = self.copy(scenario)
            old, sound = store.refs(), not store.fsck()
            report = store.supervise(scenario)
            result, problems = result_of(report.code, report.stdout, report.stderr)
            assert not problems, problems
            assert result.get("changed"), f"the scenario '{scenario.name}' changes nothing: {result}"
            damage = store.fsck()
            assert not damage, damage
            new, files = store.refs(), store.files()
            _result, problems = store.run({}, module=PRUNE)
            assert not problems, problems
            self._expected[scenario.name] = Expected(old, new, files, store.everything(), sound, report)
            shutil.rmtree(store.folder)
        return self._expected[scenario.name]

    def attempt(self, scenario: Scenario, fault: Fault) -> list[str]:
        """Run a scenario under a fault, look, run it again without, look again; return what is wrong."""
        expected = self.expected(scenario)
        store = self.copy(scenario)
        try:
            report = store.supervise(scenario, fault)
            where = f"({report.fired})"
            problems = expected.wrong_state(store) + wrong_ending(report, fault)
            result, failures = store.run(scenario.parameters, module=scenario.module)
            problems += [f"one more run: {problem}" for problem in failures]
            if result.get("failed"):
                problems.append(f"one more run failed: {result['msg']}")
            problems += expected.wrong_end(store)
            # A run that has nothing to do any more writes nothing, and leaves what it finds to a prune.
            if ALL or fault.at % 3 == 0 or store.files() - expected.files:
                problems += expected.wrong_after_prune(store)
            return [f"{where} {problem}" for problem in problems]
        finally:
            shutil.rmtree(store.folder)


def wrong_ending(report: Report, fault: Fault) -> list[str]:
    """Return what is wrong with how the run under a fault ended."""
    if report.stuck:
        return ["it did not end by itself"]
    if report.fired is None or (fault.do in ("power-off", "kill") and report.code == -9):
        return []
    if fault.do in ("power-off", "kill"):
        return [f"it should have been killed, and ended with {report.code}"]
    return result_of(report.code, report.stdout, report.stderr)[1]
