# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what an image has below ``/exports/hostfs`` to the files that it puts on the host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils.test_golden import CASES, document, host_entries, installed, needs_golden, text

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import MASK, HostFile
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageHostFile,
    parse_exports_manifest,
    parse_renames,
    parse_templates,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._host_files import (
    atomic_host_files,
    dropped_bits,
    host_files,
    named_in_vain,
    render_renames,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._parents import parents_of
from ansible_collections.projectatomic.system_containers.plugins.module_utils._small_text import SMALL_TEXT, small_text

VALUES = {"NAME": "app", "CONF_DIRECTORY": "/etc", "PORT": 80, "PASSWORD": "s3cret"}
MASKED = {**VALUES, "PASSWORD": MASK}


def sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def file(path: str, content: str = "x", **changes: Any) -> ImageHostFile:
    facts = {"mode": 0o644, "uid": 0, "gid": 0, "sha256": sha256(content), "text": content, **changes}
    return ImageHostFile(path, "-", **facts)


def link(path: str, target: str) -> ImageHostFile:
    return ImageHostFile(path, "l", 0o777, 0, 0, target=target)


def folder(path: str, mode: int = 0o755) -> ImageHostFile:
    return ImageHostFile(path, "d", mode, 0, 0)


def placed(
    *entries: ImageHostFile, renames: Mapping[str, str] | None = None, templates: Sequence[str] = ()
) -> tuple[HostFile, ...]:
    return host_files(entries, VALUES, renames=renames or {}, templates=templates, masked=MASKED)


def paths(*entries: ImageHostFile, renames: Mapping[str, str] | None = None) -> list[str]:
    return [item.path for item in placed(*entries, renames=renames)]


# --- what there is


def test_a_file_as_it_is() -> None:
    (made,) = placed(folder("/usr"), file("/usr/app", "text", mode=0o750, uid=33, gid=34))
    assert made == HostFile(
        "/usr/app", "-", 0o750, 33, 34, sha256=sha256("text"), origin="/exports/hostfs/usr/app", content=None
    )


@pytest.mark.parametrize("target", ["/etc/shadow", "../../etc/shadow", "missing"])
def test_a_link_stays_a_link(target: str) -> None:
    (made,) = placed(link("/usr/app", target))
    assert (made.kind, made.target, made.sha256, made.content) == ("l", target, None, None)


def test_of_directories_only_empty_ones() -> None:
    """Atomic's rule: the others are made on the way to what is in them."""
    entries = [folder("/usr"), folder("/usr/full"), folder("/usr/empty", 0o2700), file("/usr/full/f")]
    assert [(item.path, item.kind, item.mode) for item in placed(*entries)] == [
        ("/usr/empty", "d", 0o700),
        ("/usr/full/f", "-", 0o644),
    ]


def test_nothing() -> None:
    assert placed() == ()


@pytest.mark.parametrize(("mode", "kept"), [(0o4755, 0o755), (0o2755, 0o755), (0o6700, 0o700), (0o755, 0o755)])
def test_setuid_and_setgid_are_dropped_and_told(mode: int, kept: int) -> None:
    entry = file("/usr/bin/app", mode=mode, uid=33)
    assert [(item.mode, item.uid) for item in placed(entry)] == [(kept, 33)]
    assert dropped_bits([entry]) == (("/exports/hostfs/usr/bin/app",) if mode != kept else ())


@pytest.mark.parametrize("entry", [file("/etc/\udcff"), link("/etc/a", "\udcff")])
def test_names_that_are_not_utf8(entry: ImageHostFile) -> None:
    with pytest.raises(InvalidInputError, match="not UTF-8") as caught:
        placed(entry)
    str(caught.value).encode("utf-8")


# --- renaming


@pytest.mark.parametrize(
    ("renames", "expected"),
    [
        ({}, "/etc/a/b/f"),
        ({"/etc/a/b/f": "/etc/a/b/$NAME"}, "/etc/a/b/app"),
        ({"/etc/a/b/f": "$CONF_DIRECTORY/${NAME}.conf"}, "/etc/app.conf"),
        ({"/etc/a": "/opt/$NAME"}, "/opt/app/b/f"),
        ({"/etc/a": "/opt/a", "/opt/a/b": "/opt/c"}, "/opt/c/f"),
        ({"/etc/a": "/opt/a", "/etc/a/b/f": "/not/reached"}, "/opt/a/b/f"),
        ({"/etc": "/srv//etc/./x/"}, "/srv/etc/x/a/b/f"),
    ],
)
def test_renames(renames: dict[str, str], expected: str) -> None:
    (made,) = placed(folder("/etc"), folder("/etc/a"), folder("/etc/a/b"), file("/etc/a/b/f"), renames=renames)
    assert (made.path, made.origin) == (expected, "/exports/hostfs/etc/a/b/f")


def test_directories_that_become_one() -> None:
    entries = [folder("/a"), folder("/b"), file("/b/f")]
    assert paths(*entries, renames={"/a": "/b"}) == ["/b/f"]
    assert paths(folder("/a"), folder("/b"), renames={"/a": "/b"}) == ["/b"]


@pytest.mark.parametrize(
    ("entries", "renames", "message"),
    [
        ([file("/a"), file("/b")], {"/a": "/b"}, "'/exports/hostfs/a' and '/exports/hostfs/b', end at '/b'"),
        ([file("/a"), folder("/b")], {"/b": "/a"}, "end at '/a'"),
        ([folder("/b"), link("/c", "x")], {"/b": "/c"}, "end at '/c'"),
        ([file("/a"), file("/b")], {"/b": "/a/b"}, "'/a' on the host, which is no directory, and '/a/b' below it"),
        ([link("/a", "/etc"), file("/b")], {"/b": "/a/b"}, "no directory"),
        ([file("/a")], {"/a": "/$MISSING/$OTHER"}, "without a value: 'MISSING', 'OTHER'"),
        ([file("/a")], {"/a": "$NAME"}, "'app', which is no path"),
        ([file("/a")], {"/a": "/etc/../$NAME"}, "without '..'"),
        ([file("/a")], {"/a": "/"}, "no path of a file"),
        ([file("/a")], {"/a": "/$5"}, r"write '\$\$'"),
    ],
)
def test_renames_that_are_refused(entries: list[ImageHostFile], renames: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        placed(*entries, renames=renames)


def test_what_the_manifest_names_in_vain() -> None:
    """Atomic took no notice of it, and images of others have it."""
    assert placed(file("/a"), renames={"/b": "/c"})
    assert named_in_vain([file("/a")], renames={"/a": "/x", "/b": "/c"}, templates=["/x", "/d"]) == ("/b", "/d")


def test_a_value_does_not_lead_out() -> None:
    with pytest.raises(InvalidInputError, match="no path of a file on the host"):
        host_files(
            [file("/a")],
            {"X": "../../etc"},
            renames={"/a": "/srv/$X/passwd"},
            templates=(),
            masked={},
        )


@pytest.mark.parametrize("data", [[], "x", {"/a": 1}, {"/a": None}, {"a": "/b"}, {"/../a": "/b"}])
def test_rename_files_of_another_form(data: Any) -> None:
    with pytest.raises(InvalidInputError, match="renameFiles"):
        parse_renames(data)


@pytest.mark.parametrize("data", [{}, "x", [1], ["a"], ["/a/../b"], ["/"]])
def test_installed_files_template_of_another_form(data: Any) -> None:
    with pytest.raises(InvalidInputError, match="installedFilesTemplate"):
        parse_templates(data)


def test_the_manifest() -> None:
    manifest = parse_exports_manifest('{"renameFiles": {"/a/": "/$NAME"}, "installedFilesTemplate": ["/./b", "/c/"]}')
    assert manifest == ExportsManifest(rename_files={"/a": "/$NAME"}, templates=("/b", "/c"))
    assert parse_exports_manifest('{"renameFiles": null}') == ExportsManifest()


# --- templates


def test_a_template_is_filled() -> None:
    (made,) = placed(file("/a", "$NAME ${PORT} $$x\n", mode=0o4644, uid=5), templates=["/a"])
    assert (made.content, made.masked, made.mode, made.uid) == ("app 80 $x\n", None, 0o644, 5)
    assert made.sha256 == sha256("app 80 $x\n")


def test_only_what_the_manifest_calls_a_template() -> None:
    (made,) = placed(file("/a", "$NAME"))
    assert (made.content, made.sha256) == (None, sha256("$NAME"))


@pytest.mark.parametrize(
    ("renames", "template"),
    [({"/a": "/b"}, "/a"), ({"/a": "/b"}, "/b"), ({"/a": "/$NAME"}, "/$NAME"), ({"/a": "/$NAME"}, "/a")],
)
def test_a_template_by_its_old_name_or_its_new_one(renames: dict[str, str], template: str) -> None:
    """Atomic looked at the new one."""
    (made,) = placed(file("/a", "$PORT"), renames=renames, templates=[template])
    assert made.content == "80"


def test_a_secret_is_for_its_owner_and_not_shown() -> None:
    (made,) = placed(file("/a", "p=$PASSWORD\n", mode=0o664, gid=5), templates=["/a"])
    assert (made.content, made.masked, made.mode) == ("p=s3cret\n", f"p={MASK}\n", 0o600)
    assert "s3cret" not in repr(made)


@pytest.mark.parametrize(
    ("entries", "template", "message"),
    [
        ([file("/a", "$ONE $TWO $NAME")], "/a", "'/exports/hostfs/a' of the image .* without a value: 'ONE', 'TWO'"),
        ([file("/a", "costs $5")], "/a", r"write '\$\$'"),
        ([link("/a", "/b")], "/a", "is a template, but no file"),
        ([folder("/a")], "/a", "is a template, but no file"),
    ],
)
def test_templates_that_are_refused(entries: list[ImageHostFile], template: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        placed(*entries, templates=[template])


# --- helpers


def test_parents() -> None:
    assert parents_of("/a/b/c") == ("/a", "/a/b")
    assert parents_of("/a") == ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"text\n", "text\n"),
        (b"", ""),
        (b"a\0b", None),
        (b"\xff", None),
        (b"x" * SMALL_TEXT, "x" * SMALL_TEXT),
        (b"x" * (SMALL_TEXT + 1), None),
    ],
)
def test_small_text(content: bytes, expected: str | None) -> None:
    assert small_text(content) == expected


