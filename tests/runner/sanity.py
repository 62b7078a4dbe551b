# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-test sanity` for real: on a copy outside any git repository, where it cannot skip everything in silence."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.project import COLLECTION_PATH, OUTPUT, ROOT, project_files
from runner.results import Result, Skip, failure, parse_junit, total, with_exit_code
from runner.stage import Context

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")

# Tests that look at one kind of file only. They may skip while the project has no such file; any other skip fails.
NEEDS_FILES = {
    "empty-init": re.compile(r"(^plugins/|^tests/(unit|integration)/).*__init__\.py$"),
    "pslint": re.compile(r"\.ps[dm]?1$"),
    # Scripts without a suffix are checked by the stage `shellcheck`.
    "shellcheck": re.compile(r"\.sh$"),
}

# ansible-test downloads this script from a host of its own. The same effect from what Python and the package index
# offer, for machines that reach only the index.
PIP_BOOTSTRAP = """\
import subprocess, sys
wanted = [argument for argument in sys.argv[1:] if argument.startswith("pip==")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check"] + wanted)
"""


def sanity(context: Context) -> Result:
    """Run all sanity tests on all Pythons found here."""
    pythons = find_pythons()
    context.say("on Python " + ", ".join(pythons))
    files = project_files()
    reports = OUTPUT / "junit-sanity"
    shutil.rmtree(reports, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="sanity-") as folder, _pip_bootstrap():
        copy = Path(folder) / COLLECTION_PATH
        copy_files(files, copy)
        code = context.run(*_command(pythons), cwd=copy, env=_env(context.env, pythons))
        made = copy / "tests" / "output" / "junit"
        if made.is_dir():
            shutil.copytree(made, reports)
    output = context.log.read_text(errors="replace")
    return parse_sanity(sorted(reports.glob("*.xml")), code=code, output=output, files=files)


def parse_sanity(reports: Iterable[Path], *, code: int, output: str, files: Iterable[Path]) -> Result:
    """Judge a run by its reports; one in which nothing ran, or something was left out, is a failure."""
    if "All targets skipped" in output:
        return failure("ansible-test skipped all files: it takes them for ignored by git")
    results = [parse_junit(report) for report in reports]
    if not any(result.passed or result.failed for result in results):
        return failure(f"ansible-test ran no sanity test (exit code {code})")
    names = [path.as_posix() for path in files]
    result = total(results)
    skips = tuple(skip for skip in result.skips if not not_applicable(skip, names))
    result = Result(passed=result.passed, failed=result.failed, skips=skips, problem=result.problem)
    return with_exit_code(result, code, "ansible-test")


def not_applicable(skip: Skip, files: Iterable[str]) -> bool:
    """Whether a test was left out because the project has no file that it looks at."""
    pattern = NEEDS_FILES.get(re.sub(r"-python-[\d.]+$", "", skip.name.rpartition("::")[2]))
    if pattern is None or skip.reason != "No tests applicable.":
        return False
    return not any(pattern.search(name) for name in files)


def copy_files(files: Iterable[Path], destination: Path) -> None:
    """Copy the project's files, links as links."""
    for path in files:
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target, follow_symlinks=False)


def find_pythons() -> dict[str, Path]:
    """Return real interpreters by version: the one that runs this, and others that can make a virtual environment.

    pyenv's shims do not count: they fail for versions that are not selected.
    """
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {own: Path(sys.executable)}
    folders = [*_real_path(os.environ.get("PATH", os.defpath)), "/usr/bin", "/usr/local/bin"]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    with contextlib.suppress(PermissionError):
        folders += [str(path) for path in sorted(pyenv.glob("versions/*/bin"))]
    for version in PYTHONS:
        for folder in folders:
            path = Path(folder) / f"python{version}"
            if version not in found and path.is_file() and _usable(path):
                found[version] = path
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition(".")[2])))


def _usable(python: Path) -> bool:
    done = subprocess.run([python, "-c", "import ensurepip, venv"], check=False, capture_output=True)
    return done.returncode == 0


def _real_path(path: str) -> list[str]:
    return [folder for folder in path.split(os.pathsep) if folder and not folder.endswith("/shims")]


def _command(pythons: dict[str, Path]) -> list[str]:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    command = [str(Path(sys.executable).parent / "ansible-test"), "sanity", "--junit", "--color", "no"]
    command += ["--controller", f"origin:python={own}@{sys.executable}"]
    for version, path in pythons.items():
        command += ["--target-python", f"{version}@{path}"]
    return command


def _env(env: dict[str, str], pythons: dict[str, Path]) -> dict[str, str]:
    # ansible-test looks up other Pythons by name, whatever path it was given.
    folders = [*_real_path(env["PATH"]), *(str(path.parent) for path in pythons.values())]
    kept = {key: value for key, value in env.items() if not key.startswith(("ANSIBLE_", "GIT_"))}
    return {**kept, "PATH": os.pathsep.join(folders)}


def _pip_bootstrap_path() -> Path | None:
    spec = importlib.util.find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        return None
    source = Path(next(iter(spec.submodule_search_locations))) / "_internal" / "python_requirements.py"
    version = re.search(r"\bpip='([\d.]+)'", source.read_text())
    if version is None:
        return None
    name = f"get_pip_{version[1].replace('.', '_')}.py"
    return Path("~/.ansible/test/cache").expanduser() / name


@contextlib.contextmanager
def _pip_bootstrap() -> Iterator[None]:
    """Provide the bootstrap script where there is none, and take it away again afterwards."""
    path = _pip_bootstrap_path()
    if path is None or path.exists():
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PIP_BOOTSTRAP)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
