# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report page in a real browser: what is seen is what the report says, whatever names and messages hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from report import fleet
from report.browser import Browser, browser
from report.look import WIDTHS, look

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report import build_report
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_files import report_html

Write = Callable[..., tuple[dict[str, Any], Path]]
SCREENS = [
    pytest.param(width, dark, id=f"{name}-{'dark' if dark else 'light'}")
    for name, width in WIDTHS.items()
    for dark in (False, True)
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return one browser for all tests."""
    with browser() as found:
        yield found


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that makes the report and the page of a fleet."""

    def function(hosts: dict[str, Any], **options: Any) -> tuple[dict[str, Any], Path]:
        report = build_report(hosts, **{"title": "Fleet", "generated_at": fleet.TAKEN, **options})
        path = tmp_path / "page.html"
        path.write_text(report_html(report), encoding="utf-8")
        return report, path

    return function


@pytest.mark.parametrize(("width", "dark"), SCREENS)
@pytest.mark.parametrize("name", ["small", "calm", "hostile"])
def test_any_screen(chromium: Browser, write: Write, name: str, width: int, dark: bool) -> None:
    report, page = write(getattr(fleet, name)())
    seen = look(chromium, page, width=width, dark=dark)
    assert seen["console"] == []
    assert seen["asked"] == []
    assert seen["faults"] == []
    assert seen["overflow"] == 0
    assert seen["figures"]["running"] == report["summary"]["running"]
    assert len(seen["sections"]["containers"]) == len(report["containers"]) + len(
        {r["host"] for r in report["containers"]}
    )


def test_problems_come_first(chromium: Browser, write: Write) -> None:
    seen = look(chromium, write(fleet.small())[1], width=1280)
    assert seen["order"] == [
        "summary",
        "silent",
        "failed",
        "broken",
        "interrupted",
        "differing",
        "drift",
        "vulnerable",
        "hosts",
        "containers",
    ]
    assert seen["figures"] == {
        "running": 6,
        "stopped": 1,
        "failed": 1,
        "broken": 1,
        "drift": 1,
        "differs": 1,
        "interrupted": 1,
        "silent": 2,
    }
    assert seen["attention"] == [
        "2 hosts without an answer",
        "1 failed unit",
        "1 broken container",
        "1 interrupted change",
        "1 image or name with more than one digest",
        "1 container with drift",
        "2 hosts with known vulnerabilities of the runtime",
    ]


def test_rows(chromium: Browser, write: Write) -> None:
    sections = look(chromium, write(fleet.small())[1], width=1280)["sections"]
    assert [(row[""], row["Message"]) for row in sections["silent"]] == [
        ("web4", "Failed to connect to the host via ssh: No route to host"),
        ("web5", "The module interpreter '/usr/bin/python3' was not found."),
    ]
    assert sections["failed"] == [
        {
            "": "hello-world",
            "Host": "web2",
            "State": "failed",
            "Result": "exit-code",
            "Last exit": "exit 3",
            "When": "2026-11-26 23:59",
            "Restarts": "5",
        }
    ]
    assert sections["broken"][0]["Reason"] == "/var/lib/containers/atomic/logs.0: it has no info file"
    assert [row["Where"] for row in sections["differing"]] == ["web1, web3", "web2"]
    assert sections["drift"][0]["Problem and path"] == (
        "content /etc/systemd/system/etcd.service mode /var/lib/containers/atomic/etcd.0/config.json"
    )
    assert sections["hosts"][0] == {
        "": "web1",
        "Containers": "3",
        "Running": "2",
        "With problems": "0",
        "Runtime": "runc 1.1.5+ds1",
        "Vulnerabilities": "3",
        "Images": "3",
        "Unique": "50.0 MiB",
        "Shared": "20.0 MiB",
        "Reclaimable": "1.0 MiB",
    }
    etcd = fleet.digest("registry.example.com/etcd:3.5")[7:19]
    assert sections["containers"][1] == {
        "": "etcd",
        "Image": "registry.example.com/etcd:3.5",
        "Digest": etcd,
        "Deployment": etcd,
        "State": "running",
        "Since": "2026-11-26 18:10",
        "Restarts": "0",
        "Memory": "25.0 MiB",
        "Last exit": "\N{EN DASH}",
    }


def test_what_differs_stands_out(chromium: Browser, write: Write) -> None:
    seen = look(chromium, write(fleet.small())[1], width=1280)
    odd = fleet.digest("moved")[7:19]
    assert seen["highlighted"] == [odd, odd]  # in the section and in the table of containers
    shown = {text.split()[0]: color for text, color in seen["marks"]}
    assert shown.keys() == {"running", "stopped", "failed"}
    assert len(set(shown.values())) == 3


def test_all_is_well(chromium: Browser, write: Write) -> None:
    seen = look(chromium, write(fleet.calm())[1], width=1280)
    assert seen["order"] == ["summary", "hosts", "containers"]
    assert seen["attention"] == ["Nothing needs a look. No failed unit, no drift, one digest for each image."]
    assert seen["highlighted"] == []


def test_markup_is_text(chromium: Browser, write: Write) -> None:
    calm = look(chromium, write(fleet.calm())[1], width=1280)
    report, page = write(fleet.hostile(), title=fleet.EVIL, query="@")
    seen = look(chromium, page, width=1280)
    assert seen["evil"] is None
    assert seen["elements"] == calm["elements"]
    assert seen["title"] == fleet.EVIL
    sections = seen["sections"]
    assert sections["failed"][0][""] == f"name{fleet.EVIL}"
    assert sections["failed"][0]["Host"] == f"bad{fleet.EVIL}"
    assert sections["broken"][0]["Reason"] == fleet.EVIL
    assert sections["silent"][0]["Message"] == f"ssh: {fleet.EVIL}"
    assert sections["drift"][0]["Problem and path"] == f"{fleet.EVIL} /etc/{fleet.EVIL}"
    assert report["containers"][0]["image"] in [row.get("Image") for row in sections["containers"]]


def test_many_hosts_and_finding_rows(chromium: Browser, write: Write) -> None:
    report, page = write(fleet.large())
    seen = look(chromium, page, width=1280)
    assert seen["console"] == []
    assert seen["overflow"] == 0
    assert seen["figures"]["running"] == report["summary"]["running"] > 500
    assert len(seen["sections"]["containers"]) == len(report["containers"]) + 198
    assert seen["sections"]["differing"][0]["Where"] == "194 hosts"
    find = """
        const [words, problems] = arguments;
        document.getElementById("filter-text").value = words;
        document.getElementById("filter-problems").checked = problems;
        document.getElementById("filter-text").dispatchEvent(new Event("input", { bubbles: true }));
        return [...document.querySelectorAll("tr.row")].filter((row) => row.checkVisibility()).length;
    """
    assert chromium.run(find, "edge-041", False) == 5
    assert chromium.run(find, "EDGE-041 etcd", False) == 1
    assert chromium.run(find, "", True) == report["summary"]["with_problems"]
    assert chromium.run(find, fleet.digest("moved"), False) == 4
    assert chromium.run(find, "nothing like it", False) == 0
    assert chromium.run(find, "", False) == len(report["containers"])


def test_without_scripts(chromium: Browser, write: Write) -> None:
    _report, page = write(fleet.small())
    chromium.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        seen = look(chromium, page, width=1280)
        form = chromium.run("return document.getElementById('filter').checkVisibility()")
    finally:
        chromium.devtools("Emulation.setScriptExecutionDisabled", value=False)
    assert form is False
    assert len(seen["sections"]["containers"]) == 8 + 3


def test_on_paper_everything_is_open(chromium: Browser, write: Write) -> None:
    chromium.open(write(fleet.large())[1], width=700)  # of A4 without the margins
    look_at = """
        const seen = (selector) => document.querySelector(selector).checkVisibility({ contentVisibilityAuto: true });
        return [seen("#differing .hosts"), seen("#filter")];
    """
    assert chromium.run(look_at) == [False, True]
    chromium.devtools("Emulation.setEmulatedMedia", media="print")
    assert chromium.run(look_at) == [True, False]
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert chromium.run(f"return {overflow}") == 0


def test_query_is_said(chromium: Browser, write: Write) -> None:
    report, page = write(fleet.small(), query="[?status=='failed']")
    seen = look(chromium, page, width=390)
    assert [row[""] for row in seen["sections"]["containers"]] == ["web2 1 container", "hello-world"]
    assert "1 container of 8 on 5 hosts" in chromium.run("return document.querySelector('.lead').innerText")
    assert report["query"] in chromium.run("return document.querySelector('.query').innerText")
