"""What the steps that begin with ``database:`` do, and what Django and the server say of it then."""

import pytest

from sphinx_djconn.lab.errors import ClusterError
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.lab.databases.projects_on_servers import Run

MORE = {
    "two": Database("PostgreSQL", "postgresql", max_connections=2),
    "impatient": Database(
        "PostgreSQL", "postgresql", server_settings=(("idle_session_timeout", "200ms"),), max_connections=5
    ),
    "misspelt": Database("PostgreSQL", "postgresql", server_settings=(("idle_sesion_timeout", "200ms"),)),
}


def counts(trace: Trace) -> list[int]:
    """Return how many sessions there were at the end of each step."""
    assert trace.entities.sessions is not None
    return [len(found) for found in trace.entities.sessions.values()]


def statuses(trace: Trace) -> list[int]:
    return list(facts_of(trace).figures["statuses"])


def test_sessions_that_are_ended_are_gone_and_the_next_request_fails(run: Run, kind: str):
    trace = run(kind, "browser: GET /query\ndatabase: end sessions\n2 x browser: GET /query", conn_max_age=None)
    assert counts(trace) == [1, 0, 1]
    assert statuses(trace) == [200, 500, 200]
    assert facts_of(trace).figures["db.close_reasons"] == ["error"]


def test_health_checks_notice_a_session_that_was_ended(run: Run, kind: str):
    sequence = "browser: GET /query\ndatabase: end sessions\n2 x browser: GET /query"
    trace = run(kind, sequence, conn_max_age=None, conn_health_checks=True)
    assert statuses(trace) == [200, 200, 200]
    assert facts_of(trace).figures["db.close_reasons"] == ["health check"]


def test_a_restart_ends_all_sessions_and_keeps_the_data(run: Run, kind: str):
    before, after = "browser: GET /tables as before\n", "browser: GET /tables as after"
    trace = run(kind, f"{before}database: restart\n2 x browser: GET /query\n{after}", conn_max_age=None)
    figures = facts_of(trace).figures
    assert counts(trace) == [1, 0, 1, 1]
    assert statuses(trace) == [200, 500, 200, 200]
    assert "django_content_type" in figures["after.json"]["default"] == figures["before.json"]["default"]


def test_refused_connections_fail_until_they_are_accepted(run: Run, kind: str):
    sequence = """
browser: GET /query
database: refuse connections
browser: GET /query
new client: GET /query
database: accept connections
new client: GET /query
""".strip()
    trace = run(kind, sequence, conn_max_age=None)
    assert statuses(trace) == [200, 200, 500, 200]
    assert facts_of(trace).figures["db.failed"] >= 1
    assert counts(trace) == [1, 1, 1, 1, 1, 2]


@pytest.mark.exhaustive
def test_a_server_with_room_for_two_refuses_the_third(run: Run, postgresql: str):
    trace = run("two", "3 x new client: GET /query", conn_max_age=None)
    assert statuses(trace) == [200, 200, 500]
    assert counts(trace) == [2]
    assert trace.settings["max_connections"] == "2"


@pytest.mark.exhaustive
def test_a_session_is_ended_by_a_setting_of_the_server(run: Run, postgresql: str):
    trace = run("impatient", "browser: GET /query\nwait 600ms\nbrowser: GET /query", conn_max_age=None)
    assert counts(trace)[:2] == [1, 0]
    assert statuses(trace) == [200, 500]
    assert trace.settings["idle_session_timeout"] == "200ms"


def test_a_setting_that_the_server_does_not_know_is_told_in_its_own_words(run: Run, postgresql: str):
    with pytest.raises(ClusterError, match="idle_sesion_timeout"):
        run("misspelt", "browser: GET /query")
