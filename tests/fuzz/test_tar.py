# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that nobody would make into the tar filter, and what it lets through into ostree."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.plugins.module_utils.archives import DIRECTORY, FILE, LINK, OPAQUE, SYMLINK, pax, record

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SystemContainerError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._layer_import import ImportedLayer
from ansible_collections.projectatomic.system_containers.plugins.module_utils._layer_tree import merge_layers
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lower_links import place_lower_links
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    Descriptor,
    LayerLimits,
    digest_of,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._ostree import Repository
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tar_filter import TarFilter
from ansible_collections.projectatomic.system_containers.plugins.module_utils._verify import find_damage

LIMITS = LayerLimits(size=2**20, entries=20)
SLOW = settings(max_examples=settings().max_examples // 20)
"""For what runs ostree."""


def header(
    name: bytes, kind: bytes, *, size: bytes, mode: bytes, uid: bytes, target: bytes, prefix: bytes, magic: bytes
) -> bytes:
    """Return a header with the right checksum."""
    block = bytearray(512)
    fields = ((0, name), (100, mode), (108, uid), (116, uid), (124, size), (136, b"%011o\0" % 0), (148, b" " * 8))
    for start, field in (*fields, (156, kind), (157, target), (257, magic), (345, prefix)):
        block[start : start + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


PARTS = [
    b"a", b"b", b"c", b"d/e", b".", b"..", b"", b".wh.a", b".wh.", b".wh..", OPAQUE.encode(), b".wh..wh.x", b"!", b"\xc3\xa9",
    b"\xff", b"n" * 60,
]  # fmt: skip
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map(b"/".join).map(lambda name: name[:100])
MAGICS = [b"ustar\x0000", b"ustar  \0", bytes(8)]
SIZES = [
    b"%011o\0" % 0,
    b"%011o\0" % 5,
    b"%011o\0" % 700,
    b"\x80" + bytes(10) + b"\x05",
    b"",
    b"\xff" * 12,
    b"7" * 12,
    b"12x",
]
OWNERS = [b"0000000\0", b"0000005\0", b"\x80\0\0\0\xff\xff\xff\xfe", b"\xff" * 8, b"x"]
MODES = [b"0000644\0", b"0004755\0", b"0001777\0", b"0100644\0", b"", b"0170000\0"]
KINDS = [b"0", b"0", b"5", b"5", b"1", b"2", b"\0", b"3", b"4", b"6", b"7", b"S", b"Z", b"L", b"K", b"x", b"g"]
KEYS = [
    b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"comment", b"GNU.sparse.major", b"SCHILY.xattr.user.a",
    b"SCHILY.xattr.user.b", b"SCHILY.xattr.trusted.c", b"SCHILY.xattr.trusted.overlay.opaque", b"SCHILY.xattr.user.ostreemeta",
    b"LIBARCHIVE.xattr.user.a", b"SCHILY.xattr.com.apple.x", b"SCHILY.acl.access", b"hdrcharset", b"SCHILY.xattr.",
]  # fmt: skip
VALUES = (
    st.sampled_from([b"a", b"../a", b"5", b"-1", b"", b"a\0b", b"x\ny", b"n" * 300, b"4294967295", b"d/e/f"]) | NAMES
)
RECORDS = st.lists(st.builds(record, st.sampled_from(KEYS), VALUES), max_size=4).map(b"".join)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """One entry, with a PAX header before it or not, and its content."""
    before = draw(st.just(b"") | st.just(b"") | RECORDS.map(pax) | RECORDS.map(lambda records: pax(records, b"g")))
    size = draw(st.sampled_from(SIZES[:2]) | st.sampled_from(SIZES))
    magic = draw(st.sampled_from(MAGICS))
    # Other formats have other things at this place, which Python would read as a prefix nevertheless.
    prefix = draw(st.just(b"") | NAMES) if magic == MAGICS[0] else b""
    block = header(
        draw(NAMES),
        draw(st.sampled_from(KINDS)),
        size=size,
        mode=draw(st.sampled_from(MODES)),
        uid=draw(st.sampled_from(OWNERS[:2]) | st.sampled_from(OWNERS)),
        target=draw(NAMES),
        prefix=prefix,
        magic=magic,
    )
    length = {SIZES[1]: 5, SIZES[2]: 700, SIZES[3]: 5}.get(size, 0)
    return before + block + draw(st.sampled_from([b"c", b"\0"])) * length + bytes(-length % 512)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Some entries, and then perhaps damage, an early end, or more after the end."""
    data = b"".join(draw(st.lists(entries(), max_size=5))) + draw(st.sampled_from([b"", bytes(512), bytes(1024)]))
    if draw(st.booleans()):
        return data
    position = draw(st.integers(0, len(data)))
    return data[:position] + draw(st.binary(max_size=20)) + data[position + draw(st.integers(0, 20)) :]


def outcome(data: bytes, pieces: Sequence[int] = (1 << 20,)) -> tuple[bytes | str, TarFilter]:
    """Filter a stream cut into pieces of these sizes, over and over; return its output, or the message of its error."""
    layer, position, out = TarFilter(compressed=len(data), limits=LIMITS), 0, []
    try:
        while position < len(data):
            for size in pieces:
                out += [bytes(part) for part in layer.feed(data[position : position + size])]
                position += size
        out.append(layer.close())
    except SystemContainerError as exc:
        assert str(exc).startswith("The image's layer is refused: ")  # noqa: PT017
        return str(exc), layer
    return b"".join(out), layer


@given(streams(), st.lists(st.integers(1, 1500), min_size=1, max_size=6))
def test_streams(data: bytes, pieces: list[int]) -> None:
    result, layer = outcome(data)
    again, _layer = outcome(data, pieces)
    assert again == result
    assert layer.entries <= LIMITS.entries + 1
    if isinstance(result, bytes):
        check_output(result)
        assert outcome(result)[0] == result


def check_output(data: bytes) -> None:
    """All that ostree gets to see is harmless, and what Python's tarfile reads is the same."""
    seen: set[str] = set()
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            name = os.path.normpath("/" + member.name).lstrip("/")
            assert ".." not in member.name.split("/")
            assert member.type in (FILE, b"\0", b"7", LINK, SYMLINK, DIRECTORY)
            assert os.path.dirname(name) in seen | {""}, "a parent is missing"
            assert not member.issym() or member.mode == 0o777
            assert not member.islnk() or os.path.normpath("/" + member.linkname).lstrip("/") in seen
            assert max(member.uid, member.gid) < 2**32 - 1
            assert "linkpath" not in member.pax_headers or member.islnk() or member.issym()
            for key in member.pax_headers:
                assert key in ("path", "linkpath", "size", "uid", "gid") or key.startswith("SCHILY.xattr.")
                assert not key.startswith(("SCHILY.xattr.trusted.overlay.", "SCHILY.xattr.user.ostreemeta"))
            seen.add(name)


@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.binary(max_size=40)), max_size=5), st.binary(max_size=30), st.data()
)
def test_pax_records(pairs: list[tuple[bytes, bytes]], junk: bytes, data: st.DataObject) -> None:
    body = bytearray(b"".join(record(key, value) for key, value in pairs))
    position = data.draw(st.integers(0, len(body)))
    body[position : position + data.draw(st.integers(0, 9))] = junk
    result, _layer = outcome(
        pax(bytes(body))
        + header(b"f", b"0", size=SIZES[0], mode=MODES[0], uid=OWNERS[0], target=b"", prefix=b"", magic=MAGICS[0])
    )
    if isinstance(result, bytes):
        check_output(result)


