"""Contradictions in the events of a run, and which facts are unknown because of them."""

import pytest

from sphinx_djconn.trace.contradictions import Scope
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.unknown import Unknown
from tests.trace.test_trace import Story


class Run(Story):
    """A run that reached its end, with events that are consistent."""

    def __init__(self):
        super().__init__()
        self.tell("begin", p=0).tell("step", p=0, n=1, text="browser: GET /")
        self.tell("http.open", p=0, h=1, client="browser", port=4000).thread(2)

    def whole(self, number=1, label="one"):
        """Tell a request that opens a connection and closes it, and its response."""
        self.sent(number, label).begin(number, 2).open(number, 2, number)
        self.close(number, 2, "end of request", r=number).end(number, 2)
        return self.answered(number)

    def answered(self, number):
        return self.tell("response", p=0, r=number, h=1, new=number == 1, status=200, size=2, json=None)

    def finish(self):
        self.tell("end", p=0)
        return self.trace


def texts(trace):
    return [contradiction.text for contradiction in trace.contradictions]


def unknown(trace):
    return {name for name, figure in facts_of(trace).figures.items() if isinstance(figure, Unknown)}


def test_a_consistent_run_has_no_contradictions():
    trace = Run().whole().finish()
    assert trace.contradictions == ()
    assert unknown(trace) == set()


def test_nothing_is_said_of_a_run_without_an_end():
    assert Run().whole().close(9, 2, "age").trace.contradictions == ()


@pytest.mark.parametrize(
    ("tell", "text"),
    [
        (lambda run: run.close(7, 2, "age"), "database connection ? was closed, but was not open"),
        (lambda run: run.close(1, 2, "age"), "database connection C1 was closed, but was not open"),
        (lambda run: run.tell("db.use", th=2, w=1, c=1), "database connection C1 was used, but was not open"),
        (lambda run: run.open(1, 2), "database connection S1 was opened twice"),
        (
            lambda run: run.tell("db.open", th=2, w=8, c=8),
            "database connection S1 was opened in a wrapper that was never created",
        ),
        (lambda run: run.end(1, 2), "request 1 ended twice"),
        (lambda run: run.end(3, 2), "request 3 ended in a process where it never began"),
        (lambda run: run.begin(1, 2), "request 1 began after its response"),
        (lambda run: run.begin(5, 2), "request 5 began, but no client sent it"),
        (lambda run: run.view_end(1, 2), "the view of request 1 ended, but never began"),
        (lambda run: run.thread(2), "a thread of process P1 started twice"),
        (lambda run: run.begin(1, 9), "thread T1 of process P1 sent an event before its start"),
        (
            lambda run: run.tell("thread.end", th=2).end(1, 2),
            "thread T1 of process P1 sent an event after its end",
        ),
        (lambda run: run.tell("process.exit").end(1, 2), "process P1 sent an event after its end"),
        (lambda run: run.tell("thread.end", p=4, th=1), "process P0 sent an event before its start"),
        (lambda run: run.tell("greenlet.end", g=3), "a greenlet of process P1 ended that was not alive"),
        (lambda run: run.tell("events.read", p=0, processes=[[1, 1]]), "events of process P1 are missing"),
        (lambda run: run.sent(2), "request 2 has neither a response nor an error"),
        (
            lambda run: run.tell("http.open", p=0, h=2, client="b", port=4001),
            "no request was sent over the HTTP connection H2",
        ),
    ],
)
def test_what_contradicts_other_events_is_said(tell, text):
    run = Run().whole()
    tell(run)
    trace = run.finish()
    assert text in texts(trace)
    assert {"threads", "db.opened", "one.thread"} <= unknown(trace)


@pytest.mark.parametrize(
    ("serials", "text"),
    [
        ((1, 3), "events of process P1 are missing"),
        ((1, 2, 2), "an event of process P1 was recorded twice"),
        ((1, 3, 2), "events of process P1 are out of order"),
    ],
)
def test_serials_show_what_is_missing_twice_or_late(serials, text):
    run = Run().whole()
    for serial in serials:
        run.tell("listening", th=1, host="127.0.0.1", port=80, s=serial)
    assert text in texts(run.finish())


def seen(run, **found):
    return run.tell("processes.seen", p=0, processes=[{"p": 1, "threads": [1, 2], "files": 0, **found}])


def opened_on_server(run):
    run.tell("db.wrapper", th=2, w=6, alias="default", vendor="postgresql")
    return run.tell("db.open", th=2, w=6, c=6, pid=44, inode=5)


@pytest.mark.parametrize(
    ("tell", "text"),
    [
        (
            lambda run: seen(run.open(5, 2)),
            "process P1 has 1 open connections to SQLite files, but 0 descriptors of them",
        ),
        (
            lambda run: seen(run, files=1),
            "process P1 has 0 open connections to SQLite files, but 1 descriptors of them",
        ),
        (
            lambda run: seen(opened_on_server(run), connections=[]),
            "database connection S1 is open for Django, but has no socket anymore",
        ),
        (
            lambda run: seen(opened_on_server(run).close(6, 2, "age"), connections=[6]),
            "database connection S1 was closed, but still has a socket",
        ),
        (
            lambda run: run.tell("db.sessions", p=0, sessions=[[7, "idle"]]),
            "the database server has a session that no Django wrapper opened",
        ),
    ],
)
def test_what_contradicts_a_witness_makes_facts_of_the_database_unknown(tell, text):
    run = Run().whole()
    tell(run)
    trace = run.finish()
    assert [(each.text, each.scope, each.step) for each in trace.contradictions] == [(text, Scope.DATABASE, 1)]
    names = unknown(trace)
    assert {"db.opened", "db.open", "one.db_connection"} <= names
    assert not {"threads", "one.thread", "requests"} & names


@pytest.mark.parametrize(
    "end",
    [
        lambda run: run.tell("db.fault", p=0, action="end sessions"),
        lambda run: seen(run, connections=[6]).tell("db.sessions", p=0, sessions=[]),
    ],
)
def test_a_driver_closes_the_socket_of_a_session_that_the_server_has_ended(end):
    run = end(opened_on_server(Run().whole()))
    assert seen(run, connections=[]).finish().contradictions == ()


def test_a_server_that_refuses_connections_ends_no_session():
    run = opened_on_server(Run().whole()).tell("db.fault", p=0, action="refuse connections")
    assert len(seen(run, connections=[]).finish().contradictions) == 1


def test_a_lock_may_keep_a_descriptor_open():
    assert seen(Run().whole(), files=1, locked=True).finish().contradictions == ()


def test_a_thread_that_the_kernel_no_longer_has_has_ended_unseen():
    run = Run().whole()
    run.tell("thread.start", th=3, name="x", ident=8, native=77, main=False)
    assert texts(seen(run).finish()) == ["the end of thread x was not seen"]


def test_a_session_of_a_pool_needs_no_wrapper():
    run = Run().whole().tell("db.open", th=2, w=1, c=6, pid=44, pooled=True)
    assert run.tell("db.sessions", p=0, sessions=[[44, "idle"], [45, "idle"]]).finish().contradictions == ()


def test_a_contradiction_says_what_where_how_often_and_what_to_do():
    run = Run().whole().close(1, 2, "age").close(1, 2, "age")
    (contradiction,) = run.finish().contradictions
    assert contradiction.message.startswith("the run contradicts itself in step 1, 2 times in all: database")
    assert "or build again, and report it if it happens again" in contradiction.message
