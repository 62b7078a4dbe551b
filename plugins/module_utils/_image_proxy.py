# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images at their source, whatever its transport, read through ``skopeo experimental-image-proxy``.

Needs protocol 0.2.3 (``GetFullConfig``; skopeo 1.9). Only protocol 0.2.6 and newer enforces containers-policy.json(5):
with an older one ``enforced`` may be false, and then nothing but manifests may be taken from it (see ``_policy_copy``).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any, TypeVar

from ._blob import Blob
from ._errors import CommandError, ImageNotFoundError, InvalidInputError, MissingPlatformError, SourceError
from ._image_name import is_digest
from ._image_source import credentials, lists_manifest, platform_flags, platforms_of, source_flags
from ._io import temporary_folder
from ._oci_image import Descriptor, RemoteImage, SourceOptions, digest_of, parse_manifest
from ._proxy_process import ProxyProcess, Reply
from ._retry import retried
from ._runner import run
from ._signature_policy import asks_for_more
from ._source_errors import naming, stalled, translate

_MIN_PROTOCOL = (0, 2, 3)
_ENFORCES_POLICY = (0, 2, 6)
_INDEX_TRANSPORTS = ("docker", "oci", "oci-archive", "dir")
_UNPACKING_TRANSPORTS = ("oci-archive", "docker-archive", "docker-daemon", "containers-storage")
"""Where skopeo works on temporary files, which it leaves behind when it is killed, or (1.9.3) never closes."""

TEMPORARY_PREFIX = "system-containers-pull-"
"""How the names of temporary folders begin."""

_Result = TypeVar("_Result")


