"""What requests start is told to be theirs: threads, work of pools, and processes."""

from collections import Counter

import pytest

from sphinx_djconn.trace.unknown import Unknown
from tests.probe.instruments import Client, until


def facts(server):
    """Return the facts of all that was told, as if the first request were sent when the server was there."""
    server.look()
    at = min((event["t"] for event in server.sink.events if event["k"] == "request.begin"), default=None)
    if at is None:
        return server.sink.figures()
    data = {"client": "", "method": "GET", "path": "/"}
    server.sink.events.insert(0, {"t": at - 1, "k": "request.sent", "p": 0, "r": 1, **data})
    try:
        return server.sink.figures()
    finally:
        del server.sink.events[0]


class Change:
    """By how much facts have changed since a test began, without ``db.``."""

    def __init__(self, server):
        self.server = server
        self.before = Counter(self.counts())

    def counts(self):
        return {
            name.removeprefix("db."): figure
            for name, figure in facts(self.server).items()
            if isinstance(figure, int)
        }

    def of(self, *names):
        now = self.counts()
        return tuple(now[name] - self.before[name] for name in names)


@pytest.fixture
def change(server):
    return Change(server)


def visit(server, path):
    """Visit a page of which a thread may stay behind."""
    with Client(server) as client:
        return client.get(path)


def test_what_the_threads_of_an_executor_leave_open_is_counted_with_the_request(server, change):
    server.get("/executor/")
    counted = change.of("opened", "closed", "open", "abandoned", "threads", "threads_started")
    assert counted == (3, 0, 0, 3, 1, 3)


@pytest.mark.parametrize("path", ["/thread/", "/raw-thread/"])
def test_a_thread_that_a_request_starts_is_the_requests(server, change, path):
    server.get(path)
    assert change.of("threads", "threads_started", "opened", "abandoned") == (1, 1, 1, 1)


def test_the_work_of_a_pooled_thread_is_that_of_the_request_which_submitted_it(server, change):
    first = visit(server, "/shared-executor/?alias=default")
    second = visit(server, "/shared-executor/?alias=own-close")
    third = visit(server, "/shared-executor/?alias=default")
    assert [first.count("db.open"), second.count("db.open"), third.count("db.open")] == [1, 1, 0]
    assert third.count("db.use") == 1
    assert change.of("threads_started", "opened", "reused", "open", "abandoned") == (1, 2, 1, 2, 0)


def test_the_work_of_a_pool_of_multiprocessing_is_that_of_the_request_which_gave_it(server, change):
    first = visit(server, "/thread-pool/?alias=with-super,own-connect")
    second = visit(server, "/thread-pool/?alias=own-arguments,with-super")
    assert [first.count("db.open"), second.count("db.open"), second.count("db.use")] == [2, 1, 1]
    assert change.of("opened", "open", "reused") == (3, 3, 1)


def test_work_that_goes_on_after_the_response_is_still_the_requests(server, change):
    number = visit(server, "/timer/").number

    def opened():
        return [each for each in server.sink.events if each["k"] == "db.open" and each.get("r") == number]

    server.sink.wait(opened, "the timer's query")
    server.get("/plain/")
    assert change.of("opened", "open", "abandoned") == (1, 1, 0)
    server.get("/release/")
    until(lambda: change.of("abandoned") == (1,), "the end of the timer's thread")


def test_a_connection_that_a_living_thread_shares_is_not_abandoned(server, change):
    ended = server.sink.count("thread.end")
    visit(server, "/share/")
    until(lambda: server.sink.count("thread.end") > ended, "the end of the request's thread")
    assert change.of("opened", "reused", "open", "abandoned") == (1, 0, 1, 0)
    server.get("/release/")
    until(lambda: change.of("abandoned") == (1,), "the end of the other thread")


def test_what_a_forked_child_opens_is_the_requests(server, change):
    ended = server.sink.count("process.exit")
    assert server.get("/fork/").json["status"] == 0
    server.sink.wait(lambda: server.sink.count("process.exit") > ended, "the end of the child")
    # It goes on with the connection it has inherited, and opens one, and one in a thread of its own.
    assert change.of("opened", "reused", "dropped", "abandoned") == (3, 0, 2, 1)
    assert change.of("processes", "processes_started", "threads_started") == (0, 1, 1)


@pytest.mark.parametrize("path", ["/python/", "/spawn/"])
def test_what_another_python_opens_is_the_requests(server, change, path):
    ended = server.sink.count("process.exit")
    assert visit(server, path).json["status"] == 0, server.log.read_text()
    server.sink.wait(lambda: server.sink.count("process.exit") > ended, "the end of the child")
    assert change.of("opened", "dropped", "processes") == (1, 1, 0)
    assert change.of("processes_started")[0] >= 1  # multiprocessing has one more that watches


def test_what_an_asynchronous_view_hands_to_a_thread_is_the_requests(server, change):
    server.get("/asynchronous/")
    assert change.of("opened", "abandoned") == (1, 1)


def test_a_thread_whose_starter_nobody_knows_makes_figures_unknown(start):
    with start() as server:
        server.get("/foreign-thread/")
        figures = facts(server)
    for name in ("db.opened", "db.closed", "db.outside_requests", "db.peak", "threads_started"):
        assert isinstance(figures[name], Unknown), name
    # What is true at the end is known, whoever has opened it.
    assert (figures["threads"], figures["db.abandoned"]) == (1, 1)


def test_a_connection_from_before_the_first_request_is_reused_and_counted_at_the_peak(start):
    with start(arguments=["--nothreading"]) as server:
        before = facts(server)["db.open"]  # the migration check's, before Django 5.1
        server.get("/polls/")
        figures = facts(server)
    assert (figures["db.opened"], figures["db.reused"]) == (1 - before, before)
    assert figures["db.open"] == figures["db.peak"] == 1
