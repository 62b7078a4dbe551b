# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests of the lab's pure parts: names, apt's configuration, subnets, inventory, quoting."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from lab import apt, base, cgroup, debian_layers, inventory, network, process, ssh, state
from lab.process import LabError
from lab.state import Lab, Record

LAB = Lab("unit")
DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/x.gpg

Types: deb
URIs: http://other.example/apps
Suites: stable
Components: main
Enabled: no

Types: deb
URIs: http://third.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


def test_id_follows_from_the_checkout_unless_given() -> None:
    assert state.lab_id({}) == state.lab_id({state.ID_VARIABLE: ""})
    assert state.lab_id({state.ID_VARIABLE: "mine-2"}) == "mine-2"


@pytest.mark.parametrize("wrong", ["../x", "Upper", "-a", "a" * 17, "a b", "a\n"])
def test_wrong_ids_are_refused(wrong: str) -> None:
    with pytest.raises(LabError, match="an id is"):
        state.lab_id({state.ID_VARIABLE: wrong})


@pytest.mark.parametrize("wrong", ["", "A", "a.b", "-a", "a-", "a/b", "all", "lab", "a" * 33])
def test_wrong_host_names_are_refused(wrong: str) -> None:
    with pytest.raises(LabError):
        state.check_host_name(wrong)


def test_interface_names_are_short_enough() -> None:
    assert len(LAB.bridge) <= 15
    assert len(f"{LAB.interface_prefix}{network.LAST_HOST_NUMBER}") <= 15


def test_control_sockets_fit_into_an_address() -> None:
    longest = ssh.control_folder(Lab("a" * 16)) / "root@10.255.255.250.0123456789abcdef"
    assert len(str(longest)) < 108


def test_packages_of_hosts_come_from_the_command_line_and_the_environment() -> None:
    environment = {base.PACKAGES_VARIABLE: "podman, docker.io"}
    assert base.more_packages([], {}) == ()
    assert base.more_packages(["tinyproxy-bin", "podman"], environment) == ("docker.io", "podman", "tinyproxy-bin")


def test_each_set_of_packages_has_a_base() -> None:
    bases = [base.base_directory(), base.base_directory(["a"]), base.base_directory(["a", "b"])]
    assert len(set(bases)) == 3
    assert base.base_directory(()) == bases[0]


def test_record_survives_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "STATE_ROOT", tmp_path)
    assert state.load_record(LAB) == Record()
    record = Record(subnet="10.1.2.0/24", hosts={"a": 10})
    state.save_record(LAB, record)
    assert state.load_record(LAB) == record
    assert LAB.record_file.stat().st_mode & 0o777 == 0o600
    assert record.host_address("a") == "10.1.2.10"
    with pytest.raises(LabError, match="no host 'b'"):
        record.host_address("b")


def test_lock_file_goes_with_its_folder(tmp_path: Path) -> None:
    lock, folder = tmp_path / "labs" / "x.lock", tmp_path / "labs" / "x"
    with state.locked(lock, belongs_to=folder):
        folder.mkdir()
    assert lock.exists()
    with state.locked(lock, belongs_to=folder):
        folder.rmdir()
    assert not (tmp_path / "labs").exists()


