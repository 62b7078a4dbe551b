# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program, counts the system calls by which it changes files, and makes one of them fail.

    supervisor.py [--who own|child|any] [--match REGEX] [--at N --do FAULT] --under FOLDER... -- PROGRAM ARGUMENTS...

It stops every such call of the program and of all its children before it is executed (seccomp_unotify(2)), counts those
below the given folders, and at the N-th lets happen what FAULT says. A call that makes what is there, or removes what is
not, does not count.

    power-off    all processes are killed
    kill         the program alone is killed, its children go on
    kill-caller  the process that makes the call is killed
    EIO, ...     the call fails with this errno

The last line of standard output is a report as JSON: see ``Report``. One file, the standard library only and any Python
from 3.9 on, so that it can be copied to a host. Needs root, Linux 5.19 and x86_64.

strace's ``inject`` counts for each thread and each system call by itself, in the program as in its children: "the N-th
call of the program" cannot be told to it.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import errno
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence

MACHINE, AUDIT_ARCH = "x86_64", 0xC000003E
SECCOMP, PRCTL_NO_NEW_PRIVS = 317, 38
SET_MODE_FILTER, NEW_LISTENER, WAIT_KILLABLE = 1, 1 << 3, 1 << 5
RECEIVE, SEND = 0xC0502100, 0xC0182101  # ioctls of the listener
NOTIFICATION, RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
CONTINUE = 1
RET_NOTIFY, RET_ALLOW = 0x7FC00000, 0x7FFF0000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # instructions of the filter

AT_FDCWD = -100
CHANGING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# Which arguments say what a call is about: "d1" a folder's descriptor (0) and a path (1), "p0" a path, "f0" a descriptor.
CHANGES = {
    "write": (1, "f0"),
    "pwrite64": (18, "f0"),
    "writev": (20, "f0"),
    "sendfile": (40, "f0"),
    "fsync": (74, "f0"),
    "fdatasync": (75, "f0"),
    "truncate": (76, "p0"),
    "ftruncate": (77, "f0"),
    "rename": (82, "p0 p1"),
    "mkdir": (83, "p0"),
    "rmdir": (84, "p0"),
    "creat": (85, "p0"),
    "link": (86, "p0 p1"),
    "unlink": (87, "p0"),
    "symlink": (88, "p1"),
    "chmod": (90, "p0"),
    "fchmod": (91, "f0"),
    "chown": (92, "p0"),
    "fchown": (93, "f0"),
    "lchown": (94, "p0"),
    "utime": (132, "p0"),
    "mknod": (133, "p0"),
    "setxattr": (188, "p0"),
    "lsetxattr": (189, "p0"),
    "fsetxattr": (190, "f0"),
    "removexattr": (197, "p0"),
    "lremovexattr": (198, "p0"),
    "fremovexattr": (199, "f0"),
    "utimes": (235, "p0"),
    "mkdirat": (258, "d0"),
    "mknodat": (259, "d0"),
    "fchownat": (260, "d0"),
    "futimesat": (261, "d0"),
    "unlinkat": (263, "d0"),
    "renameat": (264, "d0 d2"),
    "linkat": (265, "d0 d2"),
    "symlinkat": (266, "d1"),
    "fchmodat": (268, "d0"),
    "splice": (275, "f2"),
    "sync_file_range": (277, "f0"),
    "utimensat": (280, "d0"),
    "fallocate": (285, "f0"),
    "pwritev": (296, "f0"),
    "syncfs": (306, "f0"),
    "renameat2": (316, "d0 d2"),
    "copy_file_range": (326, "f2"),
    "pwritev2": (328, "f0"),
    "fchmodat2": (452, "d0"),
}
MAKING = ("mkdir", "mkdirat", "mknod", "mknodat")
REMOVING = ("rmdir", "unlink", "unlinkat")
"""Calls that change nothing when there is something already, or nothing any more."""
OPENINGS = {"open": (2, "p0", 1), "openat": (257, "d0", 2)}
"""With the argument that has the flags: only opening to write is a change."""
READS = {"read": (0, "f0"), "pread64": (17, "f0"), "readv": (19, "f0"), "getdents64": (217, "f0")}
CALLS = {number: (name, spec) for name, (number, spec) in {**CHANGES, **READS}.items()}
CALLS.update({number: (name, spec) for name, (number, spec, _flags) in OPENINGS.items()})
"""Without openat2 and clones of files (ioctl), which none of the programs in question use."""

Instruction = struct.Struct("=HBBI")


@dataclasses.dataclass
class Call:
    """A system call that changes files (or reads them, where that is asked for)."""

    own: bool
    """The program's own, not a child's."""
    program: str
    name: str
    paths: list[str]

    def __str__(self) -> str:
        return f"{self.program}: {self.name} {' '.join(self.paths)}"


