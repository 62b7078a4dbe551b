# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secret values: in files that only root reads, and in nothing that is shown."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.module_utils.builders import (
    CREATED,
    DIGEST,
    ROOT,
    RUNTIME,
    UNIT_TEMPLATE,
    config_template,
    content,
    deployment,
    edited,
    host_facts,
    image_files,
    image_identity,
    installed,
    nothing,
    with_file,
)

from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    plan_container,
    plan_unrendered,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    MASK,
    BrokenSlot,
    Deployment,
    GeneratedFile,
    Inputs,
    Mount,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._describe import describe_container
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageFiles,
    ImageHostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import info_file, parse_info
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import (
    FileState,
    HostFileState,
    Observed,
    Paths,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan import Plan
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan_absent import plan_absent
from ansible_collections.projectatomic.system_containers.plugins.module_utils._render import Target, render
from ansible_collections.projectatomic.system_containers.plugins.module_utils._secrets import hide
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tmpfiles import MissingSource

SECRET = 'gir"affe\\one%'
OTHER = 'gir"affe\\two%'
SPELLINGS = ("affe", json.dumps(SECRET)[1:-1])
CONFIG, TMPFILES = f"{ROOT}/app.0/config.json", "/etc/tmpfiles.d/app.conf"
STARTED = Desired("started", enabled=True)

FILES = image_files(
    config_template=config_template("/run.sh", "$TOKEN", "$RECEIVER"),
    tmpfiles_template="f /run/token 0600 root root - $TOKEN\nd /srv/$NAME\n",
    manifest=ExportsManifest(default_values={"RECEIVER": "World"}, templates=("/etc/token",)),
    host_files=(ImageHostFile("/etc/token", "-", 0o644, 0, 0, sha256="0" * 64, text="token=$TOKEN\n"),),
)


def secret_inputs(secrets: dict[str, Any] | None = None, **changes: Any) -> Inputs:
    made = Inputs(
        manifest_digest=DIGEST, values={}, runtime=RUNTIME, secrets={"TOKEN": SECRET} if secrets is None else secrets
    )
    return dataclasses.replace(made, **changes)


def made(secret: str = SECRET, *, slot: int = 0, files: ImageFiles = FILES) -> Deployment:
    return deployment(slot=slot, files=files, made_from=secret_inputs({"TOKEN": secret}))


def with_token(observed: Observed, text: str | None) -> Observed:
    """Return a host on which the host file has this text, or is missing."""
    state = None
    if text is not None:
        state = HostFileState("-", 0o600, 0, 0, sha256=hashlib.sha256(text.encode()).hexdigest(), text=text)
    return dataclasses.replace(observed, host_files={"/etc/token": state})


ACTIVE = made()
FOUND = with_token(installed(ACTIVE), f"token={SECRET}\n")
NOTHING = with_token(nothing(), None)


def file_of(rendered: Deployment, path: str) -> GeneratedFile:
    return next(file for file in rendered.files if file.path == path)


def assert_hidden(shown: Any) -> None:
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    assert [spelling for spelling in SPELLINGS if spelling in text] == []


def test_in_files_that_only_root_reads() -> None:
    written = [file for file in (*ACTIVE.files, info_file(ACTIVE)) if "affe" in file.content]
    assert sorted(file.path for file in written) == sorted(
        [CONFIG, f"{ROOT}/app.0/tmpfiles-app.conf", TMPFILES, f"{ROOT}/app.0/info"]
    )
    assert {file.mode for file in written} == {0o600}
    assert [(file.mode, file.content, file.masked) for file in ACTIVE.host_files] == [
        (0o600, f"token={SECRET}\n", f"token={MASK}\n")
    ]


def test_masks() -> None:
    assert json.loads(file_of(ACTIVE, CONFIG).shown)["process"]["args"] == ["/run.sh", MASK, "World"]
    assert file_of(ACTIVE, TMPFILES).shown == f"f /run/token 0600 root root - {MASK}\nd /srv/app\n"
    unit = file_of(ACTIVE, "/etc/systemd/system/app.service")
    assert (unit.masked, unit.mode) == (None, 0o644)


def test_a_secret_goes_before_a_value_and_the_default() -> None:
    unit = "[Service]\nExecStart=$EXEC_START\n"
    both = secret_inputs({"TOKEN": SECRET, "RECEIVER": OTHER}, values={"RECEIVER": "x"})
    rendered = deployment(files=dataclasses.replace(FILES, service_template=unit), made_from=both)
    assert json.loads(content(rendered, "config.json"))["process"]["args"] == ["/run.sh", SECRET, OTHER]


def test_the_record_keeps_them() -> None:
    parsed = parse_info(info_file(ACTIVE).content, name="app", slot=0, directory=f"{ROOT}/app.0")
    assert parsed == ACTIVE
    assert parsed.inputs is not None
    assert parsed.inputs.secrets == {"TOKEN": SECRET}


def test_nothing_repeats_them() -> None:
    for thing in (
        ACTIVE,
        ACTIVE.inputs,
        ACTIVE.files,
        ACTIVE.host_files,
        FOUND,
        plan_container(STARTED, NOTHING, ACTIVE).actions,
    ):
        assert_hidden(repr(thing))
    assert_hidden(describe_container(FOUND))


RAW = '{"process": {"args": ["/run.sh"]}, "root": {"path": "rootfs", "readonly": true}, "hooks": [{"a": 1} $LIST], "annotations": {$DICT}}\n'


@pytest.mark.parametrize(
    ("secrets", "shown"),
    [
        pytest.param(
            {"LIST": ["s1", {"b": "s2"}], "DICT": {"k": "s3"}}, ([{"a": 1}, MASK, {"b": MASK}], {"k": MASK}), id="types"
        ),
        pytest.param(
            {"LIST": ', "s1", {"b": ["s2"]}', "DICT": '"k": "s3"'},
            ([{"a": 1}, MASK, {"b": [MASK]}], {"k": MASK}),
            id="text",
        ),
        pytest.param({"LIST": "", "DICT": {}}, ([{"a": 1}], {}), id="nothing"),
    ],
)
def test_raw_json(secrets: dict[str, Any], shown: tuple[Any, Any]) -> None:
    rendered = deployment(
        files=image_files(config_template=RAW), made_from=secret_inputs(secrets, values={"RECEIVER": "x"})
    )
    spec = json.loads(file_of(rendered, CONFIG).shown)
    assert (spec["hooks"], spec["annotations"]) == shown


def test_a_number_that_no_mask_can_stand_for() -> None:
    """A user's id has to be a number, so the masked text would be refused."""
    template = config_template("/run.sh", "$TOKEN").replace('"args"', '"user": {"uid": $UID, "gid": 0}, "args"')
    rendered = deployment(
        files=image_files(config_template=template, service_template="[Service]\nExecStart=$EXEC_START\n"),
        made_from=secret_inputs({"TOKEN": SECRET, "UID": 4711}),
    )
    assert "4711" in file_of(rendered, CONFIG).content
    assert "4711" not in file_of(rendered, CONFIG).shown
    assert_hidden(file_of(rendered, CONFIG).shown)


def test_a_secret_path_in_the_default_tmpfiles() -> None:
    """The lines are made from config.json. The place of the mask is there already, so it asks for no tmpfiles.d file."""
    mounts = ', "mounts": [{"destination": "/s", "type": "bind", "source": "/srv/$TOKEN"}]'
    rendered = render(
        image=image_identity(),
        files=image_files(config_template=config_template("/run.sh", extra=mounts), tmpfiles_template=None),
        inputs=secret_inputs({"TOKEN": "giraffe"}, values={"RECEIVER": "x"}),
        target=Target(Paths(name="app", root=ROOT), 0, None, CREATED),
        facts=host_facts(),
        find_missing=lambda binds: [
            MissingSource(path, is_file=False) for path, _to in binds if path == "/srv/giraffe"
        ],
    )
    tmpfiles, unit = file_of(rendered, TMPFILES), file_of(rendered, "/etc/systemd/system/app.service")
    assert "/srv/giraffe" in tmpfiles.content
    assert tmpfiles.shown == tmpfiles.content.replace("giraffe", MASK)
    assert (tmpfiles.mode, unit.mode, unit.masked) == (0o600, 0o644, None)


@pytest.mark.parametrize(
    ("template", "secrets", "named"),
    [
        (UNIT_TEMPLATE + "# $TOKEN\n", {"TOKEN": SECRET}, "TOKEN"),
        (UNIT_TEMPLATE, {"TOKEN": SECRET, "RECEIVER": OTHER}, "RECEIVER"),
        (
            UNIT_TEMPLATE + "PIDFile=$PIDFILE\nExecStopPost=$EXEC_STOPPOST\n",
            {"TOKEN": SECRET, "RUN_DIRECTORY": OTHER},
            "RUN_DIRECTORY",
        ),
    ],
)
def test_units_are_no_place_for_secrets(template: str, secrets: dict[str, Any], named: str) -> None:
    with pytest.raises(
        InvalidInputError, match=f"service.template uses the secret values {named}, and systemd"
    ) as failure:
        deployment(files=dataclasses.replace(FILES, service_template=template), made_from=secret_inputs(secrets))
    assert_hidden(str(failure.value))


@pytest.mark.parametrize("secret", [SECRET, ["unbalanced"], '"a"]'])
def test_errors_do_not_repeat_a_secret(secret: Any) -> None:
    template = config_template("/run.sh").replace("true", "true, $TOKEN")
    with pytest.raises(InvalidInputError) as failure:
        deployment(
            files=image_files(config_template=template),
            made_from=secret_inputs({"TOKEN": secret}, values={"RECEIVER": "x"}),
        )
    assert_hidden(str(failure.value))


def shown_plans() -> dict[str, tuple[Observed, Plan]]:
    """Return plans that write, replace or remove what has a secret."""
    info = f"{ROOT}/app.0/info"
    broken = dataclasses.replace(
        with_token(FOUND, None), deployments=(), broken=(BrokenSlot(0, f"{ROOT}/app.0", "it has no info file"),)
    )
    plain = deployment(slot=1, made_from=secret_inputs({}, values={"RECEIVER": "x"}))
    cases = {
        "install": (NOTHING, ACTIVE),
        "another secret": (FOUND, made(OTHER, slot=1)),
        "no secret": (FOUND, plain),
        "a secret now": (with_token(installed(deployment(slot=1)), None), ACTIVE),
        "config.json edited": (edited(FOUND, CONFIG), ACTIVE),
        "tmpfiles.d edited": (edited(FOUND, TMPFILES), ACTIVE),
        "host file lost": (with_token(FOUND, None), ACTIVE),
        "host file edited": (with_token(FOUND, f"# token={SECRET}\n"), deployment(slot=1)),
        "tmpfiles.d readable": (edited(FOUND, TMPFILES, mode=0o644), ACTIVE),
        "info readable": (edited(FOUND, info, mode=0o644), ACTIVE),
        "info lost": (with_file(FOUND, info, None), ACTIVE),
        "info replaced": (
            with_file(FOUND, info, FileState(SECRET.encode(), 0o644, 0.0)),
            dataclasses.replace(ACTIVE, unit_options={"Unit": {"A": "b"}}),
        ),
        "unknown slot": (broken, made(OTHER, slot=1)),
        "unknown slot, edited": (edited(broken, TMPFILES), made(OTHER, slot=1)),
    }
    plans = {name: (observed, plan_container(STARTED, observed, target)) for name, (observed, target) in cases.items()}
    plans["removed"] = (FOUND, plan_absent(FOUND))
    plans["removed, edited"] = (edited(FOUND, TMPFILES), plan_absent(edited(FOUND, TMPFILES)))
    plans["not stored"] = (FOUND, plan_unrendered(STARTED, FOUND, image="i", inputs=secret_inputs({"TOKEN": OTHER})))
    return plans


@pytest.mark.parametrize("case", sorted(shown_plans()))
def test_diffs_and_actions_show_none(case: str) -> None:
    _observed, plan = shown_plans()[case]
    assert plan.diff
    assert_hidden([list(plan.diff), [str(action) for action in plan.actions]])


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [
        ("install", None, "changed"),
        ("another secret", "unchanged", "changed"),
        ("no secret", "unchanged", "changed"),
        ("a secret now", None, "changed"),
        ("not stored", "unchanged", "changed"),
    ],
)
def test_the_diff_says_that_secrets_changed(case: str, before: str | None, after: str) -> None:
    summary = shown_plans()[case][1].diff[0]
    assert json.loads(summary["before"]).get("secrets") == before
    assert json.loads(summary["after"]).get("secrets") == after


