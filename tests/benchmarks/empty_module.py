# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that takes the options of system_container_image and does nothing: what every module costs."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**STORE, **PULL, "name": {"type": "str", "required": True}, "state": {"type": "str"}},
        supports_check_mode=True,
        **PULL_RULES,
    )
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
