# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What benchmarks look at, they have to see: a log's bytes, temporary files, memory, times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.contenders import PROBE
from benchmarks.disk import TemporaryFiles
from benchmarks.process import measure
from benchmarks.registry import blob_bytes
from lab.process import LabError

A, B = ("sha256:" + letter * 64 for letter in "ab")
SIZE = 8 * 1024 * 1024
NAMED = "import os, tempfile; stream = tempfile.NamedTemporaryFile(dir={folder!r})"
UNNAMED = "import os, tempfile; stream = tempfile.TemporaryFile(dir={folder!r})"
IN_MEMORY = "import os; stream = os.fdopen(os.memfd_create('blob'), 'wb')"
FILL = "; stream.write(bytes({size})); stream.flush(); import time; time.sleep(0.5)"
OF_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}], check=True)"


def test_blob_bytes() -> None:
    def line(method: str, digest: str, status: int, size: int) -> str:
        path = f"/v2/some/name/blobs/{digest}"
        return f'127.0.0.1 - - [23/Nov/2026:00:00:00 +0000] "{method} {path} HTTP/1.1" {status} {size} "" "skopeo"\n'

    log = line("GET", A, 200, 5) + line("HEAD", B, 200, 7) + line("GET", B, 404, 9) + line("GET", A, 206, 3)
    assert blob_bytes(log) == {A: 8}


@pytest.mark.parametrize("how", [NAMED, UNNAMED, IN_MEMORY])
@pytest.mark.parametrize("child", [False, True])
def test_temporary_files_are_seen(tmp_path: Path, how: str, child: bool) -> None:
    program = how.format(folder=str(tmp_path)) + FILL.format(size=SIZE)
    if child:
        program = OF_A_CHILD.format(program=program)
    watch = TemporaryFiles([tmp_path])
    measure([sys.executable, "-c", program], environment=dict(os.environ), watch=watch)
    assert SIZE <= watch.peak < SIZE + 100_000


def test_objects_of_the_repository_are_no_temporary_files(tmp_path: Path) -> None:
    staging = tmp_path / "tmp/staging-boot-Xy1"
    for path in ("ab", "cd"):
        (staging / path).mkdir(parents=True)
    (staging / "ab" / f"{'c' * 62}.file").write_bytes(bytes(SIZE))
    (staging / "cd/blob").write_bytes(bytes(4096))
    watch = TemporaryFiles([tmp_path / "tmp"])
    watch(os.getpid())
    assert 4096 <= watch.peak < SIZE


def test_peak_memory_is_that_of_the_process_itself(tmp_path: Path) -> None:
    program, peak = tmp_path / "program.py", tmp_path / "peak"
    large = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'bytes(range(200)) * 10**6'])\n"
    kib = {}
    for name, text in (("small", large), ("large", "data = bytes(range(200)) * 500_000\n")):
        program.write_text(f"{text}import sys; sys.exit(0)\n")
        subprocess.run([sys.executable, PROBE, peak, program], check=True)
        kib[name] = int(peak.read_text())
    assert kib["small"] < 60_000 < 97_000 < kib["large"]


def test_a_pipeline_that_fails_is_no_result() -> None:
    commands = [["sh", "-c", "exec echo text"], ["cat"]]
    assert measure(*commands, environment=dict(os.environ)).output == "text\n"
    with pytest.raises(LabError, match="exit code 3: oh"):
        measure(["sh", "-c", "echo oh >&2; exit 3"], ["cat"], environment=dict(os.environ))


def test_processor_time_includes_children() -> None:
    burn = "import time; sum(range(10**6)); print(time.process_time())"
    run = measure([sys.executable, "-c", OF_A_CHILD.format(program=burn)], environment=dict(os.environ))
    assert run.cpu > float(run.output) > 0
