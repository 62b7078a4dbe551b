# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lab itself, on labs of their own: they need root and leave other labs alone."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from lab import cgroup, host
from lab.image_builder import build_image, tar_files
from lab.state import load_record
from lab.tests.lab_runner import Runner, processes_mentioning

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")


@pytest.fixture
def fresh() -> Iterator[Runner]:
    """A lab that nothing is in yet."""
    runner = Runner(f"test-{os.getpid()}-b")
    yield runner
    runner.run("down")


@pytest.fixture(scope="module")
def running() -> Iterator[Runner]:
    """A lab with one host and the registries."""
    runner = Runner(f"test-{os.getpid()}-a")
    try:
        runner.run("up", "one")
        runner.run("registry")
        yield runner
    finally:
        runner.run("down")
    assert runner.residue() == []


def curl(runner: Runner, *words: str, where: str = "one") -> str:
    """Return the HTTP status that a request from a host gets."""
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *words]
    return runner.run("exec", where, "--", *command)


def test_host_is_running_with_no_failed_unit(running: Runner) -> None:
    assert running.run("exec", "one", "systemctl", "is-system-running") == "running\n"
    assert running.run("exec", "one", "systemctl", "--failed", "--no-legend") == ""
    assert "one" in running.run("status")


def test_second_up_does_nothing(running: Runner) -> None:
    before = running.leader("one")
    running.run("up", "one")
    assert running.leader("one") == before


def test_failed_unit_does_not_stop_a_later_up(running: Runner) -> None:
    running.run("exec", "one", "systemd-run", "--quiet", "--unit=bad", "--wait", "false", code=1)
    running.run("up", "one")
    running.run("exec", "one", "systemctl", "reset-failed")


@pytest.mark.parametrize("word", ["a b", "", "$HOME", 'it\'s "q" \\', "new\nline", "*", "-n", "é"])
def test_exec_passes_arguments_exactly(running: Runner, word: str) -> None:
    assert running.run("exec", "one", "printf", "<%s>", word) == f"<{word}>"


def test_exec_passes_exit_code_and_input(running: Runner) -> None:
    assert running.run("exec", "one", "--", "sh", "-c", "cat; exit 7", stdin="hello", code=7) == "hello"


def test_exec_explains_unknown_hosts(running: Runner) -> None:
    assert "no host 'two' in this lab (hosts: one)" in running.run("exec", "two", "true", code=1)


def test_store_and_checkouts_share_hard_links(running: Runner) -> None:
    script = (
        "set -e; cd /var/lib/containers; ostree init --mode=bare --repo=r; mkdir t; echo x >t/f; "
        "tar -C t -cf t.tar .; ostree --repo=r commit --branch=b --tree=tar=t.tar >/dev/null; "
        "ostree --repo=r checkout -H b c; stat -c %h c/f; stat -fc %T /var/lib/docker"
    )
    output = running.run("exec", "one", "sh", "-c", f"mkdir -p /var/lib/containers; {script}")
    assert output.splitlines()[0] == "2"
    assert "overlay" not in output.splitlines()[1]


def test_runc_runs_under_systemd(running: Runner) -> None:
    script = (
        "set -e; rm -rf /srv/b; mkdir -p /srv/b/rootfs/proc; cd /srv/b; "
        "cp --parents -L /bin/echo $(ldd /bin/echo | grep -o '/[^ ]*') rootfs; runc spec; "
        """sed -i 's/"terminal": true/"terminal": false/; s,"sh","/bin/echo"\\,"inside",' config.json; """
        "systemd-run --quiet --wait --pipe runc --systemd-cgroup run -b /srv/b box"
    )
    assert running.run("exec", "one", "sh", "-c", script) == "inside\n"


def test_reboot_keeps_files(running: Runner) -> None:
    before = running.leader("one")
    running.run("exec", "one", "touch", "/srv/kept")
    running.run("reboot", "one")
    rebooted = running.leader("one")
    assert rebooted != before
    running.run("exec", "one", "test", "-e", "/srv/kept")
    running.run("reboot", "--force", "one")
    assert running.leader("one") != rebooted
    running.run("exec", "one", "test", "-e", "/srv/kept")


