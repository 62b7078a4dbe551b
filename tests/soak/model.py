# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the containers of a walk, and what has to be found then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from faults.containers import VERSIONS

EDITED = "edited by hand\n"


class WrongError(Exception):
    """Something is not as it has to be."""


@dataclass(frozen=True)
class Declared:
    """What a task declares of a container."""

    image: str
    greeting: str
    options: Mapping[str, Any]
    enabled: bool
    keep: int

    def parameters(self) -> dict[str, Any]:
        """Return the module's parameters."""
        made_of = {"image": f"localhost/{self.image}:1", "values": {"GREETING": self.greeting}}
        return {**made_of, **self.others()}

    def others(self) -> dict[str, Any]:
        """Return the parameters that are not about the deployment."""
        return {"unit_options": self.options, "enabled": self.enabled, "keep": self.keep}


@dataclass
class Model:
    """What is known of a container.

    A task that was killed leaves it not ``sure`` what was declared last, until one runs to its end; so does damage by hand.
    ``running`` is None while it is not known. ``edited`` tells whether its host file was changed by hand. ``kept`` has image
    and greeting of the deployments by id.
    """

    name: str
    declared: Declared | None = None
    sure: bool = True
    damaged: bool = False
    running: bool | None = False
    edited: bool = False
    kept: dict[str, tuple[str, str]] = field(default_factory=dict)
    active: str = ""

    @property
    def is_there(self) -> bool:
        """Whether it is certain that it is installed, and whole."""
        return self.declared is not None and self.sure and not self.damaged

    def lasting(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return what other tasks leave as it is.

        A reload tells systemd of files that were changed by hand. What a killed task had begun its commands and systemd may
        still end, and what it left beside the slots a prune removes.
        """
        if not self.sure:
            return {key: found[key] for key in ("link", "slots", "files")}
        reloaded = ("LoadState", "UnitFileState", "NeedDaemonReload") if self.damaged else ()
        return {**found, "unit": {key: value for key, value in found["unit"].items() if key not in reloaded}}

    def kill(self, state: str) -> None:
        """Note that a task was killed.

        A service that ran is to run again after the next task, be its state only ``present``: the journal says so.
        """
        if state in ("stopped", "absent") and self.running is not False:
            self.running = None
        if state == "started" and self.running is False:
            self.running = None
        if state == "absent" and self.declared is not None:
            self.running = None
        self.sure = False

    def disturb(self, *, running: bool | None) -> None:
        """Note that something was done to the service by hand; what a container does that is not whole is not known."""
        self.running = running if self.is_there else None

    def settle(self, declared: Declared, state: str, found: Mapping[str, Any]) -> None:
        """Note that a task ran to its end."""
        if state != "present":
            self.running = state != "stopped"
        elif self.running is None:
            self.running = found["unit"]["ActiveState"] == "active"
        self.declared, self.sure, self.damaged = declared, True, False

    def learn(self, container: Mapping[str, Any], declared: Declared) -> None:
        """Note the deployments that a task returned, after a look whether these are the right ones."""
        kept = {item["id"]: (_image_of(item), item["values"].get("GREETING", "")) for item in container["deployments"]}
        active = container["deployment"]
        if len(kept) > declared.keep or kept[active] != (declared.image, declared.greeting):
            raise WrongError(f"{self.name} has {kept}, {active} is active; declared is {declared}")
        if self.is_there and self.active not in kept:
            raise WrongError(f"{self.name}: the deployment before, {self.active}, is not kept: {kept}")
        self.kept, self.active = kept, active

    def problems(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is not as declared, in what was found after a task."""
        declared, active, unit = self.declared, found["slots"].get(found["link"]), found["unit"]
        if declared is None:
            if any(found[key] for key in ("link", "slots", "files", "beside", "runtime")):
                yield f"it was removed, and there is {found}"
            if (unit["LoadState"], unit["ActiveState"]) != ("not-found", "inactive"):
                yield f"it was removed, and the unit is {unit}"
            return
        if active is None:
            yield f"the link leads to {found['link']}, there is {list(found['slots'])}"
            return
        if f'GREETING={declared.greeting}"' not in active["files"].get("config.json", ["", ""])[1]:
            yield f"config.json is {active['files'].get('config.json')}"
        if found["beside"]:
            yield f"there is left {found['beside']}"
        if unit["UnitFileState"] != ("enabled" if declared.enabled else "disabled") or unit["NeedDaemonReload"] != "no":
            yield f"the unit is {unit}"
        yield from self._file_problems(declared, found["files"])
        yield from self.running_problems(found)

    def running_problems(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with what runs."""
        state = found["unit"]["ActiveState"]
        wanted = ("active", found["link"]) if self.running else (state if state == "failed" else "inactive", None)
        if self.running is not None and (state, found["runtime"]) != wanted:
            yield f"it is to run: {self.running}; the unit is {found['unit']}, the runtime has {found['runtime']}"

    def _file_problems(self, declared: Declared, files: Mapping[str, Any]) -> Iterator[str]:
        folder = "/etc/systemd/system/NAME.service"
        placed = {
            path.removeprefix("exports/hostfs")
            .replace("/etc/app", "/etc/NAME")
            .replace("/srv/app/name", "/srv/app/NAME")
            for path in VERSIONS[declared.image]
            if path.startswith("exports/hostfs/")
        }
        generated = {folder, f"{folder}.d/10-system-containers.conf", "/etc/tmpfiles.d/NAME.conf"}
        generated |= {f"{folder}.d/50-unit-options.conf"} if declared.options else set()
        generated |= {"/etc/systemd/system/multi-user.target.wants/NAME.service"} if declared.enabled else set()
        found = {path for path, (kind, _content) in files.items() if not kind.startswith("d")}
        if found != placed | generated:
            yield f"of its files there lack {placed | generated - found}, and there are {found - placed - generated}"
        greeting = EDITED if self.edited else f"{declared.image} says {declared.greeting}\n"
        if files.get("/etc/NAME/greeting", ["", ""])[1] != greeting:
            yield f"its host file is {files.get('/etc/NAME/greeting')} instead of {greeting!r}"


def _image_of(deployment: Mapping[str, Any]) -> str:
    return str(deployment["image"]).removeprefix("localhost/").removesuffix(":1")
