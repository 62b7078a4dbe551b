# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chromium by chromedriver, in the protocol of WebDriver (https://www.w3.org/TR/webdriver2/): no package is needed for it.

python3 tests/report/browser.py PAGE PNG [light|dark] [WIDTH]     makes a picture of a page
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class BrowserError(Exception):
    """The browser did not do what it was told."""


class Browser:
    """One browser with one page."""

    def __init__(self, address: str, profile: Path) -> None:
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._address = address
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": logs}}
        self._session = f"/session/{self._call('/session', {'capabilities': capabilities})['sessionId']}"
        self._call(f"{self._session}/url", {"url": "about:blank"})  # no page of the browser's own

    def open(self, page: Path, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Show a file on a screen of this size."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", media="", features=[scheme])
        self._call(f"{self._session}/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what the body of a function returns in the page."""
        return self._call(f"{self._session}/execute/sync", {"script": script, "args": arguments})

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send a command of the Chrome DevTools Protocol."""
        return self._call(f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self) -> list[str]:
        """Return what the console got since the last call."""
        return [entry["message"] for entry in self._call(f"{self._session}/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        entries = self._call(f"{self._session}/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, path: Path) -> None:
        """Make a PNG of the page, of a long one of its beginning."""
        width, height = self.run("return [innerWidth, Math.min(document.documentElement.scrollHeight, 12000)]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End the browser."""
        self._call(self._session, None)

    def _call(self, path: str, body: Any) -> Any:
        """Send a body, or DELETE for None, and return the value of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._address + path,
            data=data,
            headers={"Content-Type": "application/json"},
            method="DELETE" if body is None else "POST",
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise BrowserError(f"{path}: {error.read().decode(errors='replace')[:2000]}") from error


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser of its own with nothing in its profile, and end it."""
    driver = shutil.which("chromedriver")
    if driver is None:
        raise BrowserError("there is no chromedriver here: tests/tools/bootstrap installs it")
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(port, process)
            found = Browser(f"http://127.0.0.1:{port}", Path(folder))
            try:
                yield found
            finally:
                found.close()
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BrowserError("chromedriver did not start")


def main(page: str, png: str, scheme: str = "light", width: str = "1280") -> None:
    """Make a picture."""
    with browser() as found:
        found.open(Path(page), width=int(width), dark=scheme == "dark")
        found.picture(Path(png))


if __name__ == "__main__":
    main(*sys.argv[1:])
