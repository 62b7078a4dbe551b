# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployment a container gets: by the id of a kept one, or one of Atomic's that is what is asked for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from unit.plugins.module_utils.builders import (
    DIGEST,
    ROOT,
    RUNTIME,
    content,
    deployment,
    inputs,
    installed,
    nothing,
    strings,
    with_file,
)

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _choice, _new_deployment
from ansible_collections.projectatomic.system_containers.plugins.module_utils._choice import Wanted
from ansible_collections.projectatomic.system_containers.plugins.module_utils._container_plan import (
    Desired,
    plan_container,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import (
    Deployment,
    Mount,
    deployment_id,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployments import read_slot
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_name import parse_image_name
from ansible_collections.projectatomic.system_containers.plugins.module_utils._image_request import ImageRequest
from ansible_collections.projectatomic.system_containers.plugins.module_utils._images import ImageOutcome
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import render_info
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import FileState, Observed
from ansible_collections.projectatomic.system_containers.plugins.module_utils._plan import NOTHING_TO_DO
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import Store

A = deployment()
B = deployment(slot=1, made_from=inputs({"RECEIVER": "Jane"}))
ATOMIC = dataclasses.replace(A, inputs=None, id="", files=())
CONFIG = f"{ROOT}/app.0/config.json"


# --- by its id


def test_by_id() -> None:
    assert _choice._named(installed(A, B), B.id) == (B, B.inputs)
    assert _choice._named(installed(A, B), A.id) == (A, A.inputs)


@pytest.mark.parametrize("active", [0, 1])
def test_of_two_with_one_id_the_active_one(active: int) -> None:
    """They differ in values that no template uses."""
    twins = [deployment(slot=slot, made_from=inputs({"RECEIVER": "x", "UNUSED": slot})) for slot in (0, 1)]
    assert twins[0].id == twins[1].id
    assert _choice._named(installed(twins[active], twins[1 - active]), twins[0].id)[0] == twins[active]


@pytest.mark.parametrize(
    ("observed", "known"),
    [
        (nothing(), "it has none"),
        (installed(ATOMIC), "it has none"),
        (installed(A), f"it has {A.id}:"),
        (installed(A, B), f"it has {A.id}, {B.id}:"),
    ],
)
@pytest.mark.parametrize("identifier", ["0123456789ab", "", A.id[:8], "0"])
def test_unknown_id(observed: Observed, known: str, identifier: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'app' has no deployment '{identifier}', {known}"):
        _choice._named(observed, identifier)


# --- by its inputs


def test_a_kept_deployment_stays_as_it_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of the collection that renders other texts changes nothing until the inputs do."""
    files = tuple(
        dataclasses.replace(file, content=f"{file.content}\n# as an older version had it\n") for file in A.files
    )
    older = dataclasses.replace(A, files=files, id=deployment_id(DIGEST, files, A.directory))
    outcome = ImageOutcome(NOTHING_TO_DO, DIGEST, stored=SimpleNamespace(manifest_digest=DIGEST))  # type: ignore[arg-type]
    monkeypatch.setattr(_choice, "find_runtime", lambda name: RUNTIME)
    monkeypatch.setattr(_choice, "stored_outcome", lambda repository, name: outcome)
    monkeypatch.setattr(_choice, "_made", lambda *scene: (B, {}))
    wanted = Wanted(
        image=ImageRequest(parse_image_name("localhost/app:latest"), options=None),
        image_name="localhost/app:latest",
        values=inputs().values,
        secrets={},
        mounts=(),
        runtime="runc",
        pull="never",
        keep=2,
        unit_options={},
    )
    store = Store(root=ROOT, repository=SimpleNamespace())  # type: ignore[arg-type]
    chosen = _choice.choose(store, wanted, installed(older), check_mode=False).target
    assert chosen == older
    assert strings(plan_container(Desired("started", True), installed(older), chosen).actions) == []
    other = dataclasses.replace(wanted, values={"RECEIVER": "Jane"})
    assert _choice.choose(store, other, installed(older), check_mode=False).target == B


# --- taking over from Atomic


def take_over(
    monkeypatch: pytest.MonkeyPatch,
    recorded: dict[str, Any],
    *,
    found: str | None = "",
    image_id: str = "a" * 64,
    mounts: tuple[Mount, ...] = (),
) -> Deployment | None:
    """Take over a deployment for which Atomic recorded ``recorded`` more; ``found`` is its config.json, empty as rendered."""
    atomic = dataclasses.replace(ATOMIC, values={**A.values, **recorded}, created=7)
    observed = installed(A)
    observed = dataclasses.replace(observed, deployments=(atomic,))
    if found != "":
        state = None if found is None else FileState(found.encode(), 0o644, mtime=0)
        observed = with_file(observed, CONFIG, state)
    monkeypatch.setattr(
        _new_deployment, "_render", lambda scene, slot, created: dataclasses.replace(A, slot=slot, created=created)
    )
    scene: Any = SimpleNamespace(
        observed=observed,
        identity=SimpleNamespace(image_id=image_id),
        inputs=dataclasses.replace(inputs(), mounts=mounts),
    )
    return _new_deployment.taken_over(scene)


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param({}, id="the same values"),
        pytest.param({"ATOMIC": "/opt/atomic"}, id="another atomic"),
        pytest.param({"ALL_PROCESS_CAPABILITIES": '"CAP_CHOWN"'}, id="another kernel"),
        pytest.param({"IMAGE_NAME": "app"}, id="another name of the image"),
        pytest.param({"HOST_UID": "0"}, id="a number as text"),
    ],
)
def test_taken_over(monkeypatch: pytest.MonkeyPatch, recorded: dict[str, Any]) -> None:
    taken = take_over(monkeypatch, recorded)
    assert taken == dataclasses.replace(A, created=7)


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param({"RECEIVER": "Jane"}, id="another value"),
        pytest.param({"MORE": "x"}, id="a value that is not declared"),
        pytest.param({"RUNTIME": "/bin/other"}, id="another runtime"),
        pytest.param({"UUID": "other"}, id="another UUID"),
        pytest.param({"RECEIVER": None}, id="null"),
    ],
)
def test_not_taken_over(monkeypatch: pytest.MonkeyPatch, recorded: dict[str, Any]) -> None:
    assert take_over(monkeypatch, recorded) is None


def test_another_image_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert take_over(monkeypatch, {}, image_id="c" * 64) is None


def test_other_mounts_are_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """They make another deployment, so that Atomic's stays to go back to."""
    assert take_over(monkeypatch, {}, mounts=(Mount("/data", "/srv"),)) is None


def test_a_config_that_means_the_same_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    same = json.dumps(json.loads(content(A, "config.json")), indent=7)
    taken = take_over(monkeypatch, {}, found=same)
    assert taken is not None
    assert content(taken, "config.json") == same
    assert taken.id != A.id, "the id is of the bytes"


@pytest.mark.parametrize("found", [None, "not JSON", "{}", content(A, "config.json").replace("World", "Nobody")])
def test_a_config_that_means_something_else_does_not(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    taken = take_over(monkeypatch, {}, found=found)
    assert taken is not None
    assert content(taken, "config.json") == content(A, "config.json")
    assert taken.id == A.id


def test_the_runtime_as_the_container_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``/bin/runc`` and ``/usr/bin/runc`` are one program where ``/bin`` is a link."""
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/runc").touch()
    (tmp_path / "bin").symlink_to("usr")
    program, spelled = f"{tmp_path}/usr/runc", f"{tmp_path}/bin/runc"
    monkeypatch.setattr(_choice, "find_runtime", lambda name: program)
    recorded = dataclasses.replace(A, inputs=dataclasses.replace(inputs(), runtime=spelled))
    atomic = dataclasses.replace(ATOMIC, values={**A.values, "RUNTIME": spelled})
    assert _choice._runtime("runc", installed(recorded)) == spelled
    assert _choice._runtime("runc", installed(atomic)) == spelled
    assert _choice._runtime("runc", installed(A)) == program, f"{RUNTIME} is another one"
    assert _choice._runtime("runc", nothing()) == program


# --- the files of a deployment of Atomic's


def test_files_of_atomics_deployment_are_those_in_its_slot(tmp_path: Path) -> None:
    slot = tmp_path / "app.0"
    slot.mkdir()
    (slot / "info").write_text(render_info(dataclasses.replace(ATOMIC, directory=str(slot))))
    for name, text in (("config.json", "{}"), ("app.service", "[Service]\n"), ("tmpfiles-app.conf", "d /x\n")):
        (slot / name).write_text(text)
    found = read_slot(str(tmp_path / "app"), 0)
    assert isinstance(found, Deployment)
    assert {(file.path, file.content, file.mode) for file in found.files} == {
        (f"{slot}/config.json", "{}", 0o600),
        (f"{slot}/app.service", "[Service]\n", 0o644),
        ("/etc/systemd/system/app.service", "[Service]\n", 0o644),
        (f"{slot}/tmpfiles-app.conf", "d /x\n", 0o644),
        ("/etc/tmpfiles.d/app.conf", "d /x\n", 0o644),
    }
    (slot / "tmpfiles-app.conf").unlink()
    (slot / "app.service").unlink()
    (slot / "app.service").symlink_to("/etc/passwd")
    found = read_slot(str(tmp_path / "app"), 0)
    assert isinstance(found, Deployment)
    assert [file.path for file in found.files] == [f"{slot}/config.json"]
