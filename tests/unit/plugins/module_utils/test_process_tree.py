# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes belong to a command."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._process_tree import (
    Process,
    belonging_to,
    parse_stat,
)


def test_a_name_may_hold_brackets_and_blanks() -> None:
    assert parse_stat("12 (a) b (c) S 3 12 4 0 -1") == Process(pid=12, state="S", parent=3, session=4)


@pytest.mark.parametrize("text", ["", "12", "12 (sh) S 1", "x (sh) S 1 2 3"])
def test_what_is_no_process(text: str) -> None:
    with pytest.raises(ValueError, match=r"/proc/PID/stat|invalid literal"):
        parse_stat(text)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], {10}),
        ([Process(11, "S", 10, 10), Process(12, "S", 11, 10)], {10, 11, 12}),
        ([Process(11, "S", 1, 10)], {10, 11}),  # its parent is gone
        ([Process(11, "S", 10, 11)], {10, 11}),  # a session of its own
        ([Process(11, "Z", 10, 10), Process(12, "S", 11, 12)], {10, 12}),
        ([Process(11, "S", 1, 11)], {10}),  # of another
    ],
)
def test_a_command_has(others: list[Process], expected: set[int]) -> None:
    assert belonging_to(10, [Process(1, "S", 0, 1), Process(10, "S", 1, 10), *others]) == expected


def test_a_session_may_have_the_number_of_a_process_before_the_command() -> None:
    table = [Process(10, "S", 1, 9), Process(11, "S", 1, 9), Process(12, "S", 1, 12)]
    assert belonging_to(10, table) == {10, 11}
