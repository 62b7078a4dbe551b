# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are, and the environment that the tools run in."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from runner.collection_link import NAME, NAMESPACE, ROOT, link_collection

OUTPUT = ROOT / "tests" / "output"
LAB = ROOT / "tests" / "lab" / "lab"
COLLECTION_PATH = Path("ansible_collections") / NAMESPACE / NAME

__all__ = ["COLLECTION_PATH", "LAB", "NAME", "NAMESPACE", "OUTPUT", "ROOT"]


def lab_id(root: Path = ROOT) -> str:
    """An id for the lab of this checkout's tests, so that a demo of the same checkout goes on undisturbed."""
    return "t" + hashlib.sha256(str(root).encode()).hexdigest()[:5]


def base_env() -> dict[str, str]:
    """The caller's environment without its Ansible settings, plus this project's."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    config = OUTPUT / "ansible.cfg"
    OUTPUT.mkdir(parents=True, exist_ok=True)
    config.touch()
    env.update(
        ANSIBLE_COLLECTIONS_PATH=str(link_collection()),
        ANSIBLE_CONFIG=str(config),
        ANSIBLE_NOCOLOR="1",
        # A third of the connections for each task; a target sets it back, so that modules as files are tried, too.
        ANSIBLE_PIPELINING="1",
        # Also where the checkout belongs to someone else than root.
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="safe.directory",
        GIT_CONFIG_VALUE_0=str(ROOT),
        LC_ALL="C.UTF-8",
        NO_COLOR="1",
        PATH=os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)]),
        PYTHONUNBUFFERED="1",
        SYSTEM_CONTAINERS_LAB_ID=lab_id(),
    )
    env.pop("FORCE_COLOR", None)
    return env


def project_files() -> list[Path]:
    """The files of the project, committed or not, relative to its root; none that git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, env=base_env(), check=True, stdout=subprocess.PIPE, text=True)
    paths = sorted({Path(name) for name in done.stdout.split("\0") if name})
    return [path for path in paths if (ROOT / path).is_symlink() or (ROOT / path).is_file()]


def shell_scripts() -> list[Path]:
    """The project's files whose first line calls a shell."""
    return [path for path in project_files() if _is_shell_script(ROOT / path)]


def _is_shell_script(path: Path) -> bool:
    if path.is_symlink():
        return False
    with path.open("rb") as file:
        words = file.readline(200).decode(errors="replace").split()
    return bool(words) and words[0].startswith("#!") and Path(words[-1].lstrip("#!")).name in {"sh", "bash", "dash"}
