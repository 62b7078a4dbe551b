# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mount namespace of our own: what is hidden or put aside in it, the machine keeps, and it ends with the process."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.process import run

INFLATERS = ("igzip", "unpigz")
"""Programs that the collection takes instead of gzip where there are any."""

_MARK = "SYSTEM_CONTAINERS_BENCHMARKS_ISOLATED"
_CACHE = Path("/var/lib/containers")
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def isolate(arguments: Sequence[str]) -> None:
    """Start this program anew in its own mount namespace, unless it runs in one."""
    if os.environ.pop(_MARK, None) == str(os.getpid()):
        return
    os.environ[_MARK] = str(os.getpid())  # exec keeps the process id; children do not take the mark for theirs
    program = str(Path(__file__).with_name("__main__.py"))
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, program, *arguments])


def replace_cache(folder: Path) -> None:
    """Give skopeo and podman a ``/var/lib/containers`` of ours: as root, they keep a cache there."""
    folder.mkdir(parents=True, exist_ok=True)
    _CACHE.mkdir(parents=True, exist_ok=True)
    run(["mount", "--bind", str(folder), str(_CACHE)])


def unmount_below(folder: Path) -> None:
    """Unmount what programs, and ``replace_cache``, mounted in this namespace from below ``folder``, or there."""
    for line in reversed(Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()):
        root, place = line.split()[3:5]
        if f"{place}/".startswith(f"{folder}/") or f"{root}/".startswith(f"{folder}/"):
            run(["umount", place])


def installed_inflaters() -> dict[str, str]:
    """Return the path of each faster inflater that the machine has."""
    found = {name: shutil.which(name, path=_SEARCH_PATH) for name in INFLATERS}
    return {name: path for name, path in found.items() if path is not None}


@contextlib.contextmanager
def hidden(paths: Sequence[str]) -> Iterator[None]:
    """Make programs unusable in this namespace: a device that cannot be executed stands in their place."""
    with contextlib.ExitStack() as undo:
        for path in paths:
            run(["mount", "--bind", "/dev/null", path])
            undo.callback(run, ["umount", path])
        yield
