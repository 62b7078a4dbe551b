# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab does as a whole: bring hosts up, take them down, tell how they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

from . import base, cgroup, host, inventory, network, registry, ssh
from .host import Host
from .process import LabError, require_all
from .state import Lab, check_host_name, load_record, save_record


def up(lab: Lab, names: Sequence[str], *, packages: Sequence[str], seconds: float) -> list[Host]:
    """Bring hosts up, all at once, and wait until they are running; those that are stay as they are.

    Args:
        lab: the lab, locked.
        names: of the hosts.
        packages: of Debian, that hosts which are new have besides those of the base.
        seconds: how long each may take to boot.

    Raises:
        LabError: what went wrong, of each host that did not come up.
    """
    require_all()
    for name in names:
        check_host_name(name)
    record = load_record(lab)
    root = base.ensure_base(lab, base.more_packages(packages, os.environ))
    network.ensure_network(lab, record)
    client_key = ssh.ensure_client_key(lab)
    registry.certificates(lab).mkdir(parents=True, exist_ok=True)
    for name in names:
        if name not in record.hosts:
            record.last_number = network.choose_host_number(record.hosts.values(), last=record.last_number)
            record.hosts[name] = record.last_number
    save_record(lab, record)
    hosts = [host.find(lab, record, name) for name in dict.fromkeys(names)]
    for_all(hosts, lambda one: host.prepare(one, root, client_key))
    ssh.write_known_hosts(lab, record)
    inventory.write_inventory(lab, record)
    for_all(hosts, lambda one: _bring_up(one, seconds))
    return hosts


def _bring_up(one: Host, seconds: float) -> None:
    """Boot a host if it is off; wait for its boot if that has not been seen to end well."""
    if one.leader() is None:
        host.stop(one)
        host.start(one, registry.certificates(one.lab))
    host.wait_until_running(one, seconds=seconds)


def for_all(hosts: Iterable[Host], action: Callable[[Host], None]) -> None:
    """Do something for many hosts at once.

    Raises:
        LabError: with the messages of all that failed.
    """
    known = list(hosts)
    with ThreadPoolExecutor(max_workers=max(1, len(known))) as pool:
        errors = [str(error) for error in pool.map(lambda one: _error_of(action, one), known) if error]
    if errors:
        raise LabError("\n".join(errors))


def _error_of(action: Callable[[Host], None], one: Host) -> str:
    try:
        action(one)
    except LabError as error:
        return str(error)
    return ""


def restart(lab: Lab, name: str, *, force: bool, seconds: float) -> None:
    """Reboot a host in place.

    Args:
        lab: the lab, locked.
        name: of the host.
        force: pull the plug instead of stopping its services.
        seconds: how long it may take.

    Raises:
        LabError: there is no such host, or it does not come up again.
    """
    record = load_record(lab)
    one = host.find(lab, record, name)
    if not force:
        host.reboot(one, seconds=seconds)
        return
    host.stop(one)
    host.start(one, registry.certificates(lab))
    host.wait_until_running(one, seconds=seconds)


def down(lab: Lab, names: Sequence[str]) -> None:
    """Take hosts down and remove them; without names, everything of the lab's. A name that is not there is down.

    Raises:
        LabError: something does not go away.
    """
    record = load_record(lab)
    if not names:
        _remove_everything(lab)
        return
    hosts = [host.find(lab, record, name) for name in dict.fromkeys(names) if name in record.hosts]
    if not hosts:
        return
    for_all(hosts, host.stop)
    for one in hosts:
        host.remove_tree(one.directory)
        del record.hosts[one.name]
    save_record(lab, record)
    ssh.write_known_hosts(lab, record)
    inventory.write_inventory(lab, record)


def _remove_everything(lab: Lab) -> None:
    """Remove all that a lab of this id may have made; its record is not needed for that."""
    ssh.close_shared(lab)
    cgroup.kill(lab.cgroup)
    network.remove_network(lab)
    host.remove_tree(lab.directory)
    base.remove_unfinished()


def status(lab: Lab) -> str:
    """Return a table of the lab's hosts and registries."""
    record = load_record(lab)
    rows = [("NAME", "ADDRESS", "STATE", "PID")]
    for name in sorted(record.hosts):
        one = host.find(lab, record, name)
        pid = one.leader()
        state = "off" if pid is None else host.system_state(one, seconds=10)
        rows.append((name, one.address, state.splitlines()[0] if state else "unknown", str(pid or "-")))
    if record.registry:
        for kind, address in zip(registry.KINDS, registry.addresses(record)):
            pid = registry.process_id(lab, kind)
            rows.append((f"registry ({kind})", address, "off" if pid is None else "running", str(pid or "-")))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
