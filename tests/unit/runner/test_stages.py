# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runner makes of the other tools' output, and how stages are chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner.cli import STAGES, select, sum_up
from runner.collection_link import NAME, NAMESPACE, link_collection
from runner.integration import failed_tasks, find_targets, host_name, playbook_problem
from runner.packaging import importer_verdict, stray_files
from runner.project import lab_id
from runner.results import Result, Skip, failure

RECAP = "PLAY RECAP ****\nt0-pull  : ok={ok}    changed=1    unreachable=0    failed=0    skipped=0\n"


@pytest.mark.parametrize(
    ("output", "code", "good"),
    [
        pytest.param(RECAP.format(ok=5), 0, True, id="good"),
        pytest.param(RECAP.format(ok=5), 2, False, id="failed"),
        pytest.param(RECAP.format(ok=1), 0, False, id="facts only"),
        pytest.param(RECAP.replace("t0-pull", "t1-other").format(ok=5), 0, False, id="another host"),
        pytest.param("skipping: no hosts matched\nPLAY RECAP ****\n", 0, False, id="no host"),
        pytest.param("", 0, False, id="nothing"),
    ],
)
def test_playbook_problem(output: str, code: int, good: bool) -> None:
    assert (playbook_problem(output, code=code, host="t0-pull") == "") is good


PLAYED = """\
PLAY [Target] ****

TASK [Look] ****
ok: [t0-pull]

TASK [It may fail] ****
fatal: [t0-pull]: FAILED! => {"rc": 1}
...ignoring

TASK [It is right] ****
fatal: [t0-pull]: FAILED! => {
    "assertion": "a == b"
}

TASK [Clean up] ****
ok: [t0-pull]

PLAY RECAP ****
t0-pull : ok=2 failed=1
"""


def test_failed_tasks() -> None:
    assert failed_tasks(PLAYED) == [
        "TASK [It is right] ****",
        "fatal: [t0-pull]: FAILED! => {",
        '    "assertion": "a == b"',
        "}",
    ]


def test_failed_tasks_of_a_loop_are_cut() -> None:
    output = f"TASK [Many] ****\nok: [a] => (item=1)\nfailed: [a] (item=2) => {'x' * 10000}\n"
    lines = failed_tasks(output)
    assert [line[:12] for line in lines] == ["TASK [Many] ", "ok: [a] => (", "failed: [a] "]
    assert len(lines[2]) == 2000


@pytest.mark.parametrize(
    ("output", "code", "good"),
    [
        ("INFO: Importer processing completed successfully", 0, True),
        ("INFO: Importer processing completed successfully", 1, False),
        ("ERROR: bad\nINFO: Importer processing completed successfully", 0, False),
        ("", 0, False),
    ],
)
def test_importer_verdict(output: str, code: int, good: bool) -> None:
    assert importer_verdict(output, code).ok is good


def test_stray_files() -> None:
    members = ["MANIFEST.json", "FILES.json", "README.md", ".venv/pyvenv.cfg"]
    assert stray_files(members, [Path("README.md"), Path("Makefile")]) == [".venv/pyvenv.cfg"]


def make_target(folder: Path, name: str) -> None:
    """Make an integration target with tasks."""
    (folder / name / "tasks").mkdir(parents=True)
    (folder / name / "tasks" / "main.yml").write_text("[]\n")


def test_find_targets(tmp_path: Path) -> None:
    for name in ("system_container", "system_container_image", "setup_registry"):
        make_target(tmp_path, name)
    (tmp_path / "empty").mkdir()
    assert [target.name for target in find_targets(tmp_path)] == ["system_container", "system_container_image"]
    chosen = find_targets(tmp_path, ["system_container_image"])
    assert [(target.name, target.host) for target in chosen] == [("system_container_image", "t1-scimage")]
    assert chosen[0].packages == ()
    (tmp_path / "system_container_image" / "lab-packages").write_text("docker.io\ntinyproxy-bin\n")
    assert find_targets(tmp_path)[1].packages == ("docker.io", "tinyproxy-bin")
    with pytest.raises(ValueError, match="no such integration target: typo"):
        find_targets(tmp_path, ["typo"])


@pytest.mark.parametrize(
    ("target", "host"),
    [("system_container", "t3-sc"), ("system_container_image_info", "t3-scimagei"), ("Kill-9", "t3-kill9")],
)
def test_host_name(target: str, host: str) -> None:
    assert host_name(target, 3) == host


def test_lab_id_is_short_and_depends_on_the_checkout(tmp_path: Path) -> None:
    assert len(lab_id(tmp_path)) == 6
    assert lab_id(tmp_path) != lab_id(tmp_path / "other")


def test_link_collection_mends_a_wrong_link(tmp_path: Path) -> None:
    link = tmp_path / ".cache" / "collections" / "ansible_collections" / NAMESPACE / NAME
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "gone")
    for _again in range(2):
        assert link_collection(tmp_path) == tmp_path / ".cache" / "collections"
        assert link.resolve() == tmp_path.resolve()
    assert [path.name for path in link.parent.iterdir()] == [NAME]


def test_select() -> None:
    assert select([]) == list(STAGES)
    assert [stage.name for stage in select(["sanity", "unit"])] == ["unit", "sanity"]
    assert "ansible-lint" in [stage.name for stage in select(["lint"])]
    with pytest.raises(SystemExit, match="no such stage: typo"):
        select(["typo"])


@pytest.mark.parametrize(
    ("results", "code", "last"),
    [
        pytest.param({"a": Result(passed=2), "b": Result(passed=1)}, 0, "3 passed, 0 failed, 0 skipped", id="good"),
        pytest.param({"a": Result(passed=2), "b": failure("x")}, 1, "2 passed, 1 failed, 0 skipped", id="failed"),
        pytest.param({"a": Result(passed=2)}, 1, "2 passed, 1 failed, 0 skipped", id="a stage did not run"),
        pytest.param(
            {"a": Result(passed=2), "b": Result(skips=(Skip("t", "optional: no crun"),))},
            0,
            "2 passed, 0 failed, 1 skipped",
            id="optional skip",
        ),
        pytest.param(
            {"a": Result(passed=2), "b": Result(skips=(Skip("t", "later"),))},
            1,
            "2 passed, 0 failed, 1 skipped",
            id="other skip",
        ),
    ],
)
def test_sum_up(capsys: pytest.CaptureFixture[str], results: dict[str, Result], code: int, last: str) -> None:
    assert sum_up(results, ["a", "b"]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_sum_up_says_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    sum_up({"a": failure("one\ntwo"), "b": failure("\n".join(["x"] * 1000))}, ["a", "b"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == ["    one", "    two", "    x"]
    assert len(lines) < 70