def test_hosts_do_not_change_the_base(running: Runner) -> None:
    record = load_record(running.lab)
    base = host.find(running.lab, record, "one").base_file.read_text(encoding="utf-8").strip()
    running.run("exec", "one", "sh", "-c", "echo changed >/etc/motd; rm /usr/bin/strace")
    assert Path(base, "etc/motd").read_text(encoding="utf-8") == ""
    assert Path(base, "usr/bin/strace").exists()


def test_packages_are_added_with_their_services_off(fresh: Runner) -> None:
    # The same as an integration target wants, so that this base is built once.
    fresh.run("up", "--package=docker.io", "--package=tinyproxy-bin", "more")
    assert fresh.run("exec", "more", "systemctl", "is-system-running") == "running\n"
    assert "tinyproxy" in fresh.run("exec", "more", "tinyproxy", "-v")
    services = ("docker.service", "docker.socket", "containerd.service")
    assert fresh.run("exec", "more", "systemctl", "is-enabled", *services, code=1).split() == ["disabled"] * 3
    assert fresh.run("exec", "more", "systemctl", "is-active", *services, code=3).split() == ["inactive"] * 3
    fresh.run("up", "plain")
    fresh.run("exec", "plain", "test", "!", "-e", "/usr/bin/dockerd")


def test_unknown_packages_are_an_error(fresh: Runner) -> None:
    assert "Unable to locate package no-such-package" in fresh.run("up", "--package=no-such-package", "one", code=1)
    assert "lab up one" in fresh.run("exec", "one", "true", code=1)


def test_plain_registry_answers_hosts(running: Runner) -> None:
    assert curl(running, f"http://{running.variables()['LAB_REGISTRY']}/v2/") == "200"


def test_tls_registry_wants_its_ca_and_a_password(running: Runner) -> None:
    values = running.variables()
    url = f"https://{values['LAB_REGISTRY_TLS']}/v2/"
    trust = ["--cacert", "/etc/lab-registry-certs/ca.crt"]
    login = ["--user", f"{values['LAB_REGISTRY_USERNAME']}:{values['LAB_REGISTRY_PASSWORD']}"]
    assert curl(running, *trust, url) == "401"
    assert curl(running, *trust, "--user", "lab:wrong", url) == "401"
    assert curl(running, *trust, *login, url) == "200"
    refused = subprocess.run(["curl", "-sS", *login, url], stderr=subprocess.PIPE, text=True, check=False)
    assert "certificate" in refused.stderr


def test_registry_start_is_idempotent(running: Runner) -> None:
    before = cgroup.members(f"{running.lab.cgroup}/registry-plain")
    values = running.variables()
    assert running.run("registry") == f"plain {values['LAB_REGISTRY']}\ntls {values['LAB_REGISTRY_TLS']}\n"
    assert cgroup.members(f"{running.lab.cgroup}/registry-plain") == before


@pytest.mark.parametrize("tls", [False, True])
def test_images_go_to_the_registry_and_to_hosts(running: Runner, tmp_path: Path, tls: bool) -> None:
    built = build_image(tmp_path, layers=[tar_files({"etc/x": "y"})], tag="1")
    values = running.variables()
    reference = running.run("image", "push", f"{tmp_path}:1", "some/app:1", *(["--tls"] if tls else [])).strip()
    options = ["--tls-verify=false", "--no-creds"]
    if tls:
        login = f"{values['LAB_REGISTRY_USERNAME']}:{values['LAB_REGISTRY_PASSWORD']}"
        options = ["--cert-dir=/etc/lab-registry-certs", f"--creds={login}"]
    digest = running.run(
        "exec", "one", "skopeo", "inspect", *options, "--format", "{{.Digest}}", f"docker://{reference}"
    )
    assert digest.strip() == built.manifest_digest
    log = Path(values["LAB_REGISTRY_TLS_LOG" if tls else "LAB_REGISTRY_LOG"]).read_text(encoding="utf-8")
    assert "GET /v2/some/app/manifests/" in log


