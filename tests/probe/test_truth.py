"""What the probe tells is what happens, and what happens would happen without it.

The same requests are sent to two servers, one with the probe and one without. Both are looked at through
/proc, which knows nothing of the probe.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from sphinx_djconn.trace.facts import facts_of
from tests.probe.instruments import Client, Look, trace_of, until
from tests.support.choosing import a_few

AT_ONCE = 6


class Observation(NamedTuple):
    """What was seen after one step, and how many events the probe had told by then."""

    step: str
    look: Look
    events: int
    told: dict | None = None


class Observer:
    """Sends requests to one server, and looks at it after each."""

    def __init__(self, server, pause):
        self.server = server
        self.pause = pause
        self.seen = []

    def note(self, step, told=None):
        look = self.server.look()
        events = len(self.server.sink.events) if self.server.sink else 0
        self.seen.append(Observation(step, look, events, told))

    def collect(self):
        self.note("collected", self.server.get("/collect/").json)

    def observe(self):
        self.note("started")
        for _ in range(6):
            self.server.get("/polls/")
            self.note("new connection")
        self.collect()
        with Client(self.server) as client:
            for _ in range(6):
                client.get("/polls/")
                self.note("kept connection")
        self.note("hung up")
        self.collect()
        self.observe_together()
        self.collect()
        self.observe_age()
        self.note("ended", self.server.get("/things/").json)
        return self.seen

    def observe_together(self):
        clients, sent = [], []
        for _ in range(AT_ONCE):
            clients.append(Client(self.server))
            sent.append(clients[-1].send("/hold/"))
            until(lambda: len(self.server.tasks()) == 1 + len(clients), "a thread for each request")
            self.note("held")
        self.server.get("/release/")
        for client, number in zip(clients, sent, strict=True):
            client.receive(number)
        self.note("answered")
        for client in clients:
            client.close()
        self.note("hung up together")

    def observe_age(self):
        """See the age of a connection pass that has one: it is closed, then another is opened."""
        with Client(self.server) as client:
            for pause in (0, self.pause):
                time.sleep(pause)
                client.get("/polls/")
                self.note("after a pause")
            client.get("/plain/")
            self.note("no query")
        self.note("hung up after pauses")


class Pair(NamedTuple):
    """The observations of both servers, and the events of the one with the probe."""

    plain: list[Observation]
    probed: list[Observation]
    events: list[dict]

    @property
    def standing(self):
        """How many connections the main thread keeps: one, the migration check's, before Django 5.1."""
        return self.plain[0].look.databases


@pytest.fixture(scope="module", params=a_few(["0", "2", "None"], "None"))
def max_age(request):
    return request.param


@pytest.fixture(scope="module")
def pair(start, max_age):
    def observe(probe):
        with start(probe=probe, PROBED_MAX_AGE=max_age) as server:
            seen = Observer(server, pause=2.05 if max_age == "2" else 0).observe()
            return seen, list(server.sink.events) if probe else []

    with ThreadPoolExecutor(2) as executor:
        (plain, _), (probed, events) = executor.map(observe, (False, True))
    return Pair(plain, probed, events)


def test_the_probe_changes_no_descriptor_no_thread_and_no_moment(pair):
    def story(observations):
        return [(each.step, each.look.own, each.look.tasks) for each in observations]

    assert story(pair.probed) == story(pair.plain)


def test_the_collector_finds_what_it_would_have_found(pair):
    def found(observations):
        return [each.told for each in observations if each.step == "collected"]

    assert found(pair.probed) == found(pair.plain)
    assert [each["open_after"] for each in found(pair.probed)] == [pair.standing] * 3


def test_nothing_is_kept_alive_that_would_have_gone(pair):
    assert pair.probed[-1].told == pair.plain[-1].told


def test_the_probe_has_six_descriptors_of_its_own(pair):
    # The log, the bell, the file of events, its memory twice, and that which says whether somebody waits.
    extra = {len(each.look.files) - len(each.look.own) for each in pair.probed}
    assert extra == {6}


def test_the_events_count_the_descriptors_and_threads_that_are_there(pair):
    for each in pair.probed:
        kinds = Counter(event["k"] for event in pair.events[: each.events])
        connections = kinds["db.open"] - kinds["db.close"] - kinds["db.collected"]
        threads = kinds["thread.start"] - kinds["thread.end"]
        assert (each.step, connections, threads) == (each.step, each.look.databases, each.look.tasks)


def test_the_facts_count_the_descriptors_that_are_there(pair):
    collected = 0
    for each in pair.probed:
        figures = facts_of(trace_of(pair.events[: each.events])).figures
        if each.told:
            collected = figures["db.abandoned"]
        uncollected = figures["db.open"] + figures["db.abandoned"] - collected
        # The server's own is among them, if it keeps one.
        assert (each.step, uncollected) == (each.step, each.look.databases)


def test_the_facts_do_not_depend_on_whether_there_was_a_collection(pair):
    events = [event for event in pair.events if event["k"] != "db.collected"]
    assert facts_of(trace_of(events)) == facts_of(trace_of(pair.events))


def test_the_facts_are_those_that_were_expected(pair, max_age):
    figures = facts_of(trace_of(pair.events)).figures
    new, kept, at_once, after_pauses = {
        "0": (6, 6, AT_ONCE, 2),
        "2": (6, 1, AT_ONCE, 2),
        "None": (6, 1, AT_ONCE, 1),
    }[max_age]
    assert figures["db.opened"] == new + kept + at_once + after_pauses
    # Three collections, a count, and the request that released the others had a thread each, too.
    assert figures["threads"] == 6 + 1 + AT_ONCE + 1 + 3 + 1 + 1
    assert figures["db.outside_requests"] == 1
    if max_age == "0":  # else abandoned ones count, which were collected here in between
        assert figures["db.peak"] + pair.standing == max(each.look.databases for each in pair.probed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", a_few(["/interpreter/", "/foreign-thread/"], "/interpreter/"))
def test_the_interpreter_looks_the_same_from_inside(start, path):
    with start(probe=False) as plain, start() as probed:
        told = [server.get(path).json for server in (plain, probed)]
    assert told[0] == told[1]
