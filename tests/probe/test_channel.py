"""Events are appended to a file, and the bell rings where somebody waits: nothing is lost, nobody held up."""

import json
import socket
import subprocess
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

import pytest

from sphinx_djconn.lab.events.reader import EventReader, WakeFlag
from tests.probe.instruments import DEADLINE, PYTHON, attached, environment

TELL = """
import gc, os, signal, sys
recorder = next(each for each in gc.get_objects() if type(each).__name__ == "Recorder")
for number in range({count}):
    recorder.emit("told", n=number)
"""


class Rung(NamedTuple):
    """What a process has rung, and told over the socket and in the file, where ``everything`` is too."""

    rings: int
    by_socket: list
    by_file: list
    everything: list


@pytest.fixture
def listen(short_folder):
    """Return what runs code with the probe, and reads nothing before that has ended."""

    def listening(code, *before, waits=False):
        address = short_folder / "l"
        bell = WakeFlag(str(address))
        bell.set(waits=waits)
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(address))
                listener.listen()
                command = [*before, PYTHON, "-c", code]
                subprocess.run(command, env=attached(environment(), address), timeout=DEADLINE, check=False)
                connections = list(_accepted(listener))
        finally:
            bell.close()
            address.unlink()
        lines, everything = [], []
        for connection in connections:
            with connection.makefile("rb") as stream:
                told = stream.read().splitlines()
            source = EventReader(connection, 1)
            source.open(address.parent, json.loads(told.pop(0)))
            everything += source.events()
            source.close()
            lines += told
        everything.sort(key=lambda event: event["t"])
        by_socket, by_file = (
            [event for event in events if event["k"] == "told"]
            for events in ([json.loads(line) for line in lines if line], everything)
        )
        return Rung(lines.count(b""), by_socket, by_file, everything)

    return listening


def _accepted(listener):
    listener.setblocking(False)  # whoever wanted to connect has done so, and has ended
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(True)
            yield connection


def numbers(events):
    return [event["n"] for event in events]


def test_nobody_is_woken_where_nobody_waits(listen):
    assert listen(TELL.format(count=100)).rings == 0


def test_who_waits_is_woken_once_until_it_waits_again(listen):
    assert listen(TELL.format(count=100), waits=True).rings == 1


def test_the_bell_is_rung_now_and_then_so_that_the_lab_keeps_up(listen):
    assert 2 <= listen(TELL.format(count=3000)).rings <= 3


def test_a_process_that_is_killed_has_told_all_that_happened(listen):
    killed = listen(TELL.format(count=100) + "os.kill(os.getpid(), signal.SIGKILL)")
    assert numbers(killed.by_file) == list(range(100))


def test_what_the_memory_cannot_take_is_appended(listen):
    many = 25_000  # more than 256 KiB of lines
    assert numbers(listen(TELL.format(count=many)).by_file) == list(range(many))


def test_what_no_file_can_take_is_told_over_the_socket(listen):
    told = listen(TELL.format(count=100), "sh", "-c", 'ulimit -f 4 && exec "$0" "$@"')
    assert 0 < len(told.by_file) < 100
    assert numbers(told.by_file + told.by_socket) == list(range(100))


RECORDS = """
import struct
for number in range({count}):
    recorder.emit_packed(1, number)
    recorder.emit_packed(2, number, struct.pack("=II", 7, number + 1))
    recorder.emit_packed(3, number)
"""


@pytest.mark.parametrize("count", [100, 6_000])  # half a MiB of records is less than 5,500 times three
def test_what_most_requests_have_is_told_in_records_and_then_in_lines(listen, count):
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    told = listen(TELL.format(count=0) + RECORDS.format(count=count) + kill).everything
    kinds = ["request.begin", "db.use", "request.end"]
    events = [event for event in told if event["k"] in kinds]
    assert [(event["k"], event["r"]) for event in events] == [(k, n) for n in range(count) for k in kinds]
    assert {event["th"] for event in events} == {1}
    assert [(event["w"], event["c"]) for event in events[1::3]] == [(7, n + 1) for n in range(count)]
    assert not {"w", "c"} & {*events[0], *events[2]}


