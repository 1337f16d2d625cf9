"""Connections are told to be opened, used, checked and closed, whatever a backend overrides."""

import time

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from sphinx_djconn.probe.databases import takes_only_self
from tests.probe.instruments import Client


def story(visit, *kinds):
    """Return the kinds of a visit's events that are of a database connection."""
    return [kind for kind in visit.kinds if kind in kinds or kind in ("db.open", "db.use", "db.close")]


def reasons(visit):
    return [(event["why"], event["phase"]) for event in visit.told("db.close")]


@pytest.mark.parametrize(
    "alias",
    [
        "ageless",
        "own-arguments",
        "own-close",
        "own-low-level-close",
        "own-connect",
        "own-ensure-connection",
        "with-super",
    ],
)
def test_a_connection_is_opened_and_closed_once_whatever_is_overridden(server, alias):
    with Client(server) as client:
        for _ in range(2):
            visit = client.get(f"/on/{alias}/")
            assert story(visit) == ["db.open", "db.close"]
            assert reasons(visit) == [("end of request", "end")]


@pytest.mark.parametrize(
    "method", ["ensure_connection", "close_if_unusable_or_obsolete", "close_if_health_check_failed"]
)
def test_what_django_calls_for_each_query_is_watched_in_the_shortest_way(method):
    assert takes_only_self(getattr(BaseDatabaseWrapper, method))


def test_a_connection_without_an_age_limit_is_used_again(server):
    with Client(server) as client:
        first, second, idle = (client.get(path) for path in ("/polls/", "/polls/", "/plain/"))
    assert [story(each) for each in (first, second, idle)] == [["db.open"], ["db.use"], []]
    (opened,), (used,) = first.told("db.open"), second.told("db.use")
    assert (opened["w"], opened["c"]) == (used["w"], used["c"])


def test_a_connection_that_got_too_old_is_closed_before_the_next_view(server):
    with Client(server) as client:
        young = client.get("/on/ageing/")
        time.sleep(0.25)
        old = client.get("/on/ageing/")
    assert story(young) == ["db.open"]
    assert story(old) == ["db.close", "db.open"]
    assert reasons(old) == [("age", "start")]


def test_a_connection_that_broke_is_closed_because_of_the_error(server):
    with Client(server) as client:
        client.get("/on/breakable/")
        visit = client.get("/break/breakable/")
    assert story(visit, "db.usable") == ["db.use", "db.usable", "db.close"]
    assert [event["usable"] for event in visit.told("db.usable")] == [False]
    assert reasons(visit) == [("error", "end")]


def test_a_connection_that_an_error_left_usable_stays_open(server):
    with Client(server) as client:
        visit = client.get("/caught-error/")
    assert story(visit, "db.usable") == ["db.open", "db.usable"]
    assert [event["usable"] for event in visit.told("db.usable")] == [True]


def test_a_health_check_is_told_with_its_outcome(server):
    (version,) = (event["version"] for event in server.sink.events if event["k"] == "django")
    if tuple(map(int, version.split(".")[:2])) < (4, 1):
        pytest.skip("there are no health checks before Django 4.1")
    with Client(server) as client:
        first, second = client.get("/on/checked/"), client.get("/on/checked/")
        server.get("/spoil/checked/")
        third = client.get("/on/checked/")
    assert story(first, "db.health") == ["db.open"]
    assert story(second, "db.health") == ["db.health", "db.use"]
    assert story(third, "db.health") == ["db.health", "db.close", "db.open"]
    assert [event["usable"] for event in second.told("db.health")] == [True]
    assert [event["usable"] for event in third.told("db.health")] == [False]
    assert reasons(third) == [("health check", "view")]


def test_a_view_that_closes_is_told_to_have_done_so(server):
    with Client(server) as client:
        visit = client.get("/close/")
    assert story(visit) == ["db.open", "db.close", "db.open"]
    assert reasons(visit) == [("explicit", "view")]


def test_a_connection_that_was_taken_away_is_neither_open_nor_closed_by_django(server):
    with Client(server) as client:
        visit = client.get("/replace/")
    assert story(visit) == ["db.open", "db.close", "db.open"]
    assert reasons(visit) == [("dropped", "view")]


def test_a_database_in_memory_is_not_closed_by_its_close(server):
    with Client(server) as client:
        first, second = client.get("/on/in-memory/"), client.get("/on/in-memory/")
    assert [story(first), story(second)] == [["db.open"], ["db.use"]]


def test_an_attempt_that_fails_is_told_once(server):
    visit = server.get("/on/refusing/")
    assert visit.json == {"error": "OperationalError"}
    assert [event["error"] for event in visit.told("db.failed")] == ["OperationalError"]
    assert story(visit) == []


def test_a_connection_that_fails_while_it_is_set_up_is_open_all_the_same(server):
    visit = server.get("/on/half-open/")
    assert visit.json == {"error": "OperationalError"}
    assert story(visit, "db.failed") == ["db.open", "db.failed"]


def test_a_use_after_the_view_belongs_to_the_request(server):
    visit = server.get("/stream/")
    assert story(visit) == ["db.open"]


def test_the_migration_check_has_a_connection_outside_of_requests(server):
    outside = [event for event in server.sink.events if event["k"] == "db.open" and "r" not in event]
    assert len(outside) == 1


def test_a_setting_that_is_no_json_is_told_all_the_same(server):
    visit = server.get("/on/fraction/")
    assert visit.json == {"answer": 1}
    assert [event["max_age"] for event in visit.told("db.wrapper") if event["alias"] == "fraction"] == ["7/2"]
