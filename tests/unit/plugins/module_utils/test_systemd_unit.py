# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of containers, and the texts of units and drop-ins."""

from __future__ import annotations

import re
from typing import Any

import pytest
from unit.plugins.module_utils.builders import UNIT_TEMPLATE, UNIT_WITHOUT_INSTALL

from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_name import (
    check_container_name,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Paths
from ansible_collections.projectatomic.system_containers.plugins.module_utils._systemd_unit import (
    DEFAULT_UNIT_TEMPLATE,
    check_unit_options,
    enablement,
    has_setting,
    render_drop_in,
    render_unit_options,
    start_stop_values,
    uses_pid_file,
)

HEADER = (
    "# Made by the Ansible collection projectatomic.system_containers; changes are overwritten.\n"
    "# Container: /srv/containers/app\n[Service]\n"
)
FOOTER = "ExecStopPost=-/usr/bin/runc delete --force app\nSuccessExitStatus=143\n"


@pytest.mark.parametrize(
    "name", ["app", "a", "7", "App-1", "a_b", "a.b", "etcd2", "a.1b", "a.b1", "a.1.b", "a-1", "a..b", "1.2.x", "a" * 64]
)
def test_container_name(name: str) -> None:
    assert check_container_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "use letters"),
        ("app.0", "dot and a number"),
        ("app.12", "dot and a number"),
        ("a.b.1", "dot and a number"),
        ("0.0", "dot and a number"),
        (".app", "use letters"),
        (".", "use letters"),
        ("..", "use letters"),
        ("../../..", "use letters"),
        ("a/b", "use letters"),
        ("/app", "use letters"),
        ("a@b", "use letters"),
        ("app@", "use letters"),
        ("a b", "use letters"),
        (" app", "use letters"),
        ("app\n", "use letters"),
        ("app.0\n", "use letters"),
        ("a'b", "use letters"),
        ('a"b', "use letters"),
        ("a\\b", "use letters"),
        ("a\\x2db", "use letters"),
        ("-app", "use letters"),
        ("--force", "use letters"),
        ("_app", "use letters"),
        ("a:b", "use letters"),
        ("a;b", "use letters"),
        ("$app", "use letters"),
        ("a%n", "use letters"),
        ("äpp", "use letters"),
        ("app.٣", "use letters"),
        ("app*", "use letters"),
        ("a\x00", "use letters"),
        ("a" * 201, "longer than"),
    ],
)
def test_what_cannot_be_a_container_name(name: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        check_container_name(name)
    assert str(caught.value).startswith(f"'{name}' cannot be the name of a system container: ")


def test_start_and_stop_in_the_foreground() -> None:
    assert start_stop_values(name="app", runtime="/usr/bin/runc", pid_file="/run/x.pid", detached=False) == {
        "EXEC_START": "/usr/bin/runc --systemd-cgroup run 'app'",
        "EXEC_STOP": "/usr/bin/runc --systemd-cgroup kill 'app'",
        "EXEC_STARTPRE": "",
        "EXEC_STOPPOST": "",
    }


def test_start_and_stop_detached() -> None:
    """The two spaces are Atomic's."""
    assert start_stop_values(name="app", runtime="/opt/crun", pid_file="/run/x.pid", detached=True) == {
        "EXEC_START": "/opt/crun  --systemd-cgroup run -d --pid-file /run/x.pid 'app'",
        "EXEC_STOP": "",
        "EXEC_STARTPRE": "",
        "EXEC_STOPPOST": "/opt/crun delete 'app'",
    }


@pytest.mark.parametrize(
    ("template", "detached"),
    [
        ("ExecStopPost=$EXEC_STOPPOST\nPIDFile=$PIDFILE\n", True),
        (DEFAULT_UNIT_TEMPLATE, True),
        ("ExecStopPost=$EXEC_STOPPOST\n", False),
        ("PIDFile=$PIDFILE\n", False),
        (UNIT_TEMPLATE, False),
        ("", False),
    ],
)
def test_which_units_are_detached(template: str, detached: bool) -> None:
    assert uses_pid_file(template) is detached


DETACHED = "[Service]\nExecStart=/usr/bin/runc  --systemd-cgroup run -d --pid-file /run/x.pid 'app'\n"
FOREGROUND = "[Service]\nExecStart=/usr/bin/runc --systemd-cgroup run 'app'\n"


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        pytest.param(FOREGROUND, HEADER + FOOTER, id="foreground"),
        pytest.param(FOREGROUND + "Type=notify\n", HEADER + FOOTER, id="foreground with a type"),
        pytest.param(DETACHED, HEADER + "Type=forking\n" + FOOTER, id="detached"),
        pytest.param(DETACHED + "Type=forking\n", HEADER + FOOTER, id="detached that says so"),
        pytest.param(DETACHED + "Type = oneshot\n", HEADER + FOOTER, id="detached with another type"),
        pytest.param(DETACHED + "#Type=oneshot\n", HEADER + "Type=forking\n" + FOOTER, id="type in a comment"),
        pytest.param(
            DETACHED + "[Install]\nType=x\n", HEADER + "Type=forking\n" + FOOTER, id="type in another section"
        ),
    ],
)
def test_drop_in(unit: str, text: str) -> None:
    assert (
        render_drop_in(paths=Paths("app", "/srv/containers"), runtime="/usr/bin/runc", unit=unit, has_tmpfiles=False)
        == text
    )


def test_drop_in_names_the_file_that_does_not_say_whose_it_is() -> None:
    paths = Paths("app", "/srv/containers")
    text = render_drop_in(paths=paths, runtime="/usr/bin/runc", unit=FOREGROUND, has_tmpfiles=True)
    assert "\n# Container: /srv/containers/app\n# Also: /etc/tmpfiles.d/app.conf\n" in text


