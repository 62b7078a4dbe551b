# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A random walk on a host: tasks, killed tasks, damage by hand and reboots, beside a model of what has to hold.

After each task the container has to be as declared and another run changes nothing. The other containers are untouched:
not a file, not a process. The steps follow from the seed; what comes of a task that is killed is a matter of time.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

from faults.containers import CONTAINER, IMAGE, IMAGES, build_layout, difference, problems_of, successful
from faults.lab_host import LabHost
from lab.process import LabError
from soak.model import EDITED, Declared, Model, WrongError

BASE = "/srv/soak"
ROOT = f"{BASE}/root"
NAMES = ("ant", "bee", "cat")
OPTIONS: tuple[Mapping[str, Any], ...] = (
    {},
    {"Service": {"Environment": ["A=1", "B=2"]}},
    {"Unit": {"Description": "another"}, "Service": {"Nice": 5}},
)
STORE_EVERY = 15
# $U is the unit's file, $S the active slot, $N the name.
DAMAGE = (
    "rm $U",
    "echo '# edited' >>$U",
    "rm -r $U.d",
    "echo '[Service]' >$U.d/10-system-containers.conf",
    "rm $R/$N",
    "ln -sfn $S/rootfs $R/$N",
    "sed -i s/GREETING=/GREETING=x/ $S/config.json",
    "rm $S/config.json",
    "rm $S/$N.service",
    "chmod 644 $S/info $S/config.json",
    "rm /etc/tmpfiles.d/$N.conf",
    "rm /srv/app/$N/data",
    "rm -r /srv/app/$N",
)
KILL = """\
case $2 in
runtime) pid=$(systemctl show --value --property=MainPID "$1.service") ;;
*) pid=$(runc state "$1" | sed -n 's/^ *"pid": \\([0-9]*\\),$/\\1/p') ;;
esac
kill -9 "$pid"
while systemctl is-active --quiet "$1.service"; do sleep 0.05; done
# systemd is done with it when the unit has a state of its own again.
while [ "$(systemctl is-active "$1.service")" = deactivating ]; do sleep 0.05; done
"""


