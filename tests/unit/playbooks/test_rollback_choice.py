# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployment rollback.yml goes back to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from runner.project import ROOT

DIGESTS = {letter: f"sha256:{letter * 64}" for letter in "abcdef"}


def kept(
    identifier: str, created: int, digest: str, *, index: str | None = None, active: bool = False
) -> dict[str, Any]:
    """Return a deployment as system_container_info lists it."""
    return {
        "id": identifier,
        "created": created,
        "manifest_digest": DIGESTS[digest],
        "index_digest": DIGESTS[index] if index else None,
        "active": active,
    }


NEWEST = kept("333333333333", 3, "c", index="f", active=True)
MIDDLE = kept("222222222222", 2, "b", index="e")
OLDEST = kept("111111111111", 1, "a")
ATOMIC = kept("", 0, "d")
THREE = [MIDDLE, NEWEST, OLDEST, ATOMIC]


def choose(deployments: list[dict[str, Any]] | None, **variables: Any) -> str:
    """Return the id that the playbook chooses, empty when there is none."""
    loader = DataLoader()
    plays = loader.load_from_file(str(ROOT / "playbooks" / "rollback.yml"), trusted_as_template=True)
    task = next(task for task in plays[0]["tasks"] if task["name"] == "Choose")
    containers = [] if deployments is None else [{"name": "app", "deployments": deployments}]
    others = {"name": "other", "deployments": [OLDEST, NEWEST]}
    known = {"item": "app", "rollback_found": {"containers": [others, *containers]}, **task["vars"], **variables}
    chosen = Templar(loader=loader, variables=known).template(task["ansible.builtin.set_fact"]["rollback_chosen"])
    return str(chosen["app"])


@pytest.mark.parametrize(
    ("deployments", "variables", "expected"),
    [
        (THREE, {}, MIDDLE["id"]),
        ([{**MIDDLE, "active": True}, {**NEWEST, "active": False}, OLDEST], {}, MIDDLE["id"]),
        ([NEWEST], {}, ""),
        ([NEWEST, ATOMIC], {}, ""),
        (None, {}, ""),
        (THREE, {"rollback_to": OLDEST["id"]}, OLDEST["id"]),
        (THREE, {"rollback_to": NEWEST["id"]}, NEWEST["id"]),
        (THREE, {"rollback_to": "444444444444"}, ""),
        (THREE, {"rollback_to": DIGESTS["a"]}, OLDEST["id"]),
        (THREE, {"rollback_to": DIGESTS["e"]}, MIDDLE["id"]),
        (THREE, {"rollback_to": DIGESTS["d"]}, ""),
        (
            [kept("111111111111", 1, "a"), kept("222222222222", 2, "a"), NEWEST],
            {"rollback_to": DIGESTS["a"]},
            MIDDLE["id"],
        ),
        (
            [kept("111111111111", 1, "a", active=True), kept("222222222222", 2, "a")],
            {"rollback_to": DIGESTS["a"]},
            OLDEST["id"],
        ),
    ],
    ids=[
        "the one before the newest",
        "it is active already",
        "there is one only",
        "Atomic's has no id",
        "no such container",
        "id",
        "id of the active one",
        "unknown id",
        "digest of a manifest",
        "digest of an index",
        "digest of Atomic's",
        "the newest of several with the same image",
        "the active one of several with the same image",
    ],
)
def test_choice(deployments: list[dict[str, Any]] | None, variables: dict[str, Any], expected: str) -> None:
    assert choose(deployments, **variables) == expected
