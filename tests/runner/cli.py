# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose stages, run them, show how they go, sum up."""

from __future__ import annotations

import argparse
import os
import signal
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic
from typing import NoReturn

from runner import checks, integration, molecule, packaging, process, sanity, site, suites
from runner.project import OUTPUT, ROOT
from runner.results import Result, failure, skip_lines, summary_line, total
from runner.stage import Context, Stage

STAGES = (
    Stage("ruff", "lint rules and format of the Python files", checks.ruff),
    Stage("mypy", "types", checks.mypy),
    Stage("shellcheck", "shell scripts", checks.shellcheck),
    Stage("unit", "tests without hosts", suites.unit),
    Stage("changelog", "changelog fragments", checks.changelog),
    Stage("docs", "documentation of plugins and roles", checks.docs),
    Stage("site", "HTML pages of docs and plugins, and their links", site.site),
    Stage("ansible-lint", "playbooks and roles, profile production", checks.ansible_lint),
    Stage("galaxy", "build the archive, import it as Galaxy does", packaging.galaxy),
    Stage("page", "the report page in a real browser", suites.page),
    Stage("sanity", "ansible-test sanity on every Python found", sanity.sanity),
    Stage("store", "tests on real OSTree repositories", suites.store, heavy=True),
    Stage("faults", "modules killed half way, disks that fail", suites.faults, heavy=True),
    Stage("fuzz", "fuzzers, for a bounded time", suites.fuzz, heavy=True),
    Stage("lab", "tests of the lab", suites.lab, heavy=True),
    Stage("integration", "the modules on real hosts", integration.integration, heavy=True),
    Stage("molecule", "Molecule scenarios", molecule.molecule, heavy=True),
)
GROUPS = {"lint": ("ruff", "mypy", "shellcheck", "changelog", "docs", "site", "ansible-lint", "galaxy")}
# These end within seconds and are the likeliest to fail: they run before anything else.
FIRST = ("ruff", "mypy", "shellcheck", "unit")
# These mostly wait for hosts, and so do not wait for each other.
LAST = ("integration", "molecule")
HEARTBEAT = 30.0
_LINES_AT_THE_END = 60


