"""Entities and facts, read out of events that were made up here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import sphinx_djconn
from sphinx_djconn.trace import events
from sphinx_djconn.trace.contradictions import ContradictionReport
from sphinx_djconn.trace.database_events import DatabaseEvents
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.event_checks import EventChecks
from sphinx_djconn.trace.events import KINDS, TraceError, decode, encode, in_order
from sphinx_djconn.trace.fact_table import FACTS, REQUEST_FACTS
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.request_events import RequestEvents
from sphinx_djconn.trace.unknown import Unknown
from sphinx_djconn.trace.witness_checks import WitnessChecks


class Story:
    """Writes events as they cross the wire, each a moment after the one before."""

    def __init__(self):
        self.wire = []
        self.tell("process.start", p=1, pid=10, ppid=1, python="3.11.7")
        self.thread(1, main=True)

    def tell(self, kind, *, p=1, **data):
        self.wire.append({"t": len(self.wire) * 1000, "k": kind, "p": p, **data})
        return self

    def thread(self, serial, *, p=1, name="Thread-1 (work)", main=False, ident=7, **data):
        return self.tell("thread.start", p=p, th=serial, name=name, ident=ident, native=0, main=main, **data)

    def sent(self, number, label=None):
        return self.tell("request.sent", p=0, r=number, client="a", method="GET", path="/", label=label)

    def begin(self, number, thread, p=1):
        return self.tell("request.begin", p=p, th=thread, r=number)

    def end(self, number, thread, p=1):
        return self.tell("request.end", p=p, th=thread, r=number)

    def view(self, number, thread):
        return self.tell("request.view", th=thread, r=number)

    def view_end(self, number, thread):
        return self.tell("request.view.end", th=thread, r=number)

    def open(self, serial, thread, number=None, p=1):
        request = {} if number is None else {"r": number}
        self.tell("db.wrapper", p=p, th=thread, w=serial, alias="default", vendor="sqlite", **request)
        return self.tell("db.open", p=p, th=thread, w=serial, c=serial, alias="default", **request)

    def close(self, serial, thread, why, phase="end", p=1, **request):
        return self.tell("db.close", p=p, th=thread, w=serial, c=serial, why=why, phase=phase, **request)

    def request(self, number, thread, label=None):
        """Tell a whole request that opens no connection."""
        return self.sent(number, label).begin(number, thread).end(number, thread)

    @property
    def trace(self):
        return Trace(in_order(map(decode, self.wire)))

    @property
    def figures(self):
        return facts_of(self.trace).figures


# Events.


def test_an_event_is_the_same_after_it_has_crossed_the_wire():
    for wire in Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2).wire:
        event = decode(json.loads(json.dumps(wire)))
        assert decode(encode(event)) == event


@pytest.mark.parametrize("wire", [{}, {"t": 1, "k": "x"}, [], None, "x", {"k": "x", "p": 1}])
def test_what_is_no_event_is_said(wire):
    with pytest.raises(TraceError, match="not an event"):
        decode(wire)


def test_every_kind_of_event_is_described():
    named = re.findall(r"``([a-z]+(?:\.[a-z]+)*)``", str(events.__doc__))
    assert {*named} >= KINDS


def test_readers_and_checks_handle_kinds_that_are_described():
    entities, report = Entities(), ContradictionReport(lambda *_: "?")
    checks = EventChecks(report)
    readers = [
        RequestEvents(entities),
        DatabaseEvents(entities),
        checks,
        WitnessChecks(report, checks.processes),
    ]
    for reader in readers:
        assert reader.handlers.keys() <= KINDS


def test_the_probe_tells_of_no_kind_that_is_not_described():
    probe = Path(sphinx_djconn.__file__).parent / "probe"
    source = "".join(path.read_text("utf-8") for path in probe.glob("*.py"))
    told = re.findall(r"""\.(?:emit|send)\(\s*"([a-z.]+)\"""", source)
    assert len({*told}) > 10
    assert {*told} <= KINDS


def test_events_of_several_processes_are_merged_by_their_time():
    told = [
        decode({"t": at, "k": kind, "p": process})
        for at, kind, process in [(3, "end", 1), (1, "begin", 2), (2, "serving", 1)]
    ]
    assert [event.kind for event in in_order(told)] == ["begin", "serving", "end"]


