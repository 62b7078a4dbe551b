# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about a container's host files, as ``_host_file_plan`` decides it (pure)."""

from __future__ import annotations

from ._actions import HostFileAction, InstallHostFile, MakeHostDirectory, RemoveEmptyDirectory, RemoveHostFile
from ._deployment import HostFile
from ._record import dataclass


@dataclass(frozen=True)
class HostFileChanges:
    """What is done about host files: ``install`` and ``make`` are in order, ``remove_directories`` the deepest first.

    ``edited`` are the paths that stay as somebody made them. ``host_files`` and ``created_directories`` are what the
    deployment has to record.
    """

    remove: tuple[str, ...] = ()
    remove_directories: tuple[str, ...] = ()
    make: tuple[MakeHostDirectory, ...] = ()
    install: tuple[InstallHostFile, ...] = ()
    edited: tuple[str, ...] = ()
    host_files: tuple[HostFile, ...] = ()
    created_directories: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The places where a file or link is removed or installed."""
        return (*self.remove, *(action.file.path for action in self.install))

    @property
    def actions(self) -> tuple[HostFileAction, ...]:
        """The actions in the order that they need: a directory may take the place of a file, and a file that of one."""
        return (
            *(RemoveHostFile(path) for path in self.remove),
            *(RemoveEmptyDirectory(path) for path in self.remove_directories),
            *self.make,
            *self.install,
        )


NO_HOST_FILES = HostFileChanges()
"""That of a container without any."""