@dataclasses.dataclass
class Report:
    """What happened.

    ``code`` is the exit code, -N after signal N. ``fired`` is the call that the fault hit, None if there were fewer.
    ``stuck`` says that processes had to be killed as they did not end in time.
    """

    code: int
    stdout: str
    stderr: str
    calls: list[Call]
    fired: Call | None
    stuck: bool


@dataclasses.dataclass
class Options:
    """What to do; ``at`` counts from 1, 0 is never."""

    under: list[str]
    who: str = "any"
    at: int = 0
    do: str = "power-off"
    reads: bool = False
    match: str = ""
    timeout: float = 60.0


def build_filter(*, reads: bool) -> bytes:
    """Return the filter: notify of the calls above, allow all others, without looking into memory."""
    number, architecture = 0, 4

    def argument(index: int) -> int:
        return 16 + 8 * index  # the lower half

    code = [(LOAD, 0, 0, architecture), (EQUAL, 1, 0, AUDIT_ARCH), (RETURN, 0, 0, RET_ALLOW), (LOAD, 0, 0, number)]
    for call, _spec, flags in OPENINGS.values():
        code += [
            (EQUAL, 0, 4, call),
            (LOAD, 0, 0, argument(flags)),
            (ANY_BIT, 0, 1, CHANGING_FLAGS),
            (RETURN, 0, 0, RET_NOTIFY),
            (RETURN, 0, 0, RET_ALLOW),
        ]
    for call, _spec in {**CHANGES, **(READS if reads else {})}.values():
        code += [(EQUAL, 0, 1, call), (RETURN, 0, 0, RET_NOTIFY)]
    code.append((RETURN, 0, 0, RET_ALLOW))
    return b"".join(Instruction.pack(*instruction) for instruction in code)


def install_filter(code: bytes) -> int:
    """Put the calling process and its children under the filter; return the listener's descriptor."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // Instruction.size, ctypes.addressof(buffer))
    listener = libc.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER | WAIT_KILLABLE, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp: " + os.strerror(ctypes.get_errno()))
    return int(listener)


class Supervisor:
    """Runs one program under a fault."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._under = [os.path.realpath(path) for path in options.under]
        self._match = re.compile(options.match)
        self._calls: list[Call] = []
        self._count = 0
        self._fired: Call | None = None
        self._stuck = False
        self._pid = 0

    def run(self, argv: Sequence[str]) -> Report:
        """Run the program until it and all its children have ended."""
        streams = [os.memfd_create(name) for name in ("stdout", "stderr")]
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            _execute(argv, streams, theirs, build_filter(reads=self._options.reads))
        theirs.close()
        _data, descriptors, _flags, _address = socket.recv_fds(ours, 1, 1)
        if not descriptors:
            os.waitpid(self._pid, 0)
            raise SystemExit(_content(streams[1]).strip() or "the program cannot be watched")
        code = self._serve(descriptors[0])
        stdout, stderr = (_content(stream) for stream in streams)
        return Report(code, stdout, stderr, self._calls, self._fired, self._stuck)

    def _serve(self, listener: int) -> int:
        """Answer notifications until nobody is left who could cause any; return the exit code of the program."""
        process = os.pidfd_open(self._pid)
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(process, select.POLLIN)
        deadline = time.monotonic() + self._options.timeout
        status: int | None = None
        while True:
            events = dict(poll.poll(1000))
            if process in events:
                poll.unregister(process)
                status = os.waitpid(self._pid, 0)[1]
            if events.get(listener, 0) & select.POLLIN:
                self._answer(listener)
            elif events.get(listener, 0) & select.POLLHUP and status is not None:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                self._stuck = True
                self._kill_all()
                if status is not None:
                    return os.waitstatus_to_exitcode(status)

    def _answer(self, listener: int) -> None:
        buffer = bytearray(NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, RECEIVE, buffer, True)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.EINTR):  # whoever called is dead already
                return
            raise
        unique, thread, _flags, number, _architecture, _pointer, *arguments = NOTIFICATION.unpack(buffer)
        error = self._decide(thread, number, arguments)
        if error is None:
            return
        response = RESPONSE.pack(unique, 0, -error, 0 if error else CONTINUE)
        try:
            fcntl.ioctl(listener, SEND, response)
        except OSError as exc:
            if exc.errno != errno.ENOENT:
                raise

    def _decide(self, thread: int, number: int, arguments: Sequence[int]) -> int | None:
        """Return the errno with which a call fails, 0 to let it go on, None for one that dies without an answer."""
        if self._fired is not None and self._options.do == "power-off":
            self._kill(_process_of(thread))
            return None
        call = self._call(thread, number, arguments)
        if call is None or not self._counts(call):
            return 0
        self._calls.append(call)
        self._count += 1
        if self._count != self._options.at:
            return 0
        self._fired = call
        if self._options.do == "power-off":
            self._kill_all()
        elif self._options.do == "kill":
            self._kill(self._pid)
            return None if call.own else 0
        elif self._options.do == "kill-caller":
            self._kill(_process_of(thread))
        else:
            return int(getattr(errno, self._options.do))
        return None

    def _counts(self, call: Call) -> bool:
        return self._options.who in ("any", "own" if call.own else "child") and bool(self._match.search(str(call)))

    def _call(self, thread: int, number: int, arguments: Sequence[int]) -> Call | None:
        """Describe a call, None for one that is about other files, or of a process that is gone."""
        name, spec = CALLS[number]
        try:
            paths = [_path(thread, word, arguments) for word in spec.split()]
            with open(f"/proc/{thread}/comm", encoding="utf-8", errors="replace") as file:
                program = file.read().strip()
            own = _process_of(thread) == self._pid
        except (OSError, ValueError):
            return None
        if not any(path == folder or path.startswith(folder + "/") for path in paths for folder in self._under):
            return None
        if (name in MAKING and os.path.lexists(paths[0])) or (name in REMOVING and not os.path.lexists(paths[0])):
            return None
        return Call(own, program, name, paths)

    def _kill_all(self) -> None:
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _kill(self, process: int) -> None:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            return


