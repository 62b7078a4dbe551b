# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spare a short-lived process what Python does for long-lived ones. Modules import this before anything else.

Each file of a module's payload is compiled once. Ansible runs a module from a zip file that has sources only, and Python's
importer of such files compiles a source when it is asked where the file is (``zipimporter.get_filename``, called by
``importlib.util.spec_from_file_location``) and again when the file is run, right after: most of what a module that changes
nothing takes. Here the last result is remembered.

At the end of the process, what it has in memory is not searched for garbage: the system takes it all back.
"""

from __future__ import annotations

import atexit
import gc
import zipimport
from functools import lru_cache

_NAME = "_get_module_code"  # since Python 3.8; without it nothing changes

if hasattr(zipimport, _NAME):
    setattr(zipimport, _NAME, lru_cache(maxsize=1)(getattr(zipimport, _NAME)))

atexit.register(gc.freeze)
