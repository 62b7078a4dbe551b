# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json: what is refused, which bind sources it has, and the default from an image's own configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from unit.plugins.module_utils.builders import json_values, spec

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import ImageConfig
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runtime_spec import (
    bind_sources,
    default_runtime_spec,
    image_user,
    parse_runtime_spec,
)

JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1.5,
    "",
    "text",
    [],
    [1],
    ["x"],
    {},
    {"a": 1},
    [None],
    [[]],
    [{}],
    {"": None},
]


def parse(value: Any) -> dict[str, Any]:
    return parse_runtime_spec(json.dumps(value), file="config.json")


@pytest.mark.parametrize(
    "value",
    [
        spec(),
        spec(mounts=[]),
        spec(mounts=None),
        spec(mounts=[{"destination": "/a"}]),
        spec(mounts=[{"destination": "/a", "source": "/b", "type": "bind", "options": ["ro"]}]),
        spec(unknown={"kept": [1]}),
        spec(process={"args": ["a", "b"], "cwd": "/"}),
    ],
)
def test_accepted(value: dict[str, Any]) -> None:
    assert parse(value) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (spec(root={"path": "rootfs"}), "root.readonly is not true"),
        (spec(root={"path": "rootfs", "readonly": False}), "root.readonly is not true"),
        (spec(root={"path": "rootfs", "readonly": "true"}), "root.readonly is not true"),
        (spec(root={"path": "rootfs", "readonly": 1}), "root.readonly is not true"),
        (spec(root=None), "root.readonly is not true"),
        ({"process": {"args": ["x"]}}, "root.readonly is not true"),
        (spec(root={"readonly": True}), "root.path is not 'rootfs'"),
        (spec(root={"path": "/", "readonly": True}), "root.path is not 'rootfs'"),
        (spec(root={"path": "rootfs/..", "readonly": True}), "root.path is not 'rootfs'"),
        (spec(root={"path": "./rootfs", "readonly": True}), "root.path is not 'rootfs'"),
        (spec(process=None), "process is missing"),
        (spec(process={}), "process.args"),
        (spec(process={"args": []}), "process.args"),
        (spec(process={"args": "sh"}), "process.args"),
        (spec(process={"args": {"0": "sh"}}), "process.args"),
        (spec(mounts={}), "mounts is not a list"),
        (spec(mounts="x"), "mounts is not a list"),
        (spec(process={"args": ["x"], "env": "A=b"}), "process.env is not a list of texts"),
        (spec(process={"args": ["x"], "env": [1]}), "process.env is not a list of texts"),
        (spec(linux=5), "linux is not an object"),
        (spec(linux={"namespaces": 5}), "linux.namespaces is not a list"),
        (spec(linux={"namespaces": True}), "linux.namespaces is not a list"),
        (spec(linux={"namespaces": {"type": "user"}}), "linux.namespaces is not a list"),
        (
            spec(linux={"namespaces": [{"type": "pid"}, "user"]}),
            r"linux.namespaces\[1\] is not an object with a 'type'",
        ),
        (spec(linux={"namespaces": [{"type": 5}]}), r"linux.namespaces\[0\] is not an object with a 'type'"),
        (spec(mounts=["x"]), r"mounts\[0\] is not an object"),
        (spec(mounts=[{}]), "no absolute destination"),
        (spec(mounts=[{"destination": "dev"}]), "no absolute destination"),
        (spec(mounts=[{"destination": ""}]), "no absolute destination"),
        (spec(mounts=[{"destination": 5}]), "no absolute destination"),
        ([], "not a JSON object"),
        ("x", "not a JSON object"),
        (None, "not a JSON object"),
    ],
)
def test_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        parse(value)
    assert str(caught.value).startswith("config.json: ")


