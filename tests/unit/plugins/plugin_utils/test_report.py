# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet report decides: rows, statuses, counts, digests that differ, the selection by a query."""

from __future__ import annotations

from typing import Any

import pytest
from report import fleet
from report.fleet import answer, container, digest, failed, stopped

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils import _report_query
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report import build_report
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_query import ReportError

A, B, C = digest("a"), digest("b"), digest("c")
INDEX = digest("index")


def report_on(hosts: dict[str, Any], query: str | None = None) -> dict[str, Any]:
    return build_report(hosts, title="Fleet", generated_at=fleet.TAKEN, query=query)


def only_row(found: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a fleet that has this container alone."""
    return report_on({"web1": answer(found)})["containers"][0]


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "running"),
        ({"state": "failed", "substate": "failed"}, "failed"),
        ({"state": "activating", "substate": "auto-restart"}, "failed"),
        ({"state": "activating", "substate": "start"}, "changing"),
        ({"state": "deactivating", "substate": "stop-sigterm"}, "changing"),
        ({"state": "inactive", "substate": "dead"}, "stopped"),
        ({"state": "inactive", "substate": "dead", "unit": None}, "installed"),
    ],
)
def test_status(facts: dict[str, Any], status: str) -> None:
    assert only_row(container("app", **facts))["status"] == status


@pytest.mark.parametrize(
    ("facts", "problems"),
    [
        ({}, []),
        ({"edited_files": ["/etc/app"]}, []),
        ({"state": "inactive", "enabled": True}, []),
        ({"state": "failed"}, ["failed"]),
        ({"broken": "it has no info file"}, ["broken"]),
        ({"interrupted": "update"}, ["interrupted"]),
        ({"drift": [{"path": "/etc/app", "problem": "mode"}]}, ["drift"]),
        ({"deployments": [{"id": "1", "verified": False, "unverified_reason": "no image"}]}, ["unverified"]),
        ({"state": "failed", "broken": "x", "drift": [{"path": "/", "problem": "y"}]}, ["failed", "broken", "drift"]),
    ],
)
def test_problems(facts: dict[str, Any], problems: list[str]) -> None:
    assert only_row(container("app", **facts))["problems"] == problems


def test_values_are_left_out() -> None:
    assert not {"values", "computed_values", "secret_values", "mounts", "files"} & only_row(container("app")).keys()


def test_summary() -> None:
    assert report_on(fleet.small())["summary"] == {
        "hosts": 5,
        "hosts_unreachable": 1,
        "hosts_failed": 1,
        "hosts_vulnerable": 2,
        "containers": 8,
        "containers_known": 8,
        "running": 6,
        "stopped": 1,
        "failed": 1,
        "changing": 0,
        "installed": 0,
        "broken": 1,
        "interrupted": 1,
        "differs": 1,
        "drift": 1,
        "unverified": 0,
        "with_problems": 4,
        "differing": 1,
        "reclaimable": 3 * 1048576,
    }


@pytest.mark.parametrize(
    ("result", "status", "message"),
    [
        (answer(), "ok", None),
        (fleet.unreachable("no route"), "unreachable", "no route"),
        (fleet.unreachable("Task failed: no route"), "unreachable", "no route"),
        (fleet.broken_host("no python"), "failed", "no python"),
        ({**answer(container("app")), "failed": True, "msg": "odd"}, "failed", "odd"),
        ({"skipped": True}, "failed", "It gave no answer."),
        ({"failed": True}, "failed", "It gave no answer."),
        (None, "failed", "It gave no answer."),
    ],
)
def test_hosts_without_an_answer(result: Any, status: str, message: str | None) -> None:
    report = report_on({"web1": result, "web2": answer(container("app"))})
    assert [(host["status"], host["message"]) for host in report["hosts"]] == [(status, message), ("ok", None)]
    assert [row["host"] for row in report["containers"]] == ["web2"]


def test_nobody() -> None:
    report = report_on({})
    assert report["summary"]["hosts"] == report["summary"]["containers"] == 0
    assert report["hosts"] == report["containers"] == report["differing"] == report["runtimes"] == []


def test_an_older_host_that_tells_less() -> None:
    row = report_on({"web1": {"containers": [{"name": "app", "state": "running"}]}})
    assert row["containers"][0]["status"] == "running"
    assert row["hosts"][0]["store"] == dict.fromkeys(("images", "unique", "shared", "reclaimable"))


def test_runtimes() -> None:
    hosts = {
        "web1": answer(runtime=fleet.NEW_RUNC),
        "web2": answer(),
        "web3": answer(),
        "web4": fleet.unreachable(),
        "web5": answer(runtime=dict.fromkeys(fleet.RUNC)),
    }
    found = report_on(hosts)["runtimes"]
    assert [(item["version"], item["hosts"]) for item in found] == [
        ("1.1.5+ds1", ["web2", "web3"]),
        (None, ["web5"]),
        ("1.4.3", ["web1"]),
    ]


def app(version: str, name: str = "app", image: str = "r.example.com/app:1", **facts: Any) -> dict[str, Any]:
    return answer(container(name, image, manifest_digest=version, **facts))


@pytest.mark.parametrize(
    ("hosts", "differing", "odd"),
    [
        pytest.param({"h1": app(A), "h2": app(A)}, [], [], id="the same"),
        pytest.param({"h1": app(A)}, [], [], id="one host"),
        pytest.param(
            {"h1": app(A), "h2": app(B), "h3": app(A)},
            [("app", "r.example.com/app:1", [A, B])],
            ["h2"],
            id="one of three",
        ),
        pytest.param(
            {"h1": app(A), "h2": app(B)},
            [("app", "r.example.com/app:1", sorted([A, B]))],
            ["h1", "h2"],
            id="none is the most frequent",
        ),
        pytest.param(
            {"h1": app(A), "h2": app(B, image="r.example.com/app:2"), "h3": app(A)},
            [("app", None, [A, B])],
            ["h2"],
            id="same name, other image",
        ),
        pytest.param(
            {"h1": app(A), "h2": app(B, name="other"), "h3": app(A)},
            [(None, "r.example.com/app:1", [A, B])],
            ["h2"],
            id="same image, other name",
        ),
        pytest.param(
            {"h1": app(A), "h2": app(B), "h3": app(C), "h4": app(B)},
            [("app", "r.example.com/app:1", [B, *sorted([A, C])])],
            ["h1", "h3"],
            id="three digests",
        ),
        pytest.param(
            {"h1": app(A), "h2": app(B, image=f"r.example.com/app@{B}"), "h3": app(A, image=f"r.example.com/app@{A}")},
            [("app", None, [A, B])],
            ["h2"],
            id="images named by digest",
        ),
        pytest.param(
            {"h1": app(A), "h2": answer(container("app", broken="x") | {"manifest_digest": None})},
            [],
            [],
            id="no digest",
        ),
        pytest.param(
            {"h1": app(A, index_digest=INDEX), "h2": app(B, index_digest=INDEX)},
            [],
            [],
            id="two platforms of one index",
        ),
        pytest.param(
            {"h1": app(A, index_digest=INDEX), "h2": app(B, index_digest=INDEX), "h3": app(A)},
            [],
            [],
            id="the manifest of an index, named by itself",
        ),
        pytest.param(
            {"h1": app(A, index_digest=INDEX), "h2": app(C), "h3": app(A, index_digest=INDEX)},
            [("app", "r.example.com/app:1", [INDEX, C])],
            ["h2"],
            id="an index and another manifest",
        ),
    ],
)
def test_differing_digests(
    hosts: dict[str, Any], differing: list[tuple[str | None, str | None, list[str]]], odd: list[str]
) -> None:
    report = report_on(hosts)
    assert [
        (item["name"], item["image"], [part["digest"] for part in item["digests"]]) for item in report["differing"]
    ] == differing
    assert [row["host"] for row in report["containers"] if row["differs"]] == odd


def test_one_host_with_two_versions_of_an_image() -> None:
    image = "r.example.com/app:1"
    both = [container("blue", image, manifest_digest=A), container("green", image, manifest_digest=B)]
    (entry,) = report_on({"h1": answer(*both)})["differing"]
    assert (entry["name"], entry["image"]) == (None, image)
    assert {item["name"] for part in entry["digests"] for item in part["containers"]} == {"blue", "green"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (None, ["app", "logs", "proxy", "app"]),
        ("", ["app", "logs", "proxy", "app"]),
        ("@", ["app", "logs", "proxy", "app"]),
        ("[?status=='failed']", ["logs"]),
        ("[?problems]", ["logs", "app"]),
        ("[?contains(image, 'proxy') && host=='web1']", ["proxy"]),
        ("sort_by(@, &name)", ["app", "app", "logs", "proxy"]),
        ("[?restarts > `1`]", ["logs", "proxy"]),
        ("[1]", ["logs"]),
        ("[?host=='nobody']", []),
        ("nothing", []),
        ("[[0], [0]][]", ["app"]),
    ],
)
def test_query(query: str | None, names: list[str]) -> None:
    logs, proxy = failed("logs"), container("proxy", restarts=2)
    drift = [{"path": "/etc/app", "problem": "missing"}]
    hosts = {"web1": answer(container("app"), logs, proxy), "web2": answer(container("app", drift=drift))}
    report = report_on(hosts, query)
    assert [row["name"] for row in report["containers"]] == names
    assert report["summary"]["containers"] == len(names)
    assert report["summary"]["containers_known"] == 4
    assert sum(host["containers"] for host in report["hosts"]) == len(names)


@pytest.mark.parametrize(
    "query",
    ["[?", "[].name", "[].{host: host, name: name}", "length(@)", "'text'", "[?contains(broken, 'x')]", "unknown(@)"],
)
def test_query_that_cannot_be_used(query: str) -> None:
    with pytest.raises(ReportError, match="report_query") as caught:
        report_on({"web1": answer(container("app"))}, query)
    assert query in str(caught.value)


def test_query_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_report_query, "jmespath", None)
    with pytest.raises(ReportError, match="needs the Python library jmespath on the controller: pip install jmespath"):
        report_on({}, "@")
    assert report_on({"web1": answer(container("app"))})["summary"]["containers"] == 1


def test_differing_digests_of_what_is_not_selected() -> None:
    hosts = {"h1": answer(container("app", manifest_digest=A), stopped("idle")), "h2": app(B), "h3": app(B)}
    assert report_on(hosts, "[?name=='idle']")["differing"] == []
    (entry,) = report_on(hosts, "[?host=='h1']")["differing"]
    assert [len(part["containers"]) for part in entry["digests"]] == [2, 1]
