# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the end of a unit's text is, as systemd reads it; what becomes of values there is in test_values.py."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._unit_lines import UnitLines


def lines(*pieces: str) -> UnitLines:
    """Return what is known after these pieces, which are text of the template and values in turn."""
    found = UnitLines("unit")
    for index, piece in enumerate(pieces):
        if index % 2:
            found.add_value(piece, name="A")
        else:
            found.add(piece)
    return found


@pytest.mark.parametrize(
    ("pieces", "before", "key", "quote", "starts_line"),
    [
        ((), "", "", "", True),
        (("[Service]\n",), "", "", "", True),
        (("User",), "User", "", "", False),
        (("User = ",), "User = ", "User", "", False),
        (("A=b\\\n c=",), "A=b  c=", "A", "", False),
        (("A=b \\\r\n",), "A=b  ", "A", "", True),
        (("A=b \\\r\n\t",), "A=b  \t", "A", "", True),
        (("A=b \\\r\\\n",), "A=b   ", "A", "", True),
        (("A=b \\\n#c\\\n ;d\n",), "A=b  ", "A", "", True),
        (("A=b \\\n#c=",), "#c=", "#c", "", False),
        (("A=b \\\n\nC",), "C", "", "", False),
        (("A=b\\\\\nC",), "C", "", "", False),
        (("A=b\\\\\\\nC",), "A=b\\\\ C", "A", "", False),
        (("A=b\\ \nC",), "C", "", "", False),
        (("# a\\\nC=",), "C=", "C", "", False),
        (("A='b",), "A='b", "A", "'", False),
        (("A='b\\\n c",), "A='b  c", "A", "'", False),
        (("A='b\n c=",), " c=", "c", "", False),
        (('A="b\'\\" ',), 'A="b\'\\" ', "A", '"', False),
        (('A="b" ',), 'A="b" ', "A", "", False),
        # A value is part of the line, and opens no quote.
        (("A=", "it's", " b"), "A=it's b", "A", "", False),
        (("", "", ""), "", "", "", True),
        (("A=b \\\n", "", ""), "A=b  ", "A", "", True),
        (("A=b \\\n ", "#", "c\nD="), "A=b  D=", "A", "", False),
        (("A=b \\\n ", "", "#c\n d"), "A=b   d", "A", "", False),
    ],
)
def test_lines(pieces: tuple[str, ...], before: str, key: str, quote: str, starts_line: bool) -> None:
    found = lines(*pieces)
    assert (found.before, found.key, found.quote, found.starts_line) == (before, key, quote, starts_line)


@pytest.mark.parametrize(
    "pieces", [("A=", "b\\"), ("A=", "b\\", "", "", "\n"), ("A=", "b\\", "\\\n"), ("A=", "\\\\", "\r")]
)
def test_a_backslash_of_a_value_that_ends_a_line(pieces: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="unit: the value of 'A' ends in a backslash"):
        lines(*pieces).text()


@pytest.mark.parametrize(
    "pieces", [("A=b\\\r\nC\n\n=",), ("A=", "b\\", " "), ("A=", "b\\", "", "c", "\n"), ("A=", "b", "\\\n")]
)
def test_text_stays_as_it_is(pieces: tuple[str, ...]) -> None:
    assert lines(*pieces).text() == "".join(pieces)
