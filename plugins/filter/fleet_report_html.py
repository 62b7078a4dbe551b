# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_report_html."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report_html
short_description: Make a page of a fleet report
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Turns what P(projectatomic.system_containers.fleet_report#filter) returns into an HTML page that needs no other files.
  - When nothing but the time of the report and the memory in use differs from O(previous), that is returned, so that the file stays as it is.
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
- name: Write the page to a file of the controller
  ansible.builtin.copy:
    content: "{{ report | projectatomic.system_containers.fleet_report_html(previous) }}"
    dest: "{{ path }}"
    mode: "0644"
  vars:
    path: "{{ playbook_dir }}/fleet.html"
    previous: "{{ lookup('ansible.builtin.file', path, rstrip=false) if path is exists else '' }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The page.
  type: str
  sample: "<!doctype html>"
"""

from typing import Any

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_files import report_html


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"fleet_report_html": report_html}