def test_a_record_has_the_time_that_a_line_would_have(listen):
    alternately = (
        "[(recorder.emit('told', n=number), recorder.emit_packed(1, number)) for number in range(100)]"
    )
    told = [event for event in listen(TELL.format(count=0) + alternately).everything if {"n", "r"} & {*event}]
    in_time = sorted(told, key=lambda event: event["t"])
    assert [event["k"] for event in in_time] == ["told", "request.begin"] * 100
    assert {type(event["t"]) for event in told} == {int}


@pytest.mark.parametrize(("kind", "rings"), [(1, 0), (2, 0), (3, 1)])
def test_of_a_request_its_end_rings(listen, kind, rings):
    # That the process has started rang, too.
    told = f"recorder.channel.lab_waits[0] = 1\nrecorder.emit_packed({kind}, 5)"
    assert listen(TELL.format(count=0) + told, waits=True).rings == 1 + rings


FORK = """
import ctypes
if ctypes.PyDLL(None).fork() == 0:  # which Python does not hear of
    recorder.emit_packed(1, 5)
    os._exit(0)
os.wait()
"""


def test_a_child_that_python_has_not_heard_of_begins_with_its_start(listen):
    told = listen(TELL.format(count=0) + FORK).everything
    assert [event["k"] for event in told][-3:] == ["process.start", "thread.start", "request.begin"]


def test_a_number_that_no_record_can_take_is_told_in_a_line(listen):
    (told,) = [
        e for e in listen(TELL.format(count=0) + "recorder.emit_packed(1, 1 << 40)").everything if "r" in e
    ]
    assert (told["k"], told["r"]) == ("request.begin", 1 << 40)


@pytest.mark.parametrize("opened", ["2>&-", "2>&1 | cat"])
def test_what_is_told_without_a_log_is_told_in_lines(listen, opened):
    code = TELL.format(count=0) + RECORDS.format(count=3)
    told = listen(code, "sh", "-c", f'"$0" "$@" {opened}').everything
    assert [event["r"] for event in told if "r" in event] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert {event["o"] for event in told} == {0}


LOG = """
for size in (0, 3, 5000):
    os.write(2, bytes(size))
    recorder.emit("told", n=size)
    recorder.emit_packed(1, size)
"""


@pytest.mark.parametrize("opened", ["2>>{}", "2>{}"])
def test_each_event_has_the_size_of_the_log(listen, tmp_path, opened):
    shell = f'exec "$0" "$@" {opened.format(tmp_path / "log")}'
    heard = listen(TELL.format(count=0) + LOG, "sh", "-c", shell)
    assert [event["o"] for event in heard.by_file] == [0, 3, 5003]
    assert [event["o"] for event in heard.everything if "r" in event] == [0, 3, 5003]


@pytest.mark.parametrize("opened", ["2>&-", "2>&1 | cat"])
def test_what_is_no_file_has_no_size(listen, opened):
    told = listen(TELL.format(count=1), "sh", "-c", f'"$0" "$@" {opened}').by_file
    assert [event["o"] for event in told] == [0]


def test_the_threads_of_a_process_write_whole_lines(listen):
    threads = """
import threading
def tell():
    for number in range(500):
        recorder.emit("told", n=number)
threads = [threading.Thread(target=tell) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    told = listen(TELL.format(count=0) + threads).by_file
    assert Counter(numbers(told)) == dict.fromkeys(range(500), 4)


ANOTHER = """
import sys, threading, time
sys.setswitchinterval(DEADLINE)
turns = []
def take_turns():
    while len(turns) < 10**6 and not over:
        turns.append(None)
        time.sleep(0)
over = []
thread = threading.Thread(target=take_turns)
thread.start()
time.sleep(0.01)
before = len(turns)
for number in range(900):  # and not so many that the bell is rung
    recorder.emit("event", n=number)
taken = len(turns) - before
over.append(None)
thread.join()
recorder.emit("told", n=taken, version=sys.version_info[:2])
"""


def test_no_event_lets_another_thread_have_the_interpreter(listen, tmp_path):
    code = TELL.format(count=0) + ANOTHER.replace("DEADLINE", str(DEADLINE))
    (told,) = listen(code, "sh", "-c", f'exec "$0" "$@" 2>{tmp_path / "log"}').by_file
    if told["version"] >= [3, 14]:
        pytest.skip("ioctl always does there")
    assert told["n"] == 0
