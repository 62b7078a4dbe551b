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
from unit.plugins.module_utils.archives import (
    DIRECTORY,
    FILE,
    OPAQUE,
    SYMLINK,
    Member,
    archive,
    block,
    file,
    folder,
    link,
    pax,
    record,
    symlink,
)

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    SourceError,
    StoreError,
    SystemContainerError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import LayerLimits
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tar_filter import TarFilter


def filtered(data: bytes, *, piece: int = 1 << 20, compressed: int = 0, **limits: int) -> tuple[bytes, TarFilter]:
    layer = TarFilter(compressed=compressed, limits=LayerLimits(**limits))
    out = [bytes(part) for start in range(0, len(data), piece) for part in layer.feed(data[start : start + piece])]
    return b"".join(out) + layer.close(), layer


def members(data: bytes) -> list[tuple[Any, ...]]:
    """All of an archive that a layer keeps; what PAX headers say of times is no part of it."""
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        return [
            (one.name, one.type, one.size, one.mode, one.uid, one.gid, one.linkname, content and content.read())
            for one in tar.getmembers()
            for content in [tar.extractfile(one) if one.isreg() else None]
        ]


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        return tar.getnames()


KEPT = {
    "plain": (folder("a"), file("a/f"), symlink("a/l", "/etc/passwd", mode=0o777), link("a/h", "a/f")),
    "root": (folder("."), file("./f")),
    "root-slash": (folder("/"), folder("/abs"), file("/abs/f")),
    "file-twice": (file("f"), file("f", b"newer")),
    "folder-twice": (folder("d"), file("d/f"), folder("d", mode=0o700)),
    "link-to-link": (symlink("s", "nowhere", mode=0o777), link("h", "s")),
    "link-absolute": (file("./b"), link("h", "/b")),
    "whiteouts": (folder("d"), file("d/.wh.f", b""), file(f"d/{OPAQUE}", b""), file("d/n")),
    "opaque-after-siblings": (folder("d"), file("d/n"), file(f"d/{OPAQUE}", b"")),
    "setuid": (file("su", mode=0o4755), folder("tmp", mode=0o1777)),
    "newline": (file("a\nb"),),
}
EXTENDED = {
    "unicode": (folder("ü"), file("ü/é")),
    "long": (file("n" * 200), symlink("s", "t" * 300, mode=0o777)),
    "big-uid": (file("f", uid=2**31, gid=2**31),),
    "mtime": (file("f", mtime=2**40), file("g", mtime=1.5)),
    "xattr": (file("f", pax_headers={"SCHILY.xattr.security.capability": "x"}),),
    "comment": (file("f", pax_headers={"comment": "hello", "SCHILY.acl.access": "u::rwx", "uname": "x"}),),
}


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("case", KEPT)
def test_kept_to_the_byte(case: str, layout: int) -> None:
    data = archive(*KEPT[case], layout=layout)
    result, layer = filtered(data)
    assert result == data[: len(result) - 1024] + bytes(1024)
    assert names(result) == names(data)
    assert (layer.entries, layer.dropped) == (len(KEPT[case]), 0)


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("case", EXTENDED)
def test_extended_headers_are_written_anew(case: str, layout: int) -> None:
    data = archive(*EXTENDED[case], layout=layout)
    result, _layer = filtered(data)
    assert members(result) == members(data)
    with tarfile.open(fileobj=io.BytesIO(result)) as tar:
        known = {"hdrcharset", "path", "linkpath", "uid", "gid", "SCHILY.xattr.security.capability"}
        assert {key for member in tar.getmembers() for key in member.pax_headers} <= known


DEEP = ["n" * 90, "n" * 90 + "/ü", "n" * 90 + "/ü/" + "m" * 90, "n" * 90 + "/ü/" + "m" * 90 + "/x"]


