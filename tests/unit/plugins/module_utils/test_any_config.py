# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any JSON at any place of an image's config.json: all that reads it later can, or rendering refuses it in words."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.module_utils.builders import (
    deployment,
    host_facts,
    image_files,
    image_identity,
    inputs,
    json_values,
)

from ansible_collections.projectatomic.system_containers.plugins.module_utils._deployment import Deployment, Mount
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._lint_config import check_config
from ansible_collections.projectatomic.system_containers.plugins.module_utils._mount_targets import check_mount_targets
from ansible_collections.projectatomic.system_containers.plugins.module_utils._mounts import merge_mounts
from ansible_collections.projectatomic.system_containers.plugins.module_utils._runtime_spec import (
    bind_sources,
    has_user_namespace,
    parse_runtime_spec,
)

ODD_HOST = host_facts(capabilities=(), controllers=frozenset(), limits={"RLIMIT_NOFILE": 1})
"""A host that lacks all that a config.json can ask for, so that all of it is looked at."""

CONFIG: dict[str, Any] = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": True,
        "consoleSize": {"height": 1, "width": 1},
        "user": {"uid": 0, "gid": 0, "additionalGids": [5]},
        "args": ["app", "x"],
        "env": ["PATH=/bin:/usr/bin", "A=b"],
        "cwd": "/",
        "capabilities": {name: ["CAP_CHOWN"] for name in ("bounding", "effective", "permitted", "ambient")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "oomScoreAdj": -500,
        "selinuxLabel": "a:b:c:d",
        "apparmorProfile": "docker-default",
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "app",
    "mounts": [
        {"destination": "/srv", "type": "bind", "source": "/srv", "options": ["rbind", "context=a:b:c:d"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    ],
    "hooks": {"prestart": [{"path": "/bin/true"}]},
    "linux": {
        "namespaces": [{"type": "user"}, {"type": "pid", "path": "/proc/1/ns/pid"}],
        "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
        "cgroupsPath": "/system.slice/app",
        "mountLabel": "a:b:c:d",
        "resources": {
            "memory": {"limit": 5, "swappiness": 60},
            "cpu": {"shares": 5, "cpus": "0", "mems": "0", "realtimePeriod": 1},
            "pids": {"limit": 5},
            "blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 5}]},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
            "network": {"classID": 1},
            "rdma": {"mlx5": {"hcaHandles": 3}},
            "unified": {"memory.high": "5"},
        },
    },
    "annotations": {"a": "b"},
}
"""A config.json that has every key that is read."""


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each part of a value."""
    yield way
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*way, key))


PLACES = list(places(CONFIG))


def changed(way: tuple[Any, ...], value: Any) -> Any:
    """Return the configuration with another value at a place."""
    if not way:
        return value
    config = copy.deepcopy(CONFIG)
    part: Any = config
    for key in way[:-1]:
        part = part[key]
    part[way[-1]] = value
    return config


def render_config(text: str, *mounts: Mount) -> Deployment:
    """Render an image with this config.json."""
    files = image_files(config=text, config_template=None, tmpfiles_template=None)
    made_from = dataclasses.replace(inputs(), mounts=mounts)
    return deployment(files=files, made_from=made_from, facts=ODD_HOST)


def read(text: str) -> None:
    """Do all that is done with the config.json of an image, each of them on what was accepted before."""
    try:
        made = render_config(text)
        render_config(text, Mount("/data", "/srv/data"))
    except InvalidInputError:
        return
    rendered = next(file.content for file in made.files if file.path.endswith("/config.json"))
    for spec in (parse_runtime_spec(text, file="f"), parse_runtime_spec(rendered, file="f")):
        assert has_user_namespace(spec) in (True, False)
        bind_sources(merge_mounts(spec, [Mount("/data", "/srv/data")]))
        check_mount_targets(spec, lambda path: None)
        list(check_config(spec, lambda path: None, path=None, made=()))


def test_all_of_it_is_accepted() -> None:
    text = json.dumps(CONFIG)
    made = render_config(text)
    assert len(made.warnings) == 16
    assert has_user_namespace(parse_runtime_spec(text, file="f"))


@pytest.mark.parametrize("junk", [None, True, False, 0, 5, -1.5, "", "x", "/", "\0", [], [5], ["x"], [[]], [{}], {}])
def test_junk_at_every_place(junk: Any) -> None:
    for way in PLACES:
        read(json.dumps(changed(way, junk)))


@given(st.sampled_from(PLACES), json_values)
def test_any_json_at_any_place(way: tuple[Any, ...], value: Any) -> None:
    read(json.dumps(changed(way, value)))


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\uDFFFb"', r'{"\udc80": 1}', r'["\udc00\ud800"]'])
def test_half_a_surrogate_pair(text: str) -> None:
    """No file can hold it, and runc reads something else (Go's encoding/json); the deeper places are read like these."""
    for way in (("annotations",), ("process", "args", 1), ("mounts", 0, "source"), ("linux", "namespaces", 1, "path")):
        config = json.dumps(changed(way, "HALF")).replace('"HALF"', text)
        for mounts in ((), (Mount("/data", "/srv/data"),)):
            with pytest.raises(
                InvalidInputError, match=r"config\.json of the image: a text in it has half of a surrogate"
            ):
                render_config(config, *mounts)


def test_a_whole_surrogate_pair() -> None:
    config = json.dumps(changed(("annotations",), {"a": "😀"}))
    assert r"\ud83d\ude00" in config
    assert "😀" in next(file.content for file in render_config(config).files if file.path.endswith("/config.json"))


def test_half_a_surrogate_pair_in_the_configuration_of_an_image() -> None:
    """An image without a config.json gets one from that."""
    with pytest.raises(InvalidInputError, match=r"config\.json: a text in it has half of a surrogate"):
        deployment(
            image=image_identity(cmd=("x", "\ud800")), files=image_files(config_template=None, tmpfiles_template=None)
        )


@pytest.mark.parametrize("levels", [200, 400, 600, 800, 900, 950, 1000, 5000, 100_000])
@pytest.mark.parametrize("way", [("annotations",), ("linux", "resources", "memory"), ("mounts", 0, "x")])
def test_nested_deep(way: tuple[Any, ...], levels: int) -> None:
    text = json.dumps(changed(way, "DEEP"))
    for opening, closing in (("[", "]"), ('{"a": ', "}")):
        read(text.replace('"DEEP"', opening * levels + "5" + closing * levels))
