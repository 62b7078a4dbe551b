# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two container registries on the bridge: one plain HTTP, one with TLS and a password."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import secrets
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from . import cgroup
from .network import BRIDGE_NUMBER, ensure_network
from .process import LabError, require_all, run
from .state import Lab, Record, save_record, write_file

KINDS = ("plain", "tls")
USERNAME = "lab"
FIRST_PORT = 5000
START_SECONDS = 15.0

_OPENSSL_CONFIG = """\
[req]
distinguished_name = subject
prompt = no
[subject]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:{address}
"""


def certificates(lab: Lab) -> Path:
    """Return the folder with the registry's CA as ca.crt, fit for skopeo's --cert-dir; the hosts see it, too."""
    return lab.directory / "certs"


def authfile(lab: Lab) -> Path:
    """Return a file with the credentials, fit for skopeo's --authfile."""
    return lab.directory / "registry" / "auth.json"


def access_log(lab: Lab, kind: str) -> Path:
    """Return the file with one line per request to a registry ("plain" or "tls")."""
    return lab.directory / "registry" / kind / "access.log"


def addresses(record: Record) -> tuple[str, str]:
    """Return host:port of the plain and of the TLS registry."""
    address = record.address(BRIDGE_NUMBER)
    return f"{address}:{record.registry['plain_port']}", f"{address}:{record.registry['tls_port']}"


def cgroup_of(lab: Lab, kind: str) -> str:
    """Return the cgroup of a registry, below the hierarchies' roots."""
    return f"{lab.cgroup}/registry-{kind}"


def process_id(lab: Lab, kind: str) -> int | None:
    """Return the process id of a registry, None when it does not run."""
    return next(iter(cgroup.members(cgroup_of(lab, kind))), None)


def start(lab: Lab, record: Record) -> None:
    """Start both registries, those that do not run yet, and wait until they answer.

    Raises:
        LabError: a program is missing, or a registry does not answer in time.
    """
    require_all()
    ensure_network(lab, record)
    address = record.address(BRIDGE_NUMBER)
    if not record.registry:
        plain_port = free_port(address, FIRST_PORT)
        record.registry = {
            "plain_port": plain_port,
            "tls_port": free_port(address, plain_port + 1),
            "username": USERNAME,
            "password": secrets.token_hex(12),
        }
        save_record(lab, record)
    _write_credentials(lab, record)
    _make_certificates(lab, address)
    for kind in KINDS:
        if process_id(lab, kind) is None:
            _start_one(lab, record, kind)
    for kind in KINDS:
        _wait_until_ready(lab, record, kind)


def free_port(address: str, first: int) -> int:
    """Return the first port from first on that can be listened at: others on the machine may hold some.

    Raises:
        LabError: there is none among the next hundred.
    """
    for port in range(first, first + 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return port
    raise LabError(f"no free port for a registry on {address}")


def configuration(lab: Lab, record: Record, kind: str) -> dict[str, Any]:
    """Return docker-registry's configuration."""
    folder = lab.directory / "registry"
    plain, tls = addresses(record)
    web: dict[str, Any] = {"addr": tls if kind == "tls" else plain, "secret": record.registry["password"]}
    content: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / kind / "data")}, "delete": {"enabled": True}},
        "http": web,
    }
    if kind == "tls":
        web["tls"] = {"certificate": str(folder / "server.crt"), "key": str(folder / "server.key")}
        content["auth"] = {"htpasswd": {"realm": "lab", "path": str(folder / "htpasswd")}}
    return content


def _write_credentials(lab: Lab, record: Record) -> None:
    """Write the password for the server (hashed) and for skopeo; it is in no command line."""
    folder = lab.directory / "registry"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    username, password = record.registry["username"], record.registry["password"]
    if not (folder / "htpasswd").exists():
        write_file(folder / "htpasswd", run(["htpasswd", "-Bin", username], stdin=password), mode=0o600)
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    _plain, tls = addresses(record)
    write_file(authfile(lab), json.dumps({"auths": {tls: {"auth": token}}}), mode=0o600)


def _make_certificates(lab: Lab, address: str) -> None:
    """Make a CA and the server's certificate, if they are missing; ca.crt for the clients comes last."""
    folder = lab.directory / "registry"
    public = certificates(lab) / "ca.crt"
    if public.exists():
        return
    certificates(lab).mkdir(parents=True, exist_ok=True)
    for name, common in (("ca", f"lab {lab.id} CA"), ("server", address)):
        write_file(folder / f"{name}.cnf", _OPENSSL_CONFIG.format(name=common, address=address))
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    serial = secrets.randbits(64)
    for command in (
        f"req -x509 {new_key} -keyout ca.key -out ca.crt -days 3650 -config ca.cnf -extensions ca",
        f"req -new {new_key} -keyout server.key -out server.csr -config server.cnf",
        (
            f"x509 -req -in server.csr -CA ca.crt -CAkey ca.key -set_serial {serial} -days 3650 -out server.crt"
            " -extfile server.cnf -extensions server"
        ),
    ):
        run(["openssl", *command.split()], folder=folder)
    write_file(public, (folder / "ca.crt").read_text(encoding="ascii"))


def _start_one(lab: Lab, record: Record, kind: str) -> None:
    folder = lab.directory / "registry" / kind
    (folder / "data").mkdir(parents=True, exist_ok=True)
    write_file(folder / "config.yml", json.dumps(configuration(lab, record, kind), indent=2) + "\n", mode=0o600)
    argv = ["docker-registry", "serve", str(folder / "config.yml")]
    with open(access_log(lab, kind), "ab") as log, open(folder / "error.log", "ab") as errors:
        cgroup.spawn(cgroup_of(lab, kind), argv, output=log, errors=errors)


def _wait_until_ready(lab: Lab, record: Record, kind: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _answers(lab, record, kind):
            return
        if process_id(lab, kind) is None:
            break
        time.sleep(0.03)
    log = lab.directory / "registry" / kind / "error.log"
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
    raise LabError(f"the {kind} registry does not answer; log: {log}\n{tail}")


def _answers(lab: Lab, record: Record, kind: str) -> bool:
    """Return whether a registry answers as it should, with the right certificate and asking for a password."""
    plain, tls = addresses(record)
    connection: http.client.HTTPConnection
    if kind == "tls":
        context = ssl.create_default_context(cafile=str(certificates(lab) / "ca.crt"))
        connection = http.client.HTTPSConnection(tls, timeout=2, context=context)
    else:
        connection = http.client.HTTPConnection(plain, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == (401 if kind == "tls" else 200)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
