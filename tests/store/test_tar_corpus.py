# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Odd and hostile archives as layers, pulled by skopeo and ostree themselves: what is kept is right, the rest refused.

Whatever happens, nothing outside of the checkout changes, the repository is sound, and what is refused has no ref.
"""

from __future__ import annotations

import gzip
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from typing import Any

import pytest
from lab.image_builder import (
    build_image,
)
from store.place import CAPABILITY, Place, make_image, place, xattrs
from store.pulling import converge
from unit.plugins.module_utils.archives import OPAQUE, archive, block, file, folder, link, pax, record, symlink

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    SourceError,
    StoreError,
    SystemContainerError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import digest_of

__all__ = ["place"]


def special(name: str, kind: bytes) -> tuple[str, bytes, dict[str, Any]]:
    return name, kind, {"mode": 0o666, "devmajor": 1, "devminor": 3}


LOWER = archive(folder("d"), file("d/f", b"low"), file("f", b"low"), symlink("s", "../canary"))
FOLDER = {"d": "d 0755", "d/f": "- 0644 low"}
SOCKET = archive(file("run/s", b"", mode=0o140644, pax_headers={"SCHILY.filetype": "socket"}))
LONG = "/".join(["n" * 255] * 10)
COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"
"""One letter, written in two ways: as names these are two."""

ROOT_ONLY = bytes.fromhex("01000003" + "00040000" + "00000000" * 4)
"""CAPABILITY as some builders write it, with the root user of the namespace: 0."""

KEPT: dict[str, tuple[Sequence[bytes], dict[str, str]]] = {
    "decomposed names": (
        [archive(folder(DECOMPOSED), file(f"{DECOMPOSED}/f", b"1"), file(f"{COMPOSED}/f", b"2"), symlink("s", f"{DECOMPOSED}/f"))],
        {DECOMPOSED: "d 0755", f"{DECOMPOSED}/f": "- 0644 1", COMPOSED: "d 0755", f"{COMPOSED}/f": "- 0644 2", "s": f"l {DECOMPOSED}/f"},
    ),
    "a whiteout of a decomposed name": (
        [archive(file(DECOMPOSED), file(COMPOSED, b"x"), layout=tarfile.GNU_FORMAT), archive(file(f".wh.{DECOMPOSED}", b""))],
        {COMPOSED: "- 0644 x"},
    ),
    "a hard link to a decomposed name of a lower layer": (
        [archive(file(DECOMPOSED, b"x"), symlink("s", DECOMPOSED)), archive(link(f"h{DECOMPOSED}", DECOMPOSED), link("t", "s"))],
        {DECOMPOSED: "- 0644 x", f"h{DECOMPOSED}": "- 0644 x", "s": f"l {DECOMPOSED}", "t": f"l {DECOMPOSED}"},
    ),
    "hard links to hard links": (
        [archive(file("f", b"x"), link("g", "f"), link("h", "./g"), link("a", "h"), link("e", "g"))],
        dict.fromkeys("aefgh", "- 0644 x"),
    ),
    "a device and a fifo over what a lower layer has": (
        [LOWER, archive(special("d", tarfile.FIFOTYPE), special("f", tarfile.CHRTYPE), link("s", "f"))],
        {},
    ),
    "a file in place of a fifo": ([LOWER, archive(special("f", tarfile.FIFOTYPE), file("f", b"x"))], {**FOLDER, "f": "- 0644 x", "s": "l ../canary"}),
    "a file capability with the root user 0": (
        [archive(file("f", b"x", pax_headers={"SCHILY.xattr.security.capability": ROOT_ONLY.decode()}))],
        {"f": f"- 0644 x security.capability={CAPABILITY.hex()}"},
    ),
    "a directory of root beside an implied one": (
        [archive(folder("t", mode=0o1777, uid=7), file("t/f", b"x")), archive(folder("t"), file("x/y", b"x"))],
        {"t": "d 0755", "t/f": "- 0644 x", "x": "d 0755", "x/y": "- 0644 x"},
    ),
    "a directory over a link beside an implied one": (
        [LOWER, archive(folder("s"), file("s/file", b"new"), file("x/y", b"x"))],
        {**FOLDER, "f": "- 0644 low", "s": "d 0755", "s/file": "- 0644 new", "x": "d 0755", "x/y": "- 0644 x"},
    ),
    "absolute path": ([archive(file("/abs/f", b"x"))], {"abs": "d 0755", "abs/f": "- 0644 x"}),
    "entry .": ([archive(folder("."), file("./a/./f", b"x"))], {"a": "d 0755", "a/f": "- 0644 x"}),
    "entry /": ([archive(folder("/"), file("//a//f", b"x"))], {"a": "d 0755", "a/f": "- 0644 x"}),
    "hard link": ([archive(file("f", b"x", mode=0o4755, uid=7), link("h", "./f"))], {"f": "- 4755 7:0 x", "h": "- 4755 7:0 x"}),
    "absolute hard link": ([archive(file("f", b"x"), link("h", "/f"))], {"f": "- 0644 x", "h": "- 0644 x"}),
    "hard link to a symbolic link": ([archive(symlink("s", "../canary/file"), link("h", "s"))], {"s": "l ../canary/file", "h": "l ../canary/file"}),
    "file over a directory of a lower layer": ([LOWER, archive(file("d", b"new"))], {"d": "- 0644 new", "f": "- 0644 low", "s": "l ../canary"}),
    "directory over a file of a lower layer": (
        [LOWER, archive(folder("f", mode=0o700), file("f/g", b"new"))],
        {"d": "d 0755", "d/f": "- 0644 low", "f": "d 0700", "f/g": "- 0644 new", "s": "l ../canary"},
    ),
    "directory over a link of a lower layer": (
        [LOWER, archive(folder("s"), file("s/file", b"new"))],
        {**FOLDER, "f": "- 0644 low", "s": "d 0755", "s/file": "- 0644 new"},
    ),
    "file over a link of a lower layer": (
        [archive(symlink("s", "../canary/file")), archive(file("s", b"new"))],
        {"s": "- 0644 new"},
    ),
    "duplicates": (
        [archive(
            folder("d"), file("d/f", b"old"), folder("d", mode=0o700), file("d/f", b"new", mode=0o600),
            symlink("s", "1"), symlink("s", "2"), file("d/f", b"newest"), file("s", b"file"),
        )],
        {"d": "d 0700", "d/f": "- 0644 newest", "s": "- 0644 file"},
    ),
    "whiteout of nothing": ([LOWER, archive(file(".wh.gone", b""), file("n/.wh.gone", b""))], {**FOLDER, "f": "- 0644 low", "s": "l ../canary", "n": "d 0755"}),
    "whiteout of a link": ([LOWER, archive(file(".wh.s", b""))], {"d": "d 0755", "d/f": "- 0644 low", "f": "- 0644 low"}),
    "whiteout of a directory": ([LOWER, archive(file(".wh.d", b"content"))], {"f": "- 0644 low", "s": "l ../canary"}),
    "whiteout and the name again": (
        [LOWER, archive(file("f", b"new"), file(".wh.f", b""), file(".wh.d", b""), file("d/g", b"new"))],
        {"d": "d 0755", "d/g": "- 0644 new", "f": "- 0644 new", "s": "l ../canary"},
    ),
    "whiteout below a directory over a link": ([LOWER, archive(folder("s"), file("s/.wh.file", b""))], {**FOLDER, "f": "- 0644 low", "s": "d 0755"}),
    "opaque after siblings": (
        [LOWER, archive(folder("d"), file("d/new", b"new"), file(f"d/{OPAQUE}", b""))],
        {"d": "d 0755", "d/new": "- 0644 new", "f": "- 0644 low", "s": "l ../canary"},
    ),
    "opaque root": ([LOWER, archive(file("new", b"new"), file(OPAQUE, b""))], {"new": "- 0644 new"}),
    "sockets": ([SOCKET], {"run": "d 0755", "run/s": "- 0644 "}),
    "setuid, setgid, sticky": (
        [archive(file("su", b"", mode=0o4755, uid=1), file("sg", b"", mode=0o2755, gid=2), folder("tmp", mode=0o1777), folder("g", mode=0o2775, uid=3, gid=4))],
        {"g": "d 2775 3:4", "sg": "- 2755 0:2 ", "su": "- 4755 1:0 ", "tmp": "d 1777"},
    ),
    "xattrs": (
        [archive(
            file("f", b"", mode=0o755, **xattrs(
                user_b=b"2", security_capability=CAPABILITY, trusted_overlay_opaque=b"y", user_a=b"\xff",
                user_ostreemeta=b"z", user_overlay_x=b"q", user_empty=b"", com_apple_x=b"m",
            )),
            folder("d", **xattrs(trusted_x=b"1", user_x=b"2", trusted_overlay_opaque=b"y")),
            symlink("s", "f", **xattrs(trusted_x=b"1", user_x=b"2")),
        )],
        {
            "d": "d 0755 trusted.x=31 user.x=32",
            "f": f"- 0755  security.capability={CAPABILITY.hex()} user.a=ff user.b=32",
            "s": "l f trusted.x=31",
        },
    ),
    "mode of a symbolic link": ([archive(symlink("s", "é", mode=0o644))], {"s": "l é"}),
    "huge uid": ([archive(file("f", b"", uid=2**32 - 2, gid=2**31))], {"f": f"- 0644 {2**32 - 2}:{2**31} "}),
    "huge mtime": ([archive(file("f", b"", mtime=2**62), file("g", b"", mtime=-(2.5**30)))], {"f": "- 0644 ", "g": "- 0644 "}),
    "newline in a name": ([archive(file("a\nb", b"x"), symlink("s\n", "\n"))], {"a\nb": "- 0644 x", "s\n": "l \n"}),
    "names that are not ASCII": ([archive(file("ü/é", b"x"), link("ö", "ü/é"))], {"ö": "- 0644 x", "ü": "d 0755", "ü/é": "- 0644 x"}),
    "long names": (
        [archive(file(LONG, b"x"), symlink("s", "t" * 4095))],
        {**{LONG[: 256 * depth - 1]: "d 0755" for depth in range(1, 10)}, LONG: "- 0644 x", "s": "l " + "t" * 4095},
    ),
    "long names of GNU": (
        [archive(file(LONG, b"x"), link("h", LONG), layout=tarfile.GNU_FORMAT)],
        {**{LONG[: 256 * depth - 1]: "d 0755" for depth in range(1, 10)}, LONG: "- 0644 x", "h": "- 0644 x"},
    ),
    "PAX size override": (
        [pax(record(b"size", b"5")) + block(b"f", size=b"00000000600\0", content=b"short") + block(b"g")],
        {"f": "- 0644 short", "g": "- 0644 "},
    ),
    "a comment for all": ([pax(record(b"comment", b"c"), b"g") + block(b"f")], {"f": "- 0644 "}),
    "no end": ([block(b"f")], {"f": "- 0644 "}),
    "no entries": ([bytes(1024)], {}),
    "no bytes": ([b""], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", KEPT)
def test_kept(place: Place, case: str) -> None:
    layers, expected = KEPT[case]
    found = place.check_out(place.pull(*layers))
    assert found == expected


def test_devices_fifos(place: Place) -> None:
    kinds = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    nodes = [special(f"dev/{number}", kind) for number, kind in enumerate(kinds)]
    outcome = place.pull(archive(folder("dev"), *nodes, link("dev/again", "dev/0"), file("f", b"x")))
    assert outcome.result is not None
    assert outcome.result.dropped == 3
    assert place.check_out(outcome) == {"dev": "d 0755", "f": "- 0644 x"}


def test_the_root_keeps_its_mode_and_owner(place: Place) -> None:
    """Also where directories are only implied: ostree would give those above them another mode and owner."""
    assert place.check_out(
        place.pull(
            archive(folder("/", mode=0o1711, uid=5, gid=6), folder("a", mode=0o1777, uid=7), file("a/b/c/f", b"x"))
        )
    ) == {"a": "d 1777 7:0", "a/b": "d 0755", "a/b/c": "d 0755", "a/b/c/f": "- 0644 x"}
    status = place.checkout.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o1711, 5, 6)


def test_a_layer_without_an_entry_for_the_root_directory(place: Place) -> None:
    """It says nothing of it, and what ostree makes up does not count."""
    place.check_out(place.pull(archive(folder("/", mode=0o700), file("a")), archive(file("b"), folder("c"))))
    assert stat.S_IMODE(place.checkout.stat().st_mode) == 0o700


REFUSED: dict[str, tuple[Sequence[bytes], str]] = {
    "a dot file beside its own whiteout": ([archive(file(".f"), file(".wh..f", b""))], "'.wh..f' stands beside '.f'"),
    "a dot file after its own whiteout": ([archive(file("d/.wh..a", b""), file("d/.a"))], "'d/.a' stands beside"),
    "a dot file in place of a fifo": ([archive(special(".f", tarfile.FIFOTYPE), file(".f"))], "'.f' stands beside"),
    "too deep": ([archive(file("a/" * 500 + "f"))], "too long, or has too many directories"),
    "..": ([archive(file("../canary/file"))], "has '..' in its path"),
    "a/../../b": ([archive(file("a/../../canary/file"))], "has '..' in its path"),
    "symlink /.": ([archive(symlink("/.", "/etc"))], "in place of the root directory"),
    "symlink .": ([archive(symlink(".", "../canary"), file("f"))], "in place of the root directory"),
    "hard link .": ([archive(file("f"), link(".", "f"))], "in place of the root directory"),
    "symlink parent then a file through it": (
        [archive(symlink("s", "../canary"), file("s/file"))],
        "'s/file' stands below 's', which is not a directory",
    ),
    "hard link through a symlink": (
        [archive(symlink("s", "../canary"), link("h", "s/file"))],
        "'h' is a hard link to 's/file', and 's' is no directory in this layer",
    ),
    "hard link below a symlink": (
        [archive(symlink("s", "../canary"), file("f"), link("s/h", "f"))],
        "stands below 's'",
    ),
    "hard link through a symlink of a lower layer": (
        [LOWER, archive(link("h", "s/file"))],
        "'h' is a hard link to 's/file': '/s' in the image is a symbolic link",
    ),
    "hard link to outside": ([archive(link("h", "../canary/file"))], "has '..' in its path"),
    "absolute hard link to outside": (
        [archive(link("h", "/etc/passwd"))],
        "'h' is a hard link to 'etc/passwd': neither this layer holds it before the link, nor do the layers below",
    ),
    "hard link to a later entry": (
        [archive(file("f")), archive(link("h", "f"), file("f"))],
        "'h' is a hard link to a later entry, 'f'",
    ),
    "hard link to itself": ([archive(link("h", "./h"))], "'h' is a hard link to itself"),
    "hard link to a directory": ([archive(folder("d"), link("h", "d"))], "a hard link to a directory"),
    "hard link to a directory of a lower layer": ([LOWER, archive(link("h", "d"))], "that is a directory"),
    "hard link to what a layer hides": (
        [LOWER, archive(file("d/.wh.f", b"")), archive(link("h", "d/f"))],
        "nor do the layers below",
    ),
    "hard link to what an opaque directory hides": (
        [LOWER, archive(folder("d"), file(f"d/{OPAQUE}", b"")), archive(link("h", "d/f"))],
        "nor do the layers below",
    ),
    "hard link to what a file replaces": ([LOWER, archive(file("d")), archive(link("h", "d/f"))], "nor do the layers"),
    "hard link to a higher layer": ([archive(link("h", "f")), archive(file("f"))], "nor do the layers below"),
    "file over directory": ([archive(folder("d"), file("d/f"), file("d"))], "'d' comes twice"),
    "directory over file": ([archive(file("d"), folder("d"))], "'d' comes twice"),
    "directory over link": ([archive(symlink("d", "../canary"), folder("d"), file("d/file"))], "'d' comes twice"),
    "device over file": ([archive(file("f"), special("f", tarfile.CHRTYPE))], "'f' comes twice"),
    ".wh. alone": ([archive(folder("d"), file("d/.wh.", b""))], "a whiteout of nothing"),
    ".wh..": ([archive(folder("d"), file("d/.wh..", b""))], "a whiteout of nothing"),
    ".wh...": ([archive(folder("d"), file("d/.wh...", b""))], "a whiteout of nothing"),
    "whiteout through a link parent": (
        [archive(symlink("s", "../canary"), file("s/.wh.file", b""))],
        "'s/.wh.file' stands below 's'",
    ),
    "opaque through a link parent": (
        [archive(symlink("s", "../canary"), file(f"s/{OPAQUE}", b""))],
        "stands below 's'",
    ),
    "negative uid": ([block(uid=b"\xff" * 8)], "negative owner"),
    "too huge uid": ([archive(file("f", uid=2**32 - 1))], "which Linux does not know"),
    "malformed uid": ([block(uid=b"12x4567\0")], "malformed owner"),
    "non-UTF-8": ([archive(file("\udcff"))], r"\\xff.* is not UTF-8"),
    "non-UTF-8 target": ([archive(symlink("s", "\udcff"))], r"\\xff.* is not UTF-8"),
    "over-long component": ([archive(file("n" * 256))], "is too long"),
    "over-long name": ([archive(file("/".join(["n" * 255] * 17)))], "is too long"),
    "over-long target": ([archive(symlink("s", "t" * 4096))], "malformed target"),
    "PAX size that is too large": ([pax(record(b"size", b"5000")) + block(content=b"x" * 600)], "truncated"),
    "PAX size that is negative": ([pax(record(b"size", b"-1")) + block()], "malformed size"),
    "PAX path for all": ([pax(record(b"path", b"../f"), b"g") + block()], "a global header changes all"),
    "PAX path up": ([pax(record(b"path", b"../canary/file")) + block()], "has '..' in its path"),
    "GNU sparse": ([block(kind=b"S")], "a GNU sparse file"),
    "PAX sparse": ([pax(record(b"GNU.sparse.realsize", b"99999999999")) + block()], "a sparse file"),
    "long-link chain": ([2 * block(kind=b"L", size=b"%011o\0" % 2, content=b"b\0") + block()], "twice for one entry"),
    "long-link of 1 GiB": ([block(kind=b"L", size=b"10000000000\0")], "an extended header has 1073741824 bytes"),
    "truncated tar": ([archive(file("f", b"x" * 5000))[:3000]], "truncated"),
    "not a tar": ([b"<html>" * 1000], "malformed|checksum"),
    "another checksum": ([block(checksum=b"000001\0 ")], "checksum of a tar header is wrong"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(place: Place, case: str) -> None:
    layers, reason = REFUSED[case]
    with pytest.raises(SystemContainerError, match=rf"^('oci:[^']*': )?The image's layer is refused: .*(?:{reason})"):
        place.pull(*layers)
    place.assert_nothing_stored()


@pytest.mark.parametrize("name", ["s/.wh.file", f"s/{OPAQUE}", "s/file"])
def test_through_a_link_of_a_lower_layer(place: Place, name: str) -> None:
    """The layer has no directory of that name, so another tool would follow the link; this one never does."""
    outcome = place.pull(LOWER, archive(file(name, b"")))
    if name.endswith(OPAQUE):
        assert place.check_out(outcome)["s"] == "d 0755"
        return
    with pytest.raises(StoreError, match="below '/s', which is a symbolic link in a lower layer"):
        place.check_out(outcome)


def zstd(data: bytes, *options: str) -> bytes:
    return subprocess.run(["zstd", "-qc", *options], input=data, capture_output=True, check=True).stdout


GZIPPED = gzip.compress(archive(file("f", b"x")), 1)


@pytest.mark.parametrize(
    ("blob", "unpacked"),
    [
        pytest.param(gzip.compress(LOWER[:700]) + gzip.compress(LOWER[700:]), LOWER, id="several members"),
        pytest.param(gzip.compress(LOWER) + gzip.compress(b""), LOWER, id="an empty member"),
        pytest.param(gzip.compress(LOWER) + b"trailing junk" * 100, LOWER, id="trailing junk"),
        pytest.param(gzip.compress(LOWER) + bytes(1000), LOWER, id="trailing zeros"),
        pytest.param(gzip.compress(LOWER)[:-8], LOWER, id="without its own checksum"),
        pytest.param(gzip.compress(LOWER + b"junk" * 500), LOWER + b"junk" * 500, id="junk after the archive"),
        pytest.param(LOWER, LOWER, id="not compressed"),
        pytest.param(b"\x5a\x2a\x4d\x18\x03\0\0\0abc" + zstd(LOWER), LOWER, id="zstd after a frame to skip"),
        pytest.param(zstd(LOWER, "--long=29"), LOWER, id="zstd with a large window"),
    ],
)
def test_streams_that_unpack_to_the_diff_id(place: Place, blob: bytes, unpacked: bytes) -> None:
    found = place.check_out(place.pull((blob, unpacked)))
    assert found == {**FOLDER, "f": "- 0644 low", "s": "l ../canary"}


@pytest.mark.parametrize(
    ("blob", "unpacked", "reason"),
    [
        pytest.param(gzip.compress(LOWER)[:-30], LOWER, "truncated|does not unpack", id="truncated stream"),
        pytest.param(gzip.compress(LOWER)[:60], LOWER, "truncated|does not unpack", id="truncated early"),
        pytest.param(b"", LOWER, "does not unpack to what its config says", id="empty"),
        pytest.param(b"\x1f\x8b" + b"junk" * 100, LOWER, "does not unpack", id="not gzip"),
        pytest.param(gzip.compress(LOWER), LOWER + b"\0", "does not unpack", id="right blob digest with wrong diff ID"),
    ],
)  # fmt: skip
def test_streams_that_do_not(place: Place, blob: bytes, unpacked: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        place.pull((blob, unpacked))
    place.assert_nothing_stored()


def zeros(mebibytes: int) -> bytes:
    """Return as many zeros as gzip streams of 16 MiB each."""
    return gzip.compress(bytes(2**24), 9) * (mebibytes // 16)


BOMB = gzip.compress(block(b"f", size=b"%011o\0" % (2**26)), 1) + zeros(64)


@pytest.mark.parametrize(
    ("blob", "limits", "reason"),
    [
        pytest.param(BOMB, {"max_layer_size": 2**20}, "1048576 bytes: set 'max_layer_size' higher", id="size"),
        pytest.param(
            gzip.compress(block() + block(b"g")), {"max_layer_entries": 1}, "1 entries: set 'max_layer_entries'", id="entries"
        ),
        pytest.param(
            gzip.compress(block() + bytes(1024)) + zeros(1040),
            {"max_layer_ratio": 10},
            rf"{2**30} bytes, the limit for \d+ compressed ones: set 'max_layer_ratio' higher if that is meant",
            id="ratio",
        ),
    ],
)  # fmt: skip
def test_bombs(place: Place, blob: bytes, limits: dict[str, Any], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        place.pull((blob, b""), **limits)
    place.assert_nothing_stored()


@pytest.mark.parametrize("lie", [-5, 5, 2**40])
def test_a_manifest_whose_size_lies(place: Place, lie: int) -> None:
    make_image(place.layout, [(GZIPPED, archive(file("f", b"x")))], lie=lie)
    with pytest.raises(SystemContainerError, match=r"bytes|size|does not fit|limit"):
        converge(place.repository, source=f"oci:{place.layout}:1")
    place.assert_nothing_stored()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_config_with_another_number_of_diff_ids(place: Place, count: int) -> None:
    blobs = [(GZIPPED, b""), (gzip.compress(LOWER), b"")]
    make_image(place.layout, blobs, diff_ids=[digest_of(LOWER)] * count)
    with pytest.raises(SourceError, match=f"lists {count} diff IDs for 2 layers"):
        converge(place.repository, source=f"oci:{place.layout}:1")
    place.assert_nothing_stored()


def test_a_layer_that_was_changed(place: Place) -> None:
    image = build_image(place.layout, layers=[LOWER], tag="1")
    path = place.layout / "blobs/sha256" / image.layers[0].digest.partition(":")[2]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # of gzip's own checksum: what it unpacks to stays the same
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"corrupted|digest"):
        converge(place.repository, source=image.reference)
    place.assert_nothing_stored()


def test_1000_layers(place: Place) -> None:
    layers = [archive(file(name, name.encode())) for name in ("a", "b", ".wh.a", "c")]
    outcome = place.pull(*layers * 250)
    assert place.check_out(outcome) == {"b": "- 0644 b", "c": "- 0644 c"}
    assert outcome.stored is not None
    assert "docker.manifest" not in place.repository.metadata(outcome.stored.commit), "it is too large for an argument"


def test_1001_layers(place: Place) -> None:
    with pytest.raises(SourceError, match="1001 layers, more than 1000"):
        place.pull(*[GZIPPED] * 1001)
    assert not place.repository.exists()


def test_a_manifest_of_10_mb(place: Place) -> None:
    make_image(place.layout, [(GZIPPED, b"")], padding=10_000_000)
    with pytest.raises(SourceError, match=r"manifest.*(4194304|4 MiB|exceed|large|too big)"):
        converge(place.repository, source=f"oci:{place.layout}:1")
    assert not place.repository.exists()