class ImageProxy:
    """A running proxy for one source, as a context manager. Its methods may be called from several threads.

    ``enforced`` tells whether the host's signature policy has been, or need not be, enforced on what it hands out.
    """

    def __init__(self, options: SourceOptions, *, copy: str | None = None) -> None:
        """Prepare; ``copy`` names, as skopeo does, a copy of the image that was verified and is to be read instead."""
        self.options = options
        self.source = options.source
        self.platform = options.platform
        self.limits = options.limits
        self.enforced = False
        self._copy = copy
        self._transport = (copy or options.source).partition(":")[0]
        self._cleanup = contextlib.ExitStack()
        self._process: ProxyProcess | None = None
        self._handle: int | None = None

    def __enter__(self) -> ImageProxy:
        try:
            self._start()
            version = self._ask("Initialize").value
            self.enforced = (
                _version(version) >= _ENFORCES_POLICY
                or self._copy is not None
                or not asks_for_more(self._read_policy(), self.source)
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self._cleanup.close()

    def stalled(self, *, limited: bool) -> SourceError:
        """Return the error for a source from which nothing comes any more, perhaps as it limits the rate."""
        return stalled(self.source, timeout=self.options.timeout, limited=limited)

    def kill(self, cause: BaseException | None = None) -> None:
        """End the proxy: every stream ends, every waiting call fails, with ``cause`` if that is a clear error."""
        if self._process is not None:
            self._process.kill(cause)

    def retrying(self, call: Callable[[], _Result]) -> _Result:
        """Return what ``call`` returns, called again after errors that may pass, as often as the task allows."""
        return retried(call, retries=self.options.retries, pause=self._running.pause)

    def image(self) -> RemoteImage:
        """Return the image for the platform, of which no more than the manifest is fetched."""
        try:
            data, digest = self.retrying(self._manifest)
        except MissingPlatformError as exc:
            raise ImageNotFoundError(f"{exc}: {self._platforms()}") from exc
        if not is_digest(digest):
            raise SourceError(f"'{self.source}' has a manifest with the unusable digest '{str(digest)[:80]}'")
        with naming(self.source):
            manifest = parse_manifest(data)
        return RemoteImage(manifest_bytes=data, manifest_digest=str(digest), manifest=manifest)

    def converted_config(self) -> bytes:
        """Return the image configuration as converted to OCI: the blob that a converted manifest names."""
        self._check_enforced()
        return self.retrying(lambda: self._document("GetFullConfig")[0])

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a whole blob, such as a configuration."""

        def attempt() -> bytes:
            with self.blob(descriptor) as blob:
                return blob.read()

        return self.retrying(attempt)

    def blob(self, descriptor: Descriptor, diff_id: str | None = None) -> Blob:
        """Open a blob; for a layer with its diff ID, under which alone containers-storage has it, unpacked."""
        self._check_enforced()
        digest, size = descriptor.digest, descriptor.size
        if diff_id is not None and self._transport == "containers-storage":
            digest = diff_id
        try:
            reply = self._call("GetBlob", digest, size)
        except ImageNotFoundError as exc:
            raise SourceError(
                f"'{self.source}' lacks the blob {digest}, which its manifest names: push the image again"
            ) from exc
        if digest != descriptor.digest and isinstance(reply.value, int) and 0 <= reply.value != size:
            # The size was that of the compressed layer: only this reply knows the right one, which the proxy checks.
            Blob(self._running, reply, size).close()
            size = reply.value
            reply = self._call("GetBlob", digest, size)
        return Blob(self._running, reply, size)

    def index_digest(self, manifest_digest: str) -> str | None:
        """Return the digest of the index at the source if there is one and it lists ``manifest_digest``."""
        if self.source.partition(":")[0] not in _INDEX_TRANSPORTS:
            return None
        try:
            raw = self.retrying(self._raw_manifest)
        except (SourceError, ImageNotFoundError):
            return None
        return digest_of(raw) if lists_manifest(raw, manifest_digest) else None

    def command(self, name: str, *flags: str, prefix: str = "") -> list[str]:
        """Return the start of a command of skopeo about the source, up to the flags that say how to reach it."""
        return ["skopeo", *self._global_flags, name, *flags, *source_flags(self.options, self._auth, prefix=prefix)]

    @property
    def _running(self) -> ProxyProcess:
        if self._process is None:
            raise RuntimeError("the image proxy is used outside of its context")
        return self._process

    def _manifest(self) -> tuple[bytes, Any]:
        return self._document("GetManifest")

    def _document(self, method: str) -> tuple[bytes, Any]:
        reply = self._call(method)
        with Blob(self._running, reply, None) as blob:
            return blob.read(), reply.value

    def _raw_manifest(self) -> bytes:
        """Return what the source has, an index or a manifest, as it is."""
        try:
            return run([*self.command("inspect", "--raw"), self.source], timeout=self.options.timeout).stdout
        except CommandError as exc:
            raise translate(exc.stderr or str(exc), self.source) from exc

    def _platforms(self) -> str:
        """Return which platforms there are, as the end of a message."""
        try:
            found = platforms_of(self.retrying(self._raw_manifest))
        except (SourceError, ImageNotFoundError) as exc:
            return f"what it has cannot be found out: {exc}"
        return f"set 'platform' to one of those that it has: {', '.join(found)}" if found else "it names no platforms"

    def _check_enforced(self) -> None:
        if not self.enforced:
            raise SourceError(f"'{self.source}' is not pulled: the signature policy of this host was not enforced")

    def _call(self, method: str, *arguments: object) -> Reply:
        """Call a method of the image, which is opened first."""
        if self._handle is None:
            self._handle = int(self._ask("OpenImage", self._copy or self.source).value)
        return self._ask(method, self._handle, *arguments)

    def _ask(self, method: str, *arguments: object) -> Reply:
        return self._running.answer(self._running.submit(method, *arguments))

    def _start(self) -> None:
        options = self.options
        for option, path, there in (
            ("authfile", options.authfile, os.path.isfile),
            ("cert_dir", options.cert_dir, os.path.isdir),
        ):
            if path is not None and not there(path):
                raise InvalidInputError(
                    f"{option}: '{path}' is not on this host, or is no {'file' if there is os.path.isfile else 'directory'}"
                )
        self._auth = self._authfile()
        self._global_flags = platform_flags(options.platform)
        if options.source.partition(":")[0] in _UNPACKING_TRANSPORTS:
            folder = os.environ.get("TMPDIR") or "/var/tmp"
            temporary = self._cleanup.enter_context(temporary_folder(folder, TEMPORARY_PREFIX))
            self._global_flags.append(f"--tmpdir={temporary}")
        argv = self.command("experimental-image-proxy")
        self._process = ProxyProcess([argv[0], "--debug", *argv[1:]], source=self.source, timeout=options.timeout)
        self._cleanup.callback(self._process.close)

    def _authfile(self) -> str | None:
        """Return the path of the authfile: the caller's, or one in memory that vanishes with this process.

        A file goes before a user's name, which may be a default of all tasks.
        """
        options = self.options
        if options.authfile is not None or (options.username is None and options.password is None):
            return options.authfile
        content = credentials(options.source, username=options.username, password=options.password)
        descriptor = os.memfd_create("auth.json", os.MFD_CLOEXEC)
        self._cleanup.callback(os.close, descriptor)
        os.write(descriptor, content)
        return f"/proc/{os.getpid()}/fd/{descriptor}"

    def _read_policy(self) -> Any:
        """Return the effective policy, None when there is none; the user's own goes before the host's."""
        for path in (os.path.expanduser("~/.config/containers/policy.json"), "/etc/containers/policy.json"):
            try:
                with open(path, encoding="utf-8") as stream:
                    return json.load(stream) or {}
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as exc:
                raise SourceError(
                    f"'{self.source}' is not pulled: the signature policy '{path}' cannot be read: {exc}"
                ) from exc
        return None


def _version(text: object) -> tuple[int, ...]:
    parts = str(text).split(".")
    version = tuple(int(part) for part in parts if part.isdigit())
    if len(version) != 3 or not _MIN_PROTOCOL <= version < (0, 3):
        raise SourceError(f"The installed skopeo has image proxy protocol {text}, 0.2.3 to 0.2.x is needed")
    return version
