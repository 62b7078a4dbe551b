# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a value stands in a unit that is being rendered, as systemd will read it (systemd.syntax(7), pure).

A line that ends in a backslash goes on in the next one, and comment lines in between do not count. Whether a backslash
or a ``#`` means that is known of the rendered text only: it may come from one value, or from two that meet.
"""

from __future__ import annotations

import re

from ._errors import InvalidInputError

_LINE_END = re.compile(r"\r\n|[\r\n\0]")


class UnitLines:
    """The text of a unit so far, piece by piece. A value is expected to have no line breaks, and no quotes that open or close
    anything where it stands."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._pieces: list[str] = []
        # Of the line at the end: what it continues, and itself; both also with a letter in place of each value.
        self._continued, self._continued_own = "", ""
        self._line, self._line_own = "", ""
        self._backslash_of: str | None = None

    @property
    def before(self) -> str:
        """What the line at the end has so far, with the lines that it continues."""
        return self._line if self._is_comment() else self._continued + self._line

    @property
    def key(self) -> str:
        """The setting that the text would go on, empty when its name is not complete."""
        key, equals, _value = self.before.partition("=")
        return key.strip() if equals else ""

    @property
    def starts_line(self) -> bool:
        """Whether nothing stands before the end in its line, whatever that continues."""
        return not self._line.strip()

    @property
    def quote(self) -> str:
        """The quote of the template that is open at the end, empty when none is."""
        return open_quote(self._line_own if self._is_comment() else self._continued_own + self._line_own)

    def add(self, text: str) -> None:
        """Add text of the template."""
        self._pieces.append(text)
        *ended, rest = _LINE_END.split(text)
        for line in ended:
            self._add_own(line)
            self._end_line()
        self._add_own(rest)

    def add_value(self, text: str, *, name: str) -> None:
        """Add the value of a variable as it is to stand there."""
        self._pieces.append(text)
        self._line += text
        self._line_own += "x"
        if text:
            self._backslash_of = name if text.endswith("\\") else None

    def text(self) -> str:
        """Return all of the unit, which ends here."""
        self._end_line()
        return "".join(self._pieces)

    def _add_own(self, text: str) -> None:
        self._line += text
        self._line_own += text
        if text.strip("\\"):
            self._backslash_of = None

    def _end_line(self) -> None:
        if self._backslash_of is not None:
            raise InvalidInputError(
                f"{self._file}: the value of '{self._backslash_of}' ends in a backslash, which would continue the line"
            )
        if not self._is_comment():
            backslashes = len(self._line) - len(self._line.rstrip("\\"))
            continues = backslashes % 2 == 1
            self._continued = f"{self.before[:-1]} " if continues else ""
            self._continued_own = f"{(self._continued_own + self._line_own)[:-1]} " if continues else ""
        self._line = self._line_own = ""

    def _is_comment(self) -> bool:
        return self._line.lstrip(" \t")[:1] in ("#", ";")


def open_quote(line: str) -> str:
    """Return the quote that is open at the end of the beginning of a line, empty when none is."""
    quote = ""
    escaped = False
    for character in line:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
    return quote
