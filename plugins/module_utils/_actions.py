# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that a plan for a container is made of: plain values that say what is done, one class for each kind."""

from __future__ import annotations

from dataclasses import field
from typing import Union

from ._deployment import Deployment, GeneratedFile, HostFile
from ._models import Journal, Observed
from ._record import dataclass


@dataclass(frozen=True)
class BeginChange:
    """Record what is about to be done, so that the next run finishes it after a crash."""

    path: str
    journal: Journal

    def __str__(self) -> str:
        return ""  # of no interest to users


@dataclass(frozen=True)
class EndChange:
    """Remove the record: all is done. ``finished`` names a change of an earlier run that needed nothing else."""

    path: str
    finished: str = ""

    def __str__(self) -> str:
        return f"finish the interrupted {self.finished}" if self.finished else ""


@dataclass(frozen=True)
class CheckoutDeployment:
    """Empty the deployment's slot, check the image out into it and write its generated files and ``info``."""

    deployment: Deployment

    def __str__(self) -> str:
        return f"check out deployment {self.deployment.directory}"


@dataclass(frozen=True)
class CheckoutUnrendered:
    """Stands for ``CheckoutDeployment`` in check mode where the image is not stored, so that nothing can be rendered."""

    directory: str

    def __str__(self) -> str:
        return f"check out deployment {self.directory}"


@dataclass(frozen=True)
class RemoveDirectory:
    """Remove a directory of this collection's with all that it holds."""

    path: str

    def __str__(self) -> str:
        return f"remove directory {self.path}"


@dataclass(frozen=True)
class SwitchDeployment:
    """Point the container's link at a deployment."""

    link: str
    directory: str

    def __str__(self) -> str:
        return f"switch {self.link} to {self.directory}"


@dataclass(frozen=True)
class WriteFile:
    """Write a generated file."""

    file: GeneratedFile

    def __str__(self) -> str:
        return f"write {self.file.path}"


@dataclass(frozen=True)
class RemoveFile:
    """Remove a file or a link, and the folder around it when that is a drop-in folder left empty."""

    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True)
class InstallHostFile:
    """Put a file or link of an image on the host; its content is in the deployment's directory unless it was rendered."""

    file: HostFile
    directory: str

    def __str__(self) -> str:
        return f"install host file {self.file.path}"


@dataclass(frozen=True)
class RemoveHostFile:
    """Remove a file or link that an image put on the host."""

    path: str

    def __str__(self) -> str:
        return f"remove host file {self.path}"


@dataclass(frozen=True)
class MakeHostDirectory:
    """Make a directory with the owner and mode of ``origin`` in the deployment's root file system; None is root, 0755."""

    path: str
    directory: str
    origin: str | None

    def __str__(self) -> str:
        return f"make directory {self.path}"


@dataclass(frozen=True)
class RemoveEmptyDirectory:
    """Remove a directory of the host that was made for host files, if nothing is in it."""

    path: str

    def __str__(self) -> str:
        return f"remove empty directory {self.path}"


HostFileAction = Union[InstallHostFile, RemoveHostFile, MakeHostDirectory, RemoveEmptyDirectory]


@dataclass(frozen=True)
class ChangeHostFiles:
    """Make the host files those of ``target``, or remove them when that is None, while no other run changes any.

    ``planned`` is what that takes by what was ``observed``; looked at is again, as other containers' runs may have come
    between. ``written`` is the record when that changes, ``journal`` what is under way once this is done.
    """

    observed: Observed = field(repr=False)
    target: Deployment | None
    planned: tuple[HostFileAction, ...]
    journal: Journal
    written: tuple[WriteFile, ...] = ()
    force: bool = False

    @property
    def parts(self) -> tuple[Action, ...]:
        """The actions that this one stands for."""
        return (*self.planned, *self.written, BeginChange(self.observed.paths.journal, self.journal))

    def __str__(self) -> str:
        return "\n".join(text for text in map(str, self.parts) if text)


@dataclass(frozen=True)
class RemoveLeftover:
    """Remove a file or directory that an interrupted run left."""

    path: str

    def __str__(self) -> str:
        return f"remove leftover {self.path}"


@dataclass(frozen=True)
class DaemonReload:
    """Have systemd read its unit files again."""

    def __str__(self) -> str:
        return "reload systemd"


@dataclass(frozen=True)
class CreateTmpfiles:
    """Create what a tmpfiles.d file asks for."""

    path: str

    def __str__(self) -> str:
        return f"create what {self.path} lists"


@dataclass(frozen=True)
class EnableUnit:
    """Have the unit start at boot."""

    unit: str

    def __str__(self) -> str:
        return f"enable {self.unit}"


@dataclass(frozen=True)
class DisableUnit:
    """Have the unit not start at boot."""

    unit: str

    def __str__(self) -> str:
        return f"disable {self.unit}"


@dataclass(frozen=True)
class StartUnit:
    """Create what the container's tmpfiles.d file lists, as at boot, start the unit, and wait until it is ready."""

    unit: str
    tmpfiles: str | None = None

    def __str__(self) -> str:
        return f"start {self.unit}"


@dataclass(frozen=True)
class StopUnit:
    """Stop the unit and make sure that the container is gone."""

    unit: str

    def __str__(self) -> str:
        return f"stop {self.unit}"


@dataclass(frozen=True)
class ForgetFailure:
    """Have systemd forget that a removed unit failed, so that it is not listed any more."""

    unit: str

    def __str__(self) -> str:
        return f"forget the failure of {self.unit}"


@dataclass(frozen=True)
class DeleteRuntimeState:
    """Delete what the runtime still knows of a container whose unit is not running, its processes included."""

    name: str

    def __str__(self) -> str:
        return f"delete stale runtime state of {self.name}"


Action = Union[
    BeginChange,
    EndChange,
    CheckoutDeployment,
    CheckoutUnrendered,
    RemoveDirectory,
    SwitchDeployment,
    WriteFile,
    RemoveFile,
    InstallHostFile,
    RemoveHostFile,
    MakeHostDirectory,
    RemoveEmptyDirectory,
    ChangeHostFiles,
    RemoveLeftover,
    DaemonReload,
    CreateTmpfiles,
    EnableUnit,
    DisableUnit,
    StartUnit,
    StopUnit,
    ForgetFailure,
    DeleteRuntimeState,
]