def test_implied_directories_become_entries() -> None:
    result, layer = filtered(archive(file("x/y/z"), folder("x", mode=0o700), file("x/w"), file(DEEP[-1] + "/f")))
    implied = [(name, DIRECTORY, 0, 0o755, 0, 0, "", None) for name in ("x", "x/y", *DEEP)]
    assert [one for one in members(result) if one[1] == DIRECTORY and one[3] == 0o755] == implied
    assert [one[0] for one in members(result)] == ["x", "x/y", "x/y/z", "x", "x/w", *DEEP, DEEP[-1] + "/f"]
    assert layer.implied == sorted([b"", b"x/y", *(path.encode() for path in DEEP)])


@pytest.mark.parametrize("mode", [0o777, 0o644, 0o120777, 0])
def test_symbolic_links_have_the_mode_that_linux_gives_them(mode: int) -> None:
    result, _layer = filtered(archive(symlink("s", "t", mode=mode)))
    assert members(result) == [("s", SYMLINK, 0, 0o777, 0, 0, "t", None)]


def test_xattrs_stand_in_falling_order() -> None:
    xattrs = {f"SCHILY.xattr.user.{name}": name for name in "bca"}
    result, _layer = filtered(
        pax(b"".join(record(b"SCHILY.xattr.user.z", b"1") for _twice in "ab"))
        + block(b"g")
        + archive(file("f", pax_headers=xattrs))
    )
    with tarfile.open(fileobj=io.BytesIO(result)) as tar:
        assert [list(member.pax_headers) for member in tar] == [
            ["SCHILY.xattr.user.z"],
            [f"SCHILY.xattr.user.{name}" for name in "cba"],
        ]


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
    "link-to-later": ((link("h", "later"), file("later")), "a later entry, 'later'"),
    "link-to-later-folder": ((link("h", "later"), file("later/f")), "a later entry, 'later'"),
    "link-through-symlink": ((symlink("s", "d"), file("d/f"), link("h", "s/f")), "'s' is no directory in this layer"),
    "link-through-later-symlink": ((link("h", "s/x/f"), symlink("s", "d")), "'s' is no directory in this layer"),
    "below-link-to-lower": ((link("h", "lower"), file("h/f")), "not a directory"),
    "device-over-file": ((file("f"), ("f", tarfile.CHRTYPE, {})), "comes twice"),
    "device-link-over-file": ((file("f"), ("d", tarfile.FIFOTYPE, {}), link("f", "d")), "comes twice"),
    "device-over-folder": ((folder("f"), ("f", tarfile.FIFOTYPE, {})), "comes twice"),
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
    data = archive(*members)
    with pytest.raises(SourceError, match="The image's layer is refused") as caught:
        filtered(data)
    assert reason in str(caught.value)


LOWER: dict[str, tuple[tuple[Member, ...], dict[bytes, bytes], list[str]]] = {
    "plain": ((link("d/h", "/x/./lower"), file("f")), {b"d/h": b"x/lower"}, ["d", "f"]),
    "link-to-link": ((link("h", "lower"), link("i", "h"), file("h")), {b"i": b"lower"}, ["h"]),
    "then-file": ((link("h", "lower"), file("h")), {}, ["h"]),
    "then-device": ((link("h", "lower"), ("h", tarfile.FIFOTYPE, {})), {}, [".wh.h"]),
    "after-file": ((file("h"), link("h", "lower")), {b"h": b"lower"}, ["h"]),
    "hidden-here": ((file(".wh.lower", b""), link("h", "lower")), {b"h": b"lower"}, [".wh.lower"]),
}


