# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at a host with its own tools (systemctl, runc, ostree, curl), never with the collection's code.

probe.py list PATH...            all below, with inode, mode, owner, size and mtime: equal output means untouched
probe.py names FOLDER...         the names in folders
probe.py units UNIT...           state, main process and enablement of units
probe.py container NAME [PORT]   one container as JSON
probe.py repo PATH [REF...]      an OSTree repository as JSON, REFs in detail
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path("/var/lib/containers/atomic")
PROPERTIES = (
    "ActiveState,SubState,LoadState,UnitFileState,NeedDaemonReload,MainPID,NRestarts,Result,FragmentPath,DropInPaths"
)
KEYS = ("docker.manifest", "docker.digest", "signatures", "docker.size", "docker.uncompressed_size")


def call(*argv: str) -> tuple[int, str]:
    """Run a command; return its exit code and output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout or done.stderr).strip()


def walk(top: str) -> Iterator[str]:
    """Yield a path and all that is below it, sorted, following no links."""
    yield top
    if os.path.isdir(top) and not os.path.islink(top):
        for name in sorted(os.listdir(top)):
            yield from walk(os.path.join(top, name))


def listing(tops: Sequence[str]) -> None:
    """Print one line for everything below the paths."""
    for top in tops:
        if not os.path.lexists(top):
            print(f"{top} missing")
            continue
        for path in walk(top):
            found = os.lstat(path)
            target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else "-"
            owner = f"{found.st_uid}:{found.st_gid}"
            print(f"{path} {found.st_mode:o} {owner} {found.st_size} {found.st_mtime_ns} {found.st_ino} {target}")


def names(folders: Sequence[str]) -> None:
    """Print the names in folders, without Ansible's own temporary files."""
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            if not name.startswith("ansible_"):
                print(f"{folder}/{name}")


def units(wanted: Sequence[str]) -> None:
    """Print one line for each unit."""
    for unit in wanted:
        shown = call("systemctl", "show", "--property=ActiveState,MainPID,UnitFileState", unit)[1]
        print(unit, *sorted(shown.splitlines()))


def describe(path: Path) -> dict[str, Any]:
    """Return what identifies a file and its content."""
    found = path.lstat()
    content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
    return {
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "inode": found.st_ino,
        "mtime": found.st_mtime_ns,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def answer(port: str) -> str | None:
    """Return what a service answers by HTTP, trying for three seconds."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        code, text = call("curl", "--silent", "--fail", "--max-time", "2", f"http://127.0.0.1:{port}/")
        if code == 0:
            return text
        time.sleep(0.05)
    return None


def container(name: str, port: str | None) -> dict[str, Any]:
    """Return all that the host knows of a container."""
    unit = f"{name}.service"
    shown = call("systemctl", "show", f"--property={PROPERTIES}", unit)[1]
    state_code, state = call("runc", "state", name)
    listed = json.loads(call("runc", "list", "-f", "json")[1]) or []
    link = ROOT / name
    slots = sorted(path for path in ROOT.glob(f"{name}.*") if path.is_dir()) if ROOT.is_dir() else []
    files = [Path("/etc/systemd/system", unit), Path("/etc/tmpfiles.d", f"{name}.conf")]
    files += sorted(Path("/etc/systemd/system", f"{unit}.d").glob("*"))
    files += [path for slot in slots for path in sorted(slot.iterdir()) if not path.is_dir()]
    info = link / "info"
    return {
        "active": call("systemctl", "is-active", unit)[1],
        "enabled": call("systemctl", "is-enabled", unit)[1],
        "unit": dict(line.split("=", 1) for line in shown.splitlines()),
        "wanted": os.path.lexists(f"/etc/systemd/system/multi-user.target.wants/{unit}"),
        "runc": json.loads(state) if state_code == 0 else None,
        "runc_ids": [item["id"] for item in listed],
        "link": os.readlink(link) if link.is_symlink() else None,
        "slots": [path.name for path in slots],
        "leftovers": sorted(path.name for path in ROOT.glob(f".{name}*")) if ROOT.is_dir() else [],
        "files": {str(path): describe(path) for path in files if os.path.lexists(path)},
        "info": json.loads(info.read_text()) if info.is_file() and info.stat().st_size else None,
        "fewest_links": fewest_links(link / "rootfs"),
        "answer": answer(port) if port else None,
    }


def fewest_links(rootfs: Path) -> int | None:
    """Return the smallest link count of the regular files with content in a root file system."""
    counts = []
    for path in walk(str(rootfs)) if rootfs.is_dir() else ():
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode) and found.st_size:
            counts.append(found.st_nlink)
    return min(counts, default=None)


def repo(path: str, refs: Sequence[str]) -> dict[str, Any]:
    """Return the refs of a repository, what fsck says, and some refs in detail."""
    found = {}
    for ref in call("ostree", "refs", f"--repo={path}")[1].splitlines():
        found[ref] = call("ostree", "rev-parse", f"--repo={path}", ref)[1]
    code, text = call("ostree", "fsck", f"--repo={path}")
    return {
        "refs": found,
        "fsck": {"rc": code, "text": text},
        "details": {ref: details(path, ref) for ref in refs},
    }


def details(path: str, ref: str) -> dict[str, Any]:
    """Return metadata and top files of a ref, None for what is missing."""
    result: dict[str, Any] = {}
    for key in (*KEYS, "docker.uncompressed_digest"):
        code, text = call("ostree", "show", f"--repo={path}", f"--print-metadata-key={key}", ref)
        result[key] = text.strip("'") if code == 0 else None
    for name in ("/manifest.json", "/content"):
        done = subprocess.run(["ostree", "cat", f"--repo={path}", ref, name], stdout=subprocess.PIPE, check=False)
        result[name] = f"sha256:{hashlib.sha256(done.stdout).hexdigest()}" if done.returncode == 0 else None
    return result


def main(argv: Sequence[str]) -> None:
    """Run one command."""
    command, *arguments = argv
    if command == "list":
        listing(arguments)
    elif command == "names":
        names(arguments)
    elif command == "units":
        units(arguments)
    elif command == "container":
        print(json.dumps(container(arguments[0], arguments[1] if len(arguments) > 1 else None), indent=1))
    elif command == "repo":
        print(json.dumps(repo(arguments[0], arguments[1:]), indent=1))
    else:
        sys.exit(f"probe: {command}?")


if __name__ == "__main__":
    main(sys.argv[1:])
