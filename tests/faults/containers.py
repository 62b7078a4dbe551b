# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers that faults are tried on, on a host of the lab: what was there, what is done, what has to be there then."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.harness import ALL, Fault, report_of, result_of
from faults.lab_host import LabHost
from faults.stores import wrong_ending
from faults.supervisor import Call, Report
from lab.image_builder import build_image, tar_files

CONTAINER, IMAGE, PRUNE = "system_container", "system_container_image", "system_container_prune"
IMAGES = ("one", "two")
UNDER = ("/etc", "/srv", "/run/system-containers")
"""Folders whose changes count."""

CONFIG = {
    "ociVersion": "1.0.2",
    "process": {
        "args": ["/usr/bin/sh", "/opt/service"],
        "env": ["PATH=/usr/bin", "GREETING=$GREETING"],
        "cwd": "/",
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "$NAME",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]},
        *(
            {"destination": place, "type": "bind", "source": f"/usr{rest}", "options": ["bind", "ro"]}
            for place, rest in (("/usr", ""), ("/lib", "/lib"), ("/lib64", "/lib64"))
        ),
    ],
    "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
}
# The programs are the host's own. Process 1 has no default handler for SIGTERM.
SERVICE = """\
trap 'exit 0' TERM
sleep infinity &
systemd-notify --ready
wait
"""
UNIT = """\
[Unit]
Description=$NAME
[Service]
Type=notify
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
WorkingDirectory=$DESTDIR
TimeoutStopSec=10
[Install]
WantedBy=multi-user.target
"""
MANIFEST = {
    "defaultValues": {"GREETING": "hello"},
    "renameFiles": {"/etc/app": "/etc/$NAME", "/srv/app/name": "/srv/app/$NAME"},
    "installedFilesTemplate": ["/etc/app/greeting"],
}
PROGRAM = {
    "opt/service": SERVICE,
    **{f"{folder}/.keep": "" for folder in ("proc", "run", "usr", "lib", "lib64", "dev", "sys")},
    "exports/config.json.template": json.dumps(CONFIG),
    "exports/service.template": UNIT,
    "exports/tmpfiles.template": "d /run/$NAME 0755 root root -\n",
    "exports/manifest.json": json.dumps(MANIFEST),
}
VERSIONS: dict[str, dict[str, str]] = {
    "one": {
        "opt/version": "one",
        "exports/hostfs/etc/app/greeting": "one says $GREETING\n",
        "exports/hostfs/etc/app/only-one": "1\n",
        "exports/hostfs/srv/app/name/data": "one\n",
    },
    "two": {
        "opt/version": "two",
        "opt/new": "new",
        "exports/hostfs/etc/app/greeting": "two says $GREETING\n",
        "exports/hostfs/srv/app/name/data": "one\n",
        "exports/hostfs/srv/app/name/more/two": "2\n",
    },
}


@dataclass(frozen=True)
class Scenario:
    """One run of the module on a container that the runs ``before`` made.

    ``deployment`` is which of these runs made the deployment to go back to. ``running`` tells whether the service runs
    before and has to run afterwards, also if a run in between was cut short.
    """

    name: str
    parameters: Mapping[str, Any]
    before: tuple[Mapping[str, Any], ...] = ()
    deployment: int | None = None
    running: bool = True
    module: str = CONTAINER

    @property
    def absent(self) -> bool:
        return self.parameters.get("state") == "absent"


OPTIONS = {"unit_options": {"Service": {"Environment": ["A=1", "B=2"]}}}
ONE, TWO = {"image": "localhost/one:1"}, {"image": "localhost/two:1"}
PRESENT = {"state": "present"}
# A service that ran is to run again also when the task says only that the container is to be there.
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("install", ONE),
        Scenario("update", {**TWO, **PRESENT}, before=(ONE,)),
        Scenario(
            "update of a stopped one",
            {**ONE, **PRESENT, "values": {"GREETING": "hi"}},
            before=({**ONE, "state": "stopped"},),
            running=False,
        ),
        Scenario("rollback", PRESENT, before=(ONE, TWO), deployment=0),
        Scenario("unit options", {**ONE, **PRESENT, **OPTIONS}, before=(ONE,)),
        Scenario("absent", {"state": "absent"}, before=({**ONE, **OPTIONS},), running=False),
        Scenario("prune", {"keep": 1}, before=(ONE, TWO), module=PRUNE),
    )
}


