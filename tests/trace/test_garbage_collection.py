"""What a run says if Python's garbage collector could have run at other times, out of events made up here."""

import random

import pytest

from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.garbage_collection import alternatives
from sphinx_djconn.trace.unknown import Unknown
from tests.trace.test_trace import Story


class Tale(Story):
    """Writes events of requests that leave a session of a database server, each in a thread of its own."""

    def __init__(self, mode="automatic", **room):
        super().__init__()
        self.tell("collector", p=0, mode=mode, **room)
        self.there = []

    def open(self, serial, thread, number=None, p=1, alias="default"):
        request = {} if number is None else {"r": number}
        self.tell("db.wrapper", p=p, th=thread, w=serial, alias=alias, vendor="postgresql", **request)
        self.there.append(serial)
        return self.tell("db.open", p=p, th=thread, w=serial, c=serial, alias=alias, pid=serial, **request)

    def leave(self, *numbers, alias="default"):
        """Have a request open a connection, which its thread leaves open when it ends."""
        for number in numbers:
            self.thread(number + 1).sent(number, f"r{number}").begin(number, number + 1)
            self.open(number, number + 1, number, alias=alias).end(number, number + 1)
            self.tell("thread.end", th=number + 1)
        return self

    def collect(self, *serials):
        """Have the collector free wrappers, with which their sessions end."""
        for serial in serials:
            self.tell("db.collected", w=serial, c=serial)
        return self.gone(*serials)

    def gone(self, *serials):
        self.there = [each for each in self.there if each not in serials]
        return self

    def look(self, step=1):
        """Have the database server tell its sessions at the end of a step."""
        self.tell("step", p=0, n=step, text="")
        return self.tell("db.sessions", p=0, sessions=[[serial, "idle"] for serial in self.there])

    @property
    def facts(self):
        return facts_of(self.trace)


def bounds(facts, prefix="db."):
    """Return the bounds of the facts of the run, or of those of one database."""
    names = [name for name in facts.figures if name.startswith(prefix)]
    return {name: bounds for name in names if (bounds := facts.bounds(name)) is not None}


ALL_OF_THREE = {
    "db.peak": (1, 3),
    "db.sessions": (0, 3),
    "db.abandoned": (0, 3),
    "db.lost": (0, 3),
}


@pytest.mark.parametrize("collected", [(), (1,), (3,), (1, 2), (1, 2, 3)])
def test_bounds_are_the_same_whenever_the_collector_ran(collected):
    facts = Tale().leave(1, 2, 3).collect(*collected).look().facts
    assert bounds(facts) == ALL_OF_THREE
    counted = {name: limits for name, limits in ALL_OF_THREE.items() if name != "db.sessions"}
    of_default = {f'db["default"].{name[3:]}': limits for name, limits in counted.items()}
    assert bounds(facts, 'db["') == of_default
    assert facts == Tale().leave(1, 2, 3).look().facts


def test_what_is_counted_at_the_end_varies_together():
    alternatives = Tale().leave(1, 2).look().facts.alternatives
    groups = [
        tuple({n: v for n, v in each.items() if '["' not in n} for each in group) for group in alternatives
    ]
    assert (
        {"db.sessions": 0, "db.abandoned": 0, "db.lost": 2},
        {"db.sessions": 1, "db.abandoned": 1, "db.lost": 1},
    ) in groups


def test_figures_are_those_without_a_collection():
    figures = Tale().leave(1, 2).collect(1).look().facts.figures
    assert (figures["db.abandoned"], figures["db.lost"], figures["db.sessions"], figures["db.peak"]) == (
        2,
        0,
        2,
        2,
    )


def test_the_figures_of_every_collection_are_among_the_alternatives():
    for collected in [(), (1,), (2, 3), (1, 2, 3)]:
        seen = Tale("off").leave(1, 2, 3).collect(*collected).look().facts.figures
        found = Tale().leave(1, 2, 3).look().facts
        (end,) = (group for group in found.alternatives if "db.sessions" in group[0])
        assert {name: seen[name] for name in end[0]} in [*end, {name: found.figures[name] for name in end[0]}]


def test_a_collection_in_between_changes_the_peak_alone():
    early = Tale().leave(1).collect(1).leave(2).collect(2).leave(3).look().facts
    assert early == Tale().leave(1, 2, 3).look().facts
    assert bounds(early)["db.peak"] == (1, 3)


@pytest.mark.parametrize("mode", ["off", "each-request"])
def test_nothing_depends_on_a_collector_that_python_does_not_run_itself(mode):
    facts = Tale(mode).leave(1, 2, 3).collect(1, 2).look().facts
    assert facts.alternatives == ()
    assert (facts.figures["db.abandoned"], facts.figures["db.lost"], facts.figures["db.sessions"]) == (1, 2, 1)