@st.composite
def layers(draw: st.DrawFn) -> bytes:
    """An archive with nothing wrong in its headers, of few names, so that entries meet."""
    name = st.lists(st.sampled_from(["a", "b", "c", ".wh.a", OPAQUE, "é", "!"]), min_size=1, max_size=3).map("/".join)
    xattrs = st.dictionaries(
        st.sampled_from(["user.a", "user.b", "trusted.c", "trusted.overlay.x", "com.apple.d"]), st.sampled_from(["1", "\udcff\0", ""])
    )  # fmt: skip
    target = io.BytesIO()
    layout = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    with tarfile.open(fileobj=target, mode="w", format=layout, encoding="utf-8", errors="surrogateescape") as archive:
        for _number in range(draw(st.integers(1, 6))):
            member = tarfile.TarInfo(draw(st.sampled_from(["", "./", "/"])) + draw(name))
            member.type = draw(st.sampled_from([FILE, FILE, DIRECTORY, LINK, SYMLINK, tarfile.CHRTYPE]))
            member.mode = draw(st.sampled_from([0o644, 0o4755, 0o1777, 0]))
            member.uid, member.gid = draw(st.sampled_from([(0, 0), (5, 6), (2**32 - 2, 2**31)]))
            member.linkname = draw(name) if member.type in (LINK, SYMLINK) else ""
            content = draw(st.sampled_from([b"", b"x", b"y" * 700])) if member.type == FILE else b""
            member.size = len(content)
            member.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in draw(xattrs).items()}
            archive.addfile(member, io.BytesIO(content))
        end = archive.offset
    return target.getvalue()[:end]


