"""Threads and processes are told apart, from their start to their end."""

import http.client
import os
import signal
import subprocess
from collections import Counter

import pytest

from tests.probe.instruments import (
    DEADLINE,
    HEADER,
    PYTHON,
    Client,
    Sink,
    attached,
    copy_databases,
    environment,
    until,
)


class Since:
    """What a sink hears from now on."""

    def __init__(self, sink):
        self.sink = sink
        self.mark = len(sink.events)

    @property
    def events(self):
        return self.sink.events[self.mark :]

    def told(self, kind):
        return [event for event in self.events if event["k"] == kind]

    def wait_for(self, kind):
        return self.sink.wait(lambda: self.told(kind), kind)


@pytest.fixture
def heard(server):
    return Since(server.sink)


def key(event):
    return event["p"], event["th"]


def test_six_new_connections_have_six_threads_and_one_ident(server, heard):
    for _ in range(6):
        server.get("/plain/")
    started = heard.told("thread.start")
    assert len({key(event) for event in started}) == 6
    assert len({event["ident"] for event in started}) == 1
    assert [event["main"] for event in started] == [False] * 6


def test_the_end_of_each_thread_is_told(server, heard):
    for _ in range(3):
        server.get("/polls/")
    server.sink.drain()
    ended = Counter(map(key, heard.told("thread.end")))  # a thread of an earlier test may end meanwhile
    assert [ended[thread] for thread in map(key, heard.told("thread.start"))] == [1, 1, 1]


def test_a_thread_is_told_with_its_name(server, heard):
    server.get("/thread/")
    assert "named" in {event["name"] for event in heard.told("thread.start")}


def test_the_native_id_is_the_kernels(server, heard):
    with Client(server) as client:
        client.get("/plain/")
        assert {event["native"] for event in heard.told("thread.start")} <= set(server.tasks())


@pytest.mark.parametrize("path", ["/thread/", "/raw-thread/", "/foreign-thread/"])
def test_a_thread_is_seen_however_it_was_started(server, heard, path):
    # Each has another database: old versions of asgiref hand on a connection with the thread's ident.
    visit = server.get(path)
    (opened,) = heard.told("db.open")
    ended = heard.wait_for("thread.end")
    assert opened.get("r") == (None if path == "/foreign-thread/" else visit.number)
    assert key(opened) != key(visit.events[0])
    assert key(opened) in set(map(key, heard.told("thread.start")))
    until(lambda: key(opened) in set(map(key, heard.told("thread.end"))), f"its end in {ended}")


def test_the_main_thread_is_known(server):
    first = next(event for event in server.sink.events if event["k"] == "thread.start")
    assert first["main"]
    assert first["name"] == "MainThread"
    assert first["native"] == server.pid


def test_a_forked_child_is_a_process_of_its_own(server, heard):
    visit = server.get("/fork/")
    heard.wait_for("process.exit")
    assert visit.json["status"] == 0, server.log.read_text()
    (started,) = heard.told("process.start")
    assert (started["pid"], started["ppid"]) == (visit.json["child"], server.pid)
    child = started["p"]
    assert [event["p"] for event in heard.told("process.exit")] == [child]
    # It goes on with the connection it has inherited, and opens one here and one in a thread.
    opened = Counter(event["p"] == child for event in heard.told("db.open"))
    assert opened == {False: 1, True: 2}


def test_no_serial_names_two_things_in_one_process(server, heard):
    server.get("/fork/")
    server.get("/thread/")
    heard.wait_for("process.exit")
    for kind, serial in (("thread.start", "th"), ("db.wrapper", "w"), ("db.open", "c")):
        told = [(event["p"], event[serial]) for event in server.sink.events if event["k"] == kind]
        assert len(told) == len(set(told)), kind


def test_the_times_of_a_thread_never_go_back(server):
    server.get("/fork/")
    latest = {}
    for event in server.sink.events:
        if event["k"] not in ("db.collected", "process.exit"):
            assert event["t"] >= latest.get(key(event), 0), event
            latest[key(event)] = event["t"]


def test_events_of_several_processes_have_one_order(server, heard):
    server.get("/fork/")
    heard.wait_for("process.exit")
    kinds = [event.kind for event in server.sink.trace().events]
    first = len(kinds) - kinds[::-1].index("process.start") - 1
    last = len(kinds) - kinds[::-1].index("request.end") - 1
    assert kinds.index("request.begin") < first < last


@pytest.fixture
def sink(short_folder):
    sink = Sink(short_folder)
    yield sink
    sink.close()


