# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the check of an image can find: its rules, and findings (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ._errors import InvalidInputError

_Result = TypeVar("_Result")

ERRORS = {
    "image": "Mend the image: it cannot be installed.",
    "exports": "Put plain files with UTF-8 text into /exports.",
    "manifest": "Mend /exports/manifest.json.",
    "variables": "Give a default under defaultValues of manifest.json. If users have to set it, check the image with 'values'.",
    "config": "Mend what config.json is made from.",
    "mounts": "Mend the mounts of config.json, or the links of the image.",
    "process": "Put the program into the image, with its mode, or correct process.args of config.json.",
    "unit": "Mend /exports/service.template.",
    "tmpfiles": "Mend /exports/tmpfiles.template.",
    "hostfs": "Mend /exports/hostfs, or renameFiles and installedFilesTemplate of manifest.json.",
}
"""Rules whose findings would make installing or starting a container fail, with what to do."""

WARNINGS = {
    "all-capabilities": "List in config.json the capabilities that the process needs.",
    "bind-source": "Create it in /exports/tmpfiles.template.",
    "cwd": "Create the directory in the image.",
    "dropped-entries": "Let config.json create the devices that the container needs, and build the image without them.",
    "host-default": "Take it out of defaultValues, so that the host sets it.",
    "hostfs-setuid": "Do without: setuid and setgid bits are never given to files of the host.",
    "ignored-file": "Take it out of the image, or correct its name.",
    "labels": "Add the label when the image is built.",
    "manifest-key": "Take it out, or correct its name.",
    "manifest-path": "Take it out, or add the file below /exports/hostfs.",
    "mount-target": "Create the directory or file in the image.",
    "no-exports": "Add /exports, so that the image says how it is run.",
    "placeholder": "Call the file config.json.template, which is filled in.",
    "runtime": "Change the template that config.json is made from.",
    "secret-default": "Have it without a default, so that it has to be given, as one of secret_values.",
    "service-template": "Add /exports/service.template, so that the unit fits the service.",
    "tmpfs-mode": "Give the directory in the image the mode that the mount is to have.",
    "unit-install": "Add a section [Install] with WantedBy=multi-user.target.",
    "unit-systemd": "Mend /exports/service.template.",
    "unit-type": "Say Type=notify if the process tells systemd when it is ready, else Type=simple or Type=exec.",
    "unused-default": "Take it out, or correct its name.",
}
"""Rules whose findings do not keep a container from running, with what to do."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an image: by which rule, where in the image if it is one place, and what."""

    rule: str
    message: str
    path: str | None = None

    @property
    def level(self) -> str:
        """Either ``error`` or ``warning``."""
        return "error" if self.rule in ERRORS else "warning"

    @property
    def hint(self) -> str:
        """What to do about it."""
        return ERRORS.get(self.rule) or WARNINGS[self.rule]

    def __str__(self) -> str:
        """The finding as a line of text."""
        # Messages of errors are those of an installation, which say themselves what to do.
        end = f" {self.hint}" if self.level == "warning" or self.rule == "variables" else ""
        return f"{self.path or 'image'}: {self.message.rstrip('.')}. [{self.rule}]{end}"

    def results(self) -> dict[str, Any]:
        """Return the finding as the module's result has it."""
        return {
            "level": self.level,
            "rule": self.rule,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass
class Findings:
    """What was found so far, each once, by its message."""

    found: dict[str, Finding] = field(default_factory=dict)

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings."""
        for finding in findings:
            self.found.setdefault(finding.message, finding)

    def attempt(self, rule: str, path: str | None, function: Callable[[], _Result]) -> _Result | None:
        """Return what ``function`` returns; the ``InvalidInputError`` that it raises becomes a finding of ``rule``."""
        try:
            return function()
        except InvalidInputError as exc:
            self.add([Finding(rule, str(exc), path)])
            return None

    def by_rule(self, *rules: str) -> list[Finding]:
        """Return the findings of some rules."""
        return [finding for finding in self.found.values() if finding.rule in rules]

    @property
    def has_errors(self) -> bool:
        """Whether there is an error among them."""
        return any(finding.level == "error" for finding in self.found.values())

    def sorted(self) -> list[Finding]:
        """Return the findings, errors first, then by path."""
        return sorted(self.found.values(), key=lambda item: (item.level, item.path or "", item.rule, item.message))