UNIT = """
# [Service]
[Unit]
Description=Type=simple
[Service]
 Type = notify
; User=root
#Group=wheel
Environment=A=b
ExecStart=/bin/echo \\
  Nice=5
[X-Other]
User=root
"""


@pytest.mark.parametrize(
    ("section", "key", "found"),
    [
        ("Service", "Type", True),
        ("Service", "Environment", True),
        ("Service", "A", False),
        ("Service", "User", False),
        ("Service", "Group", False),
        ("Service", "type", False),
        ("Service", "Description", False),
        ("Unit", "Description", True),
        ("Unit", "Type", False),
        ("X-Other", "User", True),
        ("Install", "WantedBy", False),
        ("", "Type", False),
        pytest.param("Service", "Nice", False, id="on a continued line"),
    ],
)
def test_has_setting(section: str, key: str, found: bool) -> None:
    assert has_setting(UNIT, section=section, key=key) is found


@pytest.mark.parametrize(
    ("unit", "possible"),
    [
        (UNIT_TEMPLATE, True),
        (UNIT_WITHOUT_INSTALL, False),
        ("", False),
        ("[Install]\n", False),
        ("[Install]\nRequiredBy=a.target\n", True),
        ("[Install]\nUpheldBy=a.target\n", True),
        ("[Install]\nAlias=b.service\n", True),
        ("[Install]\n# WantedBy=multi-user.target\n", False),
        ("[Service]\nWantedBy=multi-user.target\n", False),
        ("[Install]\nWantedBy=\n", False),
        ("[Install]\nWantedBy=a.target\nAlias=\nWantedBy=\n", False),
        ("[Install]\nWantedBy=a.target\nAlias=b.service\nWantedBy=\n", True),
    ],
)
def test_enablement(unit: str, possible: bool) -> None:
    assert bool(enablement(unit)) is possible


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"Service": {"MemoryMax": "512M"}}, "[Service]\nMemoryMax=512M\n"),
        ({"Service": {"Nice": 5, "CPUWeight": 0.5}}, "[Service]\nCPUWeight=0.5\nNice=5\n"),
        ({"Service": {"PrivateTmp": True, "OOMPolicy": False}}, "[Service]\nOOMPolicy=false\nPrivateTmp=true\n"),
        ({"Service": {"Environment": ["A=1", "B=2"]}}, "[Service]\nEnvironment=A=1\nEnvironment=B=2\n"),
        ({"Service": {"ExecStartPre": ["", "/bin/true"]}}, "[Service]\nExecStartPre=\nExecStartPre=/bin/true\n"),
        ({"Unit": {"After": "x"}, "Install": {"Alias": "y"}}, "[Install]\nAlias=y\n[Unit]\nAfter=x\n"),
        ({"X-Own": {"X-Key": "a\tb"}}, "[X-Own]\nX-Key=a\tb\n"),
        ({"Service": {"Environment": '"A=%h $B \\x20"'}}, '[Service]\nEnvironment="A=%h $B \\x20"\n'),
        ({"Unit": {"After": None}, "Service": {"Nice": 1}}, "[Service]\nNice=1\n"),
        ({"Service": {"Environment": []}}, "[Service]\n"),
    ],
)
def test_unit_options(options: Any, text: str) -> None:
    file = render_unit_options(check_unit_options(options), paths=Paths(name="app", root="/srv/containers"))
    assert file is not None
    assert (file.path, file.mode) == ("/etc/systemd/system/app.service.d/50-unit-options.conf", 0o644)
    assert file.content == f"{HEADER.splitlines()[0]}\n{text}"


@pytest.mark.parametrize("options", [{}, {"Service": {}}, {"Service": {"Nice": None}}])
def test_no_unit_options(options: Any) -> None:
    assert check_unit_options(options) == {}
    assert render_unit_options({}, paths=Paths(name="app", root="/srv/containers")) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Service": "x"}, "'Service' has to be the name of a section"),
        ({"Service": None}, "'Service' has to be the name of a section"),
        ({1: {}}, "'1' has to be the name of a section"),
        ({"Ser vice": {}}, "'Ser vice' has to be the name of a section"),
        ({"Service]\n[Unit": {}}, "has to be the name of a section"),
        ({"": {}}, "'' has to be the name of a section"),
        ({"Service": {"": 1}}, "'' in 'Service' is not the name of an option"),
        ({"Service": {"#Nice": 1}}, "'#Nice' in 'Service' is not the name"),
        ({"Service": {"Nice=1\nX": 1}}, "is not the name of an option"),
        ({"Service": {1: 1}}, "'1' in 'Service' is not the name"),
        ({"Service": {"Nice": "1\nExecStartPre=/bin/evil"}}, "'Service.Nice' holds a control character"),
        ({"Service": {"Nice": "1\x00"}}, "'Service.Nice' holds a control character"),
        ({"Service": {"Nice": "1\r"}}, "'Service.Nice' holds a control character"),
        ({"Service": {"Nice": ["1", "2\\"]}}, "ends in a backslash"),
        ({"Service": {"Nice": ["1", "\ud800"]}}, "'Service.Nice' has text that is not UTF-8"),
        ({"Service": {"Nice": {"a": 1}}}, "'Service.Nice' has to be text, a number"),
        ({"Service": {"Nice": [None]}}, "'Service.Nice' has to be text, a number"),
        ({"Service": {"Nice": [["a"]]}}, "'Service.Nice' has to be text, a number"),
    ],
)
def test_refused_unit_options(options: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"(?s)unit_options: .*{re.escape(message)}"):
        check_unit_options(options)
