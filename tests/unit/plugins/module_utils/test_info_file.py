# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file ``info``: round trip, what Atomic wrote, and junk."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.module_utils.builders import deployment, image_files, inputs, json_values, utf8_text

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    SCHEMA,
    Deployment,
    deployment_id,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import (
    InvalidInputError,
    NewerSchemaError,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageHostFile,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import is_digest
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import (
    OWN_KEY,
    parse_info,
    render_info,
)

NO_SERVICE = image_files(manifest=ExportsManifest(no_container_service=True))
ATOMIC_KEYS = [
    "image",
    "revision",
    "ostree-commit",
    "created",
    "values",
    "has-container-service",
    "installed-files",
    "installed-files-checksum",
    "installed-files-template",
    "rename-installed-files",
    "rpm-installed",
    "system-package",
    "remote",
    "use-links",
    "runtime",
]


def parse(text: str, *, slot: int = 0) -> Deployment:
    return parse_info(text, name="app", slot=slot, directory=f"/srv/containers/app.{slot}")


def info() -> dict[str, Any]:
    """Return the info of a deployment as a document."""
    return json.loads(render_info(deployment()))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(deployment(), id="usual"),
        pytest.param(deployment(slot=1), id="other slot"),
        pytest.param(deployment(made_from=inputs({"RECEIVER": 'q " ünï', "N": 5, "B": True, "F": 1.5})), id="values"),
        pytest.param(deployment(files=image_files(tmpfiles_template=None)), id="no tmpfiles"),
        pytest.param(dataclasses.replace(deployment(), index_digest="sha256:" + "3" * 64), id="index digest"),
        pytest.param(deployment(files=NO_SERVICE), id="no service"),
    ],
)
def test_round_trip(made: Deployment) -> None:
    again = parse(render_info(made), slot=made.slot)
    assert again == made
    assert render_info(again) == render_info(made)


@given(utf8_text)
def test_any_value_goes_round(text: str) -> None:
    made = dataclasses.replace(deployment(), values={"A": text})
    assert parse(render_info(made)) == made


def test_atomic_can_read_it() -> None:
    document = info()
    assert list(document)[:-1] == ATOMIC_KEYS
    assert list(document)[-1] == OWN_KEY
    assert document["runtime"] == "/usr/bin/runc"
    assert document["values"]["RECEIVER"] == "World"
    assert document["has-container-service"] is True
    assert document["system-package"] == "no"
    assert document[OWN_KEY]["schema"] == SCHEMA
    assert document[OWN_KEY]["values"] == {"RECEIVER": "World"}


def test_the_id_of_an_early_version() -> None:
    """It counted the slot in a rendered host file."""
    entry = ImageHostFile("/usr/bin/x", "-", 0o755, 0, 0, text="cd $DESTDIR")
    manifest = ExportsManifest(templates=("/usr/bin/x",))
    made = deployment(files=image_files(host_files=(entry,), manifest=manifest))
    identifier = deployment_id(
        made.manifest_digest or "", made.files, made.directory, host_files=made.host_files, by_slot=True
    )
    assert identifier != made.id
    older = dataclasses.replace(made, id=identifier)
    assert parse(render_info(older)) == older


def test_what_an_early_atomic_wrote() -> None:
    document = {key: info()[key] for key in ("image", "revision", "ostree-commit", "created", "values", "remote")}
    found = parse(json.dumps(document))
    assert (found.inputs, found.has_service, found.host_files, found.use_links) == (None, True, (), True)


def test_what_atomic_wrote() -> None:
    document = info()
    del document[OWN_KEY]
    found = parse(json.dumps(document))
    assert found.inputs is None
    assert found.manifest_digest is None
    assert (found.id, found.files, found.index_digest) == ("", (), None)
    assert found.values == document["values"]
    assert OWN_KEY not in json.loads(render_info(found))


def test_a_newer_schema_is_refused() -> None:
    document = {OWN_KEY: {"schema": SCHEMA + 1}, "all": "else is unknown"}
    with pytest.raises(NewerSchemaError, match=f"schema {SCHEMA + 1}, known here: {SCHEMA}"):
        parse(json.dumps(document))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        "5",
        '"text"',
        "[" * 100_000,
        '{"system-containers": []}',
        '{"system-containers": 5}',
        '{"system-containers": {}}',
        '{"system-containers": {"schema": null}}',
        '{"system-containers": {"schema": 1e999}}',
    ],
)
def test_junk(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^its info file "):
        parse(text)


@pytest.mark.parametrize("key", ["path", "mode", "content"])
def test_recorded_files_that_were_changed_by_hand(key: str) -> None:
    document = info()
    document[OWN_KEY]["files"][0][key] = "0777"
    with pytest.raises(InvalidInputError, match=r"^its info file was changed"):
        parse(json.dumps(document))


@pytest.mark.parametrize("text", [r"\ud800", r"\uDBFF", r"a\ud83db"])
def test_what_no_file_can_hold(text: str) -> None:
    document = info()
    document[OWN_KEY]["files"][0]["content"] = "HALF"
    with pytest.raises(InvalidInputError, match=r"^its info file cannot be used: a text in it is not UTF-8"):
        parse(json.dumps(document).replace("HALF", text))


NO_DIGESTS = ["../../etc", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha512:" + "a" * 64, "a" * 64, "", 5]


@pytest.mark.parametrize("junk", NO_DIGESTS)
@pytest.mark.parametrize("key", ["manifest-digest", "index-digest"])
def test_what_is_no_digest_is_refused(key: str, junk: object) -> None:
    document = info()
    document[OWN_KEY][key] = junk
    with pytest.raises(InvalidInputError, match=f"^its info file cannot be used: '{key}' is missing or no digest"):
        parse(json.dumps(document))


def usable(found: Deployment) -> None:
    """Everything that later code relies on has its type."""
    assert all(isinstance(text, str) for text in (found.id, found.image, found.image_id, found.image_commit))
    assert found.index_digest is None or is_digest(found.index_digest)
    assert isinstance(found.values, dict)
    assert isinstance(found.has_service, bool)
    assert isinstance(found.created, int)
    if found.inputs is not None:
        assert isinstance(found.inputs.values, dict)
        assert is_digest(found.inputs.manifest_digest)
        assert isinstance(found.inputs.runtime, str)
    for file in found.files:
        assert isinstance(file.path, str)
        assert len(file.sha256) == 64
    json.loads(render_info(found))


def check(document: Any) -> None:
    try:
        found = parse(json.dumps(document))
    except (InvalidInputError, NewerSchemaError):
        return
    usable(found)


JUNK = [None, True, 5, -1, 1e400, float("nan"), "text", [], ["x"], [["a", "b"]], {}, {"a": 1}]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("key", [*ATOMIC_KEYS, OWN_KEY])
def test_junk_in_every_key(key: str, junk: Any) -> None:
    check({**info(), key: junk})


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("key", ["schema", "renderer", "id", "manifest-digest", "index-digest", "values", "files"])
def test_junk_in_every_key_of_our_own(key: str, junk: Any) -> None:
    document = info()
    document[OWN_KEY][key] = junk
    check(document)


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("key", ["path", "mode", "sha256", "content"])
def test_junk_in_a_file(key: str, junk: Any) -> None:
    document = info()
    document[OWN_KEY]["files"][0][key] = junk
    check(document)


@pytest.mark.parametrize("key", [*ATOMIC_KEYS, OWN_KEY])
def test_a_missing_key(key: str) -> None:
    document = info()
    del document[key]
    check(document)


@given(json_values)
def test_any_json(document: Any) -> None:
    check(document)


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)
