# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run tasks inside of a system container."""

from __future__ import annotations

DOCUMENTATION = r"""
name: system_container
short_description: Run tasks inside of a system container
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Runs commands in a system container by C(exec) of its OCI runtime, on the host that another connection plugin reaches.
  - That plugin takes its variables as ever, such as C(ansible_host) and C(ansible_user) for SSH.
  - C(ansible_become) is about the container, which needs C(sudo) or another become method then. To become root on the host, set
    O(host_become).
  - The container needs a C(/bin/sh), and C(cat) or C(dd) for files. With these, M(ansible.builtin.raw) and M(ansible.builtin.script) work,
    and modules where it has Python as well.
  - The root file system of a container is read-only. Temporary files go to the first place that can be written to, of C(/tmp), C(/var/tmp),
    C(/run), C(/dev/shm) and what is mounted, unless C(ansible_remote_tmp) can be written to.
requirements:
  - On the host runc or crun, and root.
options:
  container_name:
    description: Name of the container.
    type: str
    required: true
    vars:
      - name: ansible_system_container_name
  host_connection:
    description: The connection plugin that reaches the host. It has to be one that can hand on input, such as SSH and local.
    type: str
    default: ssh
    vars:
      - name: ansible_system_container_connection
  host_become:
    description: Whether to become root on the host, where the connection is not root's.
    type: bool
    default: false
    vars:
      - name: ansible_system_container_become
  host_become_method:
    description: The become plugin that makes root of the host's user.
    type: str
    default: sudo
    vars:
      - name: ansible_system_container_become_method
  host_become_password:
    description: The password for becoming root on the host.
    type: str
    vars:
      - name: ansible_system_container_become_password
  remote_user:
    description:
      - Who runs the commands in the container, as a name or a number, with C(:) and a number for another group.
      - If not set, it is the user of the container's own process. The keyword C(remote_user), C(-u) and C(ansible_user) are about the host.
    type: str
    default: ''
    vars:
      - name: ansible_system_container_user
  runtime:
    description:
      - The OCI runtime that has the container, by its name or with its path.
      - If not set, it is runc or crun, whichever has a container of the name.
    type: str
    default: ''
    vars:
      - name: ansible_system_container_runtime
  pipelining:
    description:
      - Whether modules are handed to the container's Python without a file in between. It needs no place that can be written to, and
        fewer round trips.
    type: boolean
    default: true
    env:
      - name: ANSIBLE_PIPELINING
    ini:
      - section: defaults
        key: pipelining
      - section: connection
        key: pipelining
    vars:
      - name: ansible_pipelining
seealso:
  - plugin: projectatomic.system_containers.system_containers
    plugin_type: inventory
  - module: projectatomic.system_containers.system_container_exec
"""

EXAMPLES = r"""
# One command:
# ansible -i host.example.com, -c projectatomic.system_containers.system_container -e ansible_system_container_name=hello-world -m raw -a id all

# A play over the hosts that have the container:
- name: Look into a container
  hosts: all
  gather_facts: false
  tasks:
    - name: List what it has
      ansible.builtin.raw: ls /usr/bin
      vars:
        ansible_connection: projectatomic.system_containers.system_container
        ansible_system_container_name: hello-world
      changed_when: false
---
# An inventory that has the container as a host, through a user of its host who may use sudo:
containers:
  hosts:
    hello-world@host.example.com:
      ansible_host: host.example.com
      ansible_user: admin
      ansible_connection: projectatomic.system_containers.system_container
      ansible_system_container_name: hello-world
      ansible_system_container_become: true
"""

import contextlib
import os
import re
import shlex
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

display = Display()

CHUNK = 16 * 1024 * 1024
"""Bytes of a file that are sent or fetched at a time."""

_BLOCK = 1024 * 1024
_REFUSED = 64
_RC_255 = 254
_MARK = "projectatomic.system_containers: "
_NOT_STARTED = re.compile(r"exec failed: |executable file .* not found|open executable: |cannot exec in a ")

# Runs as root on the host: HOST CONTAINER USER RUNTIME SHELL INSIDE FIND_USER COMMAND. Exit code 255 is ssh's own, so it goes by another way.
_ON_HOST = f"""\
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
container=$1 user=$2 runtime=$3 shell=$4 inside=$5 find_user=$6 command=$7
refuse() {{ echo "{_MARK}$1" >&2; exit {_REFUSED}; }}
[ "$(id -u)" = 0 ] || refuse "only root of the host can enter its containers: set ansible_system_container_become"
if [ -n "$runtime" ]; then :
elif [ -e "/run/runc/$container/state.json" ]; then runtime=runc
elif [ -e "/run/crun/$container/status" ]; then runtime=crun
else refuse "the system container '$container' does not run on this host: see 'systemctl status $container'"
fi
command -v "$runtime" >/dev/null || refuse "the OCI runtime '$runtime' is not on this host"
case $user in
*[!0-9:]*) ids=$("$runtime" exec "$container" "$shell" -c "$find_user" sh "$user") && [ -n "$ids" ] ||
    refuse "the system container '$container' has no user '$user' in its /etc/passwd" ;;
*) ids=$user ;;
esac
"$runtime" exec ${{ids:+--user "$ids"}} "$container" "$shell" -c "$inside" sh "$shell" "$command"
rc=$?
[ $rc = 255 ] || exit $rc
echo "{_MARK}255" >&2
exit {_RC_255}
"""

