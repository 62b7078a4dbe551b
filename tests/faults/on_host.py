# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does several things on a host, one after the other, and looks at containers with the host's own tools.

Standard input has a list of steps as JSON, standard output gets the list of their results:

    ["run", ARGV...]         {"code": ..., "stdout": ..., "stderr": ...}
    ["kill", SECONDS, ARGV...]  the same, of a program that is killed (SIGKILL) after a time, unless it ended
    ["time", ARGV...]        the same, and "seconds" and "cpu" that it and its children took
    ["look", ROOT, NAME...]  what is found of each container: see ``look``
    ["save", ROOT, NAME, FOLDER]     keep a copy of all files of a container
    ["restore", ROOT, NAME, FOLDER]  stop it, and put back what was kept (without a copy: nothing); it is not started

One file and the standard library only, so that it can be copied to a host. None of the collection's code is used here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable

PLACES = ("/etc/systemd/system", "/etc/systemd/system/multi-user.target.wants", "/etc/tmpfiles.d", "/etc", "/srv/app")
"""Folders with what belongs to a container: that has its name in the path."""
PROPERTIES = "ActiveState,LoadState,UnitFileState,NeedDaemonReload,MainPID,NRestarts"
TIMEOUT = 100.0


def run(argv: Sequence[str], *, seconds: float | None = None) -> dict[str, Any]:
    """Run a program to its end, or to the time it is killed at."""
    with subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
    return {"code": process.returncode, "stdout": stdout, "stderr": stderr}


def timed(*argv: str) -> dict[str, Any]:
    """Run a program to its end; tell the time it took, and the processor's for it and its children."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd="/")
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    cpu = usage.ru_utime + usage.ru_stime
    return {"code": process.returncode, "stdout": texts[0], "stderr": texts[1], "seconds": seconds, "cpu": cpu}


def look(root: str, *names: str) -> dict[str, Any]:
    """Return what is found of containers below ``root``, by name.

    ``slots`` have the digest of each root file system and the files beside it; ``files`` are those on the host, and what is
    beside the slots. All texts are as they would be of a container ``NAME`` in ``ROOT/NAME.N``.
    """
    shown = run(["systemctl", "show", f"--property=Id,{PROPERTIES}", *(f"{name}.service" for name in names)])["stdout"]
    units = [dict(line.split("=", 1) for line in part.splitlines()) for part in shown.strip().split("\n\n")]
    return {name: look_at(root, name, unit) for name, unit in zip(names, units)}


def look_at(root: str, name: str, unit: dict[str, str]) -> dict[str, Any]:
    """Return what is found of one container."""
    plain = normaliser(root, name)
    entries = sorted(os.listdir(root)) if os.path.isdir(root) else []
    slots = [entry for entry in entries if re.fullmatch(re.escape(name) + r"\.[0-9]+", entry)]
    link = os.path.join(root, name)
    return {
        "link": os.path.basename(os.readlink(link)) if os.path.islink(link) else None,
        "slots": {slot: look_at_slot(os.path.join(root, slot), plain) for slot in slots},
        "files": {plain(path): describe(path, plain) for path in host_files(name)},
        "beside": [plain(entry) for entry in entries if entry not in (*slots, name) and name in entry.split(".")]
        + [plain(f"{slot}/{entry}") for slot in slots for entry in os.listdir(f"{root}/{slot}") if entry[0] == "."],
        "unit": unit,
        "runtime": runtime_bundle(name),
    }


def normaliser(root: str, name: str) -> Callable[[str], str]:
    """Return a function that takes out of a text what differs between containers that are otherwise the same."""
    patterns = [
        (re.escape(root) + r"/" + re.escape(name) + r"\.[0-9]+", "SLOT"),
        (re.escape(root), "ROOT"),
        (r"\b" + re.escape(name) + r"\b", "NAME"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    ]

    def plain(text: str) -> str:
        for pattern, word in patterns:
            text = re.sub(pattern, word, text)
        return text

    return plain


def tops(name: str) -> list[str]:
    """Return the files and folders on the host that are named like a container."""
    found = [
        os.path.join(place, entry) for place in PLACES if os.path.isdir(place) for entry in sorted(os.listdir(place))
    ]
    return [path for path in found if name in os.path.basename(path).split(".")]


def host_files(name: str) -> list[str]:
    """Return the paths on the host that belong to a container."""
    return [path for top in tops(name) for path in walk(top)]


def look_at_slot(slot: str, plain: Callable[[str], str]) -> dict[str, Any]:
    """Return what is in a slot; the record's content is not told, as it has times and digests of its own."""
    files = {}
    for entry in sorted(os.listdir(slot)):
        path = os.path.join(slot, entry)
        if entry != "rootfs" and not entry.startswith("."):
            files[plain(entry)] = describe(path, plain) if entry != "info" else [kind(path), readable_record(path)]
    listing = [f"{path[len(slot) :]} {kind(path)} {content_of(path)!r}" for path in walk(os.path.join(slot, "rootfs"))]
    return {"rootfs": digest("\n".join(listing).encode()), "files": files}


