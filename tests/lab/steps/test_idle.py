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

from sphinx_djconn.lab.steps.idle import IdleDetector, ThreadState, poll_until

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
    thread_state = ThreadState((process.pid, process.pid))
    poll_until(lambda: not thread_state.is_running, 10)
    assert not thread_state.is_running
    assert thread_state.exists
    process.stdin.write(b"\n")
    process.stdin.flush()
    poll_until(lambda: thread_state.is_running, 10)
    assert thread_state.is_running
    process.kill()
    process.wait()
    assert not thread_state.exists
    thread_state.close()


def test_a_thread_that_has_ended_is_not_there():
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    thread_state = ThreadState((os.getpid(), thread.native_id or 0))
    assert thread_state.exists
    go_on.set()
    thread.join()
    poll_until(lambda: not thread_state.exists, 10)
    assert not thread_state.exists
    thread_state.close()


@pytest.mark.parametrize("number", [(0, 0), (os.getpid(), 0), (2**22, 2**22)])
def test_what_nobody_knows_counts_as_ended(number):
    thread_state = ThreadState(number)
    assert not thread_state.exists
    assert not thread_state.is_running
    thread_state.close()


def test_time_in_which_nobody_looked_is_no_rest(start):
    process = start("worker")
    detector = IdleDetector(lambda: [process.pid], 0.1)
    time.sleep(0.3)
    assert not detector.sample()
    assert 0 < detector.idle_seconds < 0.1
    poll_until(detector.sample, 10)
    assert detector.idle_seconds >= 0.1


def test_what_works_does_not_rest(start):
    process = start("worker")
    process.stdin.write(b"\n")
    process.stdin.flush()
    thread_state = ThreadState((process.pid, process.pid))
    poll_until(lambda: thread_state.is_running, 10)
    thread_state.close()
    detector = IdleDetector(lambda: [process.pid], 0.1)
    poll_until(detector.sample, 0.5)
    assert detector.idle_seconds < 0.1


def test_asking_ends_after_its_time():
    asked = []
    poll_until(lambda: asked.append(1) is not None, 0.05)
    assert len(asked) > 1