# Runs in the container: prints UID:GID of a user.
_FIND_USER = """\
while IFS=: read -r name _ uid gid _ || [ -n "$name" ]; do
    [ "$name" != "${1%%:*}" ] || found=$uid:$gid
done </etc/passwd
[ -z "${found-}" ] || [ "$1" = "${1%%:*}" ] || found=${found%%:*}:${1##*:}
echo "${found-}"
"""

# Runs in the container. What makes temporary files takes TMPDIR, so that is a place that can be written to if there is any. What -w says of
# a read-only mount depends on the shell, so the list of mounts is asked as well: the last of the longest that a path is below counts.
_INSIDE = """\
is_writable() {
    [ -d "$1" ] && [ -w "$1" ] || return 1
    longest= options=rw
    while read -r _ _ _ _ at these _; do
        case $1/ in "${at%/}"/*) [ ${#at} -lt ${#longest} ] || { longest=$at; options=$these; } ;; esac
    done </proc/self/mountinfo
    case $options, in rw,*) ;; *) return 1 ;; esac
}
if ! is_writable "${TMPDIR:-/tmp}"; then
    for place in /tmp /var/tmp /run /dev/shm $(while read -r _ _ _ _ at _; do echo "$at"; done </proc/self/mountinfo); do
        case $place in /proc*|/sys*|*\\\\*) continue ;; esac
        if is_writable "$place"; then export TMPDIR="$place"; break; fi
    done
fi
exec "$1" -c "$2"
"""


