# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a zip file, as Ansible's payload of a module is one, are compiled once; no search for garbage at the end."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[4] / "plugins"
SHORT_LIVED = PLUGINS / "module_utils" / "_short_lived.py"

RUN = """
import importlib, json, sys
compiled = []
sys.addaudithook(lambda event, args: compiled.append(args[1]) if event == "compile" else None)
sys.path.insert(0, sys.argv[1])
import short_lived
import package.one, package.two
try:
    import package.broken
except SyntaxError as error:
    broken = error.filename
sys.modules.pop("package.one")
importlib.import_module("package.one")
names = [str(name).rpartition("payload.zip/")[2] for name in compiled if "payload.zip/" in str(name)]
result = [package.one.VALUE, package.two.VALUE, package.one.__file__, package.one.__spec__.origin, broken]
print(json.dumps([names, [value.rpartition("payload.zip/")[2] for value in result]]))
"""


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """A zip file with sources only."""
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("short_lived.py", SHORT_LIVED.read_text(encoding="utf-8"))
        archive.writestr("package/__init__.py", "")
        archive.writestr("package/one.py", "VALUE = 'one'\n")
        archive.writestr("package/two.py", "from package import one\nVALUE = one.VALUE + 'two'\n")
        archive.writestr("package/broken.py", "VALUE =\n")
    return path


def test_each_file_is_compiled_once(payload: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN, str(payload)], check=True, capture_output=True, text=True)
    compiled, values = json.loads(done.stdout)
    after = compiled[compiled.index("package/__init__.py") :]
    # The one that is imported anew stands last; what cannot be compiled is not run.
    once = ["package/__init__.py", "package/one.py", "package/two.py", "package/broken.py", "package/one.py"]
    assert after == once
    assert values == ["one", "onetwo", "package/one.py", "package/one.py", "package/broken.py"]


def test_python_without_it_is_left_as_it_is(payload: Path) -> None:
    script = "import zipimport; del zipimport._get_module_code; import runpy, sys; runpy.run_path(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, str(SHORT_LIVED)], check=True)


def test_nothing_is_searched_for_garbage_at_the_end() -> None:
    script = """
import atexit, gc, runpy, sys
class Cycle:
    def __init__(self): self.itself = self
    def __del__(self): print("found")
if sys.argv[1:]: runpy.run_path(sys.argv[1])
Cycle()
"""
    for arguments, found in (([], "found\n"), ([str(SHORT_LIVED)], "")):
        argv = [sys.executable, "-c", script, *arguments]
        assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == found


@pytest.mark.parametrize("module", sorted((PLUGINS / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_every_module_imports_it_first(module: Path) -> None:
    body = ast.parse(module.read_text(encoding="utf-8")).body
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    first = next(node for node in imports if not (isinstance(node, ast.ImportFrom) and node.module == "__future__"))
    assert isinstance(first, ast.Import)
    assert first.names[0].name.endswith("._short_lived")