def test_what_atomic_recorded() -> None:
    recorded = {"/./link": "0", "/etc/app": "a" * 64, "/etc/../x": "0", "etc/x": "0", "/etc/odd": None}
    assert [(item.path, item.kind, item.sha256, item.mode) for item in atomic_host_files(recorded)] == [
        ("/link", "?", None, -1),
        ("/etc/app", "-", "a" * 64, -1),
        ("/etc/odd", "?", None, -1),
    ]


# --- against what Atomic did


@needs_golden
@pytest.mark.parametrize(
    "case", [case for case in CASES if (case / "expected" / "info.json").exists()], ids=lambda case: case.name
)
def test_golden(case: Path) -> None:
    """All but the modes, which a case's folder does not keep."""
    info = document(case, "expected/info.json")
    manifest = parse_exports_manifest(text(case, "exports/manifest.json") or "{}")
    made = host_files(
        host_entries(case),
        info["values"],
        renames=manifest.rename_files,
        templates=manifest.templates,
        masked=info["values"],
    )
    kinds = {"-": "f", "l": "l", "d": "d"}
    got = {(kinds[item.kind], f"{item.uid}:{item.gid}", item.path, item.target or item.sha256) for item in made}
    assert got == installed(case)
    checksums = {path.replace("/./", "/"): checksum for path, checksum in info["installed-files-checksum"].items()}
    assert {item.path: item.sha256 or "0" for item in made} == checksums
    assert render_renames(manifest.rename_files, info["values"]) == info["rename-installed-files"]
    recorded = {item.path: item for item in atomic_host_files(info["installed-files-checksum"])}
    assert set(recorded) == set(checksums)
