"""What the kernel says of a thread: that it works, that it rests, that it has ended."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from subprocess import PIPE

import pytest

from sphinx_djconn.lab.steps.idle import IdleDetector, ThreadState, ask

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")


WORK = """
import sys
with open("/proc/self/comm", "w") as name:
    name.write({name!r})
print("ready", flush=True)
sys.stdin.readline()
while True:
    pass
"""
"""Waits for a line, and then never again; what it waits for before is no interpreter's lock of ours."""


@pytest.fixture
def start() -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    with ExitStack() as stack:

        def start(name: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-c", WORK.format(name=name)]
            process = stack.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            return process

        yield start


# The second is a name with brackets and blanks, which is no state.
@pytest.mark.parametrize("name", ["worker", ") R (S) R 1"])
def test_what_works_is_running_and_what_waits_is_not(start, name):
    process = start(name)
    task = ThreadState((process.pid, process.pid))
    ask(lambda: not task.is_running, 10)
    assert not task.is_running
    assert task.is_there
    process.stdin.write(b"\n")
    process.stdin.flush()
    ask(lambda: task.is_running, 10)
    assert task.is_running
    process.kill()
    process.wait()
    assert not task.is_there
    task.close()


def test_a_thread_that_has_ended_is_not_there():
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    task = ThreadState((os.getpid(), thread.native_id or 0))
    assert task.is_there
    go_on.set()
    thread.join()
    ask(lambda: not task.is_there, 10)
    assert not task.is_there
    task.close()


@pytest.mark.parametrize("number", [(0, 0), (os.getpid(), 0), (2**22, 2**22)])
def test_what_nobody_knows_counts_as_ended(number):
    task = ThreadState(number)
    assert not task.is_there
    assert not task.is_running
    task.close()


def test_time_in_which_nobody_looked_is_no_rest(start):
    process = start("worker")
    rest = IdleDetector(lambda: [process.pid], 0.1)
    time.sleep(0.3)
    assert not rest()
    assert 0 < rest.lasted < 0.1
    ask(rest, 10)
    assert rest.lasted >= 0.1


def test_what_works_does_not_rest(start):
    process = start("worker")
    process.stdin.write(b"\n")
    process.stdin.flush()
    task = ThreadState((process.pid, process.pid))
    ask(lambda: task.is_running, 10)
    task.close()
    rest = IdleDetector(lambda: [process.pid], 0.1)
    ask(rest, 0.5)
    assert rest.lasted < 0.1


def test_asking_ends_after_its_time():
    asked = []
    ask(lambda: asked.append(1) is not None, 0.05)
    assert len(asked) > 1
