# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of an image: each rule finds what it is for, and nothing else in an image that is right."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils.builders import UNIT_TEMPLATE, image_identity

from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageFiles,
    ImageHostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._layer_tree import Entry
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lint_findings import (
    ERRORS,
    WARNINGS,
    Finding,
    Findings,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lint_render import (
    RUNTIME,
    Scene,
    check_rendering,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lint_rules import (
    CONFIG,
    CONFIG_TEMPLATE,
    MANIFEST,
    SERVICE,
    TEXTS,
    TMPFILES,
    check_image,
    check_listing,
    check_manifest,
    systemd_findings,
    tmpfiles_findings,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import ImageConfig

UNIT = UNIT_TEMPLATE.replace("[Service]\n", "[Service]\nType=notify\n")
HOST_FILE = ImageHostFile("/etc/app.conf", "-", 0o644, 0, 0, sha256="1" * 64)
ROOTFS = {
    "/": Entry("/", "d", 0o755, 0, 0),
    "/bin": Entry("/bin", "d", 0o755, 0, 0),
    "/bin/app": Entry("/bin/app", "-", 0o755, 0, 0),
    "/bin/data": Entry("/bin/data", "-", 0o644, 0, 0),
    "/bin/lost": Entry("/bin/lost", "l", 0o777, 0, 0, target="gone"),
    "/bin/sh": Entry("/bin/sh", "l", 0o777, 0, 0, target="app"),
    "/etc": Entry("/etc", "d", 0o755, 0, 0),
    "/link": Entry("/link", "l", 0o777, 0, 0, target="/proc"),
    "/tmp": Entry("/tmp", "d", 0o1777, 0, 0),
}


def config(**process: Any) -> dict[str, Any]:
    return {
        "process": {"args": ["/bin/app", "$RECEIVER"], **process},
        "root": {"path": "rootfs", "readonly": True},
    }


def mounted(*mounts: Mapping[str, Any]) -> str:
    return json.dumps({**config(), "mounts": list(mounts)})


def bind(source: str, destination: str = "/tmp") -> dict[str, str]:
    return {"type": "bind", "source": source, "destination": destination}


def files(**changes: Any) -> ImageFiles:
    """Return an image in which nothing is to be found."""
    right = ImageFiles(
        config_template=json.dumps(config()),
        service_template=UNIT,
        tmpfiles_template="d $STATE_DIRECTORY/$NAME 0700 0 0 - -\n",
        manifest=ExportsManifest(default_values={"RECEIVER": "World"}),
    )
    return dataclasses.replace(right, **changes)


def manifest(defaults: Mapping[str, Any] | None = None, **changes: Any) -> ExportsManifest:
    return ExportsManifest(default_values={"RECEIVER": "World", **(defaults or {})}, **changes)


def find(image: ImageFiles, *, values: Mapping[str, Any] | None = None, **oci: Any) -> list[tuple[str, str | None]]:
    """Return rule and path of what is found in an image."""
    findings = Findings()
    scene = Scene(image_identity(**oci), image, values or {}, ROOTFS.get, lambda path: False)
    made = check_rendering(scene, findings)
    assert (made is None) == findings.has_errors
    return [(finding.rule, finding.path) for finding in findings.sorted()]


def test_an_image_that_is_right() -> None:
    assert find(files()) == []


def test_what_would_be_installed_is_what_an_installation_writes() -> None:
    scene = Scene(
        image_identity("localhost/some/app:1"), files(), {"RECEIVER": "Fleet"}, ROOTFS.get, lambda path: False
    )
    made = check_rendering(scene, Findings())
    assert made is not None
    texts = {file.path: file.content for file in made.files}
    assert "Description=An app for Fleet\n" in texts["/etc/systemd/system/app.service"]
    assert texts["/etc/tmpfiles.d/app.conf"] == "d /var/lib/app 0700 0 0 - -\n"


NO_DEFAULT = ExportsManifest()

ERROR_CASES: dict[str, tuple[ImageFiles, list[tuple[str, str | None]]]] = {
    "no value": (files(manifest=NO_DEFAULT), [("variables", CONFIG_TEMPLATE)]),
    "no value, in all templates": (
        files(manifest=NO_DEFAULT, service_template=UNIT + "#$A\n", tmpfiles_template="#$B\n#$A\n"),
        [("variables", CONFIG_TEMPLATE), ("variables", SERVICE), ("variables", TMPFILES)],
    ),
    "not JSON": (files(config_template='{"$RECEIVER": '), [("config", CONFIG_TEMPLATE)]),
    "a lone dollar": (files(service_template=UNIT + "# 5 $\n"), [("unit", SERVICE)]),
    "errors in every part": (
        files(
            config_template="$RECEIVER",
            service_template="$",
            tmpfiles_template="$",
            host_files=(dataclasses.replace(HOST_FILE, text="$"),),
            manifest=manifest(templates=("/etc/app.conf",)),
        ),
        [
            ("config", CONFIG_TEMPLATE),
            ("hostfs", "/exports/hostfs/etc/app.conf"),
            ("unit", SERVICE),
            ("tmpfiles", TMPFILES),
        ],
    ),
    "root is writable": (
        files(config_template=json.dumps({**config(), "root": {"path": "rootfs"}})),
        [("config", CONFIG_TEMPLATE)],
    ),
    "another root": (
        files(config_template=json.dumps({**config(), "root": {"path": "/", "readonly": True}})),
        [("config", CONFIG_TEMPLATE)],
    ),
    "no arguments": (files(config_template=json.dumps(config(args=["$RECEIVER"][:0]))), [("config", CONFIG_TEMPLATE)]),
    "a mount through a link": (files(config_template=mounted(bind("/srv", "/link/x"))), [("mounts", CONFIG_TEMPLATE)]),
    "no such program": (files(config_template=json.dumps(config(args=["/no", "$RECEIVER"]))), [("process", CONFIG_TEMPLATE)]),
    "not executable": (files(config_template=json.dumps(config(args=["/bin/data", "$RECEIVER"]))), [("process", CONFIG_TEMPLATE)]),
    "a link to nothing": (files(config_template=json.dumps(config(args=["/bin/lost", "$RECEIVER"]))), [("process", CONFIG_TEMPLATE)]),
    "not in PATH": (
        files(config_template=json.dumps(config(args=["app", "$RECEIVER"], env=["PATH=/sbin:/etc"]))),
        [("process", CONFIG_TEMPLATE)],
    ),
    "no PATH": (files(config_template=json.dumps(config(args=["app", "$RECEIVER"]))), [("process", CONFIG_TEMPLATE)]),
    "nothing is started": (
        files(service_template="[Service]\nType=exec\nExecStop=/bin/true $RECEIVER\n[Install]\nWantedBy=x.target\n"),
        [("unit", SERVICE)],
    ),
    "a path outside": (
        files(manifest=manifest(rename_files={"/a": "/srv/$RECEIVER/../../b"})),
        [("hostfs", MANIFEST)],
    ),
    "two files at one path": (
        files(
            host_files=(HOST_FILE, dataclasses.replace(HOST_FILE, path="/etc/b")),
            manifest=manifest(rename_files={"/etc/b": "/etc/app.conf"}),
        ),
        [("hostfs", "/exports/hostfs")],
    ),
    "the place of the unit": (
        files(host_files=(dataclasses.replace(HOST_FILE, path="/etc/systemd/system/app.service"),)),
        [("hostfs", "/exports/hostfs")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ERROR_CASES)
def test_errors(case: str) -> None:
    image, expected = ERROR_CASES[case]
    assert [(rule, path) for rule, path in find(image) if rule in ERRORS] == sorted(
        expected, key=lambda item: item[1] or ""
    )


def test_values_are_given() -> None:
    assert find(files(manifest=NO_DEFAULT), values={"RECEIVER": "Fleet"}) == []
    assert find(files(), values={"RECEIVER": "a\nb"}) == [("unit", SERVICE)]


def test_without_a_config_the_image_has_to_say_what_runs() -> None:
    image = files(config_template=None)
    assert ("config", None) in find(image)
    assert find(image, entrypoint=("/bin/app",), user="nobody") == [("config", None)]
    found = find(image, entrypoint=("app",))
    assert {rule for rule, _path in found} == {"mount-target"}


def test_an_image_to_run_once_is_not_supported() -> None:
    assert find(files(), labels={"atomic.run": "once"}) == [("image", None)]


WARNING_CASES: dict[str, tuple[ImageFiles, list[tuple[str, str | None]]]] = {
    "all capabilities": (
        files(
            config_template=json.dumps(config(capabilities={"bounding": []})).replace(
                '"bounding": []', '"bounding": [$ALL_PROCESS_CAPABILITIES]'
            )
        ),
        [("all-capabilities", CONFIG_TEMPLATE)],
    ),
    "nothing makes the source": (
        files(config_template=mounted(bind("/var/lib/other"))),
        [("bind-source", CONFIG_TEMPLATE)],
    ),
    "tmpfiles makes the source": (files(config_template=mounted(bind("$STATE_DIRECTORY/$NAME"))), []),
    "the unit makes the source": (
        files(
            config_template=mounted(bind("/run/app")),
            service_template=UNIT.replace("Type=", "RuntimeDirectory=app\nType="),
        ),
        [],
    ),
    "every host has the source": (
        files(config_template=mounted(bind("/etc/resolv.conf"), bind("/var/lib", "/bin"), bind("/dev/x", "/etc"))),
        [],
    ),
    "lines are made for the source": (
        files(config_template=mounted(bind("/var/lib/other")), tmpfiles_template=None),
        [],
    ),
    "no working directory": (files(config_template=json.dumps(config(cwd="/srv"))), [("cwd", CONFIG_TEMPLATE)]),
    "nothing below the mount": (
        files(config_template=mounted(bind("/srv", "/data"))),
        [("mount-target", CONFIG_TEMPLATE)],
    ),
    "below another mount": (
        files(config_template=mounted({"type": "tmpfs", "destination": "/tmp"}, bind("/srv", "/tmp/a"))),
        [],
    ),
    "the program is mounted": (
        files(config_template=json.dumps({**config(args=["/tmp/x", "$RECEIVER"]), "mounts": [bind("/srv")]})),
        [],
    ),
    "the mode of a tmpfs": (
        files(config_template=mounted({"type": "tmpfs", "destination": "/tmp", "options": ["mode=755"]})),
        [("tmpfs-mode", CONFIG_TEMPLATE)],
    ),
    "cgroup v1": (
        files(
            config_template=json.dumps({**config(), "linux": {"resources": {"memory": {"kernel": 5}}}}),
        ),
        [("runtime", CONFIG_TEMPLATE)],
    ),
    "UUID for all": (files(manifest=manifest({"UUID": "1"})), [("host-default", MANIFEST)]),
    "a default that is computed": (files(manifest=manifest({"NAME": "x"})), [("unused-default", MANIFEST)]),
    "a default nobody uses": (files(manifest=manifest({"RECIEVER": "x"})), [("unused-default", MANIFEST)]),
    "another state directory": (files(manifest=manifest({"STATE_DIRECTORY": "/srv"})), []),
    "a secret for all": (
        files(manifest=manifest({"DB_PASSWORD": "x"}), tmpfiles_template="#$DB_PASSWORD\n"),
        [("secret-default", MANIFEST)],
    ),
    "no secret": (files(manifest=manifest({"DB_PASSWORD": ""}), tmpfiles_template="#$DB_PASSWORD\n"), []),
    "both configs": (
        files(config=json.dumps(config())),
        [("ignored-file", CONFIG_TEMPLATE), ("placeholder", CONFIG)],
    ),
    "no unit": (
        files(service_template=None),
        [("service-template", None)],
    ),
    "a unit and no service": (
        files(manifest=manifest(no_container_service=True)),
        [("ignored-file", SERVICE)],
    ),
    "no type": (files(service_template=UNIT_TEMPLATE), [("unit-type", SERVICE)]),
    "never enabled": (files(service_template=UNIT.partition("[Install]")[0]), [("unit-install", SERVICE)]),
    "setuid": (
        files(host_files=(dataclasses.replace(HOST_FILE, mode=0o4755),)),
        [("hostfs-setuid", "/exports/hostfs/etc/app.conf")],
    ),
    "renames nothing": (files(manifest=manifest(rename_files={"/no": "/x"})), [("manifest-path", MANIFEST)]),
}


@pytest.mark.parametrize("case", WARNING_CASES)
def test_warnings(case: str) -> None:
    image, expected = WARNING_CASES[case]
    assert sorted(find(image), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"version": "1", "defaultValues": {}, "useLinks": false}', []),
        ('{"defaultValue": {}}', ["manifest-key"]),
        ('{"noContainerService": "true", "useLinks": null}', ["manifest", "manifest"]),
    ],
)
def test_manifest(text: str, expected: list[str]) -> None:
    assert [finding.rule for finding in check_manifest(text)] == expected


def test_a_key_that_was_meant() -> None:
    (finding,) = check_manifest('{"defaultValue": {}}')
    assert finding.message == "Nothing reads the key 'defaultValue' (is 'defaultValues' meant?)"


def test_files_that_nobody_reads() -> None:
    paths = [*TEXTS, "/exports/hostfs/etc/a", "/exports/service.tmpl", "/exports/hostfsx"]
    assert [finding.path for finding in check_listing(paths)] == ["/exports/hostfsx", "/exports/service.tmpl"]


def test_labels_and_layers() -> None:
    oci = {"org.opencontainers.image.title": "a", "version": "1"}
    image = ImageConfig(os="linux", architecture="amd64", labels=oci)
    assert list(check_image(image, dropped=0)) == []
    bare = ImageConfig(os="linux", architecture="amd64")
    assert [finding.rule for finding in check_image(bare, dropped=2)] == ["labels", "labels", "dropped-entries"]


def test_what_systemd_says_of_a_unit() -> None:
    unit = "/tmp/x/app.service"
    said = [
        f"{unit}:4: Unknown key 'Foo' in section [Service], ignoring.",
        "/lib/systemd/system/other.service:1: Unknown key 'Bar', ignoring.",
        f"app.service: Command {RUNTIME} is not executable: No such file or directory",
        "app.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.",
    ]
    output = "\n".join([*said, "Unit app.service has a bad unit file setting."])
    found = list(systemd_findings(output, unit=unit, runtime=RUNTIME))
    assert [finding.rule for finding in found] == ["unit-systemd", "unit"]
    assert found[0].message == "systemd says: line 4: Unknown key 'Foo' in section [Service], ignoring."
    assert list(systemd_findings("", unit=unit, runtime=RUNTIME)) == []


def test_what_systemd_says_of_tmpfiles() -> None:
    output = "/tmp/x/app.conf:2: Path 'x' not absolute.\n/etc/tmpfiles.d/other.conf:1: bad"
    (finding,) = tmpfiles_findings(output, file="/tmp/x/app.conf")
    assert (finding.rule, finding.path) == ("tmpfiles", TMPFILES)
    assert finding.message == "systemd-tmpfiles says: line 2: Path 'x' not absolute."


def test_a_finding_says_what_to_do() -> None:
    assert str(Finding("unit-type", "It has no Type=", SERVICE)) == (
        f"{SERVICE}: It has no Type=. [unit-type] {WARNINGS['unit-type']}"
    )
    assert Finding("config", "x: y").results() == {
        "level": "error",
        "rule": "config",
        "path": None,
        "message": "x: y",
        "hint": ERRORS["config"],
    }


def test_the_documentation_lists_every_rule() -> None:
    page = Path(__file__).parents[4].joinpath("docs", "image-authors.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z-]+)` \| (error|warning) \|", page, re.MULTILINE))
    assert documented == {**dict.fromkeys(ERRORS, "error"), **dict.fromkeys(WARNINGS, "warning")}
