# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the collection's archive and let Galaxy's importer judge it."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from runner import process
from runner.project import NAME, NAMESPACE, project_files
from runner.results import Result, failure, total, verdict
from runner.stage import Context

MADE_BY_THE_BUILD = {"FILES.json", "MANIFEST.json"}
# The nested ansible-test would need docker; the stage `sanity` runs it.
IMPORTER_CONFIG = "[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nCHECK_CHANGELOG = True\n"


def galaxy(context: Context) -> Result:
    """Build, look at what went in, import."""
    with tempfile.TemporaryDirectory(prefix="galaxy-") as name:
        folder = Path(name)
        code = context.run("ansible-galaxy", "collection", "build", "--output-path", folder)
        archives = sorted(folder.glob(f"{NAMESPACE}-{NAME}-*.tar.gz"))
        if code != 0 or not archives:
            return failure(f"ansible-galaxy collection build ended with exit code {code}")
        with tarfile.open(archives[0]) as archive:
            members = [member.name for member in archive.getmembers() if not member.isdir()]
        stray = stray_files(members, project_files())
        content = verdict(ok=not stray, problem=f"files that do not belong into the archive: {', '.join(stray[:10])}")
        return total([content, _import(context, archives[0])])


def stray_files(members: Iterable[str], files: Iterable[Path]) -> list[str]:
    """Files in the archive that are not the project's: what the tools left behind in the checkout."""
    known = {path.as_posix() for path in files} | MADE_BY_THE_BUILD
    return sorted(name for name in members if name.removeprefix("./") not in known)


def _import(context: Context, archive: Path) -> Result:
    config = archive.parent / "galaxy-importer.cfg"
    config.write_text(IMPORTER_CONFIG)
    log = context.log.with_name("galaxy-importer.log")
    log.unlink(missing_ok=True)
    env = {**context.env, "GALAXY_IMPORTER_CONFIG": str(config)}
    command = [sys.executable, "-m", "galaxy_importer.main", archive]
    code = process.run(command, log=log, env=env, cwd=archive.parent)
    text = log.read_text(errors="replace")
    with context.log.open("a") as output:
        output.write(text)
    return importer_verdict(text, code)


def importer_verdict(output: str, code: int) -> Result:
    """The importer reports some errors without ending badly."""
    errors = [line for line in output.splitlines() if line.startswith(("ERROR", "CRITICAL"))]
    if code == 0 and not errors and "Importer processing completed successfully" not in output:
        return failure("galaxy-importer did not finish")
    detail = f": {errors[0]}" if errors else ""
    return verdict(ok=code == 0 and not errors, problem=f"galaxy-importer, exit code {code}{detail}")
