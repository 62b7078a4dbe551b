# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json: the OCI runtime configuration of a container.

Rules are from the OCI runtime specification (config.md, config-linux.md) and from DESIGN: a root file system made
of hard links into the store must never be writable.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any

from ._errors import InvalidInputError
from ._oci_image import ImageConfig
from ._strict_json import load_json, member

_DEFAULT_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
_DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_HOSTNAME = 64  # HOST_NAME_MAX, gethostname(2)
_MAX_ID = 2**32 - 2
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def parse_runtime_spec(text: str, *, file: str) -> dict[str, Any]:
    """Parse and check a config.json; raises ``InvalidInputError`` that names ``file`` and what to change."""
    spec = load_json(text, file=file)
    if not isinstance(spec, dict):
        raise InvalidInputError(f"{file}: not a JSON object")
    _check_root(member(spec, "root", file=file), file=file)
    _check_process(member(spec, "process", file=file), file=file)
    _check_mounts(member(spec, "mounts", file=file), file=file)
    _check_linux(member(spec, "linux", file=file), file=file)
    return spec


def bind_sources(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (source on the host, destination in the container) of each bind mount, in order, without repeats."""
    found: dict[str, str] = {}
    for mount in spec.get("mounts") or []:
        source = mount.get("source") or ""
        options = mount.get("options") or []
        if source.startswith("/") and (mount.get("type") == "bind" or "bind" in options or "rbind" in options):
            found.setdefault(source, mount["destination"])
    return list(found.items())


def has_user_namespace(spec: dict[str, Any]) -> bool:
    """Tell whether the container gets a user namespace, and so runs as others than root on the host."""
    linux = spec.get("linux")
    return any(item["type"] == "user" for item in (linux or {}).get("namespaces") or ())


def is_below_proc(path: str) -> bool:
    """Tell whether an absolute path, however it is written, is below ``/proc``."""
    spellings = (posixpath.normpath("/" + path.lstrip("/")), re.sub("/[/.]*/", "/", path))
    return any(spelling.startswith("/proc/") for spelling in spellings)


def default_runtime_spec(image: ImageConfig, *, user: tuple[int, int], hostname: str) -> str:
    """Return the config.json for an image that brings none, from the image's own OCI configuration.

    ``user`` is (uid, gid) of the process. Raises ``InvalidInputError`` when the image says nothing to run.
    """
    args = [*(image.entrypoint or ()), *(image.cmd or ())]
    if not args:
        raise InvalidInputError(
            "The image has no /exports/config.json or config.json.template, and no Entrypoint or Cmd to make one from"
        )
    env = list(image.env or ())
    if not any(entry.startswith("PATH=") for entry in env):
        env.insert(0, _DEFAULT_PATH)
    capabilities = list(_DEFAULT_CAPABILITIES)
    spec = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": user[0], "gid": user[1]},
            "args": args,
            "env": env,
            "cwd": image.working_dir or "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": hostname[:_MAX_HOSTNAME],
        "mounts": _default_mounts(),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
    }
    return json.dumps(spec, indent=4, ensure_ascii=False) + "\n"


def image_user(user: str, *, passwd: str, group: str) -> tuple[int, int]:
    """Resolve the User of an image's configuration (``user[:group]``, names or ids) to (uid, gid).

    ``passwd`` and ``group`` are the texts of the image's own files (image-spec, config.md: "User"). Raises
    ``InvalidInputError`` for a name that they do not hold.
    """
    name, _colon, group_name = user.partition(":")
    entries = [line.split(":") for line in passwd.splitlines() if line.count(":") >= 3]
    known = next((entry for entry in entries if entry[0] == name or entry[2] == name), None)
    uid = _id(known[2] if known else name or "0", what=f"user '{name}'", file="/etc/passwd")
    if not group_name:
        return uid, _id(known[3], what=f"group of user '{name}'", file="/etc/passwd") if known and name else 0
    groups = dict(line.split(":")[0:3:2] for line in group.splitlines() if line.count(":") >= 2)
    return uid, _id(groups.get(group_name, group_name), what=f"group '{group_name}'", file="/etc/group")


def _id(text: str, *, what: str, file: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _MAX_ID:
        raise InvalidInputError(f"The image runs as the {what}, which its {file} does not give a valid id")
    return int(text)


def _check_root(root: Any, *, file: str) -> None:
    if not isinstance(root, dict) or member(root, "readonly", file=file) is not True:
        raise InvalidInputError(
            f"{file}: root.readonly is not true: the root file system is made of hard links into the store, so it must be"
            " read-only; write to a tmpfs or bind mount instead"
        )
    if member(root, "path", file=file) != "rootfs":
        raise InvalidInputError(f"{file}: root.path is not 'rootfs', where the image is checked out")


def _check_process(process: Any, *, file: str) -> None:
    if not isinstance(process, dict):
        raise InvalidInputError(f"{file}: process is missing: it says what the container runs")
    args, env = member(process, "args", file=file), member(process, "env", file=file)
    if not args or not _is_texts(args):
        raise InvalidInputError(f"{file}: process.args is missing or empty: it says what the container runs")
    if env is not None and not _is_texts(env):
        raise InvalidInputError(f'{file}: process.env is not a list of texts, such as "NAME=value"')
    cwd = member(process, "cwd", file=file)
    if cwd is None:
        return
    if not isinstance(cwd, str) or not posixpath.isabs(cwd):
        raise InvalidInputError(f"{file}: process.cwd is not an absolute path, such as '/'")
    # CVE-2024-21626: a file descriptor that leaked into the container leads out of it.
    if is_below_proc(cwd):
        raise InvalidInputError(f"{file}: process.cwd '{cwd}' is below /proc: choose a directory of the image")


def _check_mounts(mounts: Any, *, file: str) -> None:
    if mounts is None:
        return
    if not isinstance(mounts, list):
        raise InvalidInputError(f"{file}: mounts is not a list")
    for index, mount in enumerate(mounts):
        _check_mount(mount, where=f"{file}: mounts[{index}]", file=file)


def _check_mount(mount: Any, *, where: str, file: str) -> None:
    """Raise for a mount that cannot be read. It is named and not quoted, as one of its options may be a secret."""
    if not isinstance(mount, dict):
        raise InvalidInputError(f"{where} is not an object")
    destination, options = member(mount, "destination", file=file), member(mount, "options", file=file)
    if isinstance(destination, str):
        where = f"{where}, on '{destination}',"
    if not isinstance(destination, str) or not posixpath.isabs(destination):
        raise InvalidInputError(f"{where} has no absolute destination: give a path that begins with '/'")
    if ".." in destination.split("/") or not destination.strip("/."):
        raise InvalidInputError(f"{where} has a destination with '..', or the root: choose a path below it")
    for key in ("source", "type"):
        if not isinstance(member(mount, key, file=file), (str, type(None))):
            raise InvalidInputError(f"{where} has a {key} that is not text")
    if options is not None and not _is_texts(options):
        raise InvalidInputError(f"{where} has options that are not a list of texts")


def _check_linux(linux: Any, *, file: str) -> None:
    """Raise unless ``linux.namespaces``, which decides who gets at the files of the container, can be read."""
    if linux is None:
        return
    if not isinstance(linux, dict):
        raise InvalidInputError(f"{file}: linux is not an object")
    namespaces = member(linux, "namespaces", file=file)
    if namespaces is None:
        return
    if not isinstance(namespaces, list):
        raise InvalidInputError(f'{file}: linux.namespaces is not a list of objects, such as {{"type": "pid"}}')
    for index, item in enumerate(namespaces):
        if not isinstance(item, dict) or not isinstance(member(item, "type", file=file), str):
            raise InvalidInputError(
                f"{file}: linux.namespaces[{index}] is not an object with a 'type', such as \"pid\""
            )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _default_mounts() -> list[dict[str, Any]]:
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
        _mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        _mount("/run", "tmpfs", "nosuid", "nodev", "mode=755", "size=65536k"),
        _mount("/tmp", "tmpfs", "nosuid", "nodev", "mode=1777"),
    ]


def _mount(destination: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": kind, "options": list(options)}