def build_layout(folder: Path) -> Path:
    """Build the images into a layout of the folder."""
    layout = folder / "layout"
    for tag in IMAGES:
        build_image(layout, layers=[tar_files(PROGRAM), tar_files(VERSIONS[tag])], tag=tag)
    return layout


@dataclass(frozen=True)
class Expected:
    """What is found before and after a run without a fault (see ``on_host.look``), and the calls of that run."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    calls: tuple[Call, ...]

    def wrong_state(self, found: Mapping[str, Any]) -> list[str]:
        """Return what is neither the old nor the new state, after a run that was cut short."""
        problems = []
        whole = [*self.old["slots"].values(), *self.new["slots"].values()]
        for slot, content in found["slots"].items():
            if content not in whole:
                problems.append(f"{slot} is not whole: {[difference(one, content) for one in whole]}")
        if found["link"] is not None and found["link"] not in found["slots"]:
            problems.append(f"the link leads to {found['link']}, there is {list(found['slots'])}")
        if "/etc/systemd/system/NAME.service" in found["files"] and found["link"] is None:
            problems.append("there is a unit and no link to a deployment")
        old, new = self.old["files"], self.new["files"]
        for path in sorted({*found["files"], *old, *new}):
            temporary = path.rpartition("/")[2].startswith(".")
            if not temporary and found["files"].get(path) not in (old.get(path), new.get(path)):
                problems.append(f"{path} is {found['files'].get(path)}")
        return problems

    def wrong_way_back(self, report: Report, found: Mapping[str, Any]) -> list[str]:
        """Return what a run left that failed and went back, and did not say that this failed, too."""
        went_back = " is back on " in report.stdout or "was removed again" in report.stdout
        if not went_back or "failed too" in report.stdout:
            return []
        old, seen = shape(self.old), shape(found)
        return [
            f"it went back, and left {key}: {difference(old[key], seen[key])}"
            for key in ("the active deployment", "the files", "the unit", "what runs")
            if seen[key] != old[key]
        ]

    def wrong_end(self, found: Mapping[str, Any]) -> list[str]:
        """Return what differs from the new state, after one more run."""
        expected, seen = shape(self.new), shape(found)
        return [
            f"{key} differs: {difference(expected[key], seen[key])}" for key in expected if seen[key] != expected[key]
        ]


def difference(expected: Any, found: Any) -> Any:
    """Return what differs, by key: pairs of what was expected and what was found."""
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return (expected, found)
    keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    return {key: difference(expected.get(key), found.get(key)) for key in keys}


def shape(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be the same at the end, whichever slot the active deployment is in."""
    unit, link = found["unit"], found["link"]
    others = [content for slot, content in found["slots"].items() if slot != link]
    return {
        "the active deployment": found["slots"].get(link),
        "the other deployments": dict(enumerate(sorted(others, key=json.dumps))),
        "the files": found["files"],
        "what is beside the slots": found["beside"],
        "the unit": {key: unit[key] for key in ("ActiveState", "LoadState", "UnitFileState", "NeedDaemonReload")},
        "what runs": "the active deployment" if link is not None and found["runtime"] == link else found["runtime"],
    }


@dataclass(frozen=True)
class Stand:
    """A container to try one fault after the other on: commands that run the scenario and that remove it."""

    name: str
    base: str
    argv: list[str]
    absent: list[str]

    @property
    def root(self) -> str:
        return f"{self.base}/roots/{self.name}"

    @property
    def copy(self) -> str:
        """Where its files are kept as they are before a run."""
        return f"{self.base}/copies/{self.name}"

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def look(self) -> list[str]:
        """The step that looks at it."""
        return ["look", self.root, self.name]

    @property
    def removal(self) -> list[list[str]]:
        """The steps that remove it and look for what is left."""
        return [["run", *self.absent], self.look, ["run", "find", self.root, "-mindepth", "1"]]


