# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of containers, and the texts of units and drop-ins."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.builders import UNIT_TEMPLATE, UNIT_WITHOUT_INSTALL

from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_name import (
    check_container_name,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Paths
from ansible_collections.projectatomic.system_containers.plugins.module_utils._systemd_unit import (
    DEFAULT_UNIT_TEMPLATE,
    enablement,
    has_setting,
    render_drop_in,
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
    ],
)
def test_enablement(unit: str, possible: bool) -> None:
    assert bool(enablement(unit)) is possible
