# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ``main()`` of every module ends with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ._errors import SystemContainerError, message_of


def run_module(module: Any, function: Callable[[], dict[str, Any]]) -> NoReturn:
    """End an ``AnsibleModule`` with what ``function`` returns, or fail it with the message of what it raises.

    ``warnings`` among the results are shown as such; results that have ``failed`` and a ``msg`` fail it as well.
    """
    message = None
    results: dict[str, Any] = {}
    try:
        results = function()
    except (SystemContainerError, OSError) as exc:
        message = message_of(exc)
    if message is not None:
        module.fail_json(msg=message)
    for warning in results.pop("warnings", ()):
        module.warn(warning)
    if results.pop("failed", False):
        module.fail_json(**results)
    module.exit_json(**results)
    raise SystemExit
