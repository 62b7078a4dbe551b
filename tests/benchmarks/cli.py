# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command: chooses benchmarks, runs them, prints the table, writes the page."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.process import LabError
from runner.collection_link import ROOT

from benchmarks.catalogue import BENCHMARKS, SEES_INFLATERS, description
from benchmarks.images import check_space
from benchmarks.isolation import hidden, installed_inflaters, isolate, replace_cache
from benchmarks.machine import describe_machine
from benchmarks.report import page
from benchmarks.results import Result
from benchmarks.session import Options, Session, session

PAGE = ROOT / "docs/benchmarks.md"
_PROGRAMS = ("docker-registry", "findmnt", "gzip", "mount", "ostree", "podman", "skopeo", "unshare")
_SPACE = 25e9
"""Bytes: nothing is removed before the end, see ``contenders.put_aside``."""


def main(arguments: Sequence[str]) -> int:
    """Run benchmarks; 0 when all bars were met, 1 when one was not, 2 when it could not be measured."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.write and (options.names or options.scale != 1):
        parser.error(f"{PAGE.name} shows all benchmarks at their full size: --write goes without names and --scale")
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that all is cleared away
    try:
        _check_machine()
        isolate(arguments)
        results = _run(options)
    except (LabError, OSError) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 2
    print()
    for result in (result for found in results.values() for result in found):
        print(result.line())
    return int(any(result.short for found in results.values() for result in found))


def _parser() -> argparse.ArgumentParser:
    summaries = "\n".join(f"  {name:28}{description(name).splitlines()[0]}" for name in BENCHMARKS)
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measure the collection beside other programs, as root on a quiet machine.",
        epilog=f"benchmarks:\n{summaries}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # No choices: argparse would refuse an empty list.
    parser.add_argument("names", nargs="*", metavar="BENCHMARK", type=_known, help="which to run; all by default")
    parser.add_argument("--pairs", type=_positive, default=5, help="rounds of each comparison (default 5)")
    parser.add_argument(
        "--scale", type=_scale, default=1.0, help="make all images smaller, for a quick look (default 1)"
    )
    parser.add_argument(
        "--python", default="/usr/bin/python3", help="Python that runs the module (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("/var/tmp"), help="folder for all data (default: %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser


def _known(name: str) -> str:
    if name not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"there is no benchmark '{name}'; there are {', '.join(BENCHMARKS)}")
    return name


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _scale(text: str) -> float:
    scale = float(text)
    if not 0 < scale <= 10:
        raise argparse.ArgumentTypeError("more than 0, at most 10")
    return scale


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise LabError("images are stored with their owners: run this as root")
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise LabError(
            f"programs are missing: {', '.join(missing)}; on Debian, 'tests/tools/bootstrap bench' installs them"
        )


def _run(arguments: argparse.Namespace) -> dict[str, list[Result]]:
    work = arguments.work.resolve()
    options = Options(work=work, pairs=arguments.pairs, scale=arguments.scale, python=arguments.python)
    check_space(work, int(_SPACE * options.scale))
    machine = describe_machine(work, options.python)
    for name, value in machine.facts:
        print(f"{name}: {value}", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="system-containers-benchmarks-", dir=work))
    replace_cache(folder / "cache")
    results = {}
    with session(options, folder) as opened:
        for name in arguments.names or BENCHMARKS:
            results[name] = _results(name, opened)
    if arguments.write:
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        descriptions = {name: description(name) for name in results}
        PAGE.write_text(page(machine, results, descriptions, date=today, pairs=options.pairs), encoding="utf-8")
    return results


def _results(name: str, opened: Session) -> list[Result]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    found = []
    with contextlib.ExitStack() as stack:
        if name not in SEES_INFLATERS:
            stack.enter_context(hidden(list(installed_inflaters().values())))
        for result in BENCHMARKS[name](opened):
            print(f"  {result.line()}", file=sys.stderr, flush=True)
            found.append(result)
    return found