@pytest.mark.parametrize(
    ("mount", "named"),
    [
        ({"destination": "data"}, "mounts[1], on 'data', has no absolute destination"),
        ({"destination": "/a/../b"}, "mounts[1], on '/a/../b', has a destination with '..'"),
        ({"destination": None}, "mounts[1] has no absolute destination"),
        ({"destination": "/a", "source": 5}, "mounts[1], on '/a', has a source that is not text"),
        ({"destination": "/a", "options": "rw"}, "mounts[1], on '/a', has options that are not a list of texts"),
    ],
)
def test_a_mount_is_named_and_not_quoted(mount: dict[str, Any], named: str) -> None:
    """A part of it would be a part of a secret, which is hidden as a whole only."""
    secret = "S3cret" * 40
    with pytest.raises(InvalidInputError) as caught:
        parse(spec(mounts=[{"destination": "/ok"}, {"type": "cifs", "options": [f"password={secret}"], **mount}]))
    assert str(caught.value).startswith(f"config.json: {named}")
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "nope", "{'a': 1}", '{"a": 1,}', '{"a": 1} x', "// x\n{}", "\ufeff{}"])
def test_not_json(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"config\.json: not JSON"):
        parse_runtime_spec(text, file="config.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_nested_too_deep(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_runtime_spec(text, file="config.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have(number: str) -> None:
    text = json.dumps(spec(x=0)).replace('"x": 0', f'"x": {number}')
    with pytest.raises(InvalidInputError):
        parse_runtime_spec(text, file="config.json")


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param('"Root": {"readonly": false}', id="root"),
        pytest.param('"ROOT": {"path": "/"}', id="path of root"),
        pytest.param('"Process": {"args": ["/evil"]}', id="process"),
        pytest.param('"Linux": {"namespaces": [{"type": "user"}]}', id="linux"),
        pytest.param('"Mounts": [{"destination": "/a", "source": "/", "type": "bind"}]', id="mounts"),
        pytest.param('"mount\u017f": []', id="mounts with a long s"),
    ],
)
def test_runc_does_not_tell_upper_from_lower_case(extra: str) -> None:
    """Go's JSON decoder takes 'Root' for 'root', and the last one wins: the check above would see another file."""
    text = json.dumps(spec(mounts=[]))
    with pytest.raises(InvalidInputError):
        parse_runtime_spec(f"{text[:-1]}, {extra}}}", file="config.json")


@pytest.mark.parametrize("extra", ['"READONLY": false', '"Path": "/"'])
def test_upper_case_inside_root(extra: str) -> None:
    text = json.dumps(spec()).replace('"path": "rootfs"', f'"path": "rootfs", {extra}')
    with pytest.raises(InvalidInputError):
        parse_runtime_spec(text, file="config.json")


@pytest.mark.parametrize("cwd", ["/proc/self/fd/7", "/proc/self/fd/7/../../..", "/proc//self/fd/8", "/proc/1/fd/7"])
def test_working_directory_in_the_runtime(cwd: str) -> None:
    """TRAPS 40 (CVE-2024-21626)."""
    with pytest.raises(InvalidInputError, match="cwd"):
        parse(spec(process={"args": ["x"], "cwd": cwd}))


def both(value: Any) -> None:
    """Parse and look for bind sources; only InvalidInputError may come out."""
    try:
        checked = parse_runtime_spec(json.dumps(value), file="config.json")
        sources = bind_sources(checked)
    except InvalidInputError:
        return
    assert all(isinstance(text, str) and text.startswith("/") for pair in sources for text in pair)


@pytest.mark.parametrize("junk", JUNK)
def test_junk_of_every_type_at_every_place(junk: Any) -> None:
    both(junk)
    for key in ("root", "process", "mounts", "hooks", "linux"):
        both(spec(**{key: junk}))
        both(spec(mounts=[{"destination": "/a", "source": "/b", "type": "bind", key: junk}]))
    for key in ("path", "readonly"):
        both(spec(root={"path": "rootfs", "readonly": True, key: junk}))
    for key in ("args", "cwd", "user"):
        both(spec(process={"args": ["x"], key: junk}))


@pytest.mark.parametrize("key", ["destination", "source", "type", "options"])
@pytest.mark.parametrize("junk", JUNK)
def test_junk_in_a_mount(key: str, junk: Any) -> None:
    both(spec(mounts=[{"destination": "/a", "source": "/b", "type": "bind", key: junk}]))
    both(spec(mounts=[{"destination": "/a", "source": "/b", key: junk}]))
    both(spec(mounts=[junk]))


@given(json_values)
def test_any_json(value: Any) -> None:
    both(value)
    both(spec(mounts=value))
    both(spec(mounts=[value]))
    both(spec(mounts=[{"destination": "/a", "source": value, "options": value}]))
    both(spec(process=value))
    both(spec(root=value))


def bind(source: str, destination: str = "/in", **more: Any) -> dict[str, Any]:
    return {"source": source, "destination": destination, "type": "bind", **more}


