# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs that several modules share; the matching documentation is in ``plugins/doc_fragments``."""

from __future__ import annotations

from typing import Any

DEFAULT_ROOT = "/var/lib/containers/atomic"

STORE: dict[str, Any] = {
    "root": {"type": "path", "default": DEFAULT_ROOT},
    "repo": {"type": "path"},
}

PULL: dict[str, Any] = {
    "source": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "authfile": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "cert_dir": {"type": "path"},
    "platform": {"type": "str"},
    "pull_timeout": {"type": "int", "default": 60},
    "pull_retries": {"type": "int", "default": 3},
    "max_layer_size": {"type": "bytes", "default": "128G"},
    "max_layer_entries": {"type": "int", "default": 2000000},
    "max_layer_ratio": {"type": "int", "default": 500},
}

MOUNT: dict[str, Any] = {
    "destination": {"type": "str", "required": True},
    "source": {"type": "str"},
    "type": {"type": "str", "default": "bind"},
    "options": {"type": "list", "elements": "str"},
    "create": {"type": "str", "choices": ["directory", "file"]},
}

PULL_RULES: dict[str, Any] = {
    "required_together": [("username", "password")],
}
