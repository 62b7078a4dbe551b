# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors that this collection raises.

Utils raise these, only a module's ``main()`` turns them into ``fail_json``. Every message names the object,
the cause and the way out, in one sentence or two.
"""

from __future__ import annotations


class SystemContainerError(Exception):
    """Parent of every error that a user may see."""


class InvalidInputError(SystemContainerError):
    """An option, an image or a file on the host holds what cannot be accepted."""


class MissingToolError(SystemContainerError):
    """A program that the host needs is not installed."""


class CommandError(SystemContainerError):
    """A command ended with a non-zero exit code, or not in time."""

    def __init__(self, message: str, *, rc: int | None = None, stderr: str = "") -> None:
        super().__init__(message)
        self.rc = rc
        self.stderr = stderr


class ImageNotFoundError(SystemContainerError):
    """No image of that name in the store or at its source."""


class MissingPlatformError(ImageNotFoundError):
    """An image for several platforms has none for the one that is asked for."""


class SourceError(SystemContainerError):
    """The source of an image cannot be reached, refuses, or hands out something broken."""


class TransientSourceError(SourceError):
    """The source failed in a way that may pass: a server error, or a connection that broke."""


class StoreError(SystemContainerError):
    """The OSTree repository cannot be used, or holds what it should not."""


class LockedError(SystemContainerError):
    """Another run holds the lock on a container or on the repository."""


class ServiceError(SystemContainerError):
    """A unit did not reach the state that was asked for."""


class NewerSchemaError(SystemContainerError):
    """A newer version of this collection wrote what is on the host."""


def message_of(error: Exception) -> str:
    """Return the message for a user; what the operating system refuses to others, root may do."""
    if isinstance(error, PermissionError):
        return f"{error}: system containers are managed by root: set 'become: true'"
    return str(error)