def test_events_of_one_moment_stay_in_the_order_of_their_arrival():
    kinds = ["serving", "begin", "response", "end"]
    told = [decode({"t": 5, "k": kind, "p": 1}) for kind in kinds]
    assert [event.kind for event in in_order(told)] == kinds


# Requests and threads.


def test_six_threads_with_one_ident_are_two_figures():
    story = Story()
    for number in range(1, 7):
        story.thread(number + 1).request(number, number + 1).tell("thread.end", th=number + 1)
    assert (story.figures["threads"], story.figures["thread_idents"]) == (6, 1)


def test_one_ident_in_two_processes_is_two_idents():
    story = Story().tell("process.start", p=2, pid=11, ppid=10, python="3.11.7")
    story.thread(2).request(1, 2).thread(2, p=2).sent(2).begin(2, 2, p=2).end(2, 2, p=2)
    assert (story.figures["processes"], story.figures["thread_idents"]) == (2, 2)


def test_names_follow_the_sequence_and_not_the_clock():
    story = Story().sent(1, "first").sent(2, "second").thread(2).thread(3)
    story.begin(2, 2).open(1, 2, 2).end(2, 2).begin(1, 3).open(2, 3, 1).end(1, 3)
    figures = story.figures
    assert (figures["first.thread"], figures["second.thread"]) == ("T1", "T2")
    assert (figures["first.db_connection"], figures["second.db_connection"]) == ("C1", "C2")


OVERLAP = frozenset({"first", "second"})
VIEWS = frozenset({"first.view", "second.view"})


@pytest.mark.parametrize("sign", ["thread.end", "nothing"])
def test_what_overlaps_with_a_request_whose_end_nobody_saw_is_not_known(sign):
    story = Story().thread(2).sent(1, "first").begin(1, 2)
    if sign == "thread.end":
        story.tell("thread.end", th=2)
    facts = facts_of(story.thread(3).request(2, 3, "second").trace)
    assert facts.overlaps == frozenset()
    assert facts.unknown_overlaps[OVERLAP].reason == "the end of request 1 was not seen"


def test_a_request_whose_process_has_ended_has_ended():
    story = Story().tell("process.start", p=2, pid=11, ppid=10, python="3.11.7").thread(1, p=2)
    story.sent(1, "first").begin(1, 1, p=2).tell("process.exit", p=2).thread(3).request(2, 3, "second")
    facts = facts_of(story.trace)
    assert facts.overlaps == frozenset()
    assert OVERLAP not in facts.unknown_overlaps


def test_a_request_overlaps_with_one_that_begins_during_its_view_though_its_end_was_not_seen():
    story = Story().thread(2).thread(3).sent(1, "first").begin(1, 2).view(1, 2).sent(2, "second").begin(2, 3)
    story.view_end(1, 2).end(2, 3)
    assert facts_of(story.trace).overlaps == {OVERLAP}


def test_requests_overlap_whose_views_run_one_after_the_other():
    story = Story().thread(2).thread(3).sent(1, "first").sent(2, "second").begin(1, 2).begin(2, 3)
    story.view(1, 2).view_end(1, 2).view(2, 3).view_end(2, 3).end(1, 2).end(2, 3)
    facts = facts_of(story.trace)
    assert (facts.overlaps, facts.unknown_overlaps) == ({OVERLAP}, {})


def test_views_overlap_that_run_at_the_same_time():
    story = Story().thread(2).thread(3).sent(1, "first").sent(2, "second").begin(1, 2).begin(2, 3)
    story.view(1, 2).view(2, 3).view_end(1, 2).view_end(2, 3).end(1, 2).end(2, 3)
    assert facts_of(story.trace).overlaps == {OVERLAP, VIEWS}


def test_what_overlaps_with_a_request_that_has_no_view_or_no_handler_is_not_known():
    facts = facts_of(Story().thread(2).request(1, 2, "first").sent(2, "second").trace)
    assert facts.overlaps == frozenset()
    assert facts.unknown_overlaps[OVERLAP].reason == "Django's handler never saw request 2"
    assert facts.unknown_overlaps[VIEWS].reason == "no view was seen to handle request 1"


