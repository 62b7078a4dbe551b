# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply a plan: the one place that changes a container on the host."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import Any, Callable

from . import _actions as actions
from . import _host_file_io, _host_file_turn, _io, _journal, _runtime, _systemctl
from ._deployment import Deployment
from ._info_file import info_file
from ._models import Readiness
from ._ostree import Repository
from ._record import dataclass
from ._runtime_spec import has_user_namespace, parse_runtime_spec


@dataclass(frozen=True)
class Context:
    """What actions need besides themselves.

    ``layers`` are the commits of the image's layers, lowest first.
    """

    runtime: str
    repository: Repository
    layers: Sequence[str] = ()
    readiness: Readiness = field(default_factory=Readiness)


def apply(plan: Sequence[object], context: Context) -> None:
    """Carry out the actions in order; raises the first error."""
    for action in plan:
        _HANDLERS[type(action)](action, context)


def _check_out(action: actions.CheckoutDeployment, context: Context) -> None:
    """Make the deployment beside its slot, then rename it into the slot: a slot is whole or not there."""
    deployment = action.deployment
    folder, name = os.path.split(deployment.directory)
    staging = os.path.join(folder, f".{name}.new")
    _io.remove_tree(staging)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    # An image may hold setuid programs, old ones too: nobody but root gets there. A user namespace needs the way.
    os.mkdir(staging, mode=0o711 if _has_user_namespace(deployment) else 0o700)
    try:
        context.repository.checkout(context.layers, os.path.join(staging, "rootfs"))
        for file in (*deployment.files, info_file(deployment)):
            if file.path.startswith(deployment.directory + "/"):
                _write(file.path.replace(deployment.directory, staging, 1), file.content, file.mode)
    except BaseException:
        _io.remove_tree(staging)
        raise
    _io.remove_tree(deployment.directory)
    os.rename(staging, deployment.directory)
    _io.sync_directory(folder)


def _has_user_namespace(deployment: Deployment) -> bool:
    config = next(file for file in deployment.files if file.path == f"{deployment.directory}/config.json")
    return has_user_namespace(parse_runtime_spec(config.content, file=config.path))


def _write(path: str, content: str, mode: int) -> None:
    _io.write_file(path, content.encode("utf-8", "surrogateescape"), mode=mode)


def _switch(action: actions.SwitchDeployment, context: Context) -> None:
    _io.replace_link(action.link, action.directory)


def _write_file(action: actions.WriteFile, context: Context) -> None:
    _write(action.file.path, action.file.content, action.file.mode)


def _stop(action: actions.StopUnit, context: Context) -> None:
    """Stop the unit; what the runtime still has of the container afterwards is killed and deleted."""
    _systemctl.stop(action.unit)
    container = action.unit[: -len(".service")]
    if _runtime.container_bundle(container) is not None:
        _runtime.delete_container(context.runtime, container)


def _start(action: actions.StartUnit, context: Context) -> None:
    if action.tmpfiles is not None:
        _systemctl.create_tmpfiles(action.tmpfiles)
    container = action.unit[: -len(".service")]
    _systemctl.start(action.unit, context.readiness, health=partial(_runtime.health, context.runtime, container))


def _begin(action: actions.BeginChange, context: Context) -> None:
    os.makedirs(os.path.dirname(action.path), mode=0o755, exist_ok=True)
    _journal.write_journal(action.path, action.journal)


def _make_directory(action: actions.MakeHostDirectory, context: Context) -> None:
    _host_file_io.make_directory(action.path, directory=action.directory, origin=action.origin)


def _change_host_files(action: actions.ChangeHostFiles, context: Context) -> None:
    with _host_file_turn.turn():
        apply(_host_file_turn.settled(action), context)


_HANDLERS: Mapping[type, Callable[[Any, Context], None]] = {
    actions.BeginChange: _begin,
    actions.EndChange: lambda action, context: _journal.remove_journal(action.path),
    actions.CheckoutDeployment: _check_out,
    actions.RemoveDirectory: lambda action, context: _io.remove_tree(action.path),
    actions.SwitchDeployment: _switch,
    actions.WriteFile: _write_file,
    actions.RemoveFile: lambda action, context: _io.remove_file(action.path),
    actions.InstallHostFile: lambda action, context: _host_file_io.install(action.file, action.directory),
    actions.RemoveHostFile: lambda action, context: _host_file_io.remove(action.path),
    actions.MakeHostDirectory: _make_directory,
    actions.ChangeHostFiles: _change_host_files,
    actions.RemoveEmptyDirectory: lambda action, context: _host_file_io.remove_empty_directory(action.path),
    actions.RemoveLeftover: lambda action, context: _io.remove_tree(action.path),
    actions.DaemonReload: lambda action, context: _systemctl.daemon_reload(),
    actions.CreateTmpfiles: lambda action, context: _systemctl.create_tmpfiles(action.path),
    actions.EnableUnit: lambda action, context: _systemctl.enable(action.unit),
    actions.DisableUnit: lambda action, context: _systemctl.disable(action.unit),
    actions.StartUnit: _start,
    actions.StopUnit: _stop,
    actions.ForgetFailure: lambda action, context: _systemctl.forget_failure(action.unit),
    actions.DeleteRuntimeState: lambda action, context: _runtime.delete_container(context.runtime, action.name),
}