class Fleet:
    """Containers on one host, each with a name and a ``root`` of its own; all share a repository. All is below ``base``."""

    def __init__(self, host: LabHost, folder: Path, *, base: str = "/srv/faults") -> None:
        self.host, self.base = host, base
        self._numbers = itertools.count(1)
        self._expected: dict[str, Expected] = {}
        self._free: dict[str, list[Stand]] = defaultdict(list)
        host.send_folder(build_layout(folder), f"{base}/layout")
        pulls = [{"name": f"localhost/{tag}:1", "source": f"oci:{base}/layout:{tag}"} for tag in IMAGES]
        store = {"root": f"{base}/roots", "repo": f"{base}/repo"}
        for done in host.steps([["run", *host.place.module_argv(IMAGE, {**store, **pull})] for pull in pulls]):
            successful(done)

    def argv(self, name: str, parameters: Mapping[str, Any], *, module: str = CONTAINER) -> list[str]:
        """Return the command that runs a module for a container; each has a root of its own."""
        options = {"root": f"{self.base}/roots/{name}", "repo": f"{self.base}/repo", **parameters}
        if module == CONTAINER:
            options = {"name": name, "ready_delay": 0.05, "ready_timeout": 30, "pull": "never", **options}
        return self.host.place.module_argv(module, options)

    def take(self, scenario: Scenario) -> Stand:
        """Return a container as the scenario begins with, for one try."""
        with contextlib.suppress(IndexError):
            return self._free[scenario.name].pop()
        name, parameters = f"{scenario.name.split()[0]}{next(self._numbers)}", dict(scenario.parameters)
        if scenario.before:
            done = self.host.steps([["run", *self.argv(name, one)] for one in scenario.before])
            results = [successful(one) for one in done]
            if scenario.deployment is not None:
                found = results[scenario.deployment]["container"]["deployments"]
                parameters["deployment"] = next(item["id"] for item in found if item["active"])
        argv = self.argv(name, parameters, module=scenario.module)
        stand = Stand(name, self.base, argv, self.argv(name, {"state": "absent"}))
        if scenario.before:
            self.host.steps([["save", stand.root, name, stand.copy]])
        return stand

    def supervised(self, stand: Stand, fault: Fault | None = None) -> list[str]:
        """Return the step that runs the scenario under a fault."""
        return ["run", *self.host.place.supervised(stand.argv, under=UNDER, fault=fault)]

    def fsck(self) -> None:
        """Raise when ostree finds something wrong with the repository that all deployments are linked to."""
        self.host.run("ostree", "fsck", "--quiet", f"--repo={self.base}/repo")

    def temporary_files(self) -> str:
        """Return the temporary files there are beside host files, while nothing runs."""
        return self.host.run("find", "/etc", "/srv/app", "-name", ".*.new")

    def expected(self, scenario: Scenario) -> Expected:
        """Return what the run does without a fault."""
        if scenario.name not in self._expected:
            stand = self.take(scenario)
            old, supervised, new, *removal = self.host.steps(
                [stand.look, self.supervised(stand), stand.look, *stand.removal]
            )
            report = report_of(supervised["stdout"])
            result, problems = result_of(report.code, report.stdout, report.stderr)
            problems += wrong_removal(stand.name, removal)
            assert not problems, problems
            assert result.get("changed"), f"the scenario '{scenario.name}' changes nothing: {result}"
            self._expected[scenario.name] = Expected(old[stand.name], new[stand.name], tuple(report.calls))
        return self._expected[scenario.name]

    def attempt(self, scenario: Scenario, fault: Fault) -> list[str]:
        """Run a scenario under a fault, look, run it again without, look again; return what is wrong."""
        expected, stand = self.expected(scenario), self.take(scenario)
        steps: dict[str, list[Any]] = {
            "fault": self.supervised(stand, fault),
            "after": stand.look,
        }
        if fault.at % 2:  # else nobody would see whether the next run starts it
            steps |= {
                "reload": ["run", "systemctl", "daemon-reload"],
                "start": ["run", "systemctl", "start", stand.unit],
            }
            if not scenario.running:
                steps["stop"] = ["run", "systemctl", "stop", stand.unit]
        steps |= {"again": ["run", *stand.argv], "end": stand.look}
        if ALL or fault.at % 3 == 0:
            steps["second"] = ["run", *stand.argv]
        removal = stand.removal if ALL or fault.at % 4 == 0 else []
        steps |= {f"removal {number}": step for number, step in enumerate(removal)}
        start = [["run", "systemctl", "start", stand.unit]] if expected.old["unit"]["ActiveState"] == "active" else []
        restored = self.host.steps([*steps.values(), ["restore", stand.root, stand.name, stand.copy], *start])
        done = dict(zip(steps, restored))
        report = report_of(done["fault"]["stdout"])
        problems = wrong_ending(report, fault)
        problems += expected.wrong_state(done["after"][stand.name])
        problems += self.wrong_service(scenario, report, done["after"][stand.name], done.get("start"))
        problems += expected.wrong_way_back(report, done["after"][stand.name])
        problems += [f"one more run: {problem}" for problem in problems_of(done["again"])]
        problems += [f"after one more run {problem}" for problem in expected.wrong_end(done["end"][stand.name])]
        if "second" in done:
            problems += [f"the second run: {problem}" for problem in problems_of(done["second"], changed=False)]
        if removal:
            problems += wrong_removal(stand.name, [done[key] for key in steps if key.startswith("removal")])
        if not problems:
            self._free[scenario.name].append(stand)
        return [f"{stand.name} ({report.fired}) {problem}" for problem in problems]

    @staticmethod
    def wrong_service(
        scenario: Scenario, report: Report, found: Mapping[str, Any], started: Mapping[str, Any] | None
    ) -> list[str]:
        """Return whether the service cannot be started, or does not run after a run that failed and went back."""
        problems = []
        has_unit = "/etc/systemd/system/NAME.service" in found["files"]
        if started is not None and has_unit and started["code"] != 0:
            problems.append(f"the service cannot be started: {started['stderr']}")
        if report.code == 1 and scenario.before and scenario.running and found["unit"]["ActiveState"] != "active":
            problems.append(f"the run failed and left the service {found['unit']['ActiveState']}: {report.stdout}")
        return problems


