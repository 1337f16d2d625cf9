"""What a database server says of its sessions, and what a client of this test's own says of them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.claims.expression import parse
from sphinx_djconn.claims.judgement import Verdict
from sphinx_djconn.claims.verdict import judge
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.databases import DATABASES, Database
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.lab.databases.projects_on_servers import SETTINGS, VIEWS, Run
from tests.support.building import Docs
from tests.support.choosing import a_few


def figures(trace: Trace) -> dict[str, Any]:
    return {name.removeprefix("db."): figure for name, figure in facts_of(trace).figures.items()}


def sessions(trace: Trace) -> list[set[str]]:
    """Return the names of the sessions at the end of each step, ``?`` for those of no wrapper."""
    found = trace.entities.sessions
    assert found is not None
    return [
        {"?" if each.connection is None else each.connection.name for each in step} for step in found.values()
    ]


class Observer:
    """Asks the server with a connection of its own, while a view waits for that."""

    def __init__(self, docs: Docs, dsn: str, databases: Path) -> None:
        self._dsn = dsn
        self._site = docs.folder / "site"
        project = read_project(docs.project(views=VIEWS, settings=SETTINGS), docs.source)
        given = Database("PostgreSQL", "postgresql", dsn=dsn)
        pooled = Database("PostgreSQL", "postgresql", DATABASES["postgresql-pool"].options, dsn=dsn)
        profiles = Profiles(projects={"default": project}, databases={"given": given, "pooled": pooled})
        self.laboratory = Laboratory(profiles, databases, timeout=60)

    def observe(self, sequence: str, **options: Any) -> tuple[Trace, set[int]]:
        """Return the trace of a sequence that ends in ``/held``, and the sessions seen then."""
        for name in (".held", ".seen"):
            self._site.joinpath(name).unlink(missing_ok=True)
        with ThreadPoolExecutor() as pool:
            scenario = Scenario(parse_sequence(sequence), garbage_collection="off", **options)
            running = pool.submit(self.laboratory.run, scenario)
            while not self._site.joinpath(".held").exists() and not running.done():
                time.sleep(0.01)
            seen = self.ask("SELECT pid FROM pg_stat_activity WHERE datname LIKE 'djconn%'")
            self._site.joinpath(".seen").touch()
            (trace,) = running.result().runs
        return trace, {pid for (pid,) in seen}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        psycopg = pytest.importorskip("psycopg")
        with psycopg.connect(self._dsn) as connection:
            found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return found


@pytest.fixture
def observer(docs: Docs, dsn: str, databases: Path) -> Iterator[Observer]:
    observer = Observer(docs, dsn, databases)
    with closing(observer.laboratory):
        yield observer


RUNS = [("runserver", None), ("runserver", 0), ("gunicorn-gthread", None), ("uvicorn", None)]


@pytest.mark.parametrize(("server", "age"), a_few(RUNS, ("runserver", None), ("uvicorn", None)))
def test_sessions_are_those_that_a_client_of_ones_own_counts(
    observer: Observer, server: str, age: float | None
):
    sequence = "3 x new client: GET /query\n2 x browser: GET /query\nbrowser: GET /held"
    trace, seen = observer.observe(sequence, server=server, database="given", conn_max_age=age)
    steps = [event for event in trace.events if event.kind == "db.sessions"]
    assert {pid for pid, _ in steps[-2].data["sessions"]} == seen
    found = figures(trace)
    assert found["sessions"] == found["open"] + found["abandoned"]
    assert all("?" not in names for names in sessions(trace))


def test_sessions_of_a_pool_are_those_that_a_client_of_ones_own_counts(observer: Observer, pool: str):
    trace, seen = observer.observe("4 x new client: GET /query\nbrowser: GET /held", database="pooled")
    steps = [event for event in trace.events if event.kind == "db.sessions"]
    assert {pid for pid, _ in steps[-1].data["sessions"]} == seen


def test_nothing_is_left_on_a_server_that_was_given(observer: Observer):
    observer.observe("browser: GET /held", database="given")
    observer.laboratory.close()
    assert observer.ask("SELECT datname FROM pg_database WHERE datname LIKE 'djconn%'") == []


def test_sessions_whose_thread_has_ended_are_abandoned(run: Run, kind: str):
    found = figures(run(kind, "3 x new client: GET /query\nbrowser: GET /query", conn_max_age=None))
    assert (found["sessions"], found["abandoned"], found["open"], found["lost"]) == (4, 3, 1, 0)


def test_sessions_that_python_has_freed_are_lost_and_not_abandoned(docs: Docs, databases: Path, kind: str):
    views = VIEWS + "\n\ndef collect(request):\n    import gc\n    gc.collect()\n    return query(request)\n"
    project = read_project(docs.project(views=views, settings=SETTINGS), docs.source)
    sequence = "3 x new client: GET /query\nbrowser: GET /collect"
    options: dict[str, Any] = {"database": kind, "conn_max_age": None, "garbage_collection": "off"}
    scenario = Scenario(parse_sequence(sequence), **options)
    with closing(Laboratory(Profiles(projects={"default": project}), databases)) as laboratory:
        trace = laboratory.run(scenario).runs[0]
    found = figures(trace)
    assert (found["sessions"], found["abandoned"], found["lost"], found["peak"]) == (1, 0, 3, 3)
    assert sessions(trace) == [{"C1", "C2", "C3"}, {"C4"}]


def test_a_session_that_no_wrapper_has_had_is_counted_and_shown_as_such(run: Run, kind: str):
    trace = run(kind, "browser: GET /query\nbrowser: GET /unknown", conn_max_age=None)
    assert sessions(trace) == [{"C1"}, {"C1", "?"}]
    assert figures(trace)["sessions"] == 2


def test_closed_sessions_are_gone_at_the_end_of_their_step(run: Run, kind: str):
    assert sessions(run(kind, "5 x new client: GET /query\nbrowser: GET /query", conn_max_age=0)) == [
        set(),
        set(),
    ]


def test_a_pool_reuses_its_sessions_and_django_closes_none(run: Run, pool: str):
    trace = run(pool, "6 x new client: GET /query")
    found = figures(trace)
    pids = {each.pid for each in trace.entities.db_connections.values()}
    assert found["opened"] + found["outside_requests"] == len(pids)
    assert (found["closed"], found["returned"], found["abandoned"], found["lost"]) == (0, 6, 0, 0)
    assert found["opened"] + found["reused"] == 6
    assert found["sessions"] >= len(pids)


def test_an_expression_about_sessions_of_sqlite_says_what_to_do(run: Run):
    facts = facts_of(run("sqlite", "browser: GET /query"))
    judgement = judge(parse("db.sessions == 0"), [facts])
    assert judgement.verdict is Verdict.UNPROVEN
    assert "SQLite has no sessions; give the scenario a database with a server" in judgement.reason
