# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills in the variables of roles, as Ansible does when a task needs them."""

from __future__ import annotations

from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from runner.project import ROOT


def loaded(path: str) -> Any:
    """Return what a file of the project has, with its templates."""
    return DataLoader().load_from_file(str(ROOT / path), trusted_as_template=True)


def role_variables(role: str, **given: Any) -> Templar:
    """Return what fills in templates with the variables of a role, where ``given`` go before its defaults."""
    known = {**loaded(f"roles/{role}/defaults/main.yml"), **given, **loaded(f"roles/{role}/vars/main.yml")}
    return Templar(loader=DataLoader(), variables=known)


def value(templar: Templar, name: str) -> Any:
    """Return the value of a variable."""
    return templar.resolve_variable_expression(name)
