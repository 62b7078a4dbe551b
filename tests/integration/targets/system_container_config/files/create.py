# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a runtime create containers: create.py COLLECTION_FOLDER RUNTIME, with {name: config.json} on standard input.

Each is tried as it is, and as it was fitted to this host. Printed is, by name, what the runtime said to both (empty: it
was fine), and the warnings.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

BUNDLE = Path("/srv/bundle")


def make_bundle(spec: dict[str, Any], sources: list[tuple[str, str]]) -> None:
    """Write a bundle whose root has what the container runs, and what is mounted on the host."""
    root = BUNDLE / "rootfs"
    shutil.rmtree(BUNDLE, ignore_errors=True)
    root.mkdir(parents=True)
    for source, destination in sources:
        if not Path(source).exists():
            Path(source).mkdir(parents=True)
        if not Path(source).is_dir():
            touch(root / destination.lstrip("/"))
    program = spec["process"]["args"][0]
    touch(root / (program.lstrip("/") if "/" in program else f"usr/bin/{program}"))
    (BUNDLE / "config.json").write_text(json.dumps(spec))


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)


def create(runtime: str) -> str:
    """Create a container and delete it again; return why that failed."""
    # Not into a pipe: the container keeps it open.
    with Path("/srv/bundle.log").open("w+") as log:
        argv = [runtime, "--systemd-cgroup", "create", "fit"]
        code = subprocess.run(
            argv, cwd=BUNDLE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=60
        ).returncode
        log.seek(0)
        said = log.read()[-500:]
    subprocess.run([runtime, "--systemd-cgroup", "delete", "--force", "fit"], stderr=subprocess.DEVNULL, check=False)
    return said or f"exit code {code}" if code else ""


def main() -> None:
    """Try all."""
    sys.path.insert(0, sys.argv[1])
    runtime_spec = importlib.import_module("module_utils._runtime_spec")
    runtime_fit = importlib.import_module("module_utils._runtime_fit")
    facts = importlib.import_module("module_utils._host_facts").observe_host(sys.argv[2])
    results = {}
    for name, config in json.load(sys.stdin).items():
        spec = runtime_spec.parse_runtime_spec(json.dumps(config), file=name)
        fitted, warnings = runtime_fit.fit_runtime_spec(spec, facts)
        said = []
        for one in (spec, fitted):
            make_bundle(one, runtime_spec.bind_sources(one))
            said.append(create(sys.argv[2]))
        results[name] = {"before": said[0], "after": said[1], "changed": fitted is not spec, "warnings": warnings}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