class Walk:
    """One walk."""

    def __init__(self, host: LabHost, *, seed: int, say: Callable[[str], None] | None = None) -> None:
        self.host, self.seed, self._say = host, seed, say
        self.number = 0
        self.models = {name: Model(name) for name in NAMES}
        self._chance = random.Random(seed)
        self._trail: list[str] = []
        self._counts: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            host.send_folder(build_layout(Path(folder)), f"{BASE}/layout")
        for image in IMAGES:
            self._good(self._module(IMAGE, {"name": f"localhost/{image}:1", "source": f"oci:{BASE}/layout:{image}"}))
        (self._seen,) = host.steps([["look", ROOT, *NAMES]])

    def go(self, *, until: float, steps: int) -> None:
        """Take some steps, fewer when it is ``until`` (of the monotonic clock); ``WrongError`` when something is wrong."""
        while self.number < steps and monotonic() < until:
            self.step()

    def summary(self) -> str:
        """Return what was done how often."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self._counts.items()))

    def step(self) -> None:
        """Do one thing, chosen by chance, and check what has to hold then."""
        self.number += 1
        self._chance = random.Random(f"{self.seed} {self.number}")  # whatever chance gave to the steps before
        chosen = self._chance.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
        model = self.models[self._chance.choice(NAMES)]
        self._counts[chosen.__name__] += 1
        try:
            chosen(self, model)
            if self.number % STORE_EVERY == 0:
                self._check_store()
        except (WrongError, AssertionError, LabError) as exc:
            trail = "\n".join(self._trail[-15:])
            raise WrongError(f"seed {self.seed}, step {self.number}: {exc}\nthe last steps were\n{trail}") from exc

    # What is done.

    def task(self, model: Model) -> None:
        """Declare something new, or the same again."""
        declared = self._declared(model)
        force = model.edited and self._chance.random() < 0.4
        self._run(model, declared, {**declared.parameters(), "force_host_files": force})
        model.edited = model.edited and not force

    def back(self, model: Model) -> None:
        """Go to a deployment that was kept, by its id."""
        if model.declared is None or not model.sure:
            return
        chosen = self._chance.choice(sorted(model.kept))
        old, (image, greeting) = model.declared, model.kept[chosen]
        declared = Declared(image, greeting, old.options, old.enabled, old.keep)
        self._run(model, declared, {"deployment": chosen, **declared.others()})

    def absent(self, model: Model) -> None:
        """Remove the container; a host file that was edited stays, and is removed by hand."""
        self._note(f"{model.name}: absent")
        self._good(self._container(model, {"state": "absent"}))
        if model.edited:
            self.host.run("rm", "-r", f"/etc/{model.name}")
        self.models[model.name] = model = Model(model.name)
        self._check(model)
        self._good(self._container(model, {"state": "absent"}), changed=False)

    def killed(self, model: Model) -> None:
        """Kill a task at any time."""
        state, declared = self._chance.choice(["present", "started", "stopped", "absent"]), self._declared(model)
        parameters = {"state": state, **(declared.parameters() if state != "absent" else {})}
        seconds = self._chance.uniform(0.1, 1.2)
        self._note(f"{model.name}: kill after {seconds:.2f} s: {parameters}")
        (done,) = self.host.steps([["kill", seconds, *self._argv(CONTAINER, {"name": model.name, **parameters})]])
        if done["code"] != -9:  # it was over already
            self._good(done)
        model.kill(state)
        self._look(model)

    def pair(self, model: Model) -> None:
        """Run tasks for two containers at once."""
        other = self.models[NAMES[(NAMES.index(model.name) + 1) % len(NAMES)]]
        tasks = [(one, self._declared(one), self._chance.choice(["present", "started"])) for one in (model, other)]
        for one, declared, state in tasks:
            self._note(f"{one.name}: at once, {state}: {declared}")
        with ThreadPoolExecutor() as pool:
            ended = [
                pool.submit(self._container, one, {"state": state, **declared.parameters()})
                for one, declared, state in tasks
            ]
        for (one, declared, _state), done in zip(tasks, ended):
            one.learn(self._good(done.result())["container"], declared)
        self._look(model, other)
        for one, declared, state in tasks:
            one.settle(declared, state, self._seen[one.name])
        self._check(model, other)

    def by_hand(self, model: Model) -> None:
        """Do to the service what an administrator does, or what may happen to it."""
        what = self._chance.choice(["start", "stop", "restart", "runtime", "container"])
        if not self._seen[model.name]["files"].get("/etc/systemd/system/NAME.service"):
            return
        if what in ("runtime", "container"):
            if model.is_there and model.running:
                self._note(f"{model.name}: kill the {what}'s process")
                self.host.run("timeout", "20", "sh", "-c", KILL, "sh", model.name, what)
                model.disturb(running=False)
        else:
            self._note(f"{model.name}: systemctl {what}")
            if not model.sure:
                self.host.run("systemctl", "daemon-reload")
            (done,) = self.host.steps([["run", "systemctl", what, f"{model.name}.service"]])
            if done["code"] != 0 and not model.damaged:
                raise WrongError(f"systemctl {what} failed: {done['stderr']}")
            model.disturb(running=what != "stop")
        self._look(model)

    def damage(self, model: Model) -> None:
        """Change generated files, links and host files by hand."""
        if not model.is_there:
            return
        unit, slot = f"/etc/systemd/system/{model.name}.service", f"{ROOT}/{self._seen[model.name]['link']}"
        script = self._chance.choice(DAMAGE)
        self._note(f"{model.name}: {script}")
        reload = "; systemctl daemon-reload" if self._chance.random() < 0.5 else ""
        self.host.run("env", f"U={unit}", f"S={slot}", f"N={model.name}", f"R={ROOT}", "sh", "-euc", script + reload)
        model.damaged = True
        self._look(model)

    def edit(self, model: Model) -> None:
        """Edit a file that the image put on the host."""
        if model.is_there:
            self._note(f"{model.name}: edit its host file")
            self.host.run("sh", "-c", 'printf %s "$2" >"/etc/$1/greeting"', "sh", model.name, EDITED)
            model.edited = True
            self._look(model)

    def reboot(self, _model: Model) -> None:
        """Pull the plug; services that are enabled run afterwards."""
        self._note("reboot")
        self.host.reboot(degraded=not all(model.sure and not model.damaged for model in self.models.values()))
        for model in self.models.values():
            if model.declared is not None or not model.sure:
                model.disturb(running=model.declared.enabled if model.declared is not None else None)
        self._look(*self.models.values())
        self._fail_if(
            f"{model.name}: {problem}"
            for model in self.models.values()
            if model.is_there
            for problem in model.running_problems(self._seen[model.name])
        )

    def prune(self, _model: Model) -> None:
        """Prune the store."""
        self._note("prune")
        self._good(self._module("system_container_prune", {}))
        self._look()

    def image(self, _model: Model) -> None:
        """Remove an image, used or not, and pull it again."""
        name = self._chance.choice(IMAGES)
        self._note(f"image {name}: remove and pull")
        image = {"name": f"localhost/{name}:1"}
        self._good(self._module(IMAGE, {**image, "state": "absent", "force": True}), changed=True)
        self._good(self._module(IMAGE, {**image, "source": f"oci:{BASE}/layout:{name}"}), changed=True)
        self._look()

    # How it is done, and what has to hold.

    def _declared(self, model: Model) -> Declared:
        """Return what a task is to declare: what was declared, with some of it changed."""
        chance, old = self._chance, model.declared
        new = Declared(
            image=chance.choice(IMAGES),
            greeting=chance.choice(["hello", "hi", "moin"]),
            options=chance.choice(OPTIONS),
            enabled=chance.random() < 0.7,
            keep=chance.choice([2, 3]),
        )
        keys = [key for key in ("image", "greeting", "options", "enabled", "keep") if chance.random() < 0.4]
        return new if old is None else Declared(**{**vars(old), **{key: getattr(new, key) for key in keys}})

    def _run(self, model: Model, declared: Declared, parameters: Mapping[str, Any]) -> None:
        """Run a task, at times in check mode before it, and once more afterwards."""
        state = self._chance.choices(["present", "started", "stopped", "restarted"], [3, 5, 2, 1])[0]
        chosen = {"state": state, **parameters}
        self._note(f"{model.name}: {chosen}")
        foretold = self._check_mode(model, chosen) if self._chance.random() < 0.3 else None
        result = self._good(self._container(model, chosen))
        if foretold not in (None, result["changed"]):
            raise WrongError(f"check mode foretold changed={foretold}, the run did {result['actions']}")
        if (model.damaged or state == "restarted") and not result["changed"]:
            raise WrongError(f"nothing was changed, the container was damaged: {model.damaged}")
        if model.edited and not chosen.get("force_host_files") and not result["edited_files"]:
            raise WrongError(f"the edited host file was not told of: {result}")
        model.learn(result["container"], declared)
        model.edited = model.edited and not chosen.get("force_host_files")
        model.settle(declared, state, self._look(model)[model.name])
        self._check(model)
        if state != "restarted" and self._chance.random() < 0.5:
            self._good(self._container(model, chosen), changed=False)
            self._look()

    def _check_mode(self, model: Model, parameters: Mapping[str, Any]) -> bool:
        """Run a task in check mode, which changes nothing; return whether it says that the task would."""
        (done,) = self.host.steps(
            [["run", *self._argv(CONTAINER, {"name": model.name, **parameters}, check_mode=True)]]
        )
        self._look()
        return bool(self._good(done)["changed"])

    def _check(self, *models: Model) -> None:
        """Compare containers with what was declared."""
        self._look(*models)
        self._fail_if(f"{one.name}: {problem}" for one in models for problem in one.problems(self._seen[one.name]))

    def _check_store(self) -> None:
        """Check the repository, and that runs that ended left no temporary files."""
        find = ["run", "find", "/etc", "/srv/app", "-name", ".*.new"]
        fsck, left = self.host.steps([["run", "ostree", "fsck", "--quiet", f"--repo={ROOT}/.storage/ostree"], find])
        if fsck["code"] != 0:
            raise WrongError(f"ostree fsck: {fsck['stdout']} {fsck['stderr']}")
        if left["stdout"] and all(model.sure for model in self.models.values()):
            raise WrongError(f"temporary files are left: {left['stdout']}")

    def _look(self, *changed: Model) -> dict[str, Any]:
        """Look at all containers; those that nothing was done to have to be as they were."""
        (found,) = self.host.steps([["look", ROOT, *NAMES]])
        others = [model for model in self.models.values() if model.name not in {one.name for one in changed}]
        kept = [(one.name, one.lasting(self._seen[one.name]), one.lasting(found[one.name])) for one in others]
        self._fail_if(f"{name} was changed: {difference(old, new)}" for name, old, new in kept if old != new)
        self._seen = found
        return dict(found)

    def _container(self, model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return self._module(CONTAINER, {"name": model.name, **parameters})

    def _module(self, module: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        (done,) = self.host.steps([["run", *self._argv(module, parameters)]])
        return dict(done)

    def _argv(self, module: str, parameters: Mapping[str, Any], *, check_mode: bool = False) -> Sequence[str]:
        quick = {"ready_delay": 0.05, "ready_timeout": 30, "pull": "never"} if module == CONTAINER else {}
        return self.host.place.module_argv(module, {"root": ROOT, **quick, **parameters}, check_mode=check_mode)

    def _good(self, done: Mapping[str, Any], *, changed: bool | None = None) -> dict[str, Any]:
        """Return the result of a module that has to go well."""
        self._fail_if(problems_of(done, changed=changed))
        return successful(done)

    def _note(self, text: str) -> None:
        self._trail.append(f"{self.number}: {text}")
        if self._say is not None:
            self._say(self._trail[-1])

    @staticmethod
    def _fail_if(problems: Any) -> None:
        if found := list(problems):
            raise WrongError("; ".join(found))


OPERATIONS: Mapping[Callable[[Walk, Model], None], int] = {
    Walk.task: 30,
    Walk.killed: 20,
    Walk.back: 8,
    Walk.absent: 6,
    Walk.pair: 6,
    Walk.by_hand: 12,
    Walk.damage: 12,
    Walk.edit: 4,
    Walk.prune: 4,
    Walk.image: 3,
    Walk.reboot: 2,
}