class Connection(ConnectionBase):
    """Commands and files for a container, through the connection to its host."""

    transport = "projectatomic.system_containers.system_container"
    has_pipelining = True
    has_tty = False
    _connected: bool = False

    def __init__(self, play_context: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(play_context, *args, **kwargs)
        self._host: Any = None
        self._given: dict[str, Any] = {}
        self._user = ""
        self._shell.mkdtemp = _with_fallback(self._shell.mkdtemp)

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Take the options, for the host's connection too as far as they are known."""
        # Whom the keyword names, which is also -u of the command line and remote_user of the configuration, is a user of the host.
        own_keys = {key: value for key, value in (task_keys or {}).items() if key != "remote_user"}
        super().set_options(task_keys=own_keys, var_options=var_options, direct=direct)
        self.close()  # the items of a loop share this object, and may have other options for the host
        self._host = None
        self._given = {"task_keys": task_keys, "var_options": var_options}
        self._user = self.get_option("remote_user") or ""
        if re.search("[0-9:]", self._user[:1] + self._user.partition(":")[1]):
            self.set_option("remote_user", "")  # Ansible looks for the home of a user by its name

    @property
    def ssh_type_conn(self) -> Any:
        """The connection to the host. By this name Ansible gives it the variables that are its own."""
        if self._host is None:
            name = self.get_option("host_connection")
            self._host = connection_loader.get(name, self._play_context, os.devnull)
            if self._host is None:
                raise AnsibleError(f"ansible_system_container_connection: there is no connection plugin '{name}'")
            if isinstance(self._host, Connection) or not self._host.has_pipelining:
                raise AnsibleError(
                    f"ansible_system_container_connection: '{name}' cannot reach the host of a container: use one that can"
                    " hand on input, such as ssh or local"
                )
            self._host.set_options(**self._given)
        return self._host

    def _connect(self) -> Connection:
        if not self._connected:
            host = self.ssh_type_conn
            if self.get_option("host_become"):
                host.set_become_plugin(self._host_become())
            with contextlib.suppress(KeyError):
                if host.get_option("use_tty"):
                    host.set_option("use_tty", False)  # a terminal alters what passes through it
            host._connect()
            self._connected = True
        return self

    def _host_become(self) -> Any:
        method = self.get_option("host_become_method")
        become = become_loader.get(method)
        if become is None:
            raise AnsibleError(f"ansible_system_container_become_method: there is no become plugin '{method}'")
        become.set_options(direct={"become_user": "root", "become_pass": self.get_option("host_become_password")})
        return become

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command in the container; return its exit code, output and errors."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        container = self.get_option("container_name")
        display.vvv(f"EXEC IN SYSTEM CONTAINER {container}: {to_text(cmd)}", host=self._play_context.remote_addr)
        shell = self._play_context.executable or "/bin/sh"
        command = host_command(
            container=container, user=self._user, runtime=self.get_option("runtime"), shell=shell, command=to_text(cmd)
        )
        host, become = self._host, self._host.become
        if become is not None:
            command = become.build_become_command(command, host._shell)
        rc, stdout, stderr = host.exec_command(command, in_data=in_data, sudoable=become is not None)
        if become is not None:
            stdout = _without_mark(stdout, to_bytes(become.success))
        return result_of(rc, stdout, stderr, container=container)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Send a file into the container, in pieces."""
        super().put_file(in_path, out_path)
        if not os.path.exists(to_bytes(in_path, errors="surrogate_or_strict")):
            raise AnsibleFileNotFound(f"'{to_text(in_path)}' does not exist")
        place = shlex.quote(to_text(out_path))
        with open(to_bytes(in_path, errors="surrogate_or_strict"), "rb") as file:
            self._run_or_fail(f": > {place}", None, f"write '{out_path}'")
            while piece := file.read(CHUNK):
                self._run_or_fail(
                    f"if command -v cat >/dev/null 2>&1; then cat; else dd bs=64k; fi >> {place}",
                    piece,
                    f"write '{out_path}'",
                )

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Fetch a file from the container, in pieces where it has dd."""
        super().fetch_file(in_path, out_path)
        place = shlex.quote(to_text(in_path))
        blocks = CHUNK // _BLOCK
        with open(to_bytes(out_path, errors="surrogate_or_strict"), "wb") as file:
            number = 0
            while True:
                dd = f"dd if={place} bs={_BLOCK} skip={number * blocks} count={blocks}"
                command = f"[ -r {place} ] && if command -v dd >/dev/null 2>&1; then {dd}; else cat {place}; fi"
                piece = self._run_or_fail(command, None, f"read '{in_path}'")
                file.write(piece)
                number += 1
                if len(piece) != CHUNK:
                    return

    def _run_or_fail(self, command: str, data: bytes | None, what: str) -> bytes:
        rc, stdout, stderr = self.exec_command(command, in_data=data, sudoable=False)
        if rc != 0:
            container = self.get_option("container_name")
            said = to_text(stderr).strip() or f"exit code {rc}"
            raise AnsibleError(f"Cannot {what} in the system container '{container}': {said}")
        return stdout

    def reset(self) -> None:
        """Close the connection to the host, so that the next task opens it anew."""
        self.ssh_type_conn.reset()
        self._connected = False

    def close(self) -> None:
        """Close the connection to the host."""
        if self._host is not None:
            self._host.close()
        self._connected = False


def host_command(*, container: str, user: str, runtime: str, shell: str, command: str) -> str:
    """Return the command for the host that runs ``command`` in a container."""
    return shlex.join(["/bin/sh", "-c", _ON_HOST, "sh", container, user, runtime, shell, _INSIDE, _FIND_USER, command])


def result_of(rc: int, stdout: bytes, stderr: bytes, *, container: str) -> tuple[int, bytes, bytes]:
    """Return exit code, output and errors of a command in a container from what the host's connection returned.

    Raises ``AnsibleConnectionFailure`` when the command was not run at all.
    """
    said, mark, reason = to_text(stderr).rpartition(_MARK)
    if mark and rc == _REFUSED:
        raise AnsibleConnectionFailure(f"Cannot enter the system container '{container}': {reason.strip()}")
    if mark and rc == _RC_255 and reason.strip() == "255":
        if _NOT_STARTED.search(said):
            raise AnsibleConnectionFailure(
                f"Cannot run a shell in the system container '{container}' ({_reason(said)})."
                " Without a shell in it, use the module system_container_exec"
            )
        return 255, stdout, to_bytes(said)
    return rc, stdout, stderr


def _reason(said: str) -> str:
    """Return the message of a runtime's last line in the form of logfmt, else all of it."""
    found = re.findall(r'msg="((?:[^"\\]|\\.)*)"', said)
    return found[-1].replace("\\", "") if found else said.strip()


def _without_mark(output: bytes, mark: bytes) -> bytes:
    """Return output without the line by which a become plugin says that it succeeded."""
    before, found, after = output.partition(mark)
    return before + after.lstrip(b"\r").removeprefix(b"\n") if found else output


def _with_fallback(mkdtemp: Any) -> Any:
    """Return a shell plugin's ``mkdtemp`` with another try, where temporary files go, when the directory cannot be made."""

    def with_fallback(*args: Any, **kwargs: Any) -> str:
        other = {**kwargs, "tmpdir": "${TMPDIR:-/tmp}", "system": False}
        return f"{mkdtemp(*args, **kwargs)} 2>/dev/null || {mkdtemp(*args, **other)}"

    return with_fallback
