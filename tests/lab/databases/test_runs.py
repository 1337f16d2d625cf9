"""Runs on a server: databases of their own, the same trace however they start, and no secret on a page."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.environments.environment import current
from sphinx_djconn.lab.fingerprint import Fingerprints
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

TWO_AND_A_MIRROR = """
DATABASES["other"] = {
    "ENGINE": "django.db.backends.postgresql", "NAME": "theirs", "HOST": "db.example.org", "PORT": "6432",
    "USER": "them", "PASSWORD": "a password of theirs",
    "OPTIONS": {"connect_timeout": 7, "sslmode": "verify-full", "service": "theirs", "pool": True},
}
DATABASES["mirror"] = {**DATABASES["other"], "TEST": {"MIRROR": "other"}}
"""


def run_project(docs: Docs, databases: Path, sequence: str, settings: str = "", **options: Any) -> Trace:
    project = read_project(docs.project(views=VIEWS, settings=SETTINGS + settings), docs.source)
    warm = options.pop("warm", True)
    profiles = Profiles(projects={"default": project})
    with closing(Laboratory(profiles, databases, warm=warm)) as laboratory:
        (trace,) = laboratory.run(Scenario(parse_sequence(sequence), **options)).runs
    return trace


def test_every_alias_has_a_database_of_its_own_and_a_mirror_that_of_another(
    docs: Docs, databases: Path, postgresql
):
    trace = run_project(
        docs,
        databases,
        "browser: GET /where as where\nbrowser: GET /both",
        TWO_AND_A_MIRROR,
        database=postgresql,
    )
    figures = facts_of(trace).figures
    where = figures["where.json"]
    assert {each["HOST"] for each in where.values()} == {"<server>"}
    assert where["other"]["OPTIONS"] == {"connect_timeout": 7}
    assert where["other"]["USER"] == where["default"]["USER"] == "django"
    assert "theirs" not in json.dumps(where)
    assert figures["statuses"] == [200, 200]


@pytest.mark.exhaustive
def test_no_socket_and_no_name_of_a_database_gets_into_a_trace(run: Run, kind: str):
    trace = run(kind, "browser: GET /where as where\ndatabase: refuse connections\nnew client: GET /query")
    text = json.dumps([trace.log, facts_of(trace).figures["where.json"], dict(trace.settings)])
    assert "/tmp/" not in text
    assert "<database>" in text
    assert "djconn-" not in text


def test_runs_do_not_see_the_data_of_one_another(docs: Docs, databases: Path, kind: str):
    views = VIEWS + (
        "\n\ndef write(request):\n"
        "    with connection.cursor() as cursor:\n"
        "        cursor.execute('CREATE TABLE mine (n int)')\n"
        "    return HttpResponse('written')\n"
    )
    project = read_project(docs.project(views=views, settings=SETTINGS), docs.source)
    scenario = Scenario(parse_sequence("browser: GET /write -> 200"), database=kind, runs=3)
    with closing(Laboratory(Profiles(projects={"default": project}), databases)) as laboratory:
        assert len(laboratory.run(scenario).runs) == 3


def test_a_request_of_together_has_its_turn_also_while_its_database_server_works(run: Run, kind: str):
    figures = facts_of(
        run(kind, "together:\n   one: GET /at_work as one\n   other: GET /at_work as other")
    ).figures
    one, other = figures["one.json"], figures["other.json"]
    assert one["ended"] - one["began"] > 0.3  # and no thread of the server has anything to do meanwhile
    assert one["ended"] < other["began"]


SEQUENCE = (
    "2 x browser: GET /query\n2 x new client: GET /query\ndatabase: end sessions\n2 x browser: GET /query"
)


@pytest.mark.parametrize("name", ["postgresql", "pool"])
@pytest.mark.exhaustive
def test_a_warm_start_leaves_the_trace_of_an_ordinary_one(
    docs: Docs, databases: Path, name: str, request: pytest.FixtureRequest
) -> None:
    database = request.getfixturevalue(name)
    age = {} if name == "pool" else {"conn_max_age": None}
    traces = [
        run_project(docs, databases, SEQUENCE, database=database, warm=warm, **age) for warm in (True, False)
    ]
    one, other = ([(e.kind, e.request) for e in trace.events if e.kind.startswith("db.")] for trace in traces)
    assert one == other
    by_chance = {
        "thread_idents",
        *({"db.sessions"} if name == "pool" else ()),
    }  # a pool grows when it gets to it
    figures = [{k: v for k, v in facts_of(trace).figures.items() if k not in by_chance} for trace in traces]
    assert figures[0] == figures[1]


def test_a_key_names_kind_version_and_options_and_no_password(postgresql: str):
    given = Database("PostgreSQL", "postgresql", {"pool": True}, dsn="postgresql://me:hush-hush@localhost/")
    profiles = Profiles(databases={**DATABASES, "given": given})
    scenario = Scenario(parse_sequence("browser: GET /"))
    keys = {}
    for name in profiles.databases:
        each = Scenario(scenario.sequence, database=name)
        keys[name] = Fingerprints(profiles).of(each, current()).parts
    assert "database" not in keys["sqlite"]
    assert json.loads(keys["postgresql"]["database"])["kind"] == "postgresql"
    assert keys["postgresql"]["database server"].startswith("postgresql 1")
    assert json.loads(keys["postgresql-pool"]["database"])["options"] == {
        "pool": {"min_size": 1, "max_size": 4}
    }
    assert "hush" not in str(keys["given"])