def _execute(argv: Sequence[str], streams: Sequence[int], channel: socket.socket, code: bytes) -> None:
    """Become the program (in the child process)."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(streams[0], 1)
        os.dup2(streams[1], 2)
        listener = install_filter(code)
        socket.send_fds(channel, [b"x"], [listener])
        os.close(listener)
        os.execvp(argv[0], list(argv))
    except BaseException as exc:  # the parent's code must not go on here
        os.write(2, f"{argv[0]}: {exc}\n".encode())
        os._exit(127)


def _content(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode("utf-8", "replace")


def _process_of(thread: int) -> int:
    try:
        with open(f"/proc/{thread}/status", encoding="utf-8", errors="replace") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))
    except (OSError, StopIteration):
        return 0


def _path(thread: int, word: str, arguments: Sequence[int]) -> str:
    """Return the path that an argument means, with the links in its folder resolved; '' for what is no file."""
    kind, index = word[0], int(word[1:])
    if kind == "f":
        return _descriptor_path(thread, arguments[index]).removesuffix(" (deleted)")
    folder = arguments[index] if kind == "d" else AT_FDCWD
    address = arguments[index + 1 if kind == "d" else index]
    name = _string(thread, address) if address else ""
    if not os.path.isabs(name):
        name = os.path.join(_descriptor_path(thread, folder), name)
    parent, last = os.path.split(name.rstrip("/"))
    return os.path.join(os.path.realpath(parent), last)


def _descriptor_path(thread: int, descriptor: int) -> str:
    number = ctypes.c_int(descriptor & 0xFFFFFFFF).value
    return os.readlink(f"/proc/{thread}/cwd" if number == AT_FDCWD else f"/proc/{thread}/fd/{number}")


def _string(thread: int, address: int) -> str:
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
        found = b""
        while b"\0" not in found and len(found) < 4096:
            start = address + len(found)
            piece = os.pread(memory.fileno(), 4096 - start % 4096, start)  # up to the end of the page
            if not piece:
                break
            found += piece
    return os.fsdecode(found.split(b"\0")[0])


def main(arguments: Sequence[str]) -> int:
    """Run from the command line; return 0, whatever became of the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--under", action="append", required=True, help="folder whose changes count")
    parser.add_argument("--who", choices=["own", "child", "any"], default="any", help="whose calls count")
    parser.add_argument("--match", default="", help="count only calls that look so, as 'PROGRAM: CALL PATHS'")
    parser.add_argument("--at", type=int, default=0, help="which call is hit, from 1; none by default")
    parser.add_argument("--do", default="power-off", help="what happens: power-off, kill, kill-caller, an errno's name")
    parser.add_argument("--reads", action="store_true", help="count calls that read files, too")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds until all processes are killed")
    parser.add_argument("argv", nargs="+", help="the program, after --")
    options = vars(parser.parse_args(arguments))
    if os.uname().machine != MACHINE:
        raise SystemExit(f"system calls are only known for {MACHINE}")
    argv = options.pop("argv")
    report = Supervisor(Options(**options)).run(argv)
    print(json.dumps(dataclasses.asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