def test_workers_that_were_forked_are_told_apart(sink, prepared, tmp_path):
    copy_databases(prepared, tmp_path)
    variables = attached(environment(PROBED_FOLDER=tmp_path), sink.address)
    command = [PYTHON, "-W", "ignore", "-m", "preforking"]
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as process:
        try:
            sink.wait(lambda: sink.count("listening"), "the server to listen")
            (port,) = (event["port"] for event in sink.events if event["k"] == "listening")
            for number in ("1", "2"):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
                connection.request("GET", "/polls/", headers={HEADER: number, "Connection": "close"})
                assert connection.getresponse().status == 200
                connection.close()
            sink.wait(lambda: sink.count("process.exit") == 3, "the end of all processes")
        finally:
            process.kill()
    figures = sink.figures()
    assert figures["processes"] == figures["threads"] == figures["thread_idents"] == 2
    # Both have used the connection that was opened before the fork.
    assert (figures["db.opened"], figures["db.reused"]) == (0, 2)


# Attaching.


def output_of(code, variables):
    done = subprocess.run([PYTHON, "-c", code], env=variables, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr, done.returncode


CODE = "import sys; print(sys.path, getattr(sys.modules.get('sitecustomize'), 'SAID', None))"


@pytest.mark.parametrize(
    "other",
    [
        None,
        "SAID = 'here I am'",
        "import no_such_module",
        "from sitecustomize import no_such_name",
    ],
)
def test_a_sitecustomize_that_stood_behind_is_run_all_the_same(sink, tmp_path, other):
    if other is not None:
        tmp_path.joinpath("sitecustomize.py").write_text(other)
    variables = environment(PYTHONPATH=f"{tmp_path}:/no/such/folder")
    assert output_of(CODE, attached(variables, sink.address)) == output_of(CODE, variables)
    assert sink.count("process.start") == 1


def test_a_process_that_no_lab_listens_to_runs_as_ever(tmp_path):
    variables = environment()
    assert output_of(CODE, attached(variables, tmp_path / "s")) == output_of(CODE, variables)


def test_a_child_process_is_seen_too(sink):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    assert output_of(code, attached(environment(), sink.address)) == ("", "", 0)
    parent, child = (event for event in sink.events if event["k"] == "process.start")
    assert child["ppid"] == parent["pid"]


def test_a_process_without_standard_error_is_seen(sink):
    code = "import os, sys, subprocess; os.close(2); subprocess.run([sys.executable, '-c', ''], check=True)"
    assert output_of(code, attached(environment(), sink.address)) == ("", "", 0)
    sink.wait(lambda: sink.count("process.exit") == 2)
    assert sink.count("process.start") == 2


def test_a_process_with_few_descriptors_is_seen(sink):
    command = ["sh", "-c", 'ulimit -n 64 && exec "$0" -c ""', PYTHON]
    subprocess.run(command, env=attached(environment(), sink.address), check=True)
    sink.wait(lambda: sink.count("process.exit"))
    assert sink.count("process.start") == 1


# Servers of other kinds.


def test_a_server_without_threads_serves_in_its_main_thread(start):
    with start(arguments=["--nothreading"]) as server:
        heard = Since(server.sink)
        visits = [server.get("/polls/") for _ in range(3)]
        assert heard.told("thread.start") == []
        assert {key(event) for visit in visits for event in visit.events} == {(1, 1)}
        figures = server.sink.figures()
    assert (figures["threads"], figures["db.opened"], figures["db.open"]) == (1, 1, 1)


def test_the_reloader_and_the_server_it_starts_are_both_seen(sink, prepared, tmp_path):
    copy_databases(prepared, tmp_path)
    variables = attached(environment(PROBED_FOLDER=tmp_path), sink.address)
    command = [PYTHON, "-m", "django", "runserver", "127.0.0.1:0"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=variables, cwd=tmp_path, start_new_session=True, **silent) as process:
        try:
            sink.wait(lambda: sink.count("listening") and sink.count("reloader.watching"), "the server")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    parent, child = (event for event in sink.events if event["k"] == "process.start")
    assert (parent["pid"], child["ppid"]) == (process.pid, process.pid)
    told = {event["p"] for event in sink.events if event["k"] in ("listening", "reloader.watching")}
    assert told == {child["p"]}


# A lab that is not there any more, or not listening.


def test_a_server_goes_on_when_the_lab_is_gone(start):
    with start() as server:
        server.sink.close()
        server.sink = None
        with Client(server) as client:
            answers = [client.get(path).status for path in ("/polls/", "/fork/", "/thread/", "/plain/")]
            meeting = client.receive(client.send("/plain/", "meet"))
        assert answers == [200] * 4
        assert meeting.status == 200
        assert "Traceback" not in server.log.read_text()
        assert server.look().tasks == 1


@pytest.mark.exhaustive
def test_a_lab_that_reads_late_has_lost_nothing_and_held_up_nobody(start):
    requests = 500  # their events are more than the buffers of a socket hold
    with start() as server:
        with Client(server) as client:
            server.look()  # the thread of this connection was told
            heard = Since(server.sink)
            with server.sink.not_reading():
                for _ in range(requests):
                    client.send("/plain/")
                    assert client.read()[0] == 200
                assert heard.events == []
            server.sink.wait(lambda: len(heard.told("request.end")) == requests)
        assert [event["r"] for event in heard.told("request.begin")] == list(range(1, requests + 1))
