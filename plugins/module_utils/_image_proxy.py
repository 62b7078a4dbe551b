# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images at their source, read through ``skopeo experimental-image-proxy``.

The protocol is described at the top of skopeo's ``cmd/skopeo/proxy.go``: JSON requests and replies over a
``SOCK_SEQPACKET`` socket, answered one after another in the order of the requests; data comes through pipes that the
proxy closes only while it handles ``FinishPipe``, which waits for the last byte and checks the digest. So a request is
sent without waiting (``_submit``), one thread takes the replies, and a pipe is read on while its ``FinishPipe`` waits.
Needs protocol 0.2.3 (``GetFullConfig``; skopeo 1.9). Only protocol 0.2.6 and newer enforces containers-policy.json(5).
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import select
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import IO, Any

from ._errors import CommandError, SourceError, SystemContainerError
from ._image_name import is_digest
from ._image_source import check_policy, credentials, platform_flags, source_flags, translate
from ._oci_image import MAX_MANIFEST, Descriptor, SourceOptions, parse_index
from ._ostree import widen_pipe
from ._runner import command_environment, find_tool, run

_STALL = 3.0
"""Seconds without one byte after which the proxy is asked (FinishPipe) whether the stream has failed."""

_PIECE = 1024 * 1024
_PACKET = 64 * 1024
_MIN_PROTOCOL = (0, 2, 3)
_ENFORCES_POLICY = (0, 2, 6)
_INDEX_TRANSPORTS = ("docker", "oci", "oci-archive", "dir")


@dataclass
class _Reply:
    value: Any
    pipe: int
    descriptor: int | None


