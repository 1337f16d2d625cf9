"""No fact is false because an event of the probe is lost, there twice, late, or was never told."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.support.building import documentation
from tests.trace.mutations import false_facts, mutations

VIEWS = """
def query(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("queried")
"""
SEQUENCE = """
browser: GET /query as a
2 x new client: GET /query
browser: GET /nowhere as b
together:
    browser: GET /query as c
    new client: GET /query as d
"""

UNSEEN = {"db.use", "db.failed", "db.health", "db.usable", "db.wrapper", "http.thread", "greenlet.end"}
"""What has no second witness, if the probe never tells it."""

UNSEEN_FACTS = {"thread.start": "threads_started"}
"""The facts that nothing else shows if the probe never tells an event of this kind, of an idle thread."""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> Iterator[Laboratory]:
    with documentation(tmp_path_factory.mktemp("mutations") / "docs", databases) as docs:
        project = read_project(docs.project(views=VIEWS), docs.source)
        with closing(Laboratory(Profiles(projects={"default": project}), databases, timeout=120)) as laboratory:
            yield laboratory


def run(laboratory: Laboratory, **options: Any) -> Trace:
    recording = laboratory.run(Scenario(parse_sequence(SEQUENCE.strip()), **options))
    assert recording.notes == ()
    return recording.runs[0]


def is_returned(event: Event) -> bool:
    """Return whether a connection goes back to its pool, which keeps the socket and the session."""
    return event.kind == "db.close" and bool(event.data.get("pooled"))


def lies(trace: Trace, step: int) -> list[str]:
    """Return what a mutated trace says otherwise than ``trace``."""
    true = facts_of(trace)
    assert not false_facts(true, true)
    found = []
    for how, event, mutated in mutations(trace, step):
        if how == "unseen" and (event.kind in UNSEEN or is_returned(event)):
            continue
        told = false_facts(facts_of(mutated), true)
        if how == "unseen":
            hidden = UNSEEN_FACTS.get(event.kind)
            told = [each for each in told if each.partition(" is ")[0].rpartition(".")[2] != hidden]
        if told:
            found.append(f"{event.kind} of request {event.request} {how}: {'; '.join(told)}")
    return found


@pytest.mark.parametrize("age", [None, 0])
def test_no_broken_event_makes_a_fact_false(laboratory: Laboratory, age: float | None) -> None:
    assert lies(run(laboratory, conn_max_age=age), step=10) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("age", [None, 0])
@pytest.mark.parametrize(
    ("server", "database"),
    [
        ("runserver", "sqlite"),
        ("runserver", "postgresql"),
        ("runserver", "postgresql-pool"),
        ("runserver-nothreading", "sqlite"),
        ("gunicorn-sync", "postgresql"),
        ("gunicorn-gthread", "sqlite"),
        ("gunicorn-gevent", "sqlite"),
        ("uvicorn", "sqlite"),
        ("uvicorn", "postgresql"),
    ],
)
def test_no_broken_event_makes_a_fact_false_under_any_server(
    laboratory: Laboratory, server: str, database: str, age: float | None
) -> None:
    if database == "postgresql-pool" and age != 0:
        pytest.skip("Django refuses a pool with persistent connections")
    assert lies(run(laboratory, server=server, database=database, conn_max_age=age), step=1) == []