def test_the_collector_is_automatic_if_nothing_is_said_of_it():
    tale = Tale().leave(1).look()
    tale.wire = [event for event in tale.wire if event["k"] != "collector"]
    assert bounds(tale.facts)["db.sessions"] == (0, 1)


def test_connections_to_a_file_do_not_depend_on_it():
    story = Story().thread(2).begin(1, 2).open(1, 2, 1).end(1, 2).tell("thread.end", th=2)
    facts = facts_of(story.tell("db.collected", w=1, c=1).trace)
    assert facts.alternatives == ()
    assert facts.figures["db.abandoned"] == facts.figures["db.peak"] == 1


def test_what_django_has_closed_does_not_depend_on_it():
    tale = Tale().thread(2).sent(1).begin(1, 2).open(1, 2, 1).close(1, 2, "end of request", r=1).end(1, 2)
    assert tale.gone(1).tell("thread.end", th=2).look().facts.alternatives == ()


def test_what_a_living_thread_has_does_not_depend_on_it():
    assert Tale().thread(2).sent(1).begin(1, 2).open(1, 2, 1).end(1, 2).look().facts.alternatives == ()


def test_what_another_thread_still_uses_does_not_depend_on_it():
    tale = Tale().thread(2).thread(3).sent(1).begin(1, 2).open(1, 2, 1).end(1, 2)
    tale.sent(2).begin(2, 3).tell("db.use", th=3, r=2, w=1, c=1).end(2, 3).tell("thread.end", th=2)
    assert "db.sessions" not in bounds(tale.look().facts)
    assert bounds(tale.tell("thread.end", th=3).look(2).facts)["db.sessions"] == (0, 1)


@pytest.mark.parametrize("action", ["end sessions", "restart"])
@pytest.mark.parametrize("collected", [(), (1,), (1, 2)])
def test_sessions_that_the_server_has_ended_do_not_depend_on_it(action, collected):
    tale = Tale().leave(1, 2).collect(*collected).look().gone(1, 2)
    facts = tale.tell("db.fault", p=0, action=action).look(2).facts
    assert set(bounds(facts)) == {"db.peak"}
    assert (facts.figures["db.lost"], facts.figures["db.abandoned"], facts.figures["db.sessions"]) == (2, 0, 0)


def test_a_session_that_the_server_has_ended_before_the_collector_ran_does_not_depend_on_it():
    facts = Tale().leave(1).look().gone(1).look(2).collect(1).look(3).facts
    assert set(bounds(facts)) == set()
    assert (facts.figures["db.lost"], facts.figures["db.sessions"]) == (1, 0)


@pytest.mark.parametrize("collected", [(), (1,)])
def test_sessions_of_a_process_that_has_ended_do_not_depend_on_it(collected):
    facts = Tale().leave(1, 2).collect(*collected).gone(1, 2).tell("process.exit").look().facts
    assert set(bounds(facts)) == {"db.peak"}
    assert (facts.figures["db.dropped"], facts.figures["db.sessions"]) == (2, 0)


def test_what_a_pool_has_got_back_does_not_depend_on_it():
    tale = Tale().thread(2).sent(1).begin(1, 2)
    tale.tell("db.wrapper", th=2, r=1, w=1, alias="default").tell(
        "db.open", th=2, r=1, w=1, c=1, alias="default", pid=1, pooled=True
    )
    tale.there.append(1)
    tale.close(1, 2, "end of request", r=1, pooled=True).end(1, 2).tell("thread.end", th=2)
    assert tale.tell("db.collected", w=1, c=1).look().facts.alternatives == ()


def test_connections_of_an_ended_greenlet_depend_on_it():
    tale = Tale().sent(1).tell("greenlet.start", th=1, g=5, ident=9).tell("request.begin", th=1, r=1, g=5)
    tale.tell("db.wrapper", th=1, r=1, w=1, g=5, alias="default")
    tale.tell("db.open", th=1, r=1, w=1, c=1, g=5, alias="default", pid=1).there.append(1)
    tale.tell("request.end", th=1, r=1, g=5)
    assert tale.look().facts.alternatives == ()
    assert bounds(tale.tell("greenlet.end", g=5).look(2).facts)["db.sessions"] == (0, 1)


# The sessions of each step.


def test_the_sessions_of_each_step_are_the_same_whenever_the_collector_ran():
    def story(*collected):
        tale = Tale().leave(1, 2).look().collect(*collected).leave(3).look(2)
        return [
            [(each.connection.name, each.state) for each in step]
            for step in tale.trace.entities.sessions.values()
        ]

    assert story() == story(1) == story(1, 2)
    assert story() == [
        [("C1", "abandoned"), ("C2", "abandoned")],
        [("C1", "abandoned"), ("C2", "abandoned"), ("C3", "abandoned")],
    ]