def test_a_request_that_django_never_saw_has_no_thread():
    story = Story().sent(1, "lost").tell("request.error", p=0, r=1, h=None, error="ConnectionRefusedError")
    figures = story.figures
    assert (figures["requests"], figures["errors"]) == (1, 1)
    assert isinstance(figures["threads"], Unknown)
    assert isinstance(figures["lost.thread"], Unknown)


def test_every_fact_has_a_value_even_of_nothing_but_that_of_a_server():
    always = set(FACTS) - {"db.sessions"}
    assert set(Story().figures) == always
    figures = Story().sent(1, "one").figures
    assert set(figures) == {*always, *(f"one.{name}" for name in REQUEST_FACTS)}


# Database connections.


def states(figures):
    return {name: figures[f"db.{name}"] for name in ("opened", "closed", "open", "abandoned", "dropped")}


def test_a_connection_is_open_while_its_thread_lives():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2)
    assert states(story.figures) == {"opened": 1, "closed": 0, "open": 1, "abandoned": 0, "dropped": 0}


def test_a_connection_is_abandoned_when_its_thread_has_ended():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2).tell("thread.end", th=2)
    assert states(story.figures) == {"opened": 1, "closed": 0, "open": 0, "abandoned": 1, "dropped": 0}


def test_a_connection_is_dropped_when_its_process_has_ended():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2).tell("process.exit")
    assert states(story.figures) == {"opened": 1, "closed": 0, "open": 0, "abandoned": 0, "dropped": 1}


def test_a_connection_that_was_taken_away_is_dropped():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).close(1, 2, "dropped", "view", r=1).end(1, 2)
    assert states(story.figures) == {"opened": 1, "closed": 0, "open": 0, "abandoned": 0, "dropped": 1}
    assert story.figures["db.close_reasons"] == []


def test_a_connection_that_was_closed_is_closed_whatever_happens_then():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).close(1, 2, "end of request", r=1).end(1, 2)
    story.tell("thread.end", th=2).tell("process.exit")
    assert states(story.figures) == {"opened": 1, "closed": 1, "open": 0, "abandoned": 0, "dropped": 0}


def test_a_collection_changes_no_fact():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2).tell("thread.end", th=2)
    before = story.figures
    assert story.tell("db.collected", w=1, c=1).figures == before


def test_the_peak_counts_abandoned_connections_whether_collected_or_not():
    story = Story()
    for serial in (2, 3):
        story.thread(serial).begin(serial, serial).open(serial, serial, serial).end(serial, serial)
        story.tell("thread.end", th=serial).tell("db.collected", w=serial, c=serial)
    assert story.figures["db.peak"] == 2


def test_a_wrapper_that_threads_share_is_abandoned_with_the_last_of_them():
    story = Story().thread(2).thread(3).begin(1, 3)
    story.tell("db.wrapper", th=2, w=1, alias="default", vendor="sqlite")
    story.tell("db.open", th=3, r=1, w=1, c=1, alias="default").end(1, 3)
    assert story.figures["db.open"] == 1
    assert story.tell("thread.end", th=2).figures["db.open"] == 1
    assert story.tell("thread.end", th=3).figures["db.abandoned"] == 1


def test_a_forked_child_reuses_what_its_parent_has_opened():
    story = Story().open(1, 1).tell("process.start", p=2, pid=11, ppid=10, python="3.11.7")
    story.thread(1, p=2, main=True).sent(1, "one").begin(1, 1, p=2).tell("db.use", p=2, th=1, r=1, w=1, c=1)
    figures = story.end(1, 1, p=2).figures
    assert (figures["db.opened"], figures["db.reused"], figures["one.db_connection"]) == (0, 1, "C1")


def test_a_forked_childs_own_connection_is_not_its_parents():
    story = Story().open(1, 1).tell("process.start", p=2, pid=11, ppid=10, python="3.11.7")
    story.thread(1, p=2, main=True).begin(1, 1, p=2).open(2, 1, 1, p=2).open(2, 1)
    story.tell("db.use", p=2, th=1, r=1, w=2, c=2)
    (opened, _), (used, _) = story.trace.entities.requests[1].connections
    assert opened is used
    assert opened.key == (2, 2)


def test_a_child_that_closes_what_it_has_inherited_leaves_the_parents_open():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2)
    story.tell("process.start", p=2, pid=11, ppid=10, python="3.11.7").thread(2, p=2)
    assert story.close(1, 2, "explicit", "outside", p=2).figures["db.open"] == 1


