"""What depends on the garbage collector, with a database server, however a run is started."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import Facts, facts_of
from sphinx_djconn.trace.reading import Trace
from tests.lab.databases.projects_on_servers import SETTINGS, VIEWS, Run
from tests.support.building import Docs
from tests.support.choosing import a_few

FORTY = "40 x new client: GET /query"

OFTEN = "import gc\ngc.set_threshold(300, 2, 2)\n" + SETTINGS
"""A project whose garbage is collected often."""


def bounds(facts: Facts) -> dict[str, Any]:
    return {name: found for name in facts.figures if (found := facts.bounds(name)) is not None}


def seen(trace: Trace) -> int:
    """Return how many sessions the server really had at the end."""
    *_, last = (event for event in trace.events if event.kind == "db.sessions")
    return len(last.data["sessions"])


def twelve(docs: Docs, databases: Path, settings: str, *, warm: bool) -> Trace:
    project = read_project(docs.project(views=VIEWS, settings=settings), docs.source)
    profiles = Profiles(projects={"default": project})
    with closing(Laboratory(profiles, databases, timeout=90, warm=warm)) as laboratory:
        sequence = parse_sequence("12 x new client: GET /query")
        return laboratory.run(Scenario(sequence, database="postgresql", conn_max_age=None)).runs[0]


@pytest.mark.exhaustive
def test_clients_have_the_same_facts_whenever_the_collector_ran(docs: Docs, databases: Path, postgresql: str):
    warm = twelve(docs, databases, SETTINGS, warm=True)
    cold = twelve(docs, databases, OFTEN, warm=False)
    one, other = facts_of(warm), facts_of(cold)
    end = dict.fromkeys(("db.sessions", "db.abandoned", "db.lost"), (0, 12))
    assert {n: each for n, each in bounds(one).items() if '["' not in n} == {**end, "db.peak": (1, 12)}
    assert one.alternatives == other.alternatives
    assert one.figures | {"thread_idents": 0} == other.figures | {"thread_idents": 0}
    assert seen(cold) < 12, "the collector has run"


@pytest.mark.parametrize(("mode", "left"), a_few([("off", 40), ("each-request", 1)], ("each-request", 1)))
def test_forty_clients_leave_what_the_option_says(run: Run, postgresql: str, mode: str, left: int):
    trace = run("postgresql", FORTY, conn_max_age=None, garbage_collection=mode)
    facts = facts_of(trace)
    assert facts.alternatives == ()
    assert (facts.figures["db.abandoned"], facts.figures["db.lost"]) == (left, 40 - left)
    assert facts.figures["db.sessions"] == seen(trace) == left
    assert facts.figures["db.peak"] == (40 if mode == "off" else 2)


@pytest.mark.exhaustive
def test_under_asgi_a_collection_after_each_request_frees_all(run: Run, postgresql: str):
    pytest.importorskip("uvicorn")
    trace = run("postgresql", FORTY, server="uvicorn", conn_max_age=None, garbage_collection="each-request")
    assert facts_of(trace).figures["db.sessions"] == seen(trace) == 0


@pytest.mark.exhaustive
def test_a_server_without_room_says_on_what_it_depends(docs: Docs, databases: Path, postgresql: str):
    pytest.importorskip("psycopg")
    from sphinx_djconn.lab.profiles.databases import DATABASES, Database  # noqa: PLC0415

    project = read_project(docs.project(views=VIEWS, settings=SETTINGS), docs.source)
    small = Database("PostgreSQL", "postgresql", max_connections=3)
    profiles = Profiles(projects={"default": project}, databases={**DATABASES, "small": small})
    with closing(Laboratory(profiles, databases, timeout=90)) as laboratory:
        sequence = "3 x new client: GET /query\nnew client: GET /query as fourth"
        scenario = Scenario(parse_sequence(sequence), database="small", conn_max_age=None)
        facts = facts_of(laboratory.run(scenario).runs[0])
    reason = (
        "whether request 4 could open a database connection depends on when Python's garbage collector runs"
    )
    assert facts.figures["fourth.status"].reason.startswith(reason)
    assert facts.figures["requests"] == 4


PAGE = """
    Forty clients
    =============

    .. djconn:scenario:: forty
       :database: postgresql
       :conn-max-age: none
       :show: sequence, requests, sessions, summary, log, settings

       40 x new client: GET /query

    .. djconn:matrix:: modes
       :database: postgresql
       :conn-max-age: none
       :garbage-collection: automatic, each-request
       :facts: db.opened, db.sessions

       3 x new client: GET /query

    .. djconn:claim:: as-chosen
       :in: modes
       :where: garbage_collection == "each-request"
       :expect: db.sessions == 1

       After each request, the sessions that were abandoned before it end.
"""


@pytest.mark.exhaustive
def test_two_builds_give_the_same_page_warm_and_cold(docs: Docs, postgresql: str):
    pages, reports = [], []
    for warm in ("1", "0"):
        settings = SETTINGS if warm == "1" else OFTEN
        docs.configure(djconn_project=docs.project(views=VIEWS, settings=settings))
        docs.page("index", PAGE)
        built = docs.build("html", "-E", "-D", f"djconn_warm={warm}")
        assert built.warnings == []
        pages.append(built.read("index.html"))
        reports.append(docs.build("djconn", "-D", f"djconn_warm={warm}").read("facts.json"))
    assert pages[0] == pages[1]
    assert reports[0] == reports[1]
    assert "0 to 40 (depends on when the garbage collector runs)" in pages[0]
    assert "C1 abandoned" in pages[0]
    assert "Whether the server still has its session depends on" in pages[0]
    facts = json.loads(reports[0])
    assert facts["forty"]["axes"]["garbage-collection"] == "automatic"
    assert facts["forty"]["runs"][0]["db.sessions"] == {"from": 0, "to": 40}
    chosen = facts["modes[garbage-collection=each-request]"]
    assert (chosen["axes"]["garbage-collection"], chosen["runs"][0]["db.sessions"]) == ("each-request", 1)
