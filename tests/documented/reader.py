# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command as on a reader's machine, which reaches the registry of the pages: python -m documented.reader COMMAND...

It is a docker-registry over the images of the lab's plain one, with TLS. A proxy on loopback alone knows its name, and the
environment names the proxy and the certificate, for Python and for skopeo.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lab.forward_proxy import ForwardProxy
from lab.registry import FIRST_PORT, START_SECONDS, free_port
from lab.state import Lab, lab_id

NAME = "registry.example.com"


def main() -> None:
    """Run the command and end as it did."""
    with reachable_registry(Lab(lab_id(os.environ))) as environment:
        done = subprocess.run(sys.argv[1:], check=False, env={**os.environ, **environment})
    sys.exit(done.returncode)


@contextlib.contextmanager
def reachable_registry(lab: Lab) -> Iterator[dict[str, str]]:
    """Run the registry and the proxy, and yield the variables that lead to them.

    Raises ``RuntimeError`` when the registry does not answer.
    """
    with contextlib.ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        certificate = _make_certificate(folder)
        address = f"127.0.0.1:{free_port('127.0.0.1', FIRST_PORT)}"
        configuration = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(lab.directory / "registry" / "plain" / "data")}},
            "http": {"addr": address, "tls": {"certificate": str(certificate), "key": str(folder / "key.pem")}},
        }
        (folder / "config.yml").write_text(json.dumps(configuration), encoding="utf-8")
        # It ends with this process, however that ends.
        argv = ["setpriv", "--pdeathsig=KILL", "docker-registry", "serve", str(folder / "config.yml")]
        log = cleanup.enter_context((folder / "log").open("wb"))
        registry = cleanup.enter_context(subprocess.Popen(argv, stdout=log, stderr=log))
        cleanup.callback(registry.kill)
        _wait_until_ready(address, folder / "log")
        proxy = cleanup.enter_context(ForwardProxy({NAME: address}))
        trusted = _trusted(certificate, folder)
        yield {"HTTPS_PROXY": proxy.url, "REQUESTS_CA_BUNDLE": trusted, "SSL_CERT_FILE": trusted}


def _make_certificate(folder: Path) -> Path:
    path = folder / "certificate.pem"
    command = (
        "openssl req -x509 -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        f" -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout key.pem -out {path.name}"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return path


def _trusted(certificate: Path, folder: Path) -> str:
    """Return a file with the machine's authorities and this certificate."""
    path, usual = folder / "trusted.pem", ssl.get_default_verify_paths().openssl_cafile
    if os.path.exists(usual):
        shutil.copyfile(usual, path)
    with path.open("a", encoding="ascii") as file:
        file.write(certificate.read_text(encoding="ascii"))
    return str(path)


def _wait_until_ready(address: str, log: Path) -> None:
    host, _colon, port = address.partition(":")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the registry does not answer: {error}: {log.read_text()[-500:]}") from error
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main()
