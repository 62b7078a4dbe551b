# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try again what may pass: server errors and connections that broke (pure: the caller brings the clock)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ._errors import TransientSourceError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

_Result = TypeVar("_Result")


def pauses(retries: int) -> Iterator[float]:
    """Yield the seconds to wait before each retry: 0.5, 1, 2, 4 and so on, at most 30."""
    for number in range(retries):
        yield min(_FIRST_PAUSE * 2 ** min(number, 16), _LONGEST_PAUSE)


def retried(call: Callable[[], _Result], *, retries: int, pause: Callable[[float], object]) -> _Result:
    """Return what ``call`` returns, called again after each ``TransientSourceError``, ``retries`` times at most.

    ``pause`` is called with the seconds to wait. Every other error ends it at once.
    """
    for seconds in pauses(retries):
        try:
            return call()
        except TransientSourceError:
            pause(seconds)
    return call()
