# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter merge_patch: change some keys of a JSON document, and leave the others."""

from __future__ import annotations

DOCUMENTATION = r"""
name: merge_patch
short_description: Merge a patch into a JSON document
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Applies a JSON Merge Patch (RFC 7396). Dictionaries are merged, key by key; every other value, a list too, replaces the one before.
  - A key whose value is null is removed.
positional: _patch
options:
  _input:
    description: The document.
    type: raw
    required: true
  _patch:
    description: What to change in it.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Add a key, change another one inside, remove a third
  ansible.builtin.debug:
    msg: "{{ settings | projectatomic.system_containers.merge_patch(patch) }}"
  vars:
    settings: {log-driver: json-file, log-opts: {max-size: 1m, max-file: "3"}}
    patch: {debug: true, log-opts: {max-size: 5m, max-file: null}}
  # => {"debug": true, "log-driver": "json-file", "log-opts": {"max-size": "5m"}}
"""

RETURN = r"""
_value:
  description: The document with the patch applied.
  type: raw
"""

from collections.abc import Mapping
from typing import Any, Callable


def merge_patch(document: Any, patch: Any) -> Any:
    """Return a document with a patch applied, as RFC 7396 says; neither of them is changed."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"merge_patch": merge_patch}
