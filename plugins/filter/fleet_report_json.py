# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_report_json."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report_json
short_description: Spell a fleet report as JSON
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Turns what P(projectatomic.system_containers.fleet_report#filter) returns into the text of a file.
  - When nothing but the time of the report and the memory in use differs from O(previous), that is returned, so that the file stays as it is.
  - Before ansible-core 2.19 the filter P(ansible.builtin.string#filter) has to follow, as what looks like JSON is no text there.
positional: previous
options:
  _input:
    description: The report.
    type: dict
    required: true
  previous:
    description: The text that was made before, such as the content of the file that is about to be written.
    type: str
    default: ""
seealso:
  - plugin: projectatomic.system_containers.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the report to a file of the controller
  ansible.builtin.copy:
    content: "{{ report | projectatomic.system_containers.fleet_report_json(previous) | string }}"
    dest: "{{ path }}"
    mode: "0644"
  vars:
    path: "{{ playbook_dir }}/fleet.json"
    previous: "{{ lookup('ansible.builtin.file', path, rstrip=false) | string if path is exists else '' }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The text.
  type: str
  sample: "{\"schema\": 1}"
"""

from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_files import report_json


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"fleet_report_json": report_json}
