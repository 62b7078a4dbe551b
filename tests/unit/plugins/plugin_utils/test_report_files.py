# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet report as a table and as files, which stay as they are while nothing worth a new file changed."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from report import fleet

from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report import build_report
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_files import (
    report_html,
    report_json,
)
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_table import report_table
from ansible_collections.projectatomic.system_containers.plugins.plugin_utils._report_words import (
    image_parts,
    last_exit,
    moment,
    short_digest,
    size,
)

WRITERS = pytest.mark.parametrize("write", [report_json, report_html])
LATER = "2026-11-28T10:00:00Z"


def report_on(hosts: dict[str, Any], **options: Any) -> dict[str, Any]:
    return build_report(hosts, **{"title": "Fleet", "generated_at": fleet.TAKEN, **options})


def test_table() -> None:
    hosts = {
        "web1": fleet.answer(fleet.container("etcd", "r.example.com/etcd:3.5", manifest_digest=fleet.digest("a"))),
        "web2": fleet.answer(fleet.failed("etcd", image="r.example.com/etcd:3.5", manifest_digest=fleet.digest("b"))),
        "web3": fleet.unreachable("no\nroute\x1b[31m"),
    }
    a, b = fleet.digest("a")[7:19], fleet.digest("b")[7:19]
    lines = report_table(report_on(hosts))
    assert lines == [
        "HOST  NAME  IMAGE                   DIGEST        DEPLOYMENT    STATE    SINCE             PROBLEMS",
        f"web1  etcd  r.example.com/etcd:3.5  {a}  {a}  running  2026-11-26 18:10  differs",
        f"web2  etcd  r.example.com/etcd:3.5  {b}  {b}  failed   -                 differs",
        "web3 cannot be reached: no route [31m",
        "web2 etcd failed: exit-code (exit 3)",
        lines[-2],
        "2 containers on 3 hosts: 1 running, 1 failed, 2 with a differing digest, 1 host not reached",
    ]
    assert set(lines[-2].removeprefix("etcd differs: ").split("; ")) == {
        f"{a} on 1 host (web1)",
        f"{b} on 1 host (web2)",
    }


def test_table_of_nothing() -> None:
    assert report_table(report_on({})) == ["0 containers on 0 hosts: 0 running"]


def test_table_says_how_many_were_selected() -> None:
    lines = report_table(report_on(fleet.small(), query="[?status=='failed']"))
    assert lines[-1].startswith("1 container of 8 on 5 hosts: 0 running, 1 failed")


def test_json_is_the_report() -> None:
    report = report_on(fleet.small())
    assert json.loads(report_json(report)) == report


@WRITERS
def test_time_and_memory_alone_write_nothing(write: Any) -> None:
    before = write(report_on(fleet.small()))
    hosts = fleet.small()
    hosts["web1"]["containers"][0]["memory"] += 1
    assert write(report_on(hosts, generated_at=LATER), before) == before
    assert write(report_on(hosts, generated_at=LATER)) != before


@WRITERS
@pytest.mark.parametrize("what", ["restarts", "title", "query", "verified", "host"])
def test_anything_else_does(write: Any, what: str) -> None:
    before = write(report_on(fleet.small()))
    hosts, options = fleet.small(), {}
    if what == "restarts":
        hosts["web1"]["containers"][0]["restarts"] = 1
    elif what == "host":
        hosts["web6"] = fleet.answer()
    else:
        options = {what: {"title": "Other", "query": "@", "verified": True}[what]}
    after = write(report_on(hosts, generated_at=LATER, **options), before)
    assert after != before
    assert LATER in after


@WRITERS
def test_what_somebody_changed_is_written_anew(write: Any) -> None:
    report = report_on(fleet.small())
    text = write(report)
    assert write(report, text.replace("hello-world", "goodbye", 1)) == text


@WRITERS
@pytest.mark.parametrize(
    "previous", ["", "{", "[]", "null", "<html>", "{}", '{"containers": [1]}', '{"containers": 1}']
)
def test_any_other_file_is_replaced(write: Any, previous: str) -> None:
    report = report_on(fleet.calm())
    assert write(report, previous) == write(report)


class Elements(HTMLParser):
    """Collects the elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_is_one_file() -> None:
    page = Elements(report_html(report_on(fleet.hostile(), title=fleet.EVIL, query="@")))
    names = {name for name, _attributes in page.elements}
    assert not names & {"img", "iframe", "object", "embed", "audio", "video", "source", "base"}
    links = [attributes for _name, attributes in page.elements if {"href", "src"} & attributes.keys()]
    assert all((item.get("href") or item.get("src") or "").startswith(("#", "data:,")) for item in links)
    assert sum(name == "script" for name, _attributes in page.elements) == 1
    assert not any(key.startswith("on") or key == "style" for _name, found in page.elements for key in found)
    assert fleet.EVIL in page.text


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("registry.example.com:5000/a/etcd:3.5", ("registry.example.com:5000/a/", "etcd", ":3.5")),
        ("localhost/etcd", ("localhost/", "etcd", "")),
        ("etcd:1", ("", "etcd", ":1")),
        (f"r.example.com/etcd@{fleet.digest('a')}", ("r.example.com/", "etcd", f"@{fleet.digest('a')[7:19]}")),
        (None, ("", "", "")),
    ],
)
def test_image_parts(image: str | None, parts: tuple[str, str, str]) -> None:
    assert image_parts(image) == parts


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1024**2, "1.0 MiB"),
        (12.54 * 1024**2, "12.5 MiB"),
        (150 * 1024**3, "150 GiB"),
        (5000 * 1024**5, "5000 PiB"),
    ],
)
def test_size(number: float | None, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, ""),
        ({"code": "exited", "status": 0, "signal": None}, "exit 0"),
        ({"code": "killed", "status": None, "signal": 9}, "SIGKILL"),
        ({"code": "dumped", "status": None, "signal": 11}, "SIGSEGV, dumped"),
        ({"code": "killed", "status": None, "signal": 200}, "signal 200"),
    ],
)
def test_last_exit(found: dict[str, Any] | None, text: str) -> None:
    assert last_exit(found) == text


def test_short_words() -> None:
    assert short_digest("sha256:" + "0123456789abcdef" * 4) == "0123456789ab"
    assert short_digest(None) == ""
    assert moment("2026-11-23T18:17:59Z") == "2026-11-23 18:17"
    assert moment(None) == ""
