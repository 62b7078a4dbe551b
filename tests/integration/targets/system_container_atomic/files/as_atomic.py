# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the container NAME and the image behind REF into what Atomic 1.22 left of them: as_atomic.py NAME REF"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path("/var/lib/containers/atomic")
REPO = ROOT / ".storage" / "ostree"


def call(*argv: str) -> str:
    """Run a command; return its output."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def strip_image(ref: str) -> str:
    """Commit an image's ref again with Atomic's metadata alone; return the commit."""
    keys = ("docker.manifest", "docker.digest")
    metadata = [(key, call("ostree", "show", f"--repo={REPO}", f"--print-metadata-key={key}", ref)) for key in keys]
    options = [f"--add-metadata-string={key}={value.strip(chr(39))}" for key, value in metadata]
    options.append("--add-metadata-string=signatures=")
    return call("ostree", "commit", f"--repo={REPO}", f"--tree=ref={ref}", f"--branch={ref}", "--parent=none", *options)


def strip_container(name: str, commit: str) -> None:
    """Leave a container as Atomic would: its record without ours, its modes, no drop-in, a random UUID."""
    link = ROOT / name
    slot = link.resolve()
    info = json.loads((slot / "info").read_text())
    del info["system-containers"]
    info["ostree-commit"] = commit
    info["values"]["UUID"] = "0e07af58-4364-48aa-93be-83bc0d2dd3a5"
    info["values"]["ATOMIC"] = "/opt/atomic"
    info["values"]["ALL_PROCESS_CAPABILITIES"] = '"CAP_CHOWN"\n'
    (slot / "info").write_text(json.dumps(info, indent=4))
    for file in ("info", "config.json"):
        (slot / file).chmod(0o644)
    slot.chmod(0o755)
    link.unlink()
    link.symlink_to(slot)
    shutil.rmtree(f"/etc/systemd/system/{name}.service.d")


def main() -> None:
    """Do both."""
    name, ref = sys.argv[1:]
    strip_container(name, strip_image(ref))
    os.sync()
    call("systemctl", "daemon-reload")


if __name__ == "__main__":
    main()
