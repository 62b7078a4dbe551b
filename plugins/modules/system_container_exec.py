#!/usr/bin/python

# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command in a system container."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_container_exec
short_description: Run a command in a system container
version_added: 0.1.0
author:
  - The projectatomic.system_containers contributors (@projectatomic)
description:
  - Runs a command in a container that runs, by the container's own OCI runtime, and waits for its end.
  - The command has what the container's own process has, unless an option says otherwise - environment, working directory, user,
    capabilities, limits. No shell is involved.
  - It fails when the command does not end with 0, as M(ansible.builtin.command) does.
  - This module pulls nothing. It accepts the options for pulling, and ignores them, so that one C(module_defaults) of the action
    group serves all modules.
options:
  name:
    description: Name of the container.
    type: str
    required: true
  argv:
    description:
      - The command and its arguments. A command without a C(/) is looked for in the container's C(PATH).
    type: list
    elements: str
    required: true
  chdir:
    description: Directory in the container to run the command in, as an absolute path.
    type: str
  env:
    description:
      - Environment variables that the command has besides those of the container, or in place of them. Null takes one away.
      - They are in no argument list, in no file that others than root may read, and in no log of the host. Like O(stdin) they are hidden
        in the C(invocation) of the result.
    type: dict
    default: {}
  stdin:
    description: Text that the command reads on its standard input. Without this and O(stdin_binary) it reads nothing.
    type: str
  stdin_add_newline:
    description: Whether a newline is added to O(stdin).
    type: bool
    default: true
  stdin_binary:
    description: What the command reads on its standard input, as Base64, for what is no text.
    type: str
  user:
    description:
      - Who runs the command, as a name or a number, with C(:) and a group if that is to be another. Names are those of the container's own
        C(/etc/passwd) and C(/etc/group), and a user given by itself has all of its groups.
      - If not set, it is the user of the container's own process.
    type: str
  timeout:
    description:
      - Seconds after which the command is killed, with all processes in the container that it started, and the task fails.
      - A process that made itself a daemon (with a session of its own, and without a parent) is left alone. So is, with crun, what a
        command left behind that ended itself before.
      - If not set, the command may take as long as it likes.
    type: float
  strip_empty_ends:
    description: Whether empty lines at the ends of RV(stdout) and RV(stderr) are left out.
    type: bool
    default: true
extends_documentation_fragment:
  - projectatomic.system_containers._pull
  - projectatomic.system_containers._store
  - projectatomic.system_containers._attributes.exec_module
  - projectatomic.system_containers._attributes.actiongroup
seealso:
  - plugin: projectatomic.system_containers.system_container
    plugin_type: connection
  - module: projectatomic.system_containers.system_container
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Run a command
  projectatomic.system_containers.system_container_exec:
    name: hello-world
    argv: [id, -u]
  register: who
  changed_when: false

- name: Show what it said
  ansible.builtin.debug:
    msg: "hello-world runs as user {{ who.stdout }}"

- name: Run a script, with a secret, that has to end in time
  projectatomic.system_containers.system_container_exec:
    name: hello-world
    argv: [sh, -ec, 'test -n "$TOKEN"; cat > /run/token']
    env:
      TOKEN: "{{ receiver }}"
    stdin: "{{ receiver }}"
    user: "0"
    chdir: /run
    timeout: 10

- name: Go on when the command ends with 1
  projectatomic.system_containers.system_container_exec:
    name: hello-world
    argv: [ls, /nowhere]
  register: listed
  failed_when: listed.rc not in [0, 1]
"""

RETURN = r"""
cmd:
  description: The command and its arguments.
  returned: success or when the command failed
  type: list
  elements: str
  sample: ["id", "-u"]
rc:
  description:
    - What the command ended with, 128 and the signal's number when a signal ended it. 0 in check mode.
    - V(127) when it could not be started.
  returned: success or when the command failed
  type: int
  sample: 0
stdout:
  description: What the command wrote to its standard output. Empty in check mode.
  returned: success or when the command failed
  type: str
  sample: "65534"
stderr:
  description: What the command wrote to its standard error. Empty in check mode.
  returned: success or when the command failed
  type: str
  sample: ""
timed_out:
  description: Whether the command was killed, as O(timeout) was over.
  returned: success or when the command failed
  type: bool
  sample: false
start:
  description: When the command was started.
  returned: when the command was run
  type: str
  sample: "2026-11-23 18:17:59.500000"
end:
  description: When it ended.
  returned: when the command was run
  type: str
  sample: "2026-11-23 18:17:59.600000"
delta:
  description: How long it took.
  returned: when the command was run
  type: str
  sample: "0:00:00.100000"