@pytest.mark.parametrize("case", LOWER)
def test_hard_links_to_lower_layers_are_left_out_and_listed(case: str) -> None:
    entries, links, kept = LOWER[case]
    result, layer = filtered(archive(*entries))
    assert (layer.lower_links, names(result)) == (links, kept)


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_outside_utf_8(layout: int) -> None:
    with pytest.raises(StoreError, match=r"\\xff.* is not UTF-8"):
        filtered(archive(file("\udcff"), layout=layout))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_nodes_are_dropped_and_counted(kind: bytes) -> None:
    again = (link("dev/again", "dev/n"), link("dev/more", "dev/again"))
    result, layer = filtered(archive(file("a"), ("dev/n", kind, {}), *again, file("b"), folder("dev/n")))
    assert names(result) == ["a", "dev", "dev/.wh.n", "dev/.wh.again", "dev/.wh.more", "b", "dev/n"]
    assert (layer.dropped, layer.lower_links) == (1, {})


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
        "LIBARCHIVE.xattr.user.x": "MQ",
        "SCHILY.xattr.com.apple.provenance": "1",
        "SCHILY.xattr.user.empty": "",
        "SCHILY.xattr.system.posix_acl_access": "1",
    }
    result, _layer = filtered(archive(file("f", pax_headers={**keep, **drop}), file("g", pax_headers=drop)))
    with tarfile.open(fileobj=io.BytesIO(result)) as tar:
        first, second = tar.getmembers()
        assert first.pax_headers == keep
        assert second.pax_headers == {}
        stream = tar.extractfile(first)
        assert stream is not None
        assert stream.read() == b"content"


def test_xattrs_that_a_symbolic_link_cannot_have_are_dropped() -> None:
    xattrs = {"SCHILY.xattr.security.x": "1", "SCHILY.xattr.user.x": "1"}
    result, _layer = filtered(archive(symlink("s", "t", pax_headers=xattrs)))
    with tarfile.open(fileobj=io.BytesIO(result)) as tar:
        assert tar.getmembers()[0].pax_headers == {"SCHILY.xattr.security.x": "1"}


def test_pax_size_goes_before_the_header() -> None:
    data = pax(record(b"size", b"600")) + block(b"f", content=b"x" * 600) + block(b"g") + bytes(1024)
    result, layer = filtered(data)
    assert [(one[0], one[2]) for one in members(result)] == [("f", 600), ("g", 0)]
    assert layer.entries == 2


def test_the_magic_says_whether_there_is_a_prefix() -> None:
    for magic, name in ((b"ustar\x0000", "up/f"), (b"ustarxyz", "up/f"), (b"ustar  \0", "f"), (bytes(8), "f")):
        header = bytearray(block())
        header[257:265], header[345:347] = magic, b"up"
        header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
        _result, layer = filtered(bytes(header))
        assert [path.decode() for path in layer._seen if path and layer._seen[path] == FILE] == [name]


def test_size_of_a_folder_is_not_taken_for_content() -> None:
    for header in (b"", pax(record(b"size", b"1000"))):
        result, _layer = filtered(header + block(b"d", kind=b"5", size=b"00000001000\0") + block(b"g"))
        assert names(result) == ["d", "g"]


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
    "long-chain": (pax(record(b"a", b"x" * 2**19)) + pax(record(b"a", b"x" * 2**19)) + block(), "extended header has"),
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
    ("limits", "reason"),
    [
        ({"entries": 2}, "more than 2 entries: set 'max_layer_entries' higher if that is meant"),
        ({"size": 4000}, "more than 4000 bytes: set 'max_layer_size' higher if that is meant"),
    ],
)
def test_limits(limits: dict[str, int], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        filtered(archive(file("a"), file("b"), file("c")), **limits)


def test_the_ratio_counts_above_1_gib() -> None:
    limits = LayerLimits(ratio=2)
    for compressed, most in ((0, 2**30), (2**20, 2**30), (2**30, 2**31)):
        layer = TarFilter(compressed=compressed, limits=limits)
        layer.feed(bytes(1024))
        piece = bytes(2**24)
        for _number in range(most // len(piece) - 1):
            layer.feed(piece)
        with pytest.raises(
            SourceError, match=f"{most} bytes, the limit for {compressed} comp.* 'max_layer_ratio' higher"
        ):
            layer.feed(piece)


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
