# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_report_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report_table
short_description: Show a fleet report on a terminal
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Turns what P(projectatomic.system_containers.fleet_report#filter) returns into lines of text.
options:
  _input:
    description: The report.
    type: dict
    required: true
seealso:
  - plugin: projectatomic.system_containers.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what runs where
  ansible.builtin.debug:
    msg: "{{ report | projectatomic.system_containers.fleet_report_table }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines, one for each container, those on problems, and a sum.
  type: list
  elements: str
  sample: ["HOST  NAME  IMAGE", "web1  etcd  registry.example.com/etcd:3.5", "1 container on 1 host: 1 running"]
"""

from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_table import report_table


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"fleet_report_table": report_table}