"""

import ansible_collections.projectatomic.system_containers.plugins.module_utils._short_lived  # pylint: disable=unused-import  # noqa: F401  isort: skip

import base64
import binascii
import signal
from datetime import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.projectatomic.system_containers.plugins.module_utils._argspec import PULL, PULL_RULES, STORE
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._exec import (
    Ended,
    ExecRequest,
    execute,
    find_target,
    process_for,
)
from ansible_collections.projectatomic.system_containers.plugins.module_utils._module import run_module
from ansible_collections.projectatomic.system_containers.plugins.module_utils._store import locate_store

HIDDEN = "********"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **STORE,
            **PULL,
            "name": {"type": "str", "required": True},
            "argv": {"type": "list", "elements": "str", "required": True},
            "chdir": {"type": "str"},
            "env": {"type": "dict", "default": {}, "no_log": True},
            "stdin": {"type": "str", "no_log": True},
            "stdin_add_newline": {"type": "bool", "default": True},
            "stdin_binary": {"type": "str", "no_log": True},
            "user": {"type": "str"},
            "timeout": {"type": "float"},
            "strip_empty_ends": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("stdin", "stdin_binary")],
        supports_check_mode=True,
        **PULL_RULES,
    )
    params = dict(module.params)
    hide_secrets(module)
    run_module(module, lambda: run_command(params, check_mode=module.check_mode))


def hide_secrets(module: AnsibleModule) -> None:
    """Hide in the options, which are part of the result, what may be secret.

    To hide each value wherever it stands in the result, as Ansible does, would mutilate the output for values such as ``1``.
    """
    params = module.params
    params["env"] = dict.fromkeys(params["env"], HIDDEN)
    params.update({name: HIDDEN for name in ("stdin", "stdin_binary") if params[name] is not None})
    module.no_log_values.intersection_update({params["password"]})


def run_command(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Run the command that the options ask for; return the module's result."""
    request = request_from(params)
    target = find_target(locate_store(params).root, params["name"])
    process = process_for(target, request)
    shown = {"changed": True, "cmd": params["argv"]}
    if check_mode:
        said = {"rc": 0, "stdout": "", "stderr": "", "timed_out": False}
        return {**shown, **said, "msg": "The command would have been run, but not in check mode"}
    start = datetime.now()
    ended = execute(target, process, request)
    end = datetime.now()
    times = {"start": str(start), "end": str(end), "delta": str(end - start)}
    return {**shown, **times, **outcome(ended, params)}


def request_from(params: dict[str, Any]) -> ExecRequest:
    """Return what the options ask for."""
    stdin = None
    if params["stdin"] is not None:
        text = params["stdin"] + ("\n" if params["stdin_add_newline"] else "")
        stdin = text.encode("utf-8", "surrogateescape")
    elif params["stdin_binary"] is not None:
        try:
            stdin = base64.b64decode("".join(params["stdin_binary"].split()), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InvalidInputError(
                f"stdin_binary: it is not Base64 ({exc}): encode it with the filter b64encode"
            ) from exc
    if params["timeout"] is not None and not params["timeout"] > 0:
        raise InvalidInputError(f"timeout: {params['timeout']:g} is not a number of seconds above 0")
    options = {name: params[name] for name in ("argv", "chdir", "env", "user", "timeout")}
    return ExecRequest(stdin=stdin, **options)


def outcome(ended: Ended, params: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the result that says how the command ended."""
    ends = "\r\n" if params["strip_empty_ends"] else ""
    stdout, stderr = (text.decode("utf-8", "replace") for text in (ended.stdout, ended.stderr))
    rc = 127 if ended.refused is not None else ended.rc
    shown = {"rc": rc, "stdout": stdout.rstrip(ends), "stderr": stderr.rstrip(ends), "timed_out": ended.timed_out}
    if ended.refused is not None:
        return {**shown, "failed": True, "changed": False, "msg": ended.refused}
    if ended.timed_out:
        return {**shown, "failed": True, "msg": too_slow(ended, params)}
    if rc:
        return {**shown, "failed": True, "msg": f"non-zero return code {rc}{meaning_of(rc)}"}
    return shown


def too_slow(ended: Ended, params: dict[str, Any]) -> str:
    """Return the message for a command that did not end in time."""
    fate = (
        "a process that it left behind still has its output open, and was not killed"
        if ended.survived
        else "it was killed, with what it started"
    )
    return (
        f"The command '{params['argv'][0]}' did not end within {params['timeout']:g} seconds in the system container"
        f" '{params['name']}': {fate}"
    )


def meaning_of(rc: int) -> str:
    """Return what an exit code says of a signal, for the end of a message."""
    try:
        return f": the command was ended by {signal.Signals(rc - 128).name}" if rc > 128 else ""
    except ValueError:
        return ""


if __name__ == "__main__":
    main()