def test_a_connection_of_no_request_is_counted_apart():
    story = Story().open(1, 1).close(1, 1, "explicit", "outside")
    assert (story.figures["db.outside_requests"], story.figures["db.opened"]) == (1, 0)
    assert [each.name for each in story.trace.entities.db_connections.values()] == ["S1"]


def test_a_pool_may_hand_a_connection_on_before_its_return_is_told():
    story = Story().thread(2).thread(3).sent(1).sent(2).begin(1, 2).begin(2, 3)
    pooled = {"alias": "default", "pid": 42, "pooled": True}
    story.tell("db.open", th=2, r=1, w=1, c=1, **pooled).tell("db.open", th=3, r=2, w=2, c=2, **pooled)
    story.close(1, 2, "end of request", r=1, pooled=True).end(1, 2)
    figures = story.figures
    assert (figures["db.opened"], figures["db.peak"], figures["db.reused"]) == (1, 1, 1)
    assert (figures["db.returned"], figures["db.open"]) == (1, 1)
    figures = story.close(2, 3, "end of request", r=2, pooled=True).end(2, 3).figures
    assert (figures["db.returned"], figures["db.open"], figures["db.closed"]) == (2, 1, 0)


# What requests started, and what the server did by itself.


def started(story, serial, number, **data):
    return story.tell("thread.start", th=serial, r=number, name="work", ident=7, native=0, main=False, **data)


def test_a_connection_of_a_thread_that_a_request_started_is_counted_with_it():
    story = started(Story().thread(2).sent(1, "one").begin(1, 2), 3, 1).open(1, 3, 1).end(1, 2)
    figures = story.tell("thread.end", th=3).figures
    assert (figures["db.opened"], figures["db.abandoned"], figures["db.outside_requests"]) == (1, 1, 0)
    assert (figures["threads"], figures["threads_started"], figures["one.threads_started"]) == (1, 1, 1)
    assert story.trace.entities.threads[1, 3].name == "T2"


def test_connections_are_named_in_the_order_in_which_their_threads_were_started():
    story = started(started(Story().thread(2).sent(1).begin(1, 2), 3, 1), 4, 1)
    story.open(1, 4, 1).open(2, 3, 1).end(1, 2)
    found = story.trace.entities.db_connections
    assert [found[1, serial].name for serial in (1, 2)] == ["C2", "C1"]


def test_facts_of_the_end_count_what_the_server_opened_by_itself():
    figures = Story().open(1, 1).thread(2).open(2, 2).tell("thread.end", th=2).figures
    assert states(figures) == {"opened": 0, "closed": 0, "open": 1, "abandoned": 1, "dropped": 0}
    assert figures["db.outside_requests"] == 2


def test_a_connection_that_was_open_before_is_reused_and_counted_at_the_peak():
    story = Story().open(1, 1).sent(1).begin(1, 1).tell("db.use", th=1, r=1, w=1, c=1)
    figures = story.tell("db.use", th=1, r=1, w=1, c=1).end(1, 1).figures
    assert (figures["db.opened"], figures["db.reused"], figures["db.peak"]) == (0, 1, 1)


def test_a_request_that_uses_its_own_connection_in_a_thread_has_not_reused_it():
    story = started(Story().thread(2).sent(1).begin(1, 2).open(1, 2, 1), 3, 1)
    assert story.tell("db.use", th=3, r=1, w=1, c=1).end(1, 2).figures["db.reused"] == 0


def test_a_child_is_its_requests_whether_it_is_told_before_or_after_it_has_begun():
    for first, second in (("child", "start"), ("start", "child")):
        story = Story().thread(2).sent(1).begin(1, 2)
        for told in (first, second):
            if told == "child":
                story.tell("process.child", th=2, r=1, pid=11)
            else:
                story.tell("process.start", p=2, pid=11, ppid=99, python="3.11.7").thread(1, p=2, main=True)
        figures = story.open(1, 1, p=2).end(1, 2).tell("process.exit", p=2).figures
        assert (figures["processes_started"], figures["db.opened"], figures["db.dropped"]) == (1, 1, 1)