@pytest.mark.parametrize(
    ("mounts", "sources"),
    [
        (None, []),
        ([], []),
        ([bind("/a")], [("/a", "/in")]),
        ([bind("/b", "/2"), bind("/a", "/1")], [("/b", "/2"), ("/a", "/1")]),
        ([bind("/a", "/1"), bind("/a", "/2")], [("/a", "/1")]),
        ([bind("/a", type="none", options=["rbind", "ro"])], [("/a", "/in")]),
        ([bind("/a", type="none", options=["bind"])], [("/a", "/in")]),
        ([bind("/a", options=None)], [("/a", "/in")]),
        ([bind("/a", type="ext4", options=["ro"])], []),
        ([bind("relative")], []),
        ([bind("")], []),
        ([{"destination": "/proc", "type": "proc", "source": "proc"}], []),
        ([{"destination": "/x", "type": "bind"}], []),
    ],
)
def test_bind_sources(mounts: Any, sources: list[tuple[str, str]]) -> None:
    assert bind_sources(parse(spec(mounts=mounts))) == sources


def default_spec(*, user: tuple[int, int] = (0, 0), **config: Any) -> dict[str, Any]:
    image = ImageConfig(os="linux", architecture="amd64", **config)
    text = default_runtime_spec(image, user=user, hostname="app")
    assert text.endswith("}\n")
    return parse_runtime_spec(text, file="config.json")


@pytest.mark.parametrize(
    ("config", "args"),
    [
        ({"cmd": ("a", "b")}, ["a", "b"]),
        ({"entrypoint": ("e",)}, ["e"]),
        ({"entrypoint": ("e", "1"), "cmd": ("c",)}, ["e", "1", "c"]),
        ({"cmd": ('quote " and ünïcode',)}, ['quote " and ünïcode']),
    ],
)
def test_default_arguments(config: dict[str, Any], args: list[str]) -> None:
    assert default_spec(**config)["process"]["args"] == args


def test_default_from_the_image() -> None:
    made = default_spec(cmd=("x",), env=("A=b", "PATH=/p"), working_dir="/w", user=(5, 6))
    assert made["process"]["env"] == ["A=b", "PATH=/p"]
    assert made["process"]["cwd"] == "/w"
    assert made["process"]["user"] == {"uid": 5, "gid": 6}
    assert made["process"]["terminal"] is False
    assert made["hostname"] == "app"
    assert made["root"] == {"path": "rootfs", "readonly": True}


def test_default_where_the_image_says_nothing() -> None:
    made = default_spec(cmd=("x",))
    assert made["process"]["env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    assert made["process"]["cwd"] == "/"
    assert made["process"]["noNewPrivileges"] is True
    assert bind_sources(made) == []
    assert {mount["destination"] for mount in made["mounts"]} >= {"/proc", "/dev", "/sys", "/run", "/tmp"}


def test_nothing_to_run() -> None:
    with pytest.raises(InvalidInputError, match="no Entrypoint or Cmd"):
        default_runtime_spec(ImageConfig(os="linux", architecture="amd64"), user=(0, 0), hostname="app")


PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:10:20::/:\n77:x:11:21::/:\nodd\n\nbad:x:no:0::/:\nworse:x:5:no::/:\n"
GROUP = "root:x:0:\nstaff:x:30:app\nodd\n\nbad:x:no:\n"


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("", (0, 0)),
        ("root", (0, 0)),
        ("0", (0, 0)),
        ("app", (10, 20)),
        ("10", (10, 20)),
        ("77", (11, 21)),
        ("1000", (1000, 0)),
        ("app:staff", (10, 30)),
        ("app:5", (10, 5)),
        ("10:staff", (10, 30)),
        ("1000:1000", (1000, 1000)),
        ("app:", (10, 20)),
    ],
)
def test_image_user(user: str, ids: tuple[int, int]) -> None:
    assert image_user(user, passwd=PASSWD, group=GROUP) == ids


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("nobody", "nobody"),
        ("nobody:staff", "nobody"),
        ("app:nogroup", "nogroup"),
        ("-1", "-1"),
        ("bad", "bad"),
        ("worse", "worse"),
        ("app:bad", "bad"),
        ("²", "²"),
        ("app:²", "²"),
        ("10:-5", "-5"),
        ("1.5", "1.5"),
        (" app", " app"),
    ],
)
def test_image_user_that_is_not_there(user: str, name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{name}'"):
        image_user(user, passwd=PASSWD, group=GROUP)


def test_image_without_users() -> None:
    assert image_user("5:6", passwd="", group="") == (5, 6)
    with pytest.raises(InvalidInputError, match="/etc/passwd"):
        image_user("root", passwd="", group="")
