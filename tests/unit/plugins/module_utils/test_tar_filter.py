# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a layer may hold: every entry of a corpus of odd and hostile archives is kept, dropped or refused."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    SourceError,
    StoreError,
    SystemContainerError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tar_filter import TarFilter

FILE, LINK, SYMLINK, DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
Member = tuple[str, bytes, dict[str, Any]]
OPAQUE = ".wh..wh..opq"


def file(name: str, content: bytes = b"content", **attributes: Any) -> Member:
    return name, FILE, {"content": content, **attributes}


def link(name: str, target: str) -> Member:
    return name, LINK, {"linkname": target}


def symlink(name: str, target: str) -> Member:
    return name, SYMLINK, {"linkname": target}


def folder(name: str, **attributes: Any) -> Member:
    return name, DIRECTORY, {"mode": 0o755, **attributes}


def archive(*members: Member, layout: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=layout, encoding="utf-8", errors="surrogateescape") as tar:
        for name, kind, attributes in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            content = attributes.pop("content", b"") if kind == FILE else b""
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def block(
    name: bytes = b"f", *, size: bytes = b"00000000000\0", kind: bytes = b"0", uid: bytes = b"0000000\0",
    checksum: bytes | None = None, content: bytes = b"",
) -> bytes:  # fmt: skip
    """One entry, field by field, as no library would write it."""
    header = bytearray(512)
    fields = ((0, name), (100, b"0000644\0"), (108, uid), (116, b"0000000\0"), (124, size), (136, b"0" * 11))
    for start, field in (*fields, (148, b" " * 8), (156, kind), (257, b"ustar\x0000")):
        header[start : start + len(field)] = field
    header[148:156] = checksum or b"%06o\0 " % sum(header)
    return bytes(header) + content + bytes(-len(content) % 512)


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    return block(b"pax", size=b"%011o\0" % len(records), kind=kind, content=records)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body


def filtered(data: bytes, *, piece: int = 1 << 20, **limits: int) -> tuple[bytes, TarFilter]:
    layer = TarFilter(**limits)
    out = [bytes(part) for start in range(0, len(data), piece) for part in layer.feed(data[start : start + piece])]
    return b"".join(out) + layer.close(), layer


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        return tar.getnames()


KEPT = {
    "plain": (folder("a"), file("a/f"), symlink("a/l", "/etc/passwd"), link("a/h", "a/f")),
    "root": (folder("."), file("./f")),
    "root-slash": (folder("/"), file("/abs/f")),
    "no-parents": (file("x/y/z"), folder("x", mode=0o700)),
    "file-twice": (file("f"), file("f", b"newer")),
    "folder-twice": (folder("d"), file("d/f"), folder("d", mode=0o700)),
    "link-to-link": (symlink("s", "nowhere"), link("h", "s")),
    "link-absolute": (file("./b"), link("h", "/b")),
    "whiteouts": (file("d/.wh.f", b""), file(f"d/{OPAQUE}", b""), file("d/n")),
    "opaque-after-siblings": (file("d/n"), file(f"d/{OPAQUE}", b"")),
    "setuid": (file("su", mode=0o4755), folder("tmp", mode=0o1777)),
    "unicode": (file("ü/é"),),
    "newline": (file("a\nb"),),
    "long": (file("/".join(["n" * 200] * 10)), symlink("s", "t" * 300)),
    "big-uid": (file("f", uid=2**31, gid=2**31),),
    "mtime": (file("f", mtime=2**40), file("g", mtime=1.5)),
    "xattr": (file("f", pax_headers={"SCHILY.xattr.security.capability": "x"}),),
    "comment": (file("f", pax_headers={"comment": "hello"}),),
}


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("case", KEPT)
def test_kept_to_the_byte(case: str, layout: int) -> None:
    data = archive(*((name, kind, dict(attributes)) for name, kind, attributes in KEPT[case]), layout=layout)
    result, layer = filtered(data)
    assert result == data[: len(result) - 1024] + bytes(1024)
    assert names(result) == names(data)
    assert (layer.entries, layer.dropped) == (len(KEPT[case]), 0)


