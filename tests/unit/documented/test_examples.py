# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples are found where they are, and nothing is left out without a reason."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from documented.examples import Example, PageError, find_examples, plays_of, summary


def decoded(play: dict[str, Any]) -> str:
    """Return the script of a play's only task."""
    argument = play["tasks"][0]["ansible.builtin.command"]["argv"][2]
    return base64.b64decode(re.findall(r"'(.*)'", argument)[0]).decode()


def plays(text: str) -> list[dict[str, Any]]:
    return plays_of(find_examples("page.md", text))


def test_blocks_are_found_with_their_lines() -> None:
    text = "# Title\n\n```yaml\n- a:\n```\n\n```text\nno\n```\n\n1. one\n   ```sh\n   true\n   ```\n"
    assert find_examples("page.md", text) == [
        Example("page.md", 3, "yaml", "- a:\n", section="title"),
        Example("page.md", 12, "sh", "true\n", section="title"),
    ]


def test_tasks_become_a_play() -> None:
    (play,) = plays("## Ping all\n```yaml\n- ansible.builtin.ping:\n```\n")
    assert play == {
        "name": "page.md:2",
        "hosts": "all",
        "gather_facts": False,
        "tags": ["ping-all"],
        "tasks": [{"ansible.builtin.ping": None}],
    }


def test_a_playbook_stays_one_on_the_one_host() -> None:
    (play,) = plays("```yaml\n- name: Mine\n  hosts: web\n  serial: 1\n  tags: [x]\n  tasks: []\n```\n")
    assert play == {"name": "page.md:1 Mine", "hosts": "all", "serial": 1, "tags": ["", "x"], "tasks": []}
    (play,) = plays("```yaml\n- ansible.builtin.import_playbook: a.b.c\n  vars: {x: 1}\n```\n")
    assert play == {
        "name": "page.md:1",
        "ansible.builtin.import_playbook": "a.b.c",
        "tags": [""],
        "vars": {"x": 1},
    }


def test_commands() -> None:
    (play,) = plays("```sh\nfirst {{ x }}\nsecond\n```\n")
    assert decoded(play) == "set -eu\nfirst {{ x }}\nsecond"
    assert "delegate_to" not in play["tasks"][0]
    (play,) = plays("<!-- controller -->\n```console\n$ first\noutput\n# second\n```\n")
    assert decoded(play) == "set -eu\nfirst\nsecond"
    assert play["tasks"][0]["delegate_to"] == "localhost"
    assert play["tasks"][0]["run_once"] is True
    (play,) = plays("```console\n# first \\\n    goes on\noutput\n# second\n```\n")
    assert decoded(play) == "set -eu\nfirst \\\n    goes on\nsecond"


def test_files() -> None:
    (play,) = plays("<!-- file: rootfs/run -->\n\n```\n#!/bin/sh\n```\n")
    folder, file = play["tasks"]
    assert folder["ansible.builtin.file"]["path"] == "/srv/examples/rootfs"
    assert file["ansible.builtin.copy"]["dest"] == "/srv/examples/rootfs/run"
    assert file["ansible.builtin.copy"]["mode"] == "0755"


def test_what_is_skipped_is_counted_with_its_reason() -> None:
    text = "<!-- skip: needs ten hosts -->\n```sh\nfalse\n```\n\n```sh\ntrue\n```\n"
    assert len(plays(text)) == 1
    assert summary(find_examples("page.md", text)) == [
        "1 examples run, 0 in other targets, 1 are checked alone",
        "checked alone page.md:2: needs ten hosts",
    ]


def test_files_of_the_controller() -> None:
    (play,) = plays("<!-- controller-file: group_vars/web.yml -->\n```yaml\na: 1\n```\n")
    folder, file = play["tasks"]
    assert folder["ansible.builtin.file"]["path"] == "{{ examples_folder }}/group_vars"
    assert file["ansible.builtin.copy"]["dest"] == "{{ examples_folder }}/group_vars/web.yml"
    assert folder["delegate_to"] == file["delegate_to"] == "localhost"


def test_a_target_runs_its_own_examples() -> None:
    text = "<!-- target: one -->\n```sh\nfirst\n```\n\n```sh\nsecond\n```\n\n<!-- skip: why -->\n```sh\nthird\n```\n"
    examples = find_examples("page.md", text)
    assert [[decoded(play) for play in plays_of(examples, target)] for target in ("", "one", "two")] == [
        ["set -eu\nsecond"],
        ["set -eu\nfirst"],
        [],
    ]
    assert summary(examples)[0] == "1 examples run, 1 in other targets, 1 are checked alone"
    (play,) = plays_of(find_examples("page.md", "<!-- target: one controller -->\n```sh\nfirst\n```\n"), "one")
    assert play["tasks"][0]["delegate_to"] == "localhost"


def test_where_the_examples_of_a_target_run() -> None:
    block = "```yaml\n- hosts: web\n  tasks: []\n```\n"
    (play,) = plays_of(find_examples("page.md", f"<!-- target: one front -->\n{block}"), "one")
    assert play["hosts"] == "front"
    (play,) = plays("<!-- controller: secret -->\n```sh\nfirst\n```\n")
    assert play["tasks"][0]["ansible.builtin.command"]["stdin"] == "secret"


def test_a_page_of_one_target_with_several_hosts() -> None:
    text = "<!-- page-target: fleet -->\n## One\n<!-- host: web1 -->\n```sh\nfirst\n```\n### Two\n```sh\nsecond\n```\n"
    examples = find_examples("page.md", text)
    assert plays_of(examples) == []
    assert [(play["hosts"], play["tags"], decoded(play)) for play in plays_of(examples, "fleet")] == [
        ("web1", ["one"], "set -eu\nfirst"),
        ("all", ["two"], "set -eu\nsecond"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- skip: x -->\n```yaml\n- a:\n```\n", "only commands can be skipped"),
        ("<!-- hots: web1 -->\n```sh\n```\n", "no such comment"),
        ("<!-- page-target: a -->\n# One\n## One\n", "a second section 'one'"),
        ("<!-- target: -->\n```sh\n```\n", "needs a text"),
        ("<!-- target: one controller -->\n```yaml\n```\n", "only commands"),
        ("<!-- skip: -->\n```sh\n```\n", "needs a text"),
        ("<!-- skip -->\n```sh\n```\n", "needs a text"),
        ("<!-- skip: x -->\ntext\n```sh\n```\n", "no block"),
        ("<!-- skip: x -->\n<!-- controller -->\n```sh\n```\n", "no block"),
        ("<!-- skip: x -->\n", "no block"),
        ("<!-- controller -->\n```yaml\n```\n", "only commands"),
        ("```sh\n", "does not end"),
        ("```yaml\na: [\n```\n", "not YAML"),
        ("```yaml\na: 1\n```\n", "neither tasks nor a playbook"),
        ("```console\noutput\n```\n", "no line begins"),
    ],
)
def test_what_is_not_understood_is_an_error(text: str, message: str) -> None:
    with pytest.raises(PageError, match=message):
        plays(text)