class Display:
    """Lines on standard output, whole ones, from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start = monotonic()

    def line(self, text: str, *more: str) -> None:
        """Print a line with the time since the start, and others below it."""
        minutes, seconds = divmod(int(monotonic() - self._start), 60)
        with self._lock:
            print(f"[{minutes:2d}:{seconds:02d}] {text}", *more, sep="\n", flush=True)


class Run:
    """One run of some stages."""

    def __init__(self, *, display: Display, targets: Sequence[str], keep: bool) -> None:
        self._display = display
        self._targets = targets
        self._keep = keep
        self._started: dict[str, float] = {}
        self.results: dict[str, Result] = {}

    def sequence(self, stages: Sequence[Stage]) -> None:
        """Run stages one after another."""
        for stage in stages:
            self.stage(stage)

    def stage(self, stage: Stage) -> None:
        """Run one stage, whatever happens in it."""
        start = self._started[stage.name] = monotonic()
        self._display.line(f"{stage.name:<13} {stage.about} ...")
        context = Context(
            name=stage.name,
            say=lambda text: self._display.line(f"{stage.name:<13}   {text}"),
            targets=self._targets,
            keep=self._keep,
        )
        context.log.unlink(missing_ok=True)
        try:
            result = stage.run(context)
        except process.StoppedError:
            result = failure("interrupted")
        except Exception:  # a broken stage must not keep the others from running
            result = failure(traceback.format_exc())
        del self._started[stage.name]
        self.results[stage.name] = result
        self._report(context, result, monotonic() - start)

    def _report(self, context: Context, result: Result, seconds: float) -> None:
        headline = f"{context.name:<13} {'ok    ' if result.ok else 'FAILED'} {result} ({seconds:.1f} s)"
        if result.ok:
            self._display.line(headline)
            return
        log = [f"    | {line}" for line in process.tail(context.log)]
        problem = [f"    {line}" for line in result.problem.splitlines()]
        where = f"    output: {context.log.relative_to(ROOT)}"
        self._display.line(headline, *log, *problem, *(f"    {line}" for line in skip_lines(result)), where)

    def heartbeat(self) -> None:
        """Say what is still running."""
        now = monotonic()
        running = [f"{name} ({now - start:.0f} s)" for name, start in list(self._started.items())]
        if running:
            self._display.line(f"... {', '.join(running)}")


def main(arguments: Sequence[str]) -> int:
    """Run the stages that were asked for; return the exit code."""
    options = _options(arguments)
    stages = select(options.stages)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    run = Run(display=Display(), targets=options.target, keep=options.keep)
    with ThreadPoolExecutor(3) as pool:
        try:
            _run_lanes(run, pool, stages)
        except KeyboardInterrupt:
            print("stopping, and taking the hosts down", flush=True)
            process.stop_all()
    return sum_up(run.results, [stage.name for stage in stages])


def _run_lanes(run: Run, pool: ThreadPoolExecutor, stages: Sequence[Stage]) -> None:
    first = [stage for stage in stages if stage.name in FIRST]
    last = [stage for stage in stages if stage.name in LAST]
    between = [stage for stage in stages if stage not in (*first, *last)]
    lanes = [[stage for stage in between if stage.heavy is heavy] for heavy in (False, True)]
    _watch(run, [pool.submit(run.sequence, first)])
    _watch(run, [pool.submit(run.sequence, lane) for lane in lanes])
    _watch(run, [pool.submit(run.stage, stage) for stage in last])


def _watch(run: Run, futures: Sequence[Future[None]]) -> None:
    while wait(futures, timeout=HEARTBEAT).not_done:
        run.heartbeat()
    for future in futures:
        future.result()


def sum_up(results: dict[str, Result], names: Sequence[str]) -> int:
    """Print what failed, what was skipped, and the last line; return the exit code."""
    everything = [results.get(name, failure("did not run")) for name in names]
    whole = total(everything)
    failed = [name for name, result in zip(names, everything) if not result.ok]
    print()
    # Again, as what is kept of a long output is often its end.
    for line in whole.problem.splitlines()[:_LINES_AT_THE_END]:
        print(f"    {line}")
    if failed:
        print(f"FAILED: {', '.join(failed)} (output in {OUTPUT.relative_to(ROOT)}/)")
    for line in skip_lines(whole):
        print(line)
    print(summary_line(whole), flush=True)
    return 0 if whole.ok else 1


def select(names: Sequence[str]) -> list[Stage]:
    """Return the stages of these names, in their own order; all of them without names."""
    wanted = {stage for name in names for stage in GROUPS.get(name, (name,))}
    unknown = sorted(wanted - {stage.name for stage in STAGES})
    if unknown:
        raise SystemExit(f"no such stage: {', '.join(unknown)}; see --help")
    return [stage for stage in STAGES if not wanted or stage.name in wanted]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    stages = "\n".join(f"  {stage.name:<13} {stage.about}" for stage in STAGES)
    groups = "\n".join(f"  {name:<13} {' '.join(members)}" for name, members in GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="tests/run.py",
        description="Run the tests and sum them up in one line.",
        epilog=f"stages:\n{stages}\ngroups:\n{groups}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="stages or groups to run (default: all)")
    parser.add_argument(
        "--target",
        action="append",
        default=[target for target in os.environ.get("TARGET", "").split() if target],
        help="an integration target to run, instead of all; also $TARGET",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        default=os.environ.get("KEEP", "") not in ("", "0"),
        help="keep the hosts of what failed; also $KEEP=1",
    )
    return parser.parse_args(arguments)


def _interrupt(number: int, frame: object | None) -> NoReturn:
    raise KeyboardInterrupt
