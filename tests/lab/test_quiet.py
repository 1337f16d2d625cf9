"""What the kernel says of a thread: that it works, that it rests, that it has ended."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from sphinx_djconn.lab.quiet import Task, ask

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")


def test_a_thread_that_works_is_running_and_one_that_waits_is_not():
    stop, resting = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            pass
        resting.wait()

    thread = threading.Thread(target=work)
    thread.start()
    task = Task((os.getpid(), thread.native_id or 0))
    ask(lambda: task.is_running, 10)
    assert task.is_running
    stop.set()
    ask(lambda: not task.is_running, 10)
    time.sleep(0.01)
    assert not task.is_running
    assert task.is_there
    resting.set()
    thread.join()
    ask(lambda: not task.is_there, 10)
    assert not task.is_there
    task.close()


@pytest.mark.parametrize("number", [(0, 0), (os.getpid(), 0), (2**22, 2**22)])
def test_what_nobody_knows_counts_as_ended(number):
    task = Task(number)
    assert not task.is_there
    assert not task.is_running
    task.close()


def test_a_name_with_brackets_and_blanks_is_no_state():
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    Path(f"/proc/self/task/{thread.native_id}/comm").write_text(") R (S) R 1")
    task = Task((os.getpid(), thread.native_id or 0))
    ask(lambda: not task.is_running, 10)
    assert task.is_there
    assert not task.is_running
    go_on.set()
    thread.join()
    task.close()


def test_asking_ends_after_its_time():
    asked = []
    ask(lambda: asked.append(1) is not None, 0.05)
    assert len(asked) > 1
