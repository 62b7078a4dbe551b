# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the role etcd_system_container are made of."""

from __future__ import annotations

from typing import Any

import pytest
from unit.roles.variables import role_variables, value

PREFIX = "etcd_system_container_"


def made(name: str, /, **options: Any) -> Any:
    given = {f"{PREFIX}{option}": text for option, text in options.items()}
    return value(role_variables("etcd_system_container", **given), f"{PREFIX}{name}")


@pytest.mark.parametrize(
    ("text", "expected"), [("false", False), ("no", False), ("true", True), (True, True), (False, False)]
)
def test_booleans(text: bool | str, expected: bool) -> None:
    assert made("with_tls", tls=text) is expected
    assert made("asks_health", check_health=text) is expected
    assert made("scheme", tls=text) == ("https" if expected else "http")
    more = made("more_environment", tls=True, client_cert_auth=text)
    assert ("ETCD_CLIENT_CERT_AUTH" in more) is expected
