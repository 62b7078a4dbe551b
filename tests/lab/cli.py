# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import Callable

from . import debian_layers, host, image, inventory, lifecycle, registry, ssh
from .process import LabError
from .state import ID_VARIABLE, Lab, lab_id, load_record, locked

Command = Callable[[Lab, argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="lab",
        description="Real hosts (systemd-nspawn) and container registries on this machine, for tests and demos.",
        epilog=f"Each checkout has a lab of its own; {ID_VARIABLE} names another one.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="boot hosts and wait until they are running")
    up.add_argument("names", nargs="+", metavar="NAME")
    up.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for booting (default 60)")
    up.add_argument(
        "--package", action="append", default=[], help="one more of Debian's packages for new hosts; may be repeated"
    )
    down = commands.add_parser("down", help="remove hosts; without names, the whole lab")
    down.add_argument("names", nargs="*", metavar="NAME")
    reboot = commands.add_parser("reboot", help="reboot a host; its files stay")
    reboot.add_argument("name", metavar="NAME")
    reboot.add_argument("--force", action="store_true", help="pull the plug, stop no services")
    reboot.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="(default 120)")
    run = commands.add_parser("exec", help="run a command in a host; exit code, input and terminal are passed on")
    run.add_argument("name", metavar="NAME")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    commands.add_parser("status", help="show hosts and registries")
    commands.add_parser("registry", help="start the registries; prints their addresses")
    commands.add_parser("inventory", help="write the inventory for Ansible; prints its path")
    commands.add_parser("env", help='print variables for shells: eval "$(lab env)"')
    image.add_parser(commands)
    return parser


def _change(lab: Lab) -> contextlib.AbstractContextManager[None]:
    """Keep other commands that change the lab waiting."""
    return locked(lab.lock_file, belongs_to=lab.directory)


def _up(lab: Lab, arguments: argparse.Namespace) -> int:
    with _change(lab):
        for one in lifecycle.up(lab, arguments.names, packages=arguments.package, seconds=arguments.timeout):
            print(f"{one.name} {one.address}")
    return 0


def _down(lab: Lab, arguments: argparse.Namespace) -> int:
    with _change(lab):
        lifecycle.down(lab, arguments.names)
    return 0


def _reboot(lab: Lab, arguments: argparse.Namespace) -> int:
    with _change(lab):
        lifecycle.restart(lab, arguments.name, force=arguments.force, seconds=arguments.timeout)
    return 0


def _exec(lab: Lab, arguments: argparse.Namespace) -> int:
    argv: list[str] = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        raise LabError("exec: which command?")
    one = host.find(lab, load_record(lab), arguments.name)
    if one.leader() is None:
        raise LabError(f"host {one.name} is off; run: lab up {one.name}")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    command = ssh.command(lab, one.address, argv, terminal=terminal)
    os.execvp(command[0], command)


def _status(lab: Lab, _arguments: argparse.Namespace) -> int:
    print(lifecycle.status(lab))
    return 0


def _registry(lab: Lab, _arguments: argparse.Namespace) -> int:
    with _change(lab):
        record = load_record(lab)
        registry.start(lab, record)
        inventory.write_inventory(lab, record)
    for kind, address in zip(registry.KINDS, registry.addresses(record)):
        print(f"{kind} {address}")
    return 0


def _inventory(lab: Lab, _arguments: argparse.Namespace) -> int:
    print(inventory.write_inventory(lab, load_record(lab)))
    return 0


def _env(lab: Lab, _arguments: argparse.Namespace) -> int:
    print("\n".join(inventory.shell_variables(lab, load_record(lab))))
    return 0


def _image(lab: Lab, arguments: argparse.Namespace) -> int:
    if arguments.action == "build":
        print(image.build_command(arguments))
    elif arguments.action == "debian":
        print(debian_layers.ensure_layers(arguments.package))
    else:
        print(image.push_command(lab, load_record(lab), arguments))
    return 0


COMMANDS: dict[str, Command] = {
    "up": _up,
    "down": _down,
    "reboot": _reboot,
    "exec": _exec,
    "status": _status,
    "registry": _registry,
    "inventory": _inventory,
    "env": _env,
    "image": _image,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 1 for an error, else what the command in a host returned."""
    arguments = build_parser().parse_args(argv)
    try:
        if os.geteuid() != 0 and not (arguments.command == "image" and arguments.action == "build"):
            raise LabError("the lab needs root")
        return COMMANDS[arguments.command](Lab(lab_id(os.environ)), arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
