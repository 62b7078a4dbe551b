# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a registry wants to know who asks: the header ``WWW-Authenticate`` (RFC 9110, and the distribution project's token
authentication, https://distribution.github.io/distribution/spec/auth/token/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf"\s*({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}))\s*(?:,|\Z)")
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:\s+|\s*,|\Z)")


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate: scheme and parameter names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> list[Challenge]:
    """Return the challenges of a header, in order; of one that is malformed those before the place."""
    found = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters = {}
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found.append(Challenge(scheme[1].lower(), parameters))
    return found


def choose_challenge(header: str) -> Challenge | None:
    """Return the challenge to answer, a token rather than a password; None if neither is offered."""
    known = {challenge.scheme: challenge for challenge in reversed(parse_challenges(header))}
    bearer = known.get("bearer")
    return bearer if bearer and bearer.parameters.get("realm") else known.get("basic")
