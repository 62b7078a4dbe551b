# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signature policies enforced where the image proxy does not do it (before protocol 0.2.6): by ``skopeo copy``.

It checks the image against containers-policy.json(5) before it writes, and keeps manifest and layers as they are. What
is pulled then is the copy: nothing comes from the source a second time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence

from . import _image_proxy
from ._errors import SourceError
from ._io import temporary_folder
from ._ostree import Repository
from ._runner import command_environment, find_tool
from ._skopeo_log import SkopeoLog
from ._source_errors import translate

_LOOK = 0.2
"""Seconds between two looks at whether a copy still grows."""


@contextlib.contextmanager
def verified(
    repository: Repository, proxy: _image_proxy.ImageProxy, manifest_digest: str
) -> Iterator[_image_proxy.ImageProxy]:
    """Yield a proxy whose blobs may be pulled: ``proxy`` itself, or one for a private copy that was verified.

    The copy is below the repository and is removed in the end. Raises ``SourceError`` when the policy rejects the
    image, or when the copy is not the image with ``manifest_digest``.
    """
    if proxy.enforced:
        yield proxy
        return
    with temporary_folder(os.path.join(repository.path, "tmp"), _image_proxy.TEMPORARY_PREFIX) as folder:
        destination = f"dir:{folder}/image"
        proxy.retrying(lambda: _copy(proxy, destination))
        with _image_proxy.ImageProxy(proxy.options, copy=destination) as copy:
            if copy.image().manifest_digest != manifest_digest:
                raise SourceError(f"'{proxy.source}' changed while it was being verified: try again")
            yield copy


def _copy(proxy: _image_proxy.ImageProxy, destination: str) -> None:
    """Copy the image; raises what skopeo says, or that nothing comes any more."""
    path = destination.partition(":")[2]
    shutil.rmtree(path, ignore_errors=True)
    command = proxy.command("copy", "--quiet", "--preserve-digests", prefix="src-")
    with contextlib.closing(SkopeoLog()) as log:
        rc = _run([command[0], "--debug", *command[1:], proxy.source, destination], log, path, proxy)
        if rc != 0:
            raise translate(log.last_words() or f"skopeo ended with exit code {rc}", proxy.source)


def _run(argv: Sequence[str], log: SkopeoLog, path: str, proxy: _image_proxy.ImageProxy) -> int:
    """Run a copy to its end while it grows, or says something, or waits as long as a registry wants."""
    with subprocess.Popen(
        [find_tool(argv[0]), *argv[1:]],
        stdin=subprocess.DEVNULL,
        stdout=log.descriptor,
        stderr=log.descriptor,
        env=command_environment(),
    ) as process:
        try:
            seen, limited = (-1, -1), False
            deadline = 0.0
            while True:
                now = _size(path), log.size
                if now != seen:
                    pause = log.announced_pause()
                    seen, limited = now, pause > 0
                    deadline = time.monotonic() + proxy.options.timeout + pause
                elif time.monotonic() > deadline:
                    raise proxy.stalled(limited=limited)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(_LOOK)
        finally:
            process.kill()


def _size(path: str) -> int:
    """Return the bytes of the files in a folder, which need not exist."""
    total = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_size
    return total
