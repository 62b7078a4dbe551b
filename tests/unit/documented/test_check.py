# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that do not run are looked at: what is wrong in them is found."""

from __future__ import annotations

import pytest
from documented.check import Known, check
from documented.examples import Example
from documented.known import find_known, runs_examples, shell_problems

C = "projectatomic.system_containers"
KNOWN = Known(
    playbooks=frozenset({f"{C}.install"}),
    make=frozenset({"demo"}),
    files=frozenset({"images/etcd/build"}),
)


def example(text: str, language: str) -> Example:
    return Example("page.md", 7, language, text, "skip", "a reason")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (f"make demo # boots\nansible-playbook {C}.install -i inventory\nimages/etcd/build /srv/x", "sh"),
        ("# make demo\nits output: images/none", "console"),
    ],
)
def test_what_is_right(text: str, language: str) -> None:
    assert check(example(text, language), KNOWN) == []


@pytest.mark.parametrize(
    ("text", "language", "problem"),
    [
        (f"ansible-playbook {C}.none", "sh", "none: there is no such playbook"),
        ("make none", "sh", "make none: there is no such command"),
        ("$ images/none/build", "console", "images/none/build: there is no such file"),
    ],
)
def test_what_is_wrong(text: str, language: str, problem: str) -> None:
    (found,) = check(example(text, language), KNOWN)
    assert found.startswith("page.md:7: ")
    assert problem in found


def test_syntax() -> None:
    assert shell_problems(example("echo $(true)", "sh")) == []
    assert "page.md:7: " in shell_problems(example("echo $(", "sh"))[0]


def test_what_there_is() -> None:
    known = find_known()
    assert {f"{C}.install", f"{C}.molecule.create"} <= known.playbooks
    assert {"demo", "test"} <= known.make
    assert "images/etcd-debian/build" in known.files
    assert runs_examples("docker_system_container")
    assert runs_examples("system_container_image_sources")
    assert runs_examples("etcd_cluster")  # a Molecule scenario
    assert not runs_examples("system_container_prune")
    assert not runs_examples("no_such_target")
