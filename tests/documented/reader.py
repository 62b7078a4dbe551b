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
from lab.registry import START_SECONDS
from lab.state import Lab, lab_id

NAME = "registry.example.com"
ATTEMPTS = 5


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
        for _attempt in range(ATTEMPTS):
            address = _free_address()
            registry = _start_registry(lab, folder, certificate, address)
            if _answers(registry, address, certificate):
                break
            registry.kill()
            registry.wait()
        else:
            raise RuntimeError(f"the registry does not answer: {(folder / 'log').read_text()[-500:]}")
        cleanup.callback(registry.wait)
        cleanup.callback(registry.kill)
        proxy = cleanup.enter_context(ForwardProxy({NAME: address})).url
        trusted = _trusted(certificate, folder)
        # Python prefers the names in small letters.
        proxies = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
        yield {**proxies, "REQUESTS_CA_BUNDLE": trusted, "SSL_CERT_FILE": trusted}


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _start_registry(lab: Lab, folder: Path, certificate: Path, address: str) -> subprocess.Popen[bytes]:
    configuration = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(lab.directory / "registry" / "plain" / "data")}},
        "http": {"addr": address, "tls": {"certificate": str(certificate), "key": str(folder / "key.pem")}},
    }
    (folder / "config.yml").write_text(json.dumps(configuration), encoding="utf-8")
    # It ends with this process, however that ends.
    argv = ["setpriv", "--pdeathsig=KILL", "docker-registry", "serve", str(folder / "config.yml")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log)


def _answers(registry: subprocess.Popen[bytes], address: str, certificate: Path) -> bool:
    """Wait for the registry; it is no other's that has taken the port meanwhile, as that has another certificate."""
    host, _colon, port = address.partition(":")
    context = ssl.create_default_context(cafile=str(certificate))
    deadline = time.monotonic() + START_SECONDS
    while registry.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host, int(port)), timeout=2) as plain,
            context.wrap_socket(plain, server_hostname=NAME),
        ):
            return True
        time.sleep(0.05)
    return False


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


if __name__ == "__main__":
    main()
