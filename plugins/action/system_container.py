# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All modules of this collection on the controller: as any module, only sooner on its way to the hosts.

Ansible parses each file of a module's payload for its imports. These modules have many, and what they leave in memory makes
Python search all of a large process for garbage, again and again. The process is Ansible's worker, which ends with the task.
"""

from __future__ import annotations

import gc
from typing import Any

from ansible.plugins.action.normal import ActionModule as NormalAction


class ActionModule(NormalAction):
    """The action of every module without one of its own, without garbage collection."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module on the host; return and raise as Ansible's own action does."""
        enabled = gc.isenabled()
        gc.disable()
        try:
            result: dict[str, Any] = super().run(tmp, task_vars)
            return result
        finally:
            if enabled:
                gc.enable()
