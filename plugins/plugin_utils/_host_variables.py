# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a host, in the order in which Ansible lets one go before another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources


def variables_of(host: Any, *, loader: Any, sources: Sequence[str]) -> dict[str, Any]:
    """Return the variables of a host and its groups, those in files beside the inventory sources included."""

    def of_files(entities: list[Any]) -> dict[str, Any]:
        return dict(get_vars_from_inventory_sources(loader, sources, entities, "all"))

    all_hosts = [group for group in host.get_groups() if group.name == "all"]
    groups = sort_groups([group for group in host.get_groups() if group.name != "all"])
    parts = {
        "all_inventory": lambda: get_group_vars(all_hosts),
        "groups_inventory": lambda: get_group_vars(groups),
        "all_plugins_inventory": lambda: of_files(all_hosts),
        "groups_plugins_inventory": lambda: of_files(groups),
    }
    ordered = [parts[part]() for part in C.VARIABLE_PRECEDENCE if part in parts]
    return reduce(combine_vars, [*ordered, host.vars, of_files([host])], {})
