# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the options of system_container_exec ask for, and what its result says."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exec import Ended, ExecRequest
from ansible_collections.projectatomic.system_containers.plugins.modules.system_container_exec import (
    meaning_of,
    outcome,
    request_from,
)

PARAMS: dict[str, Any] = {
    "name": "hello",
    "argv": ["sh", "-c", "true"],
    "chdir": None,
    "env": {},
    "stdin": None,
    "stdin_add_newline": True,
    "stdin_binary": None,
    "user": None,
    "timeout": None,
    "strip_empty_ends": True,
}


@pytest.mark.parametrize(
    ("options", "stdin"),
    [
        ({}, None),
        ({"stdin": "text"}, b"text\n"),
        ({"stdin": ""}, b"\n"),
        ({"stdin": "text", "stdin_add_newline": False}, b"text"),
        ({"stdin": "\udcff"}, b"\xff\n"),  # how Ansible carries a byte that is no UTF-8
        ({"stdin_binary": base64.b64encode(b"\0\xff").decode()}, b"\0\xff"),
        ({"stdin_binary": "YWJj\n  ZGVm\n"}, b"abcdef"),
        ({"stdin_binary": ""}, b""),
    ],
)
def test_input(options: dict[str, Any], stdin: bytes | None) -> None:
    assert request_from({**PARAMS, **options}).stdin == stdin


def test_the_other_options_are_handed_on() -> None:
    options: dict[str, Any] = {"chdir": "/srv", "env": {"A": 1}, "user": "app", "timeout": 1.5}
    assert request_from({**PARAMS, **options}) == ExecRequest(argv=PARAMS["argv"], stdin=None, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stdin_binary": "?"}, "stdin_binary: it is not Base64"),
        ({"stdin_binary": "YWJ"}, "encode it with the filter b64encode"),
        ({"timeout": 0.0}, "timeout: 0 is not a number of seconds above 0"),
        ({"timeout": -1.0}, "timeout: -1 is not"),
        ({"timeout": float("nan")}, "timeout: nan is not"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        request_from({**PARAMS, **options})
    assert message in str(caught.value)


KILLED = "The command 'sh' did not end within 0.5 seconds in the system container 'hello': "


@pytest.mark.parametrize(
    ("ended", "result"),
    [
        (Ended(0), {"rc": 0}),
        (Ended(3), {"rc": 3, "failed": True, "msg": "non-zero return code 3"}),
        (
            Ended(137),
            {"rc": 137, "failed": True, "msg": "non-zero return code 137: the command was ended by SIGKILL"},
        ),
        (
            Ended(137, timed_out=True),
            {"rc": 137, "timed_out": True, "failed": True, "msg": KILLED + "it was killed, with what it started"},
        ),
        (
            Ended(137, timed_out=True, survived=True),
            {
                "rc": 137,
                "timed_out": True,
                "failed": True,
                "msg": KILLED + "a process that it left behind still has its output open, and was not killed",
            },
        ),
        (
            Ended(255, refused="no such program"),
            {"rc": 127, "failed": True, "changed": False, "msg": "no such program"},
        ),
    ],
)
def test_outcome(ended: Ended, result: dict[str, Any]) -> None:
    expected = {"stdout": "", "stderr": "", "timed_out": False, **result}
    assert outcome(ended, {**PARAMS, "timeout": 0.5}) == expected


@pytest.mark.parametrize(
    ("written", "strip", "shown"),
    [
        (b"a\n\nb\r\n\n", True, "a\n\nb"),
        (b"a\n\nb\r\n\n", False, "a\n\nb\r\n\n"),
        (b"a \t", True, "a \t"),
        (b"\xff", True, "\ufffd"),
    ],
)
def test_output(written: bytes, strip: bool, shown: str) -> None:
    result = outcome(Ended(0, written, written), {**PARAMS, "strip_empty_ends": strip})
    assert (result["stdout"], result["stderr"]) == (shown, shown)


@pytest.mark.parametrize(
    ("rc", "meaning"),
    [
        (1, ""),
        (128, ""),
        (129, ": the command was ended by SIGHUP"),
        (143, ": the command was ended by SIGTERM"),
        (255, ""),
    ],
)
def test_meaning(rc: int, meaning: str) -> None:
    assert meaning_of(rc) == meaning