def test_secrets_are_for_root_alone(running: Runner) -> None:
    values = running.variables()
    names = ("LAB_SSH_KEY", "LAB_INVENTORY", "LAB_REGISTRY_AUTHFILE")
    paths = [*(Path(values[name]) for name in names), running.lab.record_file]
    assert [oct(path.stat().st_mode & 0o077) for path in paths] == ["0o0"] * 4
    assert not [line for line in processes_mentioning(values["LAB_REGISTRY_PASSWORD"]) if "pytest" not in line]


def test_two_labs_side_by_side(running: Runner, fresh: Runner) -> None:
    fresh.run("up", "one", "two")
    addresses = {runner.run("exec", "one", "hostname", "-I") for runner in (running, fresh)}
    assert len(addresses) == 2
    fresh.run("down", "two")
    assert "two" not in fresh.run("status")
    fresh.run("down")
    assert fresh.residue() == []
    assert running.run("exec", "one", "systemctl", "is-system-running") == "running\n"


def test_host_that_was_killed_comes_up_again(fresh: Runner) -> None:
    fresh.run("up", "one")
    fresh.run("exec", "one", "touch", "/srv/kept")
    first = fresh.leader("one")
    os.kill(first, signal.SIGKILL)
    wait_until_gone(fresh, ["one"])
    assert "off" in fresh.run("status")
    assert "is off" in fresh.run("exec", "one", "true", code=1)
    fresh.run("up", "one")
    fresh.run("exec", "one", "test", "-e", "/srv/kept")


def wait_until_gone(runner: Runner, names: Sequence[str]) -> None:
    for _attempt in range(500):
        if not any(cgroup.members(f"{runner.lab.cgroup}/host-{name}") for name in names):
            return
        time.sleep(0.01)
    raise AssertionError(f"{names} do not end")


@pytest.mark.parametrize("seconds", [0.15, 0.25, 0.35, 0.5, 0.8])
def test_nothing_is_left_when_up_is_killed(fresh: Runner, seconds: float) -> None:
    command = fresh.start("up", "one", "two")
    time.sleep(seconds)
    command.kill()
    command.wait()
    fresh.run("down")
    assert fresh.residue() == []


def test_up_continues_after_it_was_killed(fresh: Runner) -> None:
    command = fresh.start("up", "one", "two")
    time.sleep(0.4)
    command.kill()
    command.wait()
    fresh.run("up", "one", "two")
    assert fresh.run("exec", "two", "systemctl", "is-system-running") == "running\n"


def test_nothing_is_left_without_the_record(fresh: Runner) -> None:
    fresh.run("up", "one")
    fresh.run("registry")
    fresh.lab.record_file.unlink()
    fresh.run("down")
    assert fresh.residue() == []


def test_errors_leave_nothing(fresh: Runner) -> None:
    assert "a host's name is" in fresh.run("up", "Wrong", code=1)
    fresh.run("down", "x")
    assert "no host 'x'" in fresh.run("reboot", "x", code=1)
    assert "lab registry" in fresh.run("image", "push", "/nowhere", "a:1", code=1)
    assert fresh.residue() == []


def test_degraded_host_is_an_error_that_names_the_unit(fresh: Runner) -> None:
    fresh.run("up", "one")
    unit = "[Service]\\nType=oneshot\\nExecStart=/bin/sh -c 'echo the reason; exit 1'\\n[Install]\\nWantedBy=basic.target\\n"
    fresh.run("exec", "one", "sh", "-c", f"printf {shlex.quote(unit)} >/etc/systemd/system/bad.service")
    fresh.run("exec", "one", "systemctl", "enable", "-q", "bad.service")
    output = fresh.run("reboot", "one", code=1)
    assert "degraded" in output
    assert "bad.service" in output
    assert "the reason" in output
