# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Made-up fleets: results of ``system_container_info`` by host, as the playbook hands them to the report."""

from __future__ import annotations

import hashlib
from typing import Any

TAKEN = "2026-11-27T00:41:28Z"
KIB, MIB = 1024, 1024**2

RUNC = {
    "name": "runc",
    "path": "/usr/bin/runc",
    "version": "1.1.5+ds1",
    "known_vulnerabilities": [
        {
            "id": "CVE-2024-21626",
            "fixed_in": ["1.1.12"],
            "summary": "a file descriptor left open led a container to the host's files",
        },
        {
            "id": "CVE-2024-45310",
            "fixed_in": ["1.1.14", "1.2.0-rc.3"],
            "summary": "a race could create empty files and directories on the host",
        },
        {
            "id": "CVE-2025-31133",
            "fixed_in": ["1.2.8", "1.3.3", "1.4.0-rc.3"],
            "summary": "/dev/null replaced by a link could open masked paths",
        },
    ],
    "note": "By upstream's version alone: distributions mend old versions without changing it, ask the one in use.",
}
NEW_RUNC = {**RUNC, "version": "1.4.3", "known_vulnerabilities": [], "note": None}
STORE = {"images": 3, "unique": 52428800, "shared": 20971520, "reclaimable": 1048576}


def digest(text: str) -> str:
    """Return a digest, the same for the same text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def container(name: str, image: str | None = None, **facts: Any) -> dict[str, Any]:
    """Return what info tells of a container that runs, but for what ``facts`` say."""
    image = image or f"registry.example.com/services/{name}:1.0"
    version = facts.get("manifest_digest") or digest(image)
    deployment = version[7:19]
    return {
        "name": name,
        "broken": None,
        "interrupted": None,
        "image": image,
        "image_id": version[7:],
        "manifest_digest": version,
        "index_digest": None,
        "deployment": deployment,
        "deployments": [{"id": deployment, "active": True, "verified": None, "unverified_reason": None}],
        "values": {"COLOUR": "never shown"},
        "runtime": "/usr/bin/runc",
        "state": "running",
        "substate": "running",
        "enabled": True,
        "unit": f"{name}.service",
        "since": 1795716600.5,
        "started_at": "2026-11-26T18:10:00Z",
        "restarts": 0,
        "result": "success",
        "exit_status": 0,
        "last_exit": None,
        "memory": 25 * MIB,
        "edited_files": [],
        "drift": [],
        **facts,
    }


def failed(name: str, **facts: Any) -> dict[str, Any]:
    """Return what info tells of a container whose service ended with exit status 3."""
    ended = {"code": "exited", "status": 3, "signal": None, "at": "2026-11-26T23:59:01Z"}
    return container(
        name,
        **{
            "state": "failed",
            "substate": "failed",
            "since": None,
            "started_at": None,
            "restarts": 5,
            "result": "exit-code",
            "exit_status": 3,
            "last_exit": ended,
            "memory": None,
            **facts,
        },
    )


def stopped(name: str, **facts: Any) -> dict[str, Any]:
    """Return what info tells of a container that was stopped."""
    off = {"state": "inactive", "substate": "dead", "enabled": False, "since": None, "started_at": None, "memory": None}
    return container(name, **{**off, **facts})


def answer(*containers: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Return the result of a host."""
    return {
        "changed": False,
        "exists": bool(containers),
        "containers": list(containers),
        "store": STORE,
        "runtime": RUNC,
        **facts,
    }


def unreachable(message: str = "Failed to connect to the host via ssh: No route to host") -> dict[str, Any]:
    """Return the result of a host that is down."""
    return {"changed": False, "unreachable": True, "msg": message}


def broken_host(message: str = "The module interpreter '/usr/bin/python3' was not found.") -> dict[str, Any]:
    """Return the result of a host where the module fails."""
    return {"changed": False, "failed": True, "msg": message}


def small() -> dict[str, Any]:
    """Return three hosts with one of each problem, one that is down and one that fails."""
    etcd = "registry.example.com/etcd:3.5"
    drift = [
        {"path": "/etc/systemd/system/etcd.service", "problem": "content"},
        {"path": "/var/lib/containers/atomic/etcd.0/config.json", "problem": "mode"},
    ]
    return {
        "web1": answer(container("etcd", etcd), container("hello-world"), stopped("backup")),
        "web2": answer(
            container("etcd", etcd, manifest_digest=digest("moved"), drift=drift),
            failed("hello-world"),
            container("logs", broken="/var/lib/containers/atomic/logs.0: it has no info file", image=None),
        ),
        "web3": answer(
            container("etcd", etcd, restarts=2),
            container("hello-world", edited_files=["/etc/hello-world.conf"], interrupted="update"),
            runtime=NEW_RUNC,
        ),
        "web4": unreachable(),
        "web5": broken_host(),
    }


def calm() -> dict[str, Any]:
    """Return one host where all is well."""
    return {"web1": answer(container("etcd"), container("hello-world"), runtime=NEW_RUNC)}


def large(hosts: int = 200) -> dict[str, Any]:
    """Return many hosts with five containers each, and a few problems."""
    fleet: dict[str, Any] = {}
    for number in range(1, hosts + 1):
        name = f"edge-{number:03}.example.com"
        if number % 67 == 0:
            fleet[name] = unreachable()
            continue
        etcd: dict[str, Any] = {"manifest_digest": digest("moved")} if number % 41 == 0 else {}
        drift = [{"path": "/etc/tmpfiles.d/proxy.conf", "problem": "missing"}] if number % 53 == 0 else []
        fleet[name] = answer(
            container("etcd", "registry.example.com/etcd:3.5", **etcd),
            failed("exporter") if number % 71 == 0 else container("exporter", memory=number * 50 * KIB),
            container("flannel", "registry.example.com/network/flannel:0.25.1", restarts=number % 3),
            container("proxy", "registry.example.com/edge/proxy@" + digest("proxy"), drift=drift),
            stopped("backup", image="registry.example.com/backup:2026.10"),
            runtime=RUNC if number % 4 else NEW_RUNC,
        )
    return fleet


EVIL = "<script>window.evil=1</script><img src=x onerror='window.evil=1'>\"'&{{ 7 * 7 }}"


def hostile() -> dict[str, Any]:
    """Return hosts all of whose texts want to be markup."""
    return {
        f"bad{EVIL}": answer(
            failed(
                f"name{EVIL}",
                image=f"registry.example.com/{EVIL}:1",
                broken=EVIL,
                interrupted=EVIL,
                result=EVIL,
                drift=[{"path": f"/etc/{EVIL}", "problem": EVIL}],
                deployment=EVIL,
                deployments=[{"id": EVIL, "unverified_reason": EVIL}],
            ),
            container("twin", manifest_digest=f"sha256:{EVIL}"),
            runtime={
                **RUNC,
                "name": EVIL,
                "version": EVIL,
                "known_vulnerabilities": [{"id": EVIL, "fixed_in": [EVIL], "summary": EVIL}],
                "note": EVIL,
            },
        ),
        "good": answer(container("twin")),
        "down": unreachable(f"ssh: {EVIL}"),
        "wide": answer(container("w" * 200, image="registry.example.com/" + "x" * 300 + ":1")),
    }