def readable_record(path: str) -> str:
    """Tell whether a deployment's record is whole."""
    try:
        with open(path, encoding="utf-8") as file:
            return "whole" if "system-containers" in json.load(file) else "of Atomic's"
    except ValueError:
        return "damaged"


def describe(path: str, plain: Callable[[str], str]) -> list[str]:
    """Return kind, mode, owner, and the content or its digest."""
    content = content_of(path)
    text = content.decode("utf-8", "surrogateescape") if content is not None else ""
    return [kind(path), plain(text) if len(text) < 4000 else digest(plain(text).encode("utf-8", "surrogateescape"))]


def content_of(path: str) -> bytes | None:
    """Return a file's content, a link's target, or None."""
    if os.path.islink(path):
        return os.fsencode(os.readlink(path))
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def kind(path: str) -> str:
    """Return type, mode and owner as text."""
    found = os.lstat(path)
    return f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"


def digest(content: bytes) -> str:
    """Return a SHA-256."""
    return hashlib.sha256(content).hexdigest()


def runtime_bundle(name: str) -> str | None:
    """Return the slot that the runtime runs the container from; None when it runs none."""
    done = run(["runc", "state", name])
    if done["code"] != 0:
        return None
    state = json.loads(done["stdout"])
    return os.path.basename(os.path.realpath(state["bundle"])) if state["status"] == "running" else state["status"]


def walk(top: str) -> Iterator[str]:
    """Yield a path and all that is below it, sorted, following no links."""
    yield top
    if os.path.isdir(top) and not os.path.islink(top):
        for name in sorted(os.listdir(top)):
            yield from walk(os.path.join(top, name))


def save(root: str, name: str, folder: str) -> None:
    """Keep a copy of all files of a container; those in slots by hard links, as no program changes them in their place."""
    os.makedirs(f"{folder}/host")
    subprocess.run(["cp", "-al", root, f"{folder}/slots"], check=True)
    subprocess.run(["cp", "-a", "--parents", *tops(name), f"{folder}/host"], check=True, cwd="/")


def restore(root: str, name: str, folder: str) -> None:
    """Stop a container, remove its files and put back those that were kept."""
    unit = f"{name}.service"
    for argv in (["systemctl", "stop", unit], ["runc", "delete", "--force", name], ["systemctl", "reset-failed", unit]):
        run(argv)
    for path in (root, *tops(name)):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    if os.path.isdir(folder):
        subprocess.run(["cp", "-al", f"{folder}/slots", root], check=True)
        subprocess.run(["cp", "-a", f"{folder}/host/.", "/"], check=True)
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def step(words: Sequence[Any]) -> Any:
    """Do one step."""
    what, *arguments = words
    if what == "run":
        return run(arguments)
    if what == "kill":
        return run(arguments[1:], seconds=float(arguments[0]))
    if what in STEPS:
        return STEPS[what](*arguments)
    raise SystemExit(f"no such step: {what}")


STEPS: dict[str, Callable[..., Any]] = {"time": timed, "look": look, "save": save, "restore": restore}


if __name__ == "__main__":
    print(json.dumps([step(words) for words in json.load(sys.stdin)]))