def test_the_diff_of_an_edit_shows_the_edit() -> None:
    observed = edited(FOUND, CONFIG, content=content(ACTIVE, "config.json").replace("World", "Nobody").encode())
    entry = next(entry for entry in plan_container(STARTED, observed, ACTIVE).diff if entry["after_header"] == CONFIG)
    assert entry["before"] == entry["after"].replace("World", "Nobody")


def test_without_secrets_nothing_is_said_of_them() -> None:
    (summary, *_files) = plan_container(STARTED, nothing(), deployment()).diff
    assert "secrets" not in json.loads(summary["after"])


def test_a_changed_secret_is_another_deployment() -> None:
    assert not secret_inputs().same_as(secret_inputs({"TOKEN": OTHER}))
    assert not secret_inputs().same_as(secret_inputs({}, values={"TOKEN": SECRET}))
    assert secret_inputs().same_as(secret_inputs())
    assert secret_inputs().same_as(secret_inputs(mounts=())) is True
    assert not secret_inputs().same_as(secret_inputs(mounts=(Mount("/data", "/srv"),)))


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("a secret", ["secret"], f"a {MASK}"),
        ("[1, true, 0.5]", [1, True, 0.5], f"[{MASK}, {MASK}, {MASK}]"),
        ('{"k": "s1", "l": ["s2"]}', [{"k": "s1", "l": ["s2"]}], f'{{"k": "{MASK}", "l": ["{MASK}"]}}'),
        (r'"a\"b\\c"', ['a"b\\c'], f'"{MASK}"'),
        ("50%% off", ["50% off"], MASK),
        (r"a\\b", ["a\\b"], MASK),
        (r'"\u00e9" "é"', ["é"], f'"{MASK}" "{MASK}"'),
        ("longest first: abc", ["ab", "abc"], f"longest first: {MASK}"),
        ("nothing", ["", [], {}], "nothing"),
    ],
)
def test_hide(text: str, secrets: list[Any], shown: str) -> None:
    assert hide(text, secrets) == shown


@given(secret=st.text(min_size=4, max_size=12), before=st.text(max_size=5), after=st.text(max_size=5))
def test_no_spelling_survives(secret: str, before: str, after: str) -> None:
    text = "\n".join([secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), secret.replace("%", "%%")])
    shown = hide(f"{before}{text}{after}", [secret])
    if secret not in MASK + before + after:
        assert secret not in shown.replace(MASK, "")
