# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signature policies, containers-policy.json(5): what one asks for an image (pure).

Only two answers are given here, both on the safe side: that anything is accepted, or that everything is rejected.
Whatever lies between, or is not understood, is for skopeo to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ._errors import SourceError

_ACCEPT_ANYTHING = {"type": "insecureAcceptAnything"}
_REJECT = {"type": "reject"}


def asks_for_more(policy: Any, source: str) -> bool:
    """Tell whether a policy has to be enforced for ``source``, as it does not accept anything from there.

    Raises ``SourceError`` where there is no policy (None), or one that rejects all images of the source.
    """
    if policy is None:
        raise SourceError(
            f"'{source}' is not pulled: this host has no signature policy (/etc/containers/policy.json): install the "
            "package that brings it, such as 'containers-common' or 'golang-github-containers-common'"
        )
    candidates = _requirements(policy, source) if isinstance(policy, Mapping) else [None]
    if all(isinstance(requirements, list) and _REJECT in requirements for requirements in candidates):
        raise SourceError(f"'{source}' is rejected by the signature policy of this host (policy.json)")
    return any(requirements != [_ACCEPT_ANYTHING] for requirements in candidates)


def _requirements(policy: Mapping[str, Any], source: str) -> list[Any]:
    """Return the lists of requirements of which one holds for ``source``."""
    transport, _colon, rest = source.partition(":")
    transports = policy.get("transports", {})
    scopes = transports.get(transport, {}) if isinstance(transports, Mapping) else None
    if not isinstance(scopes, Mapping):
        return [None]
    default = [policy.get("default")]
    if transport == "docker":
        return [scopes[scope] for scope in _scopes(rest[2:]) if scope in scopes][:1] or default
    # How other transports write a scope depends on links and on the configuration of the host.
    return [*scopes.values(), *([] if "" in scopes else default)]


def _scopes(name: str) -> Iterator[str]:
    """Yield the scopes of a docker image from the narrowest to the widest, as containers-policy.json(5) has them."""
    registry = name.partition("/")[0] if "/" in name else ""
    if "." not in registry and ":" not in registry and registry != "localhost":
        name = "docker.io/" + (name if registry else "library/" + name)
    yield name
    yield name + ":latest"
    scope = re.sub(r"(:[^/:@]*)?(@.*)?\Z", "", name)
    while scope:
        yield scope
        scope = scope.rpartition("/")[0]
    host = re.sub(r":\d+\Z", "", name.partition("/")[0])
    while "." in host:
        host = host.partition(".")[2]
        yield "*." + host
    yield ""