class Blob:
    """One stream from the proxy; ``pieces`` yields its bytes and raises ``SourceError`` unless all were right."""

    def __init__(self, proxy: ImageProxy, reply: _Reply, size: int | None) -> None:
        if reply.descriptor is None:
            raise SourceError("skopeo's image proxy handed out no pipe")
        self._proxy = proxy
        self._pipe = reply.pipe
        self._size = size
        self._descriptor = reply.descriptor
        self._open = True
        widen_pipe(self._descriptor)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes. Only the end of the iteration says that size and digest were right."""
        limit = MAX_MANIFEST if self._size is None else self._size
        finish = self._finish() if self._size is None else None
        received = 0
        while True:
            if finish is None and received >= limit:
                finish = self._finish()
            if not select.select([self._descriptor], [], [], _STALL if finish is None else self._proxy.timeout)[0]:
                if finish is not None:
                    raise self._proxy.stalled()
                finish = self._finish()
                continue
            piece = os.read(self._descriptor, _PIECE)
            if not piece:
                break
            received += len(piece)
            if received > limit:
                raise SourceError(f"'{self._proxy.source}' hands out more than the {limit} bytes that were announced")
            yield piece
        self._proxy.answer(finish or self._finish())
        if self._size is not None and received != self._size:
            raise SourceError(f"'{self._proxy.source}' hands out {received} bytes where {self._size} were announced")

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.pieces())

    def close(self) -> None:
        """Give the pipe back; the proxy then drops what it still wanted to send."""
        if self._open:
            self._open = False
            os.close(self._descriptor)

    def __enter__(self) -> Blob:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _finish(self) -> Future[_Reply]:
        return self._proxy.submit("FinishPipe", self._pipe)


class ImageProxy:
    """A running proxy for one source, as a context manager. Its methods may be called from several threads."""

    def __init__(self, options: SourceOptions) -> None:
        self.source = options.source
        self.platform = options.platform
        self.timeout = options.timeout
        self.limits = options.limits
        self._options = options
        self._cleanup = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._pending: collections.deque[Future[_Reply]] = collections.deque()
        self._ended = False
        self._cause: SystemContainerError | None = None
        self._handle: int | None = None

    def __enter__(self) -> ImageProxy:
        try:
            self._start()
            version = self.answer(self.submit("Initialize")).value
            if _version(version) < _ENFORCES_POLICY:
                check_policy(_read_policy(), self.source)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self.kill()
        self._cleanup.close()

    def kill(self, cause: BaseException | None = None) -> None:
        """End the proxy: every stream ends, every waiting call fails, with ``cause`` if that is a clear error.

        There is nothing that the proxy would have to save.
        """
        if self._cause is None and isinstance(cause, SystemContainerError):
            self._cause = cause
        process = getattr(self, "_process", None)
        if process is not None and process.poll() is None:
            process.kill()

    def manifest(self) -> tuple[bytes, str]:
        """Return the manifest for the platform (as OCI) and the digest that it has at the source."""
        reply = self._call("GetManifest")
        with Blob(self, reply, None) as blob:
            data = blob.read()
        if not is_digest(reply.value):
            raise SourceError(f"'{self.source}' has a manifest with the unusable digest '{str(reply.value)[:80]}'")
        return data, str(reply.value)

    def converted_config(self) -> bytes:
        """Return the image configuration as converted to OCI: the blob that a converted manifest names."""
        with Blob(self, self._call("GetFullConfig"), None) as blob:
            return blob.read()

    def blob(self, descriptor: Descriptor) -> Blob:
        """Open a blob."""
        return Blob(self, self._call("GetBlob", descriptor.digest, descriptor.size), descriptor.size)

    def index_digest(self, manifest_digest: str) -> str | None:
        """Return the digest of the index at the source if there is one and it lists ``manifest_digest``."""
        if self.source.partition(":")[0] not in _INDEX_TRANSPORTS:
            return None
        import hashlib

        argv = ["skopeo", "inspect", "--raw", *self._flags, self.source]
        try:
            raw = run(argv, timeout=self.timeout).stdout
        except CommandError:
            return None
        if not any(entry.digest == manifest_digest for entry in parse_index(raw)):
            return None
        return "sha256:" + hashlib.sha256(raw).hexdigest()

    def submit(self, method: str, *arguments: object) -> Future[_Reply]:
        """Send a request and return what will hold its reply."""
        future: Future[_Reply] = Future()
        request = json.dumps({"method": method, "args": arguments}).encode("utf-8")
        with self._lock:
            if self._ended:
                raise self._died()
            self._pending.append(future)
            try:
                self._socket.sendall(request)
            except OSError as exc:
                raise self._died() from exc
        return future

    def answer(self, future: Future[_Reply]) -> _Reply:
        """Wait for a reply."""
        try:
            return future.result(self.timeout)
        except FutureTimeout as exc:
            raise self.stalled() from exc

    def stalled(self) -> SourceError:
        """Return the error for a source from which nothing comes any more."""
        return SourceError(f"'{self.source}' did not answer within {self.timeout:g} seconds: check it, then try again")

    def _call(self, method: str, *arguments: object) -> _Reply:
        """Call a method of the image, which is opened first."""
        if self._handle is None:
            self._handle = int(self.answer(self.submit("OpenImage", self.source)).value)
        return self.answer(self.submit(method, self._handle, *arguments))

    def _start(self) -> None:
        options = self._options
        self._flags = source_flags(options, self._authfile())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = self._cleanup.enter_context(ours)
        self._stderr: IO[bytes] = self._cleanup.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(
                [
                    find_tool("skopeo"),
                    *platform_flags(options.platform),
                    "experimental-image-proxy",
                    *self._flags,
                ],
                stdin=theirs.fileno(),
                stdout=self._stderr,
                stderr=self._stderr,
                env=command_environment(),
            )
        receiver = threading.Thread(target=self._receive, daemon=True)
        receiver.start()
        self._cleanup.callback(receiver.join)
        self._cleanup.callback(self._process.wait)

    def _authfile(self) -> str | None:
        """Return the path of the authfile: the caller's, or one in memory that vanishes with this process.

        A file goes before a user's name, which may be a default of all tasks.
        """
        options = self._options
        if options.authfile is not None or (options.username is None and options.password is None):
            return options.authfile
        content = credentials(options.source, username=options.username, password=options.password)
        descriptor = os.memfd_create("auth.json", os.MFD_CLOEXEC)
        self._cleanup.callback(os.close, descriptor)
        os.write(descriptor, content)
        return f"/proc/{os.getpid()}/fd/{descriptor}"

    def _receive(self) -> None:
        """Take the replies, in order, until the proxy ends (run by its own thread)."""
        try:
            while True:
                data, descriptors, _msg_flags, _address = socket.recv_fds(
                    self._socket, _PACKET, 1, socket.MSG_CMSG_CLOEXEC
                )
                if not data:
                    return
                self._deliver(data, descriptors[0] if descriptors else None)
        except (OSError, ValueError, LookupError):
            return
        finally:
            with self._lock:
                self._ended = True
            while self._pending:
                self._pending.popleft().set_exception(self._died())

    def _deliver(self, data: bytes, descriptor: int | None) -> None:
        reply, future = json.loads(data), self._pending.popleft()
        if reply["success"]:
            future.set_result(_Reply(value=reply["value"], pipe=reply["pipeid"], descriptor=descriptor))
        else:
            future.set_exception(translate(str(reply["error"]), self.source))

    def _died(self) -> SystemContainerError:
        if self._cause is not None:
            return self._cause
        size = os.fstat(self._stderr.fileno()).st_size
        text = os.pread(self._stderr.fileno(), 4096, max(0, size - 4096)).decode("utf-8", "replace").strip()
        return translate(text.splitlines()[-1] if text else "skopeo's image proxy ended early", self.source)


def _read_policy() -> Mapping[str, Any] | None:
    """Return the effective policy, None when there is none; the user's own goes before the host's."""
    for path in (os.path.expanduser("~/.config/containers/policy.json"), "/etc/containers/policy.json"):
        try:
            with open(path, encoding="utf-8") as stream:
                policy = json.load(stream)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as exc:
            raise SourceError(f"The signature policy '{path}' cannot be read: {exc}") from exc
        return policy if isinstance(policy, dict) else None
    return None


def _version(text: object) -> tuple[int, ...]:
    parts = str(text).split(".")
    version = tuple(int(part) for part in parts if part.isdigit())
    if len(version) != 3 or not _MIN_PROTOCOL <= version < (0, 3):
        raise SourceError(f"The installed skopeo has image proxy protocol {text}, 0.2.3 to 0.2.x is needed")
    return version