ACCEPTED = layers().filter(lambda data: isinstance(outcome(data)[0], bytes))


class Store:
    """A repository, and commits of layers in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = Repository(str(root / "repository"))
        self.repository.create()

    def imported(self, data: bytes) -> ImportedLayer:
        """Let a layer through the filter into a commit."""
        result, layer = outcome(data)
        assert isinstance(result, bytes)
        running = self.repository.commit_tar()
        try:
            running.write([result])
            commit = running.finish()
        finally:
            running.abort()
        links = {path.decode(): target.decode() for path, target in layer.lower_links.items()}
        digest = digest_of(data)
        return ImportedLayer(
            Descriptor("", digest, 0), digest, commit, 0, 0, [path.decode() for path in layer.implied], links
        )

    def check_out(self, commits: Sequence[str]) -> dict[str, str]:
        """Check commits out, after a look at them, and list what comes of it."""
        assert find_damage(self.repository, commits) == ()
        folder = self.root / "checkout"
        shutil.rmtree(folder, ignore_errors=True)
        self.repository.checkout(commits, str(folder))
        return {str(path.relative_to(folder)): described(path) for path in sorted(folder.rglob("*"))}


def described(path: Path) -> str:
    status = path.lstat()
    names = os.listxattr(path, follow_symlinks=False)
    values = [f"{name}={os.getxattr(path, name, follow_symlinks=False)!r}" for name in names]
    kind, what = "-", ""
    if stat.S_ISLNK(status.st_mode):
        kind, what = "l", os.readlink(path)
    elif stat.S_ISDIR(status.st_mode):
        kind = "d"
    else:
        what = path.read_text(encoding="ascii")
    return " ".join([kind, f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}", what, *values])


def expected(data: bytes) -> dict[str, str]:
    """What Python's tarfile says that an archive holds, one entry after another."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            name = os.path.normpath("/" + member.name).lstrip("/")
            parent = os.path.dirname(name)
            if not member.ischr() and not os.path.basename(name).startswith(".wh."):
                found.pop(name, None)
                if not member.islnk() or os.path.normpath("/" + member.linkname).lstrip("/") in found:
                    found[name] = entry_of(member, archive, found)
            while parent:
                found.setdefault(parent, "d 0755 0:0 ")
                parent = os.path.dirname(parent)
    return found


def entry_of(member: tarfile.TarInfo, archive: tarfile.TarFile, found: dict[str, str]) -> str:
    if member.islnk():
        return found[os.path.normpath("/" + member.linkname).lstrip("/")]
    kind, mode, what = "d", member.mode, ""
    if member.issym():
        kind, mode, what = "l", 0o777, member.linkname
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        kind, what = "-", content.read().decode("ascii")
    values = []
    for key, value in sorted(member.pax_headers.items()):
        name = key.removeprefix("SCHILY.xattr.")
        wanted = ("trusted.c",) if member.issym() else ("trusted.c", "user.a", "user.b")
        if name in wanted and value:
            values.append(f"{name}={value.encode('utf-8', 'surrogateescape')!r}")
    return " ".join([kind, f"{mode:04o} {member.uid}:{member.gid}", what, *values])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@SLOW
@given(data=ACCEPTED)
def test_a_layer_is_what_tarfile_reads(store: Store, data: bytes) -> None:
    layer = store.imported(data)
    assume(not layer.lower_links)
    assert store.check_out([layer.commit]) == expected(data)


@SLOW
@given(archives=st.lists(ACCEPTED, min_size=2, max_size=3))
def test_layers_are_what_the_reader_merges(store: Store, archives: list[bytes]) -> None:
    """A checkout by ostree and the reading of an image without one agree on what layers show together."""
    imported = [store.imported(data) for data in archives]
    order = [(layer.descriptor, layer.diff_id) for layer in imported]
    try:
        placed = place_lower_links(store.repository, order, imported, shared={})
        by_diff_id = {layer.diff_id: layer.commit for layer in placed}
        commits = [by_diff_id[diff_id] for _descriptor, diff_id in order]
        found = store.check_out(commits)
    except SystemContainerError:
        return  # a hard link to what no lower layer has, or files below what a lower layer has as a link
    merged = merge_layers([store.repository.ls(commit, "/", recursive=True) or [] for commit in commits])
    assert {path.lstrip("/") for path in merged} - {""} == set(found)
    for path, placed_entry in merged.items():
        if path != "/":
            assert found[path[1:]].startswith(placed_entry.entry.type)
        visible = store.repository.find_visible(commits, path)
        assert visible is not None
