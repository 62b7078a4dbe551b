# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026, projectatomic.system_containers contributors

"""A client of an etcd cluster, by HTTP and JSON: client.py write|check PKI_FOLDER RECORD ENDPOINT...

write: puts one key after another, and adds to the file RECORD each that was acknowledged, until the file RECORD.stop appears.
check: reads all of them from every member, and prints as JSON how many were acknowledged, which ones each member lacks, and the longest
time in seconds between two acknowledgements.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

PREFIX = "written/"
TIMEOUT = 3.0
PAUSE = 0.01
FAILURES = (OSError, http.client.HTTPException)


class Client:
    """Asks members with a client's certificate."""

    def __init__(self, pki: Path) -> None:
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / "client.crt", pki / "client.key")

    def ask(self, endpoint: str, method: str, **arguments: Any) -> Any:
        """Call a method of etcd's API; raises one of ``FAILURES`` when it is not acknowledged."""
        request = urllib.request.Request(
            f"{endpoint}/v3/kv/{method}",
            data=json.dumps(arguments).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._tls) as answer:
            return json.load(answer)


def encoded(text: str) -> str:
    """Return text as etcd's JSON has it."""
    return base64.b64encode(text.encode()).decode()


def write(client: Client, record: Path, endpoints: list[str]) -> None:
    """Write until told to stop, each key at the next member that acknowledges it."""
    stop = Path(f"{record}.stop")
    number = 0
    with record.open("w", encoding="utf-8") as output:
        while not stop.exists():
            key = f"{PREFIX}{number:06d}"
            for turn in range(len(endpoints)):
                try:
                    client.ask(
                        endpoints[(number + turn) % len(endpoints)], "put", key=encoded(key), value=encoded(str(number))
                    )
                except FAILURES:
                    continue
                print(key, number, f"{time.time():.3f}", file=output, flush=True)
                break
            number += 1
            time.sleep(PAUSE)


def check(client: Client, record: Path, endpoints: list[str]) -> None:
    """Compare what was acknowledged with what each member has, by a linearizable read."""
    lines = [line.split() for line in record.read_text(encoding="utf-8").splitlines()]
    wanted = {(key, value) for key, value, _time in lines}
    times = [float(time) for _key, _value, time in lines]
    lacking = {}
    for endpoint in endpoints:
        found = client.ask(endpoint, "range", key=encoded(PREFIX), range_end=encoded(PREFIX[:-1] + "0")).get("kvs", [])
        pairs = {tuple(base64.b64decode(item[part]).decode() for part in ("key", "value")) for item in found}
        lacking[endpoint] = sorted(wanted - pairs)
    gap = max((later - earlier for earlier, later in zip(times, times[1:])), default=0.0)
    print(json.dumps({"acknowledged": len(wanted), "lacking": lacking, "longest_gap": round(gap, 3)}))


def main() -> None:
    """Run one command."""
    command, pki, record, *endpoints = sys.argv[1:]
    {"write": write, "check": check}[command](Client(Path(pki)), Path(record), endpoints)


if __name__ == "__main__":
    main()
