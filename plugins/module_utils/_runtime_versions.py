# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known vulnerabilities of OCI runtimes, by the versions that fixed them.

From the projects' own release notes and security advisories (runc: CHANGELOG.md; crun: NEWS).
"""

from __future__ import annotations

import re
from typing import Any

from ._record import dataclass

NOTE = "By upstream's version alone: distributions mend old versions without changing it, ask the one in use."
"""What has to be said with every list of vulnerabilities."""

_VERSION = re.compile(r"v?(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?:[-~]?rc\.?(?P<rc>[0-9]+))?(?![0-9])")
_FINAL = 2**31  # no release candidate has this number
_Version = tuple[tuple[int, ...], int]


@dataclass(frozen=True)
class _Vulnerability:
    """``fixed_in``: the first version without it in each branch (MAJOR.MINOR), oldest branch first; branches before have
    no fix, those after never had it. ``since``: the first version with it, None for all."""

    id: str
    fixed_in: tuple[str, ...]
    summary: str
    since: str | None = None


_RUNC = (
    _Vulnerability(
        "CVE-2016-9962", ("1.0.0-rc3",), "a container could trace, and so take over, what is run in it by exec"
    ),
    _Vulnerability("CVE-2019-5736", ("1.0.0-rc7",), "a container could overwrite the runc program of the host"),
    _Vulnerability("CVE-2019-16884", ("1.0.0-rc9",), "a mount over /proc could switch off AppArmor and SELinux"),
    _Vulnerability("CVE-2019-19921", ("1.0.0-rc10",), "a volume mounted at /proc could switch off security modules"),
    _Vulnerability("CVE-2021-30465", ("1.0.0-rc95",), "links exchanged in a race could mount directories of the host"),
    _Vulnerability("CVE-2021-43784", ("1.0.3",), "overlong data for netlink could undo a container's namespaces"),
    _Vulnerability("CVE-2022-29162", ("1.1.2",), "exec --cap gave inheritable capabilities"),
    _Vulnerability("CVE-2023-25809", ("1.1.5",), "rootless containers could write to the user's cgroups"),
    _Vulnerability(
        "CVE-2023-27561", ("1.1.5",), "/proc or /sys as a symbolic link could switch off security modules", "1.0.0-rc95"
    ),
    _Vulnerability("CVE-2023-28642", ("1.1.5",), "/proc as a symbolic link could switch off AppArmor", "1.0.0-rc95"),
    _Vulnerability(
        "CVE-2024-21626", ("1.1.12",), "a file descriptor left open led a container to the host's files", "1.0.0-rc93"
    ),
    _Vulnerability(
        "CVE-2024-45310", ("1.1.14", "1.2.0-rc.3"), "a race could create empty files and directories on the host"
    ),
    _Vulnerability(
        "CVE-2025-31133", ("1.2.8", "1.3.3", "1.4.0-rc.3"), "/dev/null replaced by a link could open masked paths"
    ),
    _Vulnerability(
        "CVE-2025-52565",
        ("1.2.8", "1.3.3", "1.4.0-rc.3"),
        "/dev/console mounted through a link could open protected paths",
        "1.0.0-rc3",
    ),
    _Vulnerability(
        "CVE-2025-52881",
        ("1.2.8", "1.3.3", "1.4.0-rc.3"),
        "writes to /proc could be led elsewhere, past security modules",
    ),
    _Vulnerability(
        "CVE-2026-41579", ("1.3.6", "1.4.3", "1.5.0-rc.3"), "/dev as a symbolic link could change files of the host"
    ),
)
_CRUN = (
    _Vulnerability("CVE-2019-16884", ("0.10",), "a mount over /proc could switch off AppArmor and SELinux"),
    _Vulnerability("CVE-2019-18837", ("0.10.5",), "symbolic links of an image could lead out of its root file system"),
    _Vulnerability("CVE-2022-27650", ("1.4.4",), "exec gave inheritable capabilities"),
    _Vulnerability("CVE-2025-24965", ("1.20",), "the krun handler could write files of the host through a link"),
    _Vulnerability("CVE-2026-30892", ("1.27",), "exec --user 1 ran as root", "1.19"),
    _Vulnerability("CVE-2026-47766", ("1.28",), "/dev as a symbolic link could change files of the host"),
    _Vulnerability(
        "CVE-2026-88264", ("1.30",), "without a mount on /dev, /dev/console could create a file on the host"
    ),
    _Vulnerability("CVE-2026-88265", ("1.30",), "without a mount on /dev, /dev/null could lead to a file of the host"),
)
_KNOWN = {"runc": _RUNC, "crun": _CRUN}


def known_vulnerabilities(name: str, version: str | None) -> list[dict[str, Any]] | None:
    """Return what is known of a version of ``runc`` or ``crun``, oldest first: ``id``, ``fixed_in`` (versions, oldest
    branch first) and ``summary`` of each; see ``NOTE``. None for another runtime, or a version that is not understood.

    What a packager adds to the version (``+ds1``, ``~dfsg``, ``-1+deb12u1``) does not count.
    """
    parsed = _parse(version or "")
    if name not in _KNOWN or parsed is None:
        return None
    return [
        {"id": item.id, "fixed_in": list(item.fixed_in), "summary": item.summary}
        for item in _KNOWN[name]
        if _has(parsed, item)
    ]


def _has(version: _Version, item: _Vulnerability) -> bool:
    since = _parse(item.since) if item.since else None
    if since is not None and version < since:
        return False
    fixes = [fix for fix in map(_parse, item.fixed_in) if fix is not None]
    branch = version[0][:2]
    same = [fix for fix in fixes if fix[0][:2] == branch]
    return not (any(version >= fix for fix in same) or branch > max(fix[0][:2] for fix in fixes))


def _parse(text: str) -> _Version | None:
    """Return numbers and release candidate of a version, so that they compare as versions do."""
    found = _VERSION.match(text)
    if found is None:
        return None
    numbers = [int(number) for number in found["numbers"].split(".")]
    return tuple([*numbers, 0, 0][: max(3, len(numbers))]), int(found["rc"]) if found["rc"] else _FINAL
