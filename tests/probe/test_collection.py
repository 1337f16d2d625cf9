"""The probe keeps nothing alive: the collector finds every connection whose thread has ended."""

import pytest

HUNDREDS = 300


@pytest.fixture(scope="module")
def abandoned(server):
    """Abandon hundreds of connections; return what was to be seen before their collection and after.

    Before Django 5.1 the main thread keeps the connection of its migration check: it is left out.
    """
    standing = server.look().databases
    for _ in range(HUNDREDS):
        server.get("/on/default/")
    before = server.look().databases - standing, server.sink.figures()
    server.get("/collect/")
    return before, (server.look().databases - standing, server.sink.figures())


def test_hundreds_of_connections_stay_open_until_they_are_collected(abandoned):
    (before, figures), _ = abandoned
    assert before == figures["db.abandoned"] == figures["db.peak"] == HUNDREDS


def test_the_collector_closes_them_all(abandoned):
    _, (after, _) = abandoned
    assert after == 0


def test_each_collection_is_told_once(abandoned, server):
    collected = [event for event in server.sink.events if event["k"] == "db.collected"]
    opened = {event["c"] for event in server.sink.events if event["k"] == "db.open" and "r" in event}
    assert len(collected) == HUNDREDS
    assert {event["c"] for event in collected} == opened


def test_no_figure_of_connections_has_changed(abandoned):
    def connections(figures):
        skipped = "db.wrappers"  # the collecting request can have made some
        return {name: each for name, each in figures.items() if name.startswith("db.") and name != skipped}

    (_, before), (_, after) = abandoned
    assert connections(before) == connections(after)
