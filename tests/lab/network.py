# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's network: one bridge with an address of the machine's, one cable to each host."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
from collections.abc import Iterable

from .process import LabError, run
from .state import CACHE_ROOT, STATE_ROOT, Lab, Record, load_record, locked, save_record

BRIDGE_NUMBER = 1
FIRST_HOST_NUMBER = 10
LAST_HOST_NUMBER = 250


def ensure_network(lab: Lab, record: Record) -> None:
    """Choose a subnet for the lab, if it has none, and make the bridge, if it is missing.

    Raises:
        LabError: no free subnet, or ip(8) fails.
    """
    if not record.subnet:
        with locked(CACHE_ROOT / "lock.subnet"):
            record.subnet = choose_subnet(lab.id, [*_used_on_machine(), *_used_by_labs()])
            save_record(lab, record)
    bridge = lab.bridge
    if bridge not in _links():
        run(["ip", "link", "add", "name", bridge, "address", lab.mac(BRIDGE_NUMBER), "type", "bridge"])
    commands = [
        f"addr replace {record.address(BRIDGE_NUMBER)}/24 dev {bridge}",
        f"link set dev {bridge} up",
    ]
    run(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")


def choose_subnet(seed: str, used: Iterable[str]) -> str:
    """Return a subnet 10.x.y.0/24 that overlaps none of the used ones: the first free one of an order that seed gives.

    Raises:
        LabError: there is none.
    """
    taken = [ipaddress.ip_network(network, strict=False) for network in used]
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:2], "big")
    for step in range(65536):
        number = (start + step * 257) % 65536
        candidate = ipaddress.ip_network(f"10.{number >> 8}.{number & 255}.0/24")
        if not any(candidate.overlaps(network) for network in taken):
            return str(candidate)
    raise LabError("no free subnet below 10.0.0.0/8 on this machine")


def choose_host_number(used: Iterable[int], *, last: int) -> int:
    """Return the last byte of a new host's address: the first free one after ``last``, which was given most recently.

    So an address that has become free stays nobody's for long: who still asks for its host is not answered by another one.

    Raises:
        LabError: the lab is full.
    """
    taken = set(used)
    numbers = range(FIRST_HOST_NUMBER, LAST_HOST_NUMBER + 1)
    for number in sorted(numbers, key=lambda number: (number <= last, number)):
        if number not in taken:
            return number
    raise LabError("this lab has no room for another host")


def connect(lab: Lab, number: int, address: str, pid: int) -> None:
    """Lay a cable from the bridge into the network namespace of a process, where it is called host0.

    Raises:
        LabError: ip(8) fails.
    """
    name = f"{lab.interface_prefix}{number}"
    disconnect(lab, number)
    mac = lab.mac(number)
    commands = [
        f"link add name {name} master {lab.bridge} up type veth peer name host0 address {mac} netns {pid}",
        # Else the first packet makes the kernel ask who has this address, too early, and ask again after a second.
        f"neigh replace {address} lladdr {mac} dev {lab.bridge} nud permanent",
    ]
    run(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")


def disconnect(lab: Lab, number: int) -> None:
    """Remove a host's cable, if there is one."""
    _delete(f"{lab.interface_prefix}{number}")


def remove_network(lab: Lab) -> None:
    """Remove all interfaces of the lab's from the machine."""
    for name in _links():
        if name.startswith(lab.interface_prefix) or name == lab.bridge:
            _delete(name)


def _delete(name: str) -> None:
    """Delete an interface; the kernel may be deleting it, too, as a cable goes with its namespace."""
    if name in _links():
        try:
            run(["ip", "link", "delete", "dev", name])
        except LabError:
            if name in _links():
                raise


def _links() -> list[str]:
    return [entry["ifname"] for entry in json.loads(run(["ip", "-json", "link", "show"]) or "[]")]


def _used_on_machine() -> list[str]:
    routes: list[dict[str, str]] = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    return [route["dst"] for route in routes if route["dst"][:1].isdigit() and not route["dst"].startswith("0.")]


def _used_by_labs() -> list[str]:
    found = []
    for path in STATE_ROOT.glob("*/lab.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.append(load_record(Lab(path.parent.name)).subnet)
    return [subnet for subnet in found if subnet]
