# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of the lab on which modules run without Ansible's controller: faults, the random walk and benchmarks use it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible.module_utils
from faults.harness import SUPERVISOR, Place
from lab import host as hosts
from lab import ssh
from lab.process import LabError
from lab.state import Lab, lab_id, load_record
from runner.collection_link import NAME, NAMESPACE, ROOT

LAB = ROOT / "tests/lab/lab"
FOLDER = "/opt/system-containers-tests"
ON_HOST = Path(__file__).with_name("on_host.py")
_ENVIRONMENT = {
    "PYTHONPATH": f"{FOLDER}/python",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


@dataclass(frozen=True)
class HostPlace(Place):
    """Runs commands on a host over SSH, each argument arriving as it is."""

    lab: Lab = field(default_factory=lambda: Lab(lab_id(os.environ)))
    address: str = ""

    def command(self, argv: Sequence[str]) -> list[str]:
        return ssh.command(self.lab, self.address, super().command(argv))


class LabHost:
    """A host that is up, with the collection, the supervisor and ``on_host.py`` in ``FOLDER``."""

    def __init__(self, name: str, *, packages: Sequence[str] = ()) -> None:
        self.name = name
        self.lab = Lab(lab_id(os.environ))
        self._call("up", *(f"--package={package}" for package in packages), name)
        address = hosts.find(self.lab, load_record(self.lab), name).address
        self.place = HostPlace(
            python="/usr/bin/python3",
            supervisor=f"{FOLDER}/{SUPERVISOR.name}",
            environment=_ENVIRONMENT,
            lab=self.lab,
            address=address,
        )
        self.send(_tools(), FOLDER)

    def send(self, archive: bytes, folder: str) -> None:
        """Unpack a tar archive in a folder of the host, made when it is missing."""
        command = self.place.command(["sh", "-c", 'mkdir -p "$1" && tar --extract --directory="$1"', "sh", folder])
        subprocess.run(command, input=archive, check=True, timeout=300)

    def send_folder(self, source: Path, folder: str) -> None:
        """Copy a folder with all that is in it."""
        self.send(_archive([(source, ".")]), folder)

    def run(self, *argv: str) -> str:
        """Run a command that has to go well; return its output."""
        done = self.place.run(argv)
        if done.returncode != 0:
            raise LabError(f"{argv} on {self.name}: exit code {done.returncode}: {done.stdout} {done.stderr}")
        return done.stdout

    def steps(self, steps: Sequence[Sequence[Any]]) -> list[Any]:
        """Do several things one after the other; see ``on_host.py``."""
        done = self.place.run(["/usr/bin/python3", "-I", f"{FOLDER}/{ON_HOST.name}"], content=json.dumps(steps))
        if done.returncode != 0:
            raise LabError(f"on_host.py failed on {self.name}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        found: list[Any] = json.loads(done.stdout)
        return found

    def reboot(self, *, degraded: bool = False) -> None:
        """Pull the plug and boot again; ``degraded``: services may fail to start."""
        try:
            self._call("reboot", "--force", self.name)
        except LabError as exc:
            if not degraded or "is degraded" not in str(exc):
                raise

    def down(self) -> None:
        """Remove the host."""
        self._call("down", self.name)

    def _call(self, *words: str) -> None:
        done = subprocess.run([str(LAB), *words], capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise LabError(f"lab {' '.join(words)}: exit code {done.returncode}: {done.stdout} {done.stderr}")


def _tools() -> bytes:
    """Return what goes into ``FOLDER``: the modules with what they import, and the programs of the tests."""
    utils = Path(ansible.module_utils.__file__).parent
    collection = f"python/ansible_collections/{NAMESPACE}/{NAME}/plugins"
    return _archive(
        [
            (utils, "python/ansible/module_utils"),
            (ROOT / "plugins/module_utils", f"{collection}/module_utils"),
            (ROOT / "plugins/modules", f"{collection}/modules"),
            (SUPERVISOR, SUPERVISOR.name),
            (ON_HOST, ON_HOST.name),
        ],
        empty=["python/ansible/__init__.py"],
    )


def _archive(sources: Iterable[tuple[Path, str]], *, empty: Iterable[str] = ()) -> bytes:
    """Return a tar archive of files and folders under other names, with some empty files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in empty:
            archive.addfile(tarfile.TarInfo(name))
        for source, name in sources:
            archive.add(source, name, filter=_without_cache)
    return stream.getvalue()


def _without_cache(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    return None if entry.name.endswith("__pycache__") else entry