REFUSED: dict[str, tuple[tuple[Member, ...], str]] = {
    "up": ((file("../f"),), "'..'"),
    "up-inside": ((file("a/../../b"),), "'..'"),
    "root-symlink": ((symlink("/.", "/etc"),), "root directory"),
    "root-file": ((file("."),), "root directory"),
    "below-symlink": ((symlink("a", "b"), file("a/f")), "not a directory"),
    "below-known-symlink": ((folder("b"), symlink("a", "b"), file("a/f")), "not a directory"),
    "below-file": ((file("a"), file("a/f")), "not a directory"),
    "file-over-folder": ((folder("a"), file("a")), "comes twice"),
    "file-over-implied-folder": ((file("a/f"), file("a")), "comes twice"),
    "folder-over-file": ((file("a"), folder("a")), "comes twice"),
    "folder-over-symlink": ((symlink("a", "b"), folder("a")), "comes twice"),
    "changed-after-link": ((file("a"), link("h", "a"), file("a", b"new")), "hard link"),
    "link-to-itself": ((file("a"), link("a", "a")), "itself"),
    "link-to-folder": ((folder("d"), link("h", "d")), "a directory"),
    "link-up": ((link("h", "../etc/passwd"),), "'..'"),
    "whiteout-alone": ((file(".wh.", b""),), "whiteout of nothing"),
    "whiteout-dot": ((file("d/.wh..", b""),), "whiteout of nothing"),
    "whiteout-dots": ((file("d/.wh...", b""),), "whiteout of nothing"),
    "whiteout-folder": ((folder(".wh.d"),), "not a regular file"),
    "whiteout-symlink": ((symlink(".wh.d", "x"),), "not a regular file"),
    "below-whiteout": ((file(".wh.d/f"),), "below a whiteout"),
    "whiteout-below-symlink": ((symlink("a", "/etc"), file("a/.wh.passwd", b"")), "not a directory"),
    "symlink-to-nothing": ((symlink("s", ""),), "malformed target"),
    "long-component": ((file("n" * 256),), "too long"),
    "long-path": ((file("/".join(["n" * 200] * 25)),), "too long"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    members, reason = REFUSED[case]
    data = archive(*((name, kind, dict(attributes)) for name, kind, attributes in members))
    with pytest.raises(SourceError, match="The image's layer is refused") as caught:
        filtered(data)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "members",
    [(link("h", "lower"),), (link("h", "later"), file("later")), (symlink("s", "d"), file("d/f"), link("h", "s/f"))],
    ids=["lower", "later", "through-symlink"],
)
def test_hard_link_to_what_the_layer_does_not_hold(members: tuple[Member, ...]) -> None:
    with pytest.raises(StoreError, match="hard links to other layers are not supported"):
        filtered(archive(*((name, kind, dict(attributes)) for name, kind, attributes in members)))


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_outside_utf_8(layout: int) -> None:
    with pytest.raises(StoreError, match=r"\\xff.* is not UTF-8"):
        filtered(archive(file("\udcff"), layout=layout))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_nodes_are_dropped_and_counted(kind: bytes) -> None:
    result, layer = filtered(archive(file("a"), ("dev/n", kind, {}), link("dev/again", "dev/n"), file("b")))
    assert names(result) == ["a", "b"]
    assert layer.dropped == 1


def test_aufs_leftovers_are_dropped() -> None:
    result, _layer = filtered(
        archive(folder(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs"), file("b"))
    )
    assert names(result) == ["b"]


def test_xattrs_of_overlay_and_ostree_are_dropped() -> None:
    keep = {"SCHILY.xattr.security.capability": "cap", "SCHILY.xattr.user.x": "1"}
    drop = {
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.user.ostreemeta": "z",
        "LIBARCHIVE.xattr.trusted.overlay.opaque": "eQ",
        "LIBARCHIVE.xattr.trusted%2Eoverlay.opaque": "eQ",
    }
    result, _layer = filtered(archive(file("f", pax_headers={**keep, **drop}), file("g", pax_headers=drop)))
    with tarfile.open(fileobj=io.BytesIO(result)) as tar:
        first, second = tar.getmembers()
        assert first.pax_headers == keep
        assert second.pax_headers == {}
        stream = tar.extractfile(first)
        assert stream is not None
        assert stream.read() == b"content"


def test_pax_size_goes_before_the_header() -> None:
    data = pax(record(b"size", b"600")) + block(b"f", content=b"x" * 600) + block(b"g") + bytes(1024)
    result, layer = filtered(data)
    assert result == data
    assert layer.entries == 2


def test_size_of_a_folder_is_not_taken_for_content() -> None:
    result, _layer = filtered(block(b"d", kind=b"5", size=b"00000001000\0") + block(b"g"))
    assert names(result)[-1] == "g"


BROKEN = {
    "checksum": (block(checksum=b"000001\0 "), "checksum"),
    "negative-size": (block(size=b"\xff" * 12), "negative size"),
    "minus-size": (block(size=b"-0000000001\0"), "malformed size"),
    "negative-uid": (block(uid=b"\xff" * 8), "negative owner"),
    "huge-uid": (block(uid=b"\x80\0\0\1\0\0\0\0"), "owner"),
    "pax-huge-uid": (pax(record(b"uid", b"4294967295")) + block(), "owner"),
    "pax-negative-uid": (pax(record(b"uid", b"-1")) + block(), "malformed owner"),
    "pax-negative-size": (pax(record(b"size", b"-1")) + block(), "malformed size"),
    "pax-length": (pax(b"99 path=x\n") + block(), "malformed"),
    "pax-no-equals": (pax(b"9 pathxx\n") + block(), "malformed"),
    "pax-nul": (pax(record(b"path", b"a\0b")) + block(), "malformed 'path'"),
    "pax-empty-path": (pax(record(b"path", b"")) + block(), "malformed 'path'"),
    "pax-twice": (pax(record(b"path", b"a")) + pax(record(b"path", b"b")) + block(), "twice"),
    "pax-and-gnu": (
        pax(record(b"path", b"a")) + block(kind=b"L", size=b"%011o\0" % 2, content=b"b\0") + block(),
        "twice",
    ),
    "pax-alone": (pax(record(b"path", b"a")) + bytes(1024), "no entry"),
    "pax-last": (pax(record(b"path", b"a")), "truncated"),
    "pax-up": (pax(record(b"path", b"../a")) + block(), "'..'"),
    "pax-sparse": (pax(record(b"GNU.sparse.major", b"1")) + block(), "sparse"),
    "global-path": (pax(record(b"path", b"a"), b"g") + block(), "global header"),
    "long-link-chain": (2 * block(kind=b"L", size=b"%011o\0" % 2, content=b"b\0") + block(), "twice"),
    "huge-extended": (block(kind=b"x", size=b"77777777777\0"), "extended header has"),
    "gnu-sparse": (block(kind=b"S"), "sparse"),
    "unknown-type": (block(kind=b"Z"), "unknown type"),
    "no-name": (block(b""), "no name"),
    "file-and-folder": (block(b"a/", size=b"00000000001\0"), "a file and a directory"),
    "truncated-header": (block()[:100], "truncated"),
    "truncated-content": (block(size=b"00000001000\0")[:600], "truncated"),
    "lone-zeros": (bytes(512) + block(), "block of zeros"),
    "not-a-tar": (b"<html>" * 200, "malformed"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str) -> None:
    data, reason = BROKEN[case]
    with pytest.raises(SourceError, match="The image's layer is refused") as caught:
        filtered(data)
    assert reason in str(caught.value)


def test_end_of_archive() -> None:
    data = archive(file("f"))
    assert filtered(data + b"junk" * 1000)[0] == filtered(data)[0]
    assert filtered(b"")[0] == bytes(1024)
    assert names(filtered(data[:1024])[0]) == ["f"]


def test_comment_in_a_global_header_is_left_out() -> None:
    assert names(filtered(pax(record(b"comment", b"c"), b"g") + block(b"f"))[0]) == ["f"]


@pytest.mark.parametrize(
    ("limits", "reason"), [({"max_entries": 2}, "more than 2 entries"), ({"max_bytes": 4000}, "4000")]
)
def test_limits(limits: dict[str, int], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        filtered(archive(file("a"), file("b"), file("c")), **limits)


EVERYTHING = archive(
    folder("d"),
    file("d/f", b"x" * 1300, pax_headers={"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.x": "1"}),
    ("dev", tarfile.CHRTYPE, {}),
    file("n" * 150),
    link("h", "d/f"),
    file(".wh.gone", b""),
)


@given(piece=st.integers(min_value=1, max_value=3000))
def test_pieces_of_any_size_give_the_same(piece: int) -> None:
    assert filtered(EVERYTHING, piece=piece)[0] == filtered(EVERYTHING)[0]


@given(st.integers(min_value=0, max_value=len(EVERYTHING) - 1), st.binary(min_size=1, max_size=30))
def test_damage_never_ends_in_anything_but_a_clear_error(position: int, damage: bytes) -> None:
    try:
        filtered(EVERYTHING[:position] + damage + EVERYTHING[position + len(damage) :])
    except SystemContainerError as exc:
        assert str(exc).startswith("The image's layer is refused: ")  # noqa: PT017