def successful(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a module that has to go well."""
    result, problems = result_of(done["code"], done["stdout"], done["stderr"])
    assert not problems, problems
    assert not result.get("failed"), result["msg"]
    return result


def problems_of(done: Mapping[str, Any], *, changed: bool | None = None) -> list[str]:
    """Return what is wrong with how a module ended that has to go well."""
    result, problems = result_of(done["code"], done["stdout"], done["stderr"])
    if result.get("failed"):
        problems.append(f"it failed: {result['msg']}")
    elif changed is not None and not problems and result["changed"] != changed:
        problems.append(f"changed is {result['changed']}: {result['actions']}")
    return problems


def wrong_removal(name: str, done: Sequence[Any]) -> list[str]:
    """Return what is left of a container, from the results of ``Stand.removal``."""
    ended, looked, listed = done
    problems = problems_of(ended)
    found = looked[name]
    left = {key: found[key] for key in ("link", "slots", "files", "beside", "runtime") if found[key]}
    if left or found["unit"]["LoadState"] != "not-found" or found["unit"]["ActiveState"] != "inactive":
        problems.append(f"there is left {left}, the unit is {found['unit']}")
    if listed["stdout"]:
        problems.append(f"there is left {listed['stdout']}")
    return [f"removal: {problem}" for problem in problems]
