# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an image's templates and values to the files of a deployment."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from unit.plugins.module_utils.builders import (
    OTHER_DIGEST,
    ROOT,
    config_of,
    config_template,
    content,
    deployment,
    host_facts,
    image_files,
    image_identity,
    inputs,
    json_values,
    spec,
    utf8_text,
)

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageFiles,
    ImageHostFile,
    parse_exports_manifest,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import Paths
from ansible_collections.projectatomic.system_containers.plugins.module_utils._render import Target, render
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tmpfiles import MissingSource

UNIT = "/etc/systemd/system/app.service"
DROP_IN = "/etc/systemd/system/app.service.d/10-system-containers.conf"
TMPFILES = "/etc/tmpfiles.d/app.conf"


def modes(made: Deployment) -> dict[str, int]:
    return {file.path.replace(made.directory, "DIR"): file.mode for file in made.files}


def test_files_and_modes() -> None:
    assert modes(deployment()) == {
        "DIR/config.json": 0o600,
        "DIR/tmpfiles-app.conf": 0o644,
        TMPFILES: 0o644,
        "DIR/app.service": 0o644,
        UNIT: 0o644,
        DROP_IN: 0o644,
    }


def test_no_service() -> None:
    manifest = ExportsManifest(no_container_service=True)
    made = deployment(files=image_files(manifest=manifest, service_template="$UNKNOWN $"))
    assert made.has_service is False
    assert list(modes(made)) == ["DIR/config.json", "DIR/tmpfiles-app.conf", TMPFILES]


