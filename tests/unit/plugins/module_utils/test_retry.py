# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retries: how often, after which pauses, and after what."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    ImageNotFoundError,
    SourceError,
    TransientSourceError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._retry import pauses, retried


@pytest.mark.parametrize(
    ("retries", "expected"),
    [(0, []), (1, [0.5]), (3, [0.5, 1, 2]), (9, [0.5, 1, 2, 4, 8, 16, 30, 30, 30])],
)
def test_pauses(retries: int, expected: list[float]) -> None:
    assert list(pauses(retries)) == expected


def test_many_pauses() -> None:
    assert set(itertools.islice(pauses(10**9), 10, 5000)) == {30.0}


@pytest.mark.parametrize("failures", range(4))
def test_until_it_works(failures: int) -> None:
    left, taken = [TransientSourceError("again")] * failures, list[float]()

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    assert retried(call, retries=3, pause=taken.append) == "done"
    assert taken == [0.5, 1, 2][:failures]


@pytest.mark.parametrize(
    "error", [SourceError("x"), ImageNotFoundError("x"), OSError("x"), KeyboardInterrupt()], ids=repr
)
def test_what_does_not_pass(error: BaseException) -> None:
    taken: list[float] = []

    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        retried(call, retries=3, pause=taken.append)
    assert taken == []


def test_the_last_error_counts() -> None:
    numbers = itertools.count(1)

    def call() -> None:
        raise TransientSourceError(f"failure {next(numbers)}")

    with pytest.raises(TransientSourceError, match="failure 3"):
        retried(call, retries=2, pause=lambda seconds: None)
