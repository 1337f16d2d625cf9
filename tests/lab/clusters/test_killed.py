"""A build that is killed leaves no server and no folder."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sphinx_djconn.lab.clusters.clusters import Clusters
from sphinx_djconn.lab.clusters.engine import Engine
from tests.support.building import PROMPTLY
from tests.support.database_servers import installed

BUILD = textwrap.dedent(
    """
    import os, sys, time
    from sphinx_djconn.lab.clusters.clusters import Clusters
    clusters = Clusters()
    clusters.warm_up(sys.argv[1])
    if sys.argv[2] == "started":
        cluster = clusters.shared(sys.argv[1])
        cluster.create_database("a")
        print("ready", flush=True)
    time.sleep(60)
    """
)


class Build:
    """A process that has a cluster, in a folder of its own for what is temporary."""

    def __init__(self, kind: str, when: str, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", BUILD, kind, when],
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(folder)},
        )

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def are_gone(family: list[psutil.Process], seconds: float) -> bool:
    """Whether all of them have ended. (A zombie has: init collects it when it comes to it.)"""
    limit = time.monotonic() + seconds
    while any(is_running(process) for process in family):
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def left(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith("djconn-cluster-")]


def test_two_seconds_after_sigkill_no_process_and_no_folder_is_left(engine: Engine, short: Path) -> None:
    build = Build(engine.kind, "started", short)
    build.wait()
    family = build.family()
    assert len(family) >= 2
    assert len(left(short)) == 1
    began = time.monotonic()
    build.kill()
    assert are_gone(family, PROMPTLY)
    while left(short):
        assert time.monotonic() - began < PROMPTLY
        time.sleep(0.01)


def test_the_same_while_the_cluster_is_being_made(engine: Engine, short: Path) -> None:
    build = Build(engine.kind, "starting", short)
    limit = time.monotonic() + 20
    while not left(short):
        assert time.monotonic() < limit
        time.sleep(0.005)
    family = build.family()
    began = time.monotonic()
    build.kill()
    assert are_gone(family, PROMPTLY)
    while left(short):
        assert time.monotonic() - began < PROMPTLY
        time.sleep(0.01)


@pytest.mark.exhaustive
def test_where_the_supervisor_is_killed_too_the_next_build_removes_the_folder(
    engine: Engine, short: Path
) -> None:
    build = Build(engine.kind, "started", short)
    build.wait()
    family = build.family()
    supervisors = [each for each in family if any("supervisor.py" in word for word in each.cmdline())]
    assert supervisors
    for each in supervisors:
        each.send_signal(signal.SIGSTOP)
    build.kill()
    for each in supervisors:
        each.kill()
    assert are_gone(family, PROMPTLY)
    (folder,) = left(short)
    following = Build(engine.kind, "started", short)
    following.wait()
    assert folder not in left(short)
    assert len(left(short)) == 1
    following.kill()


@pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="there is no list of shared memory")
def test_no_shared_memory_is_left_by_one_that_is_closed(short: Path) -> None:
    installed("postgresql")
    segments = Path("/proc/sysvipc/shm")
    before = segments.read_text()
    clusters = Clusters()
    clusters.shared("postgresql")
    clusters.close()
    assert len(segments.read_text().splitlines()) <= len(before.splitlines())