def test_subnets_avoid_what_is_used_and_stay_the_same() -> None:
    first = network.choose_subnet("x", [])
    assert network.choose_subnet("x", []) == first
    second = network.choose_subnet("x", [first])
    assert second != first
    assert network.choose_subnet("x", [first, "10.0.0.0/9", "192.0.2.7"]).startswith("10.")
    with pytest.raises(LabError, match="no free subnet"):
        network.choose_subnet("x", ["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("used", "last", "chosen"),
    [
        pytest.param([], 0, 10, id="the first host"),
        pytest.param([10, 12], 12, 13, id="not the one that became free"),
        pytest.param([10, 12], 11, 13, id="nor one that is taken"),
        pytest.param([10, 12, 250], 250, 11, id="from the beginning again"),
    ],
)
def test_host_numbers(used: list[int], last: int, chosen: int) -> None:
    assert network.choose_host_number(used, last=last) == chosen


def test_host_numbers_come_to_an_end() -> None:
    with pytest.raises(LabError, match="no room"):
        network.choose_host_number(range(network.FIRST_HOST_NUMBER, network.LAST_HOST_NUMBER + 1), last=20)


def test_deb822_sources() -> None:
    found = list(apt.parse_deb822(DEB822))
    assert [(source.uri, source.suite, source.keyring) for source in found] == [
        ("http://mirror.example/debian", "bookworm", "/usr/share/keyrings/x.gpg"),
        ("http://mirror.example/debian", "bookworm-updates", "/usr/share/keyrings/x.gpg"),
        ("http://third.example/debian", "trixie", ""),
    ]


def test_one_line_sources() -> None:
    text = (
        "# deb http://no.example/debian x main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib # why\n"
        "deb-src http://a.example/debian bookworm main\n"
    )
    assert list(apt.parse_list(text)) == [
        apt.Source("http://a.example/debian", "bookworm", ("main", "contrib"), "/k.gpg")
    ]


def test_best_source_is_chosen() -> None:
    exact = apt.Source("http://a.example/debian", "bookworm", ("main",))
    mirror = apt.Source("http://b.example/debian/", "trixie", ("main",), "/k.gpg")
    other = apt.Source("http://c.example/apps", "bookworm", ("stable",))
    assert apt.choose([other, mirror, exact], "bookworm") == exact
    assert apt.choose([other, mirror], "bookworm") == apt.Source(mirror.uri, "bookworm", ("main",), "/k.gpg")
    assert apt.choose([other], "bookworm").uri == apt.DEFAULT_URI


def test_packages_of_an_image_come_with_the_updates_of_this_machine() -> None:
    sources = [
        apt.Source("http://a.example/debian", "bookworm", ("main", "contrib"), "/no/such.gpg"),
        apt.Source("http://s.example/security", "bookworm-security", ("main",), "/no/such.gpg"),
        apt.Source("http://o.example/other", "bookworm-updates", ("contrib",), "/no/such.gpg"),
    ]
    lines = [re.sub(r" \[.*\]", "", line) for line in debian_layers.package_lines(sources, "bookworm")]
    assert lines == [
        "deb http://a.example/debian bookworm main",
        "deb http://s.example/security bookworm-security main",
    ]


def test_cgroup_hierarchies_are_found(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "proc /proc proc rw 0 0\ncgroup /c/memory cgroup rw,memory 0 0\n"
        "cgroup /c/systemd cgroup rw,name=systemd 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n"
    )
    assert cgroup.hierarchies(mounts) == [Path("/c/unified"), Path("/c/systemd")]
    mounts.write_text("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    assert cgroup.hierarchies(mounts) == [Path("/sys/fs/cgroup")]
    mounts.write_text("")
    with pytest.raises(LabError, match="no cgroup v2"):
        cgroup.hierarchies(mounts)


def test_inventory_and_variables() -> None:
    record = Record(subnet="10.1.2.0/24", hosts={"b": 11, "a": 10})
    record.registry = {"plain_port": 5000, "tls_port": 5001, "username": "lab", "password": "p w"}
    text = inventory.render_inventory(LAB, record)
    assert '    a:\n      ansible_host: "10.1.2.10"\n    b:\n' in text
    assert '    lab_registry_tls: "10.1.2.1:5001"\n' in text
    variables = dict(line.split("=", 1) for line in inventory.shell_variables(LAB, record))
    assert variables["LAB_HOSTS"] == "'a b'"
    assert variables["LAB_REGISTRY_PASSWORD"] == "'p w'"
    assert "lab_registry" not in inventory.render_inventory(LAB, Record())
    assert "hosts: {}" in inventory.render_inventory(LAB, Record())


def test_remote_commands_are_quoted_exactly() -> None:
    words = ["printf", "%s\n", "a b", "", "$HOME", "'\"\\", "new\nline", "*"]
    remote = ssh.command(LAB, "10.1.2.3", words)[-1]
    assert shlex.split(remote) == words


def test_missing_programs_are_named_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LabError, match=r"apt-get install openssh-client zstd$"):
        process.require("ssh", "ssh-keygen", "zstd")


def test_failed_programs_are_quoted() -> None:
    with pytest.raises(LabError, match="exit code 3: why"):
        process.run(["sh", "-c", "echo why >&2; exit 3"])
    with pytest.raises(LabError, match="no end after"):
        process.run(["sleep", "5"], timeout=0.05)


def test_wrapper_runs_from_a_folder_with_a_package_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "__init__.py").write_text("raise SystemExit(9)")
    script = Path(state.__file__).parent / "lab"
    result = subprocess.run([str(script), "--help"], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    assert json.dumps(result.stdout.decode()).startswith('"usage: lab')
