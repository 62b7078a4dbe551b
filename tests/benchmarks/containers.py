# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the life of a container takes, on a host of the lab with its own systemd.

The image has 12,000 files and is stored already. Its service is of Type=notify and is ready at once, so nothing is waited for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from faults.containers import PROGRAM, VERSIONS
from lab.image_builder import build_image, tar_files
from lab.process import LabError

from benchmarks.contenders import compare
from benchmarks.hosts import BenchHost, OnHost, empty_module
from benchmarks.images import folders_of
from benchmarks.module import CONTAINER, CONTAINER_INFO, IMAGE, PODMAN_CONTAINER
from benchmarks.process import Run
from benchmarks.pulling import FILES, times
from benchmarks.results import Bar, Result, difference, median_of
from benchmarks.session import Session

_BYTES = 60_000_000
_ROUNDS_FOR_A_PAIR = 4
"""Short runs with small differences: so there are more of them."""

_CONTAINERS = 50
_NAME, _UNIT = "app", "app.service"
_LAYOUT = "/srv/bench/layout"
_HOST_PROGRAMS = ["/usr:/usr:ro", "/usr/lib:/lib:ro", "/usr/lib64:/lib64:ro"]
_PODMAN_SETTINGS = {
    # That folder is of the machine's disk; all others of the host are on an overlay, on which there can be no other.
    "storage.conf": '[storage]\ndriver = "overlay"\ngraphroot = "/var/lib/docker/podman"\nrunroot = "/run/podman"\n',
    # The host may have no such cgroup controller.
    "containers.conf": "[containers]\npids_limit = 0\n",
}
_IDLE = ["/usr/bin/sleep", "infinity"]


class _Host:
    """The host with the images: ``one`` and ``two`` have 12,000 files, ``small`` has a few."""

    def __init__(self, session: Session) -> None:
        self.host: BenchHost = session.host
        folder = session.folder / "containers"
        large = folders_of(session.shape(size=_BYTES, files=FILES), folder / "files")
        base = tar_files(PROGRAM)
        for tag in ("one", "two"):
            build_image(folder / "layout", layers=[*large, base, tar_files(VERSIONS[tag])], tag=tag)
        build_image(folder / "layout", layers=[base, tar_files(VERSIONS["one"])], tag="small")
        self.host.send_folder(folder / "layout", _LAYOUT)
        for tag in ("one", "two", "small"):
            self.host.result(IMAGE, {"name": f"localhost/{tag}:1", "source": f"oci:{_LAYOUT}:{tag}"})
        self.absent = self.module(state="absent")

    def module(self, *, image: str | None = None, name: str = _NAME, **options: Any) -> list[str]:
        """Return the command that runs the module."""
        made_of = {"image": f"localhost/{image}:1"} if image else {}
        return self.host.module(CONTAINER, {"name": name, **made_of, **options})

    @functools.cached_property
    def one(self) -> list[str]:
        """The command that installs the first image."""
        return self.module(image="one")

    @functools.cached_property
    def two(self) -> list[str]:
        """The command that updates to the second one."""
        return self.module(image="two")

    def run(self, *commands: list[str]) -> None:
        """Run modules."""
        for argv in commands:
            self.host.measure(argv)

    def start_anew(self, *commands: list[str]) -> None:
        """Remove the container, then run modules."""
        self.run(self.absent, *commands)

    def restart(self) -> OnHost:
        """Return the contender that only restarts the service."""
        return OnHost(self.host, "systemctl-restart", ["systemctl", "restart", _UNIT])

    def downtime(self) -> float:
        """Return how long the service was not active, when it was stopped and started last; in seconds."""
        keys = "ActiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic"
        shown = dict(line.split("=") for line in self.host.run("systemctl", "show", f"-p{keys}", _UNIT).splitlines())
        stopped, started = (int(shown[key]) for key in keys.split(","))
        if not 0 < stopped < started:
            raise LabError(f"{_UNIT} was not stopped and started: {shown}")
        return (started - stopped) / 1e6


class _Switch(OnHost):
    """A task that makes another deployment active, with the service's downtime in each run."""

    def __init__(self, host: _Host, name: str, argv: list[str], *, prepare: Callable[[], None]) -> None:
        super().__init__(host.host, name, argv, prepare=prepare, changed=True)
        self.downtimes: list[float] = []
        self._containers = host

    def run(self) -> Run:
        done = super().run()
        self.downtimes.append(self._containers.downtime())
        return done


@functools.cache
def _host(session: Session) -> _Host:
    return _Host(session)


def install(session: Session) -> Iterator[Result]:
    """Install and start: from nothing but the stored image to a service that is ready.

    How much longer than an empty module.
    """
    host = _host(session)
    module = OnHost(host.host, "ours", host.one, prepare=host.start_anew, changed=True)
    runs = compare([module, empty_module(host.host)], rounds=session.pairs)
    yield from times("container-install", runs)
    yield _over(runs, "container-install.over-empty-module", "ours", "empty-module", Bar("<=", 0.8))