def test_a_process_whose_parent_is_not_known_makes_unknown_what_it_opened():
    story = Story().thread(2).request(1, 2).tell("process.start", p=2, pid=11, ppid=99, python="3.11.7")
    figures = story.thread(1, p=2, main=True).open(1, 1, p=2).figures
    assert isinstance(figures["db.opened"], Unknown)
    assert isinstance(figures["processes_started"], Unknown)
    assert figures["db.open"] == 1


def test_a_process_that_was_there_before_the_first_request_is_the_servers():
    story = Story().tell("process.start", p=2, pid=11, ppid=99, python="3.11.7").thread(2, p=2)
    figures = story.open(1, 2, p=2).sent(1).begin(1, 2, p=2).end(1, 2, p=2).figures
    assert (figures["db.opened"], figures["db.outside_requests"], figures["processes_started"]) == (0, 1, 0)


def test_a_foreign_thread_that_serves_is_the_servers():
    story = Story().sent(1).thread(2, foreign=True).begin(1, 2).end(1, 2).open(1, 2)
    assert (story.figures["db.outside_requests"], story.figures["threads_started"]) == (1, 0)


def test_a_foreign_thread_that_serves_nobody_makes_unknown_what_it_opened():
    story = Story().thread(2).request(1, 2, "one").thread(3, foreign=True).open(1, 3)
    for name in ("db.opened", "db.closed", "db.reused", "db.peak", "db.wrappers", "one.db_connections"):
        assert isinstance(story.figures[name], Unknown), name
    assert story.figures["db.open"] == 1


def test_a_request_that_django_never_saw_makes_unknown_who_opened_a_connection():
    story = Story().tell("django", version="6.1").thread(2).open(1, 1).sent(1).sent(2).begin(2, 2).end(2, 2)
    figures = story.figures
    # What was opened before it was sent is known to be the server's.
    assert (figures["db.opened"], figures["db.outside_requests"]) == (0, 1)
    assert isinstance(figures["db.reused"], Unknown)
    assert figures["threads"] == Unknown("Django's handler never saw the request")
    figures = story.open(2, 1).figures
    assert isinstance(figures["db.opened"], Unknown)
    assert figures["db.open"] == 2


def test_under_asgi_a_request_without_a_view_has_no_thread():
    story = Story().thread(2).sent(1, "missing").tell("request.begin", th=1, r=1, task=1).end(1, 1)
    story.sent(2, "found").tell("request.begin", th=1, r=2, task=2).tell("request.view", th=2, r=2).end(2, 1)
    figures = story.figures
    assert (figures["threads"], figures["executors"], figures["tasks"]) == (1, 1, 2)
    assert (figures["missing.thread"], figures["found.thread"]) == (None, "T1")


def test_facts_of_each_database_are_there_by_its_alias():
    story = Story().thread(2).sent(1).begin(1, 2).open(1, 2, 1)
    story.tell("databases", th=2, aliases=["default", "archive", "never-used"])
    story.tell("db.wrapper", th=2, r=1, w=2, alias="archive", vendor="sqlite")
    story.tell("db.open", th=2, r=1, w=2, c=2, alias="archive")
    figures = story.close(2, 2, "end of request", r=1).end(1, 2).figures
    assert (figures["db.opened"], figures["db.closed"]) == (2, 1)
    by_alias = [
        [figures[f'db["{alias}"].{name}'] for name in ("opened", "closed", "open", "peak", "wrappers")]
        for alias in ("default", "archive", "never-used")
    ]
    assert by_alias == [[1, 0, 1, 1, 1], [1, 1, 0, 1, 1], [0, 0, 0, 0, 0]]


def test_a_foreign_thread_from_before_the_first_request_is_the_servers():
    story = Story().thread(2, foreign=True).sent(1).begin(1, 1).end(1, 1).open(1, 2)
    assert (story.figures["db.outside_requests"], story.figures["threads_started"]) == (1, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"k": "databases", "aliases": [False]},
        {"k": "events.read", "processes": [[1]]},
        {"k": "processes.seen", "processes": [{"p": 1, "threads": [None], "files": 0}]},
        {"k": "processes.seen", "processes": [{"p": 1, "threads": []}]},
        {"k": "db.sessions", "sessions": [["7", "idle"]]},
    ],
)
def test_an_item_of_another_type_is_no_event(fields: dict[str, Any]) -> None:
    with pytest.raises(events.TraceError, match="an item of"):
        events.check({"t": 1, "p": 0, **fields})
