# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a template, and what never is. Ansible-core 2.19 marks templates, older ones mark what is none."""

from __future__ import annotations

from typing import Any

try:
    from ansible.parsing.vault import EncryptedString
    from ansible.template import is_trusted_as_template as is_template
    from ansible.template import trust_as_template as template

    def no_template(value: Any) -> Any:
        """Return a value from elsewhere, in which nothing is a template as it is."""
        return value

except ImportError:  # before ansible-core 2.19
    from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode as EncryptedString
    from ansible.utils.unsafe_proxy import AnsibleUnsafe, wrap_var

    def is_template(value: object) -> bool:
        """Tell whether a text is a template."""
        return not isinstance(value, AnsibleUnsafe)

    def template(value: str) -> str:
        """Return the text."""
        return value

    def no_template(value: Any) -> Any:
        """Return a value from elsewhere, with marks on all of its texts."""
        return wrap_var(value)


__all__ = ["EncryptedString", "is_template", "no_template", "template"]
