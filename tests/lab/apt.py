# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this machine gets Debian packages from: its apt configuration, read and never changed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .process import run

DEFAULT_URI = "http://deb.debian.org/debian"
DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Source:
    """One package source: a mirror, one suite of it, and the keyring that signs it ("" for the default)."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str = ""


def sources(folder: Path = Path("/etc/apt")) -> Iterator[Source]:
    """Yield the binary package sources of an apt configuration folder, in apt's order."""
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.is_file():
            yield from parse_list(path.read_text(encoding="utf-8"))
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        yield from parse_deb822(path.read_text(encoding="utf-8"))


def parse_list(text: str) -> Iterator[Source]:
    """Yield the sources of a one-line-style file."""
    for line in text.splitlines():
        match = re.match(
            r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<rest>[^#]*)", line
        )
        if match:
            signed = re.search(r"signed-by=(/\S+)", match["options"] or "")
            yield Source(match["uri"], match["suite"], tuple(match["rest"].split()), signed[1] if signed else "")


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the sources of a deb822-style file."""
    for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, _colon, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        keyring = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                path = keyring if keyring.startswith("/") and " " not in keyring else ""
                yield Source(uri, suite, tuple(fields.get("components", "").split()), path)


def choose(candidates: list[Source], release: str) -> Source:
    """Return the best source of a release: its own suite, else a Debian mirror, else Debian's own server."""
    for source in candidates:
        if source.suite == release and "main" in source.components:
            return source
    for source in candidates:
        if source.uri.rstrip("/").endswith("/debian") and "main" in source.components:
            return Source(source.uri, release, source.components, source.keyring)
    return Source(DEFAULT_URI, release, ("main",))


def keyring_of(source: Source) -> str:
    """Return the path of the keyring that must have signed a source, "" to leave it to debootstrap."""
    if source.keyring and Path(source.keyring).is_file():
        return source.keyring
    return DEFAULT_KEYRING if Path(DEFAULT_KEYRING).is_file() else ""


def proxy_environment() -> dict[str, str]:
    """Return the environment variables that make other programs use apt's proxies."""
    found: dict[str, str] = {}
    if shutil.which("apt-config") is None:
        return found
    for scheme in ("http", "https"):
        line = run(["apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy"]).strip()
        value = line[len("proxy=") :].strip("'")
        if value and value != "DIRECT":
            found[f"{scheme}_proxy"] = value
    return found