def test_contents() -> None:
    made = deployment(slot=1)
    assert content(made, "config.json") == (
        '{"process": {"args": ["/run.sh", "World"]},\n "root": {"path": "rootfs", "readonly": true}}\n'
    )
    assert content(made, UNIT) == (
        "[Unit]\nDescription=An app for World\n\n"
        "[Service]\nExecStart=/usr/bin/runc --systemd-cgroup run 'app'\n"
        "ExecStop=/usr/bin/runc --systemd-cgroup kill 'app'\nWorkingDirectory=/srv/containers/app.1\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    assert content(made, "app.service") == content(made, UNIT)
    assert content(made, TMPFILES) == content(made, "tmpfiles-app.conf") == "d /var/lib/app 0700 0 0 - -\n"
    assert "Type=" not in content(made, DROP_IN)


def test_default_unit_is_detached() -> None:
    made = deployment(files=image_files(service_template=None))
    assert content(made, UNIT) == (
        "\n[Unit]\nDescription=app\n\n[Service]\nExecStartPre=\n"
        "ExecStart=/usr/bin/runc  --systemd-cgroup run -d --pid-file /run/container-app.pid 'app'\n"
        "ExecStop=\nExecStopPost=/usr/bin/runc delete 'app'\nRestart=on-failure\n"
        "WorkingDirectory=/srv/containers/app.0\nPIDFile=/run/container-app.pid\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    assert "Type=forking\n" in content(made, DROP_IN)


def test_an_empty_service_template_is_not_the_default_unit() -> None:
    assert content(deployment(files=image_files(service_template="")), UNIT) == ""


def test_the_record() -> None:
    made = deployment(slot=1, created=7)
    assert (made.name, made.slot, made.directory, made.created) == ("app", 1, f"{ROOT}/app.1", 7)
    assert (made.image, made.image_id, made.image_commit) == ("localhost/app:latest", "a" * 64, "b" * 64)
    assert made.inputs == inputs()
    assert made.manifest_digest == inputs().manifest_digest


# --- values


def value(name: str, **changes: Any) -> Any:
    return deployment(**changes).values[name]


DEFAULTS = image_files(manifest=ExportsManifest(default_values={"RECEIVER": "Default", "CONF_DIRECTORY": "/image"}))


@pytest.mark.parametrize(
    ("user", "name", "expected"),
    [
        ({}, "RECEIVER", "Default"),
        ({"RECEIVER": "Jane"}, "RECEIVER", "Jane"),
        ({"RECEIVER": ""}, "RECEIVER", ""),
        ({"RECEIVER": False}, "RECEIVER", False),
        ({}, "CONF_DIRECTORY", "/image"),
        ({"CONF_DIRECTORY": "/user"}, "CONF_DIRECTORY", "/user"),
        ({}, "STATE_DIRECTORY", "/var/lib"),
        ({"STATE_DIRECTORY": "/user"}, "STATE_DIRECTORY", "/user"),
        ({"RUN_DIRECTORY": "/run/x"}, "PIDFILE", "/run/x/container-app.pid"),
        ({"RUN_DIRECTORY": "/run/x", "PIDFILE": "/p"}, "PIDFILE", "/p"),
        ({"UNUSED": "kept"}, "UNUSED", "kept"),
        ({"RUNTIME": "/opt/x"}, "RUNTIME", "/opt/x"),
        ({"UUID": "u"}, "UUID", "u"),
        ({}, "UUID", "recorded"),
        ({}, "NAME", "app"),
        ({}, "DESTDIR", f"{ROOT}/app.0"),
        ({}, "HOST_UID", 5),
        ({}, "HOST_GID", 6),
        ({}, "IMAGE_NAME", "localhost/app:latest"),
        ({}, "IMAGE_ID", "a" * 64),
    ],
)
def test_precedence(user: dict[str, Any], name: str, expected: Any) -> None:
    made = deployment(files=DEFAULTS, made_from=inputs(user), recorded_uuid="recorded", facts=host_facts(uid=5, gid=6))
    assert made.values[name] == expected
    assert type(made.values[name]) is type(expected)


@pytest.mark.parametrize("name", ["NAME", "DESTDIR", "IMAGE_ID", "IMAGE_NAME", "EXEC_START", "EXEC_STOP", "HOST_UID"])
def test_forced_values_win_over_the_image(name: str) -> None:
    manifest = ExportsManifest(default_values={name: "evil"})
    assert value(name, files=image_files(manifest=manifest)) == value(name)


def test_all_missing_variables_in_one_message() -> None:
    files = image_files(
        config_template=config_template("$ONE", "$TWO", "$RECEIVER"),
        service_template="$THREE ${ONE} $$NOT",
        tmpfiles_template="$FOUR",
    )
    with pytest.raises(InvalidInputError) as caught:
        deployment(files=files)
    assert str(caught.value) == (
        "The image's templates use variables without a value: 'ONE' (config.json.template), 'TWO' (config.json.template),"
        " 'ONE' (service.template), 'THREE' (service.template), 'FOUR' (tmpfiles.template): set them in 'values'"
    )


@pytest.mark.parametrize("values", [{}, {"RECEIVER": "x"}])
def test_a_config_json_is_no_template(values: dict[str, Any]) -> None:
    text = json.dumps(spec(process={"args": ["$UNKNOWN", "$$"]}))
    files = image_files(config=text, config_template="$ALSO_UNKNOWN", service_template="")
    assert content(deployment(files=files, made_from=inputs(values)), "config.json") == text


@pytest.mark.parametrize("value", [5, True, 1.5, 'q"uo\\te', "ünï", "$NAME"])
def test_scalars_in_config_and_unit(value: Any) -> None:
    made = deployment(made_from=inputs({"RECEIVER": value}))
    text = value if isinstance(value, str) else json.dumps(value)
    assert config_of(made)["process"]["args"] == ["/run.sh", text]
    assert f"Description=An app for {text}\n" in content(made, UNIT)


@given(utf8_text)
def test_any_value_keeps_the_form_of_config_json(text: str) -> None:
    files = image_files(service_template="", tmpfiles_template="")
    made = deployment(files=files, made_from=inputs({"RECEIVER": text}))
    assert config_of(made) == spec(process={"args": ["/run.sh", text]})


@pytest.mark.parametrize(
    ("value", "mounts"),
    [
        ("", [{"destination": "/a"}]),
        (',{"destination": "/b"}', [{"destination": "/a"}, {"destination": "/b"}]),
        (',{"destination": "/b"},\n{"destination": "/c"}', [{"destination": f"/{name}"} for name in "abc"]),
    ],
)
def test_additional_mounts(value: str, mounts: list[Any]) -> None:
    template = config_template("x", extra=',\n "mounts": [{"destination": "/a"}\n$ADDTL_MOUNTS\n]')
    files = image_files(config_template=template)
    assert (
        config_of(deployment(files=files, made_from=inputs({"RECEIVER": "x", "ADDTL_MOUNTS": value})))["mounts"]
        == mounts
    )


@pytest.mark.parametrize(
    "value", ['], "root": {"path": "/", "readonly": false}, "x": [', "1", ',{"destination": "relative"}', ",{}", "x"]
)
def test_additional_mounts_that_are_refused(value: str) -> None:
    template = config_template("x", extra=',\n "mounts": [{"destination": "/a"}\n$ADDTL_MOUNTS\n]')
    made_from = inputs({"RECEIVER": "x", "ADDTL_MOUNTS": value})
    with pytest.raises(InvalidInputError, match=r"config\.json\.template"):
        deployment(files=image_files(config_template=template), made_from=made_from)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "{"}, "config.json of the image: not JSON"),
        ({"config_template": "{"}, "config.json.template of the image: not JSON"),
        ({"config": json.dumps(spec(root={"path": "rootfs"}))}, "config.json of the image: root.readonly is not true"),
        ({"config_template": "$"}, "config.json.template: line 1 has a '\\$'"),
        ({"service_template": "a\n$ "}, "service.template: line 2 has a '\\$'"),
        ({"tmpfiles_template": "${x"}, "tmpfiles.template: line 1 has a '\\$'"),
    ],
)
def test_a_broken_image(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        deployment(files=image_files(**changes))


@pytest.mark.parametrize("text", ["x\nExecStartPre=/bin/evil", "x\r", "x\x00"])
def test_a_value_adds_no_line(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"service\.template: the value of 'RECEIVER'"):
        deployment(made_from=inputs({"RECEIVER": text}))
    files = image_files(service_template="", tmpfiles_template="d /x/$RECEIVER")
    with pytest.raises(InvalidInputError, match=r"tmpfiles\.template: the value of 'RECEIVER'"):
        deployment(files=files, made_from=inputs({"RECEIVER": text}))


@pytest.mark.parametrize(
    ("files", "config", "message"),
    [
        (image_files(), {"labels": {"atomic.run": "once"}}, "is to be run once"),
    ],
)
def test_an_image_that_is_not_supported_yet(files: ImageFiles, config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        deployment(files=files, image=image_identity(**config))


# --- what the image lacks

NO_CONFIG = image_files(config_template=None)


def test_default_config() -> None:
    made = deployment(files=NO_CONFIG, image=image_identity(cmd=("/run.sh",), user="5:6", working_dir="/w"))
    config = config_of(made)
    assert config["process"]["args"] == ["/run.sh"]
    assert config["process"]["user"] == {"uid": 5, "gid": 6}
    assert config["hostname"] == "app"


def test_default_config_resolves_names() -> None:
    files = dataclasses.replace(NO_CONFIG, passwd="app:x:10:20::/:\n", group="staff:x:30:\n")
    made = deployment(files=files, image=image_identity(cmd=("x",), user="app:staff"))
    assert config_of(made)["process"]["user"] == {"uid": 10, "gid": 30}


def test_default_config_with_a_long_name() -> None:
    """Linux takes a host name of 64 bytes at most; runc fails to set a longer one."""
    made = deployment(files=NO_CONFIG, image=image_identity(cmd=("x",)), name="a" * 100)
    assert len(config_of(made).get("hostname", "")) <= 64


def test_image_that_says_nothing_to_run() -> None:
    with pytest.raises(InvalidInputError, match="no Entrypoint or Cmd"):
        deployment(files=NO_CONFIG)


def test_default_tmpfiles() -> None:
    files = image_files(tmpfiles_template=None)
    missing = [MissingSource("/srv/data", False), MissingSource("/etc/app.conf", True)]
    made = deployment(files=files, missing=missing, facts=host_facts(uid=5, gid=6))
    text = "d    /srv/data   0700 5 6 - -\nf    /etc/app.conf   0600 5 6 - -\n"
    assert content(made, TMPFILES) == content(made, "tmpfiles-app.conf") == text
    assert TMPFILES not in modes(deployment(files=files))


def test_bind_sources_are_asked_for() -> None:
    mounts = [
        {"destination": "/in", "source": "/srv/a", "type": "bind"},
        {"destination": "/proc", "source": "proc", "type": "proc"},
    ]
    asked = []

    def find_missing(sources: Any) -> list[MissingSource]:
        asked.extend(sources)
        return []

    render(
        image=image_identity(),
        files=image_files(config=json.dumps(spec(mounts=mounts))),
        inputs=inputs(),
        target=Target(Paths("app", ROOT), 0, None, 0),
        facts=host_facts(),
        find_missing=find_missing,
    )
    assert asked == [("/srv/a", "/in")]


# --- host files


def test_what_the_host_does_not_get_is_told() -> None:
    tool = ImageHostFile("/usr/bin/tool", "-", 0o4755, 33, 33, sha256="c" * 64, text="x")
    files = image_files(host_files=(tool,), manifest=ExportsManifest(rename_files={"/etc/none": "/etc/$NAME"}))
    assert deployment(files=files).warnings == (
        "'/exports/hostfs/usr/bin/tool' of the image loses its setuid or setgid bits on the host",
        "manifest.json of the image names '/etc/none', which is not below /exports/hostfs",
    )


# --- ids


def test_same_bytes_have_the_same_id_in_every_slot() -> None:
    first = deployment(slot=0)
    assert deployment(slot=1, created=5).id == first.id
    assert len(first.id) == 12
    assert int(first.id, 16) >= 0


def test_what_changes_the_id() -> None:
    ids = {
        deployment().id,
        deployment(made_from=inputs({"RECEIVER": "Jane"})).id,
        deployment(made_from=inputs(digest=OTHER_DIGEST)).id,
        deployment(files=image_files(tmpfiles_template=None)).id,
        deployment(name="app2").id,
    }
    assert len(ids) == 5


def test_rendering_is_deterministic() -> None:
    assert deployment() == deployment()


# --- manifest.json


@pytest.mark.parametrize(
    ("text", "defaults", "no_service"),
    [
        ("{}", {}, False),
        ('{"version": "1.0", "unknown": [1]}', {}, False),
        ('{"defaultValues": {"A": "a", "B": 5, "C": true, "D": null}}', {"A": "a", "B": 5, "C": True}, False),
        ('{"noContainerService": true}', {}, True),
        ('{"noContainerService": false}', {}, False),
    ],
)
def test_manifest(text: str, defaults: dict[str, Any], no_service: bool) -> None:
    manifest = parse_exports_manifest(text)
    assert manifest.default_values == defaults
    assert manifest.no_container_service is no_service


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "5",
        "{",
        '{"defaultValues": []}',
        '{"defaultValues": "x"}',
        '{"defaultValues": null}',
        r'{"defaultValues": {"RECEIVER": "\ud800"}}',
        r'{"renameFiles": {"/a": "/\udfff"}}',
        r'{"installedFilesTemplate": ["/\udc80"]}',
        "[" * 99999,
    ],
)
def test_manifest_that_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"manifest\.json"):
        parse_exports_manifest(text)


@given(json_values)
def test_any_manifest(document: Any) -> None:
    for text in (json.dumps(document), json.dumps({"defaultValues": document, "noContainerService": document})):
        try:
            manifest = parse_exports_manifest(text)
        except InvalidInputError:
            continue
        assert isinstance(manifest.default_values, dict)
        assert isinstance(manifest.no_container_service, bool)
