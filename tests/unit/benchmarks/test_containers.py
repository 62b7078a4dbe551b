# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which share of another module's work a module does."""

from __future__ import annotations

import pytest
from benchmarks.containers import share_of
from benchmarks.results import Result


@pytest.mark.parametrize(
    ("ours", "other", "share", "short"),
    [(0.05, 0.2, 0.25, False), (0.1, 0.2, 0.5, False), (0.11, 0.2, 0.55, True), (0.05, 0.0, float("inf"), True)],
)
def test_share_of(ours: float, other: float, share: float, short: bool) -> None:
    found = share_of(Result("ours", ours, "s"), Result("other", other, "s"))
    assert found.value == pytest.approx(share)
    assert found.short is short
