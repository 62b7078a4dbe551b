# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a runtime is told of a command, and whom a user's name means."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exec_process import (
    User,
    exec_process,
    resolve_user,
    search_path,
)

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
app:x:1234:1235:An application:/run:/bin/sh
0:x:77:77:named as a number:/:/bin/sh
# a comment, and lines that are none
odd:x:many:1
short:x:5
huge:x:4294967295:1:::
app:x:9:9:the second of a name does not count:/:/bin/sh
"""
GROUP = """\
root:x:0:app
app:x:1235:app
video:x:44:other,app
audio:x:29:app
again:x:44:app
1235:x:78:
odd:x:many:app
short:x
"""


@pytest.mark.parametrize(
    ("wanted", "user"),
    [
        ("root", User(0, 0)),
        ("app", User(1234, 1235, (0, 44, 29))),  # its own group and what is no group are left out, each is there once
        ("1234", User(1234, 1235, (0, 44, 29))),
        ("app:video", User(1234, 44)),
        ("app:7", User(1234, 7)),
        ("1234:app", User(1234, 1235)),
        ("7:8", User(7, 8)),
        ("7", User(7, 0)),  # a number without an account
        ("0", User(77, 77)),  # a name goes before a number, as in container engines
        ("app:1235", User(1234, 78)),  # of groups too
        ("4294967294", User(4294967294, 0)),
    ],
)
def test_user(wanted: str, user: User) -> None:
    assert resolve_user(wanted, passwd=PASSWD, group=GROUP, container="hello") == user


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("nobody", "has no user 'nobody' in its /etc/passwd: correct it, or give a number"),
        ("", "has no user '' in"),
        (":video", "has no user '' in"),
        ("-1", "has no user '-1' in"),
        ("4294967295", "has no user '4294967295' in"),  # the number that means none
        ("\u0661", "has no user '\u0661' in"),  # a digit, but not of ASCII
        ("huge", "has no user 'huge' in"),
        ("odd", "has no user 'odd' in"),
        ("short", "has no user 'short' in"),
        ("app:nobody", "has no group 'nobody' in its /etc/group: correct it, or give a number"),
        ("app:", "has no group '' in"),
        ("app:odd", "has no group 'odd' in"),
        ("app:video:more", "has no group 'video:more' in"),
    ],
)
def test_nobody(wanted: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        resolve_user(wanted, passwd=PASSWD, group=GROUP, container="hello")
    assert message in str(caught.value)
    assert "the system container 'hello'" in str(caught.value)


def test_a_container_without_accounts() -> None:
    assert resolve_user("7:8", passwd="", group="", container="hello") == User(7, 8)


BASE: dict[str, Any] = {
    "args": ["/usr/bin/service"],
    "terminal": True,
    "consoleSize": {"height": 25, "width": 80},
    "cwd": "/srv",
    "env": ["PATH=/usr/bin", "TERM=xterm", "broken", "EMPTY=", "SUM=1=1"],
    "user": {"uid": 5, "gid": 6},
    "capabilities": {"bounding": ["CAP_KILL"], "ambient": ["CAP_KILL"], "inheritable": ["CAP_KILL"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
    "selinuxLabel": "system_u:system_r:container_t:s0",
    "noNewPrivileges": True,
}
KEPT_ENV = ["PATH=/usr/bin", "TERM=xterm", "EMPTY=", "SUM=1=1"]


def test_all_but_the_command_stays() -> None:
    found = exec_process(BASE, argv=["ls", "", "-l"])
    expected = {**BASE, "args": ["ls", "", "-l"], "terminal": False, "env": KEPT_ENV}
    del expected["consoleSize"]
    assert found == expected
    assert BASE["args"] == ["/usr/bin/service"]


def test_a_container_that_says_little() -> None:
    assert exec_process({}, argv=["id"], user=User(1, 2, (3,))) == {
        "args": ["id"],
        "terminal": False,
        "env": [],
        "user": {"uid": 1, "gid": 2, "additionalGids": [3]},
        "capabilities": None,
    }


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, KEPT_ENV),
        ({"NEW": "a b"}, [*KEPT_ENV, "NEW=a b"]),
        ({"PATH": "/bin"}, [*KEPT_ENV[1:], "PATH=/bin"]),
        ({"TERM": None, "ABSENT": None}, [KEPT_ENV[0], *KEPT_ENV[2:]]),
        ({"N": 1, "F": 0.5, "T": True, "Q": '"'}, [*KEPT_ENV, "N=1", "F=0.5", "T=true", 'Q="']),
    ],
)
def test_environment(env: dict[str, Any], expected: list[str]) -> None:
    assert exec_process(BASE, argv=["env"], env=env)["env"] == expected


@pytest.mark.parametrize(
    ("user", "names"),
    [
        (None, {"bounding", "ambient", "inheritable"}),
        (User(5, 9), {"bounding", "ambient", "inheritable"}),
        (User(0, 0), {"bounding"}),
    ],
)
def test_another_user_does_not_get_what_is_for_the_first(user: User | None, names: set[str]) -> None:
    assert set(exec_process(BASE, argv=["id"], user=user)["capabilities"]) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argv": []}, "argv: it is empty"),
        ({"argv": [""]}, "argv: it is empty"),
        ({"argv": ["ls", "a\0b"]}, "argv: an argument of a command cannot hold a NUL"),
        ({"chdir": "srv"}, "chdir: 'srv' is not an absolute path"),
        ({"chdir": ""}, "chdir: '' is not an absolute path"),
        ({"chdir": "/a\0b"}, "is not an absolute path"),
        ({"chdir": "/proc/self/fd/7"}, "is below /proc"),
        ({"chdir": "/srv/../proc/self/fd/7"}, "is below /proc"),
        ({"chdir": "//proc/self"}, "is below /proc"),
        ({"env": {"": "a"}}, "env: '' cannot be the name"),
        ({"env": {"A=B": "a"}}, "env: 'A=B' cannot be the name"),
        ({"env": {"A\0": "a"}}, "cannot be the name"),
        ({"env": {"A": ["a"]}}, "env: the value of 'A' is neither text"),
        ({"env": {"A": "a\0"}}, "env: the value of 'A' cannot hold a NUL"),
    ],
)
def test_what_no_process_can_have(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        exec_process(BASE, **{"argv": ["ls"], **options})
    assert message in str(caught.value)


@pytest.mark.parametrize("chdir", ["/", "/srv", "/process", "/srv/proc"])
def test_directory(chdir: str) -> None:
    assert exec_process(BASE, argv=["ls"], chdir=chdir)["cwd"] == chdir


@pytest.mark.parametrize(
    ("env", "path"), [([], ""), (["PATH="], ""), (["A=PATH=/x", "PATH=/a", "PATH=/b:/c"], "/b:/c")]
)
def test_search_path(env: list[str], path: str) -> None:
    assert search_path({"env": env}) == path
