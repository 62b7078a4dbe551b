# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known vulnerabilities of runtimes, by version."""

from __future__ import annotations

import re

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._runtime_versions import (
    known_vulnerabilities,
)

NEWEST_RUNC = "CVE-2026-41579"
OF_2025 = {"CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"}
RUNC = {"CVE-2024-21626", "CVE-2024-45310", *OF_2025, NEWEST_RUNC}


def known(name: str, version: str) -> set[str]:
    found = known_vulnerabilities(name, version)
    assert found is not None
    return {item["id"] for item in found}


@pytest.mark.parametrize(
    ("version", "ids"),
    [
        ("1.1.5", RUNC),
        ("1.1.5+ds1", RUNC),
        ("1.1.5+ds1-1+deb12u1", RUNC),
        ("v1.1.5~dfsg", RUNC),
        ("1.1.12", RUNC - {"CVE-2024-21626"}),
        ("1.1.15", {*OF_2025, NEWEST_RUNC}),
        ("1.2.0-rc.2", RUNC - {"CVE-2024-21626"}),
        ("1.2.0-rc.3", {*OF_2025, NEWEST_RUNC}),
        ("1.2.0~rc.3+ds", {*OF_2025, NEWEST_RUNC}),
        ("1.2.7", {*OF_2025, NEWEST_RUNC}),
        ("1.2.8", {NEWEST_RUNC}),
        ("1.2.10", {NEWEST_RUNC}),
        ("1.3.2", {*OF_2025, NEWEST_RUNC}),
        ("1.3.3", {NEWEST_RUNC}),
        ("1.3.6", set()),
        ("1.4.0-rc.2", {*OF_2025, NEWEST_RUNC}),
        ("1.4.0-rc.3", {NEWEST_RUNC}),
        ("1.4.0", {NEWEST_RUNC}),
        ("1.4.2", {NEWEST_RUNC}),
        ("1.4.3", set()),
        ("1.5.0-rc.2", {NEWEST_RUNC}),
        ("1.5.0-rc.3", set()),
        ("1.5.0", set()),
        ("1.10.0", set()),
        ("2.0.0", set()),
    ],
)
def test_runc(version: str, ids: set[str]) -> None:
    assert known("runc", version) == ids


@pytest.mark.parametrize(
    ("number", "last_with", "first_without"),
    [
        ("CVE-2016-9962", "1.0.0-rc2", "1.0.0-rc3"),
        ("CVE-2019-5736", "1.0.0-rc6", "1.0.0-rc7"),
        ("CVE-2019-5736", "1.0.0~rc6+dfsg1", "1.0.0-rc10"),
        ("CVE-2019-16884", "1.0.0-rc8", "1.0.0-rc9"),
        ("CVE-2019-19921", "1.0.0-rc9", "1.0.0-rc10"),
        ("CVE-2021-30465", "1.0.0-rc94", "1.0.0-rc95"),
        ("CVE-2021-30465", "1.0.0~rc93+ds1", "1.0.0"),
        ("CVE-2021-43784", "1.0.2", "1.0.3"),
        ("CVE-2022-29162", "1.1.1", "1.1.2"),
        ("CVE-2023-25809", "1.1.4", "1.1.5"),
        ("CVE-2023-27561", "1.1.4", "1.1.5"),
        ("CVE-2023-27561", "1.0.0-rc95", "1.0.0-rc94"),
        ("CVE-2023-28642", "1.1.4", "1.1.5"),
        ("CVE-2024-21626", "1.1.11", "1.1.12"),
        ("CVE-2024-21626", "1.0.0-rc93", "1.0.0-rc92"),
    ],
)
def test_boundary(number: str, last_with: str, first_without: str) -> None:
    assert number in known("runc", last_with)
    assert number not in known("runc", first_without)


@pytest.mark.parametrize(
    ("number", "last_with", "first_without"),
    [
        ("CVE-2019-16884", "0.9.1", "0.10"),
        ("CVE-2019-18837", "0.10.4", "0.10.5"),
        ("CVE-2022-27650", "1.4.3", "1.4.4"),
        ("CVE-2025-24965", "1.19.1", "1.20"),
        ("CVE-2026-30892", "1.26", "1.27"),
        ("CVE-2026-30892", "1.19", "1.18.2"),
        ("CVE-2026-47766", "1.27.1", "1.28"),
        ("CVE-2026-88264", "1.29.1", "1.30"),
        ("CVE-2026-88265", "1.8.1", "1.30.1"),
    ],
)
def test_crun(number: str, last_with: str, first_without: str) -> None:
    assert number in known("crun", last_with)
    assert number not in known("crun", first_without)


def test_entry() -> None:
    found = known_vulnerabilities("runc", "1.3.0")
    assert found
    for item in found:
        assert set(item) == {"id", "fixed_in", "summary"}
        assert re.fullmatch(r"CVE-20[0-9]{2}-[0-9]{4,}", item["id"])
        assert item["summary"]
    assert found[0]["fixed_in"] == ["1.2.8", "1.3.3", "1.4.0-rc.3"]


@pytest.mark.parametrize(
    ("name", "version"), [("youki", "0.3"), ("runc", ""), ("runc", None), ("crun", "UNKNOWN"), ("runc", "dev")]
)
def test_not_known(name: str, version: str | None) -> None:
    assert known_vulnerabilities(name, version) is None
