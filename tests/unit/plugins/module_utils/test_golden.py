# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the real Atomic 1.22.1 generated, against what this collection renders from the same image and values.

The cases are no part of this project: ``GOLDEN_DIR`` says where they are. Own cases are in test_render.py.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils.builders import content

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment, Inputs
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exports import (
    ExportsManifest,
    ImageFiles,
    ImageHostFile,
    digest_of,
    parse_exports_manifest,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._info_file import parse_info, render_info
from ansible_collections.projectatomic.system_containers.plugins.module_utils._models import HostFacts, Paths
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import ImageConfig
from ansible_collections.projectatomic.system_containers.plugins.module_utils._render import (
    ImageIdentity,
    Target,
    render,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._template import FORCED
from ansible_collections.projectatomic.system_containers.plugins.module_utils._tmpfiles import (
    MissingSource,
    created_paths,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._user_values import check_user_values

GOLDEN_DIR = os.environ.get("GOLDEN_DIR", "")
CASES = sorted(path.parent for path in Path(GOLDEN_DIR).glob("*/input.json")) if GOLDEN_DIR else []
NOT_SET = "optional: GOLDEN_DIR is not set (the cases recorded from the real Atomic are no part of this project)"
needs_golden = pytest.mark.skipif(not GOLDEN_DIR, reason=NOT_SET)

ATOMIC_ROOT = "/var/lib/containers/atomic"
RUN_ONCE = "run-once images (label atomic.run=once) are not supported yet (DESIGN 8, Not yet)"
DEFAULT_CONFIG = "without config.json*, the default is made from the image's own OCI configuration (DESIGN 3)"
FORCED_REFUSED = "variables that are always computed are refused in values (TRAPS 16)"
ROOT_FILES = "host files in the root are recorded as /NAME, where Atomic wrote /./NAME (DESIGN 3)"

UNSTABLE_INFO = ("created", "ostree-commit")
UNSTABLE_VALUES = ("UUID", "ALL_PROCESS_CAPABILITIES", "ATOMIC")
INSTALLED = re.compile(r"(\S) \d+ (\S+) (\S+) ?(?:-> (\S+)|size=\d+ nlink=1 sha256=(\S+))?")


def document(case: Path, name: str) -> Any:
    """Return a JSON file of a case, None when it has none."""
    path = case / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def text(case: Path, name: str) -> str | None:
    """Return a file of a case, to the byte; None when it has none."""
    path = case / name
    return path.read_bytes().decode("utf-8") if path.exists() else None


def deviations(case: Path) -> set[str]:
    """Return every reason why a case may differ from what Atomic did; anything else that differs is a bug."""
    found = set()
    labels = document(case, "labels.json") or {}
    if labels.get("atomic.run") == "once":
        found.add(RUN_ONCE)
    if not any((case / "exports" / name).exists() for name in ("config.json", "config.json.template")):
        found.add(DEFAULT_CONFIG)
    if set(document(case, "input.json")["set"]) & set(FORCED):
        found.add(FORCED_REFUSED)
    if "/./" in (text(case, "expected/installed-files.txt") or ""):
        found.add(ROOT_FILES)
    return found


def image_files(case: Path) -> ImageFiles:
    """Return what the image of a case brings."""
    manifest = text(case, "exports/manifest.json")
    return ImageFiles(
        config=text(case, "exports/config.json"),
        config_template=text(case, "exports/config.json.template"),
        service_template=text(case, "exports/service.template"),
        tmpfiles_template=text(case, "exports/tmpfiles.template"),
        manifest=parse_exports_manifest(manifest) if manifest is not None else ExportsManifest(),
        host_files=host_entries(case),
    )


def installed(case: Path) -> set[tuple[str, str, str, str | None]]:
    """Return what Atomic installed: type, owner, path, and link target or digest."""
    return {
        (kind, owner, path.replace("/./", "/"), target or digest or None)
        for kind, owner, path, target, digest in INSTALLED.findall(text(case, "expected/installed-files.txt") or "")
    }


def host_entries(case: Path) -> tuple[ImageHostFile, ...]:
    """Return what the image of a case has below hostfs. A case's folder keeps no modes, links and empty folders: the latter
    two are as installed."""
    top = case / "exports" / "hostfs"
    found: dict[str, ImageHostFile] = {}
    for place in top.rglob("*"):
        path = f"/{place.relative_to(top)}"
        if place.is_dir():
            found[path] = ImageHostFile(path, "d", 0o755, 0, 0)
        else:
            data = place.read_bytes()
            found[path] = ImageHostFile(path, "-", 0o644, 0, 0, sha256=digest_of([data]), text=data.decode("utf-8"))
    for kind, _owner, path, target in installed(case):
        if kind in ("d", "l"):
            found[path] = ImageHostFile(path, kind, 0o755, 0, 0, target=target)
    return tuple(found.values())


def host_facts(info: dict[str, Any] | None) -> HostFacts:
    """Return the host on which a case was recorded."""
    values: dict[str, Any] = info["values"] if info else {"HOST_UID": 0, "HOST_GID": 0, "ALL_PROCESS_CAPABILITIES": ""}
    return HostFacts(
        uid=values["HOST_UID"],
        gid=values["HOST_GID"],
        runtime=info["runtime"] if info else "/usr/bin/runc",
        machine_id="golden",
        capabilities=tuple(re.findall(r"CAP_\w+", values["ALL_PROCESS_CAPABILITIES"])),
        selinux=True,  # Atomic kept labels on every host
    )


def rendered(case: Path) -> Deployment:
    """Render a case; variables that are always computed are left out of its values."""
    given, info = document(case, "input.json"), document(case, "expected/info.json")
    lines = text(case, "expected/tmpfiles.conf") or ""
    values = check_user_values({name: value for name, value in given["set"].items() if name not in FORCED})
    facts = host_facts(info)

    def find_missing(sources: Any) -> list[MissingSource]:
        """The host of the recording lacked what the generated lines list."""
        files = {line.split()[1] for line in lines.splitlines() if line.startswith("f ")}
        return [
            MissingSource(source, is_file=source in files)
            for source, _target in sources
            if source in created_paths(lines)
        ]

    return render(
        image=ImageIdentity(
            name=given["image"],
            image_id=info["revision"] if info else "",
            commit="golden",
            index_digest=None,
            config=ImageConfig(os="linux", architecture="amd64", cmd=("run.sh",)),
        ),
        files=image_files(case),
        inputs=Inputs("sha256:" + "0" * 64, values, facts.runtime),
        target=Target(Paths(given["name"], ATOMIC_ROOT), 0, info["values"]["UUID"] if info else None, 1),
        facts=facts,
        find_missing=find_missing,
    )


def without(mapping: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


def case_ids(case: Path) -> str:
    return case.name


@needs_golden
def test_there_are_cases() -> None:
    assert CASES


GOOD = [case for case in CASES if document(case, "input.json")["rc"] == 0 and RUN_ONCE not in deviations(case)]
REFUSED = [case for case in CASES if case not in GOOD]


@needs_golden
@pytest.mark.parametrize("case", GOOD, ids=case_ids)
def test_config(case: Path) -> None:
    config = json.loads(content(rendered(case), "config.json"))
    expected = document(case, "expected/config.json")
    if DEFAULT_CONFIG in deviations(case):
        assert config["process"]["args"] == expected["process"]["args"] == ["run.sh"]
        assert config["root"] == expected["root"]
    else:
        assert config == expected


@needs_golden
@pytest.mark.parametrize("case", GOOD, ids=case_ids)
@pytest.mark.parametrize("kind", ["service", "tmpfiles.conf"])
def test_unit_and_tmpfiles(case: Path, kind: str) -> None:
    made = rendered(case)
    paths = Paths(made.name, ATOMIC_ROOT)
    path = paths.unit if kind == "service" else paths.tmpfiles
    got = {file.path: file.content for file in made.files}.get(path)
    assert got == text(case, f"expected/{kind}")


@needs_golden
@pytest.mark.parametrize("case", GOOD, ids=case_ids)
def test_info(case: Path) -> None:
    made, expected = rendered(case), document(case, "expected/info.json")
    info = json.loads(render_info(made))
    assert set(expected) <= set(info)
    left_out = ["values", *UNSTABLE_INFO]
    if ROOT_FILES in deviations(case):
        checksums = {path.replace("/./", "/"): digest for path, digest in expected["installed-files-checksum"].items()}
        expected.update({"installed-files": list(checksums), "installed-files-checksum": checksums})
    expected["installed-files"].sort()  # Atomic's order was that of its directory
    got = without(info, "system-containers", *left_out)
    assert got == without(expected, *left_out)
    assert without(info["values"], *UNSTABLE_VALUES) == without(expected["values"], *UNSTABLE_VALUES)
    assert set(info["values"]) == set(expected["values"])
    assert parse_info(render_info(made), name=made.name, slot=0, directory=made.directory) == made


@needs_golden
@pytest.mark.parametrize("case", GOOD, ids=case_ids)
def test_what_atomic_wrote_can_be_read(case: Path) -> None:
    """A host that Atomic managed can be taken over."""
    recorded, expected = text(case, "expected/info.json"), document(case, "expected/info.json")
    assert recorded is not None
    name = expected["values"]["NAME"]
    found = parse_info(recorded, name=name, slot=0, directory=expected["values"]["DESTDIR"])
    assert found.inputs is None
    assert (found.image, found.image_id, found.created) == (
        expected["image"],
        expected["revision"],
        expected["created"],
    )
    assert found.has_service is expected["has-container-service"]
    assert found.values == expected["values"]


@needs_golden
@pytest.mark.parametrize("case", REFUSED, ids=case_ids)
def test_what_atomic_refused(case: Path) -> None:
    """The reasons are worded otherwise; a run-once image, which Atomic accepted, is refused for its writable root."""
    with pytest.raises(InvalidInputError) as caught:
        rendered(case)
    names = re.findall(r"unreplaced value for: ''(\w+)''", text(case, "expected/error.txt") or "")
    assert all(f"'{name}'" in str(caught.value) for name in names)


@needs_golden
@pytest.mark.parametrize("case", CASES, ids=case_ids)
def test_forced_variables(case: Path) -> None:
    given = document(case, "input.json")["set"]
    if FORCED_REFUSED in deviations(case):
        with pytest.raises(InvalidInputError, match="always computed"):
            check_user_values(given)
    else:
        assert check_user_values(given) == given
