# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container registry on loopback, plain HTTP, with a log of what was fetched."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.process import LabError
from lab.registry import free_port

_ADDRESS, _FIRST_PORT = "127.0.0.1", 5300
_START_SECONDS = 15.0
_BLOB = re.compile(r'"GET /v2/\S+/blobs/(sha256:[0-9a-f]{64}) HTTP/[0-9.]+" (\d+) (\d+)')


class Registry:
    """A running registry; ``address`` is host:port."""

    def __init__(self, address: str, access_log: Path) -> None:
        self.address = address
        self._log = access_log

    def mark(self) -> int:
        """Return the present end of the access log."""
        return self._log.stat().st_size

    def fetched_since(self, mark: int) -> dict[str, int]:
        """Return by digest how many bytes of blobs were handed out since a mark."""
        with open(self._log, "rb") as stream:
            stream.seek(mark)
            return blob_bytes(stream.read().decode("utf-8", "replace"))


def blob_bytes(log: str) -> dict[str, int]:
    """Return the bytes handed out of every blob that an access log (combined format) has a GET for."""
    total: dict[str, int] = {}
    for digest, status, size in _BLOB.findall(log):
        if status in ("200", "206"):
            total[digest] = total.get(digest, 0) + int(size)
    return total


@contextlib.contextmanager
def running(folder: Path, environment: Mapping[str, str]) -> Iterator[Registry]:
    """Start a registry with its data below ``folder``, and end it afterwards; ``LabError`` when it does not answer."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    address = f"{_ADDRESS}:{free_port(_ADDRESS, _FIRST_PORT)}"
    configuration = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address, "secret": secrets.token_hex(12)},
    }
    (folder / "config.yml").write_text(json.dumps(configuration), encoding="ascii")
    access_log, error_log = folder / "access.log", folder / "error.log"
    with open(access_log, "ab") as log, open(error_log, "ab") as errors:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=errors,
            env=dict(environment),
        )
    try:
        _wait_until_ready(process, address, error_log)
        yield Registry(address, access_log)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, error_log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(address):
            return
        time.sleep(0.03)
    tail = "\n".join(error_log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
    raise LabError(f"the registry at {address} does not answer:\n{tail}")


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