def update(session: Session) -> Iterator[Result]:
    """Update a running service to another image of the same size: the whole task, and how long the service is down.

    `again` is an update that takes the place of an older deployment, whose files have to go first. The downtime is from when systemd
    begins to stop the service to when it says that it is ready; `systemctl restart` of the same service is measured beside it.
    """
    host = _host(session)
    values = host.module(image="two", values={"GREETING": "again"})
    once = _Switch(host, "once", host.two, prepare=lambda: host.start_anew(host.one))
    again = _Switch(host, "again", values, prepare=lambda: host.start_anew(host.one, host.two))
    runs = compare([empty_module(host.host), once, again, host.restart()], rounds=session.pairs)
    yield from times("container-update", runs)
    restarts = [run.seconds for run in runs["systemctl-restart"]]
    for contender in (once, again):
        name = f"container-update.{contender.name}"
        yield _over(runs, f"{name}.over-empty-module", contender.name, "empty-module", Bar("<=", 0.8))
        downtimes = contender.downtimes[1:]
        yield median_of(f"{name}.downtime", downtimes, "s")
        yield difference(f"{name}.downtime-over-restart", downtimes, restarts, limit=Bar("<=", 0.3))


def rollback(session: Session) -> Iterator[Result]:
    """Go back to the deployment before, by its id: the task and the downtime, beside `systemctl restart` of the same service.

    The bar is for the task without what an empty module takes.
    """
    host = _host(session)
    host.start_anew(host.one, host.two)
    (found,) = host.host.result(CONTAINER_INFO, {"name": [_NAME]})["containers"]
    first, second = sorted(found["deployments"], key=lambda item: bool(item["active"]))
    back, there = (host.module(deployment=item["id"]) for item in (first, second))
    module = _Switch(host, "ours", back, prepare=lambda: host.run(there))
    runs = compare([empty_module(host.host), module, host.restart()], rounds=session.pairs)
    yield from times("container-rollback", runs)
    restarts = [run.seconds for run in runs["systemctl-restart"]]
    yield _over(runs, "container-rollback.over-restart", "ours", "systemctl-restart")
    modules = [mine.seconds - empty.seconds for mine, empty in zip(runs["ours"], runs["empty-module"], strict=True)]
    yield difference("container-rollback.over-restart-and-empty-module", modules, restarts, limit=Bar("<=", 0.3))
    yield median_of("container-rollback.downtime", module.downtimes[1:], "s")


def nothing_to_do(session: Session) -> Iterator[Result]:
    """A container that is as declared: how much longer than an empty module, and beside containers.podman.podman_container."""
    host = _host(session)
    host.start_anew(host.one)
    ours = OnHost(host.host, "ours", host.one, changed=False)
    podman = OnHost(host.host, "podman_container", _podman(host.host), changed=False)
    runs = compare([ours, empty_module(host.host), podman], rounds=session.pairs * _ROUNDS_FOR_A_PAIR)
    yield from times("container-nothing-to-do", runs)
    added = _over(runs, "container-nothing-to-do.over-empty-module", "ours", "empty-module", Bar("<=", 0.08))
    others = _over(
        runs, "container-nothing-to-do.podman_container-over-empty-module", "podman_container", "empty-module"
    )
    yield added
    yield others
    yield share_of(added, others)
    host.host.run("podman", "rm", "--force", "--time=0", _NAME)


def info(session: Session) -> Iterator[Result]:
    """What system_container_info says of 50 running containers: how much longer than an empty module."""
    host = _host(session)
    names = [f"small{number}" for number in range(_CONTAINERS)]
    for name in names:
        host.run(host.module(name=name, image="small"))
    argv = host.host.module(CONTAINER_INFO, {})
    runs = compare(
        [OnHost(host.host, "ours", argv, changed=False), empty_module(host.host)],
        rounds=session.pairs * _ROUNDS_FOR_A_PAIR,
    )
    yield from times("container-info", runs)
    yield _over(runs, "container-info.over-empty-module", "ours", "empty-module", Bar("<=", 0.3))
    for name in names:
        host.run(host.module(name=name, state="absent"))


def share_of(ours: Result, other: Result) -> Result:
    """Return which share of what another module adds to an empty one ours adds; less than half is asked for."""
    value = ours.value / other.value if other.value > 0 else float("inf")
    return Result("container-nothing-to-do.share-of-podman_container", value, "x", limit=Bar("<=", 0.5))


def _over(runs: Mapping[str, list[Run]], name: str, one: str, other: str, limit: Bar | None = None) -> Result:
    ours, others = ([run.seconds for run in runs[key]] for key in (one, other))
    return difference(name, ours, others, limit=limit)


def _podman(host: BenchHost) -> list[str]:
    """Run a container of the small image with podman; return the command of the task that finds it as declared."""
    for name, content in _PODMAN_SETTINGS.items():
        host.run("sh", "-c", 'printf "%s" "$2" >"/etc/containers/$1"', "sh", name, content)
    host.run("podman", "pull", "--quiet", f"oci:{_LAYOUT}:small")
    image = host.run("podman", "images", "--quiet").split()[0]
    arguments = {
        "name": _NAME,
        "image": image,
        "state": "started",
        "network": ["host"],
        "volumes": _HOST_PROGRAMS,
        "command": _IDLE,
    }
    host.result(PODMAN_CONTAINER, arguments)
    return host.module(PODMAN_CONTAINER, arguments)