# A server without room.


def refused(number, tale):
    tale.thread(number + 1).sent(number, f"r{number}").begin(number, number + 1)
    return tale.tell("db.failed", th=number + 1, r=number, w=number, error="OperationalError").end(
        number, number + 1
    )


def test_a_connection_that_was_refused_for_want_of_room_makes_what_follows_unknown():
    facts = refused(3, Tale(room=2).leave(1, 2)).look().facts
    assert isinstance(facts.figures["db.failed"], Unknown)
    assert "request 3 could open a database connection depends on" in facts.figures["db.failed"].reason
    assert isinstance(facts.figures["r3.status"], Unknown)
    assert (facts.figures["requests"], facts.figures["r1.thread"]) == (3, "T1")
    assert facts.unknown_overlaps[frozenset({"r1", "r3"})] == facts.figures["db.failed"]


def test_so_does_one_that_the_collector_has_made_room_for():
    facts = Tale(room=2).leave(1, 2).collect(1, 2).leave(3).look().facts
    assert isinstance(facts.figures["db.failed"], Unknown)


def test_with_room_left_a_failure_has_another_reason():
    assert refused(3, Tale(room=3).leave(1, 2)).look().facts.figures["db.failed"] == 1


def test_without_abandoned_connections_a_failure_has_another_reason():
    assert refused(3, Tale("off", room=2).leave(1, 2)).look().facts.figures["db.failed"] == 1
    assert refused(1, Tale()).look().facts.figures["db.failed"] == 1


def test_a_server_that_refuses_connections_is_another_reason():
    tale = refused(2, Tale().leave(1).tell("db.fault", p=0, action="refuse connections"))
    assert tale.facts.figures["db.failed"] == 1
    assert isinstance(
        refused(3, tale.tell("db.fault", p=0, action="accept connections")).facts.figures["db.failed"], Unknown
    )


def test_each_database_varies_by_itself_and_the_sums_by_themselves():
    never = {"db.abandoned": 3, 'db["a"].abandoned': 2, 'db["a"].lost': 0, 'db["b"].abandoned': 1, "db.open": 1}
    at_once = {
        "db.abandoned": 0,
        'db["a"].abandoned': 0,
        'db["a"].lost': 2,
        'db["b"].abandoned': 0,
        "db.open": 1,
    }
    assert alternatives(never, at_once) == (
        ({"db.abandoned": 0}, {"db.abandoned": 1}, {"db.abandoned": 2}),
        ({'db["a"].abandoned': 0, 'db["a"].lost': 2}, {'db["a"].abandoned': 1, 'db["a"].lost': 1}),
        ({'db["b"].abandoned': 0},),
    )


def test_a_database_that_alone_varies_does_so_with_the_sums():
    never = {"db.abandoned": 1, 'db["a"].abandoned': 1, 'db["a"].peak': 2}
    at_once = {"db.abandoned": 0, 'db["a"].abandoned': 0, 'db["a"].peak': 1}
    assert alternatives(never, at_once) == (
        ({"db.abandoned": 0, 'db["a"].abandoned': 0},),
        ({'db["a"].peak': 1},),
    )


# Any sequence, with the collector at any time.


def told_at_random(seed, collecting, mode):
    """Tell a story that ``seed`` decides; ``collecting`` decides when the collector runs, if at all."""
    plan, collector, tale = random.Random(seed), random.Random(f"{seed} {collecting}"), Tale(mode)
    uncollected = set()
    for number in range(1, plan.randint(2, 8)):
        tale.leave(number)
        uncollected.add(number)
        if plan.random() < 0.2:
            tale.gone(*tale.there).tell("db.fault", p=0, action="end sessions")
        if collecting and collector.random() < 0.5:
            found = set(collector.sample(sorted(uncollected), collector.randint(0, len(uncollected))))
            tale.collect(*found)
            uncollected -= found
        if plan.random() < 0.5:
            tale.look(number)
    return tale.look(9).trace


@pytest.mark.parametrize("seed", range(40))
def test_what_was_seen_is_within_the_bounds_which_are_always_the_same(seed):
    first = facts_of(told_at_random(seed, 0, "automatic"))
    for collecting in range(1, 5):
        trace = told_at_random(seed, collecting, "automatic")
        assert facts_of(trace) == first
        seen = facts_of(told_at_random(seed, collecting, "off")).figures
        for name, figure in first.figures.items():
            bounds = first.bounds(name)
            assert seen[name] == figure if bounds is None else bounds[0] <= seen[name] <= bounds[1], name
        for group in first.alternatives:
            possible = [*group, {name: first.figures[name] for name in group[0]}]
            assert {name: seen[name] for name in group[0]} in possible
