# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report
short_description: Sum up what system containers a fleet runs
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Turns results of M(projectatomic.system_containers.system_container_info) of many hosts into one report. It counts, finds images and
    names whose digests differ between hosts, and lists the hosts that gave no answer.
  - The values of containers are not part of it, as reports are shown around.
  - The playbook C(projectatomic.system_containers.report) is made of this.
positional: query
options:
  _input:
    description:
      - The result of each host, by its name. A result that failed, or says that the host is unreachable, or is none, makes it a host that
        gave no answer.
    type: dict
    required: true
  query:
    description:
      - A JMESPath expression that selects what the report is about from RV(_value.containers), such as V([?status=='failed']). It may also
        sort them.
      - It needs the Python library jmespath on the controller.
    type: str
  title:
    description: Title of the report.
    type: str
    default: System containers
  generated_at:
    description: When the results were taken, as ISO 8601 has it, in UTC.
    type: str
    required: true
  verified:
    description: Whether the hosts were asked with O(projectatomic.system_containers.system_container_info#module:verify=true).
    type: bool
    default: false
seealso:
  - plugin: projectatomic.system_containers.fleet_report_table
    plugin_type: filter
  - plugin: projectatomic.system_containers.fleet_report_html
    plugin_type: filter
  - plugin: projectatomic.system_containers.fleet_report_json
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the containers
  projectatomic.system_containers.system_container_info:
  register: found

- name: Sum up those that have problems, on all hosts of the play
  ansible.builtin.debug:
    msg: "{{ report.summary }}"
  vars:
    results: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars) | map(attribute='found', default={}))) }}"
    report: >-
      {{ results | projectatomic.system_containers.fleet_report("[?problems]", generated_at=now(utc=true).strftime('%Y-%m-%dT%H:%M:%SZ')) }}
  run_once: true
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    schema:
      description: Version of this shape.
      type: int
      sample: 1
    title:
      description: The O(title).
      type: str
      sample: System containers
    generated_at:
      description: When the results were taken.
      type: str
      sample: "2026-11-23T18:17:59Z"
    query:
      description: The O(query), none without one.
      type: str
      sample: "[?status=='failed']"
    verified:
      description: Whether all files were hashed again.
      type: bool
      sample: false
    summary:
      description:
        - Numbers of hosts (C(hosts), C(hosts_unreachable), C(hosts_failed), C(hosts_vulnerable)).
        - Numbers of selected containers, all (C(containers)), by status (C(running), C(stopped), C(failed), C(changing),
          C(installed)), and with a problem (C(broken), C(interrupted), C(differs), C(drift), C(unverified)) or with any (C(with_problems)).
        - How many containers there are without the query (C(containers_known)), how many entries RV(_value.differing) has
          (C(differing)), and how many bytes pruning could free in the stores of all hosts (C(reclaimable)).
      type: dict
      sample: {"hosts": 3, "containers": 6, "running": 5, "failed": 1}
    hosts:
      description: All hosts, sorted by name.
      type: list
      elements: dict
      contains:
        host:
          description: Name in the inventory.
          type: str
          sample: web1
        status:
          description: One of V(ok), V(unreachable) and V(failed).
          type: str
          sample: ok
        message:
          description: Why there is no answer, none when there is one.
          type: str
          sample: null
        containers:
          description: How many of the selected containers it has.
          type: int
          sample: 2
        running:
          description: How many of them run.
          type: int
          sample: 2
        problems:
          description: How many of them have a problem.
          type: int
          sample: 0
        runtime:
          description: As RV(projectatomic.system_containers.system_container_info#module:runtime).
          type: dict
          sample: {"name": "runc", "version": "1.1.5+ds1"}
        store:
          description: As RV(projectatomic.system_containers.system_container_info#module:store).
          type: dict
          sample: {"images": 2, "unique": 52428800, "shared": 20971520, "reclaimable": 0}
    runtimes:
      description: The different OCI runtimes with C(name), C(version), C(known_vulnerabilities), C(note) and C(hosts).
      type: list
      elements: dict
      sample: [{"name": "runc", "version": "1.3.6", "known_vulnerabilities": [], "note": null, "hosts": ["web1"]}]
    differing:
      description:
        - The names of containers, and the images, of which there is more than one digest in the fleet, when one of the selected containers
          is concerned.
        - Digests for several platforms of one index count as the same.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the containers, none when they have several.
          type: str
          sample: etcd
        image:
          description: Name of their image, none when there are several.
          type: str
          sample: registry.example.com/etcd:3.5
        digests:
          description: The digests, the most frequent first, each with C(digest), C(images) and C(containers) (C(host) and C(name)).
          type: list
          elements: dict
          sample: [{"digest": "sha256:1f0d...", "images": ["registry.example.com/etcd:3.5"], "containers": [{"host": "web1", "name": "etcd"}]}]
    containers:
      description: The selected containers.
      type: list
      elements: dict
      contains:
        host:
          description: Name of its host.
          type: str
          sample: web1
        name:
          description:
            - Its name. C(state), C(substate), C(enabled), C(unit), C(image), C(manifest_digest), C(index_digest), C(deployment), C(runtime),
              C(since), C(started_at), C(restarts), C(memory), C(result), C(last_exit), C(broken), C(interrupted), C(drift) and
              C(edited_files) are as RV(projectatomic.system_containers.system_container_info#module:containers) has them.
          type: str
          sample: etcd
        status:
          description:
            - One of V(running), V(stopped), V(failed) (also when systemd starts it again and again), V(changing) and V(installed) (an
              image without a service).
          type: str
          sample: running
        differs:
          description:
            - Whether its digest is among RV(_value.differing), and not the most frequent one there.
            - Where no digest is more frequent than the others, all differ.
          type: bool
          sample: false
        unverified:
          description: The deployments whose root file systems could not be verified, each with C(deployment) and C(reason).
          type: list
          elements: dict
          sample: []
        problems:
          description: Any of V(failed), V(broken), V(interrupted), V(differs), V(drift) and V(unverified).
          type: list
          elements: str
          sample: []
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report import build_report
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_query import ReportError


def fleet_report(
    results: dict[str, Any],
    query: str | None = None,
    *,
    generated_at: str,
    title: str = "System containers",
    verified: bool = False,
) -> dict[str, Any]:
    """Return the report on results by host."""
    if not isinstance(results, dict):
        raise AnsibleFilterError("fleet_report needs a dict with the result of each host, by its name")
    try:
        return build_report(results, title=title, generated_at=generated_at, query=query, verified=verified)
    except ReportError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"fleet_report": fleet_report}
