"""The probe, unchanged, and the demo site on each Django, with the newest Python here that it supports."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.support.absence import skip_without_python

pytestmark = pytest.mark.exhaustive

VERSIONS = ("1.11", "2.0", "2.1.3", "2.1.4", "2.2", "3.2", "4.0", "4.2", "5.0", "5.1", "5.2", "6.0")
HANGING_UP = ("django-1.11", "django-2.0", "django-2.1.3")
"""Those whose development server keeps no connection: "Fixed keep-alive support in runserver after it was
disabled to fix another issue in Django 2.0" (release notes of 2.1.4)."""

KEPT = "browser: GET /polls/ -> 200\nwait 50ms\n" * 6
"""With pauses in which the client can notice that the server has hung up without a word before."""

EVERYTHING = """
browser: GET /polls/ -> 200
new client: POST /polls/ with {"question_text": "Which?"} -> 201 as made
new client: POST /polls/ with question_text=What -> 201
new client: GET /polls/1/ -> 200
new client: GET / -> 302
new client: GET /admin/ -> 302
new client: GET /stream/ -> 200
new client: GET /broken-query/ -> 500
new client: GET /caught-error/ -> 200
new client: GET /whoami/ -> 200 as stranger
new client: GET /no-such-page/ -> 404
browser: close
wait 50ms
"""
TOGETHER = """
together:
    browser: GET /polls/ -> 200 as one
    new client: GET /polls/ -> 200 as other
    4 x new client: GET /polls/ -> 200
"""
RELOAD = """
browser: GET /polls/ -> 200 as before
reload
browser: GET /polls/ -> 200 as after
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with closing(Laboratory(Profiles(), tmp_path_factory.mktemp("databases"), timeout=60)) as laboratory:
        yield laboratory


@pytest.fixture(params=[f"django-{each}" for each in VERSIONS])
def environment(request: pytest.FixtureRequest, laboratory: Laboratory) -> str:
    """Return the name of an environment; those that are made are kept where builds keep theirs."""
    name: str = request.param
    try:
        laboratory.environment(Scenario(parse_sequence(KEPT), environment=name))
    except AbsentError as error:
        if "needs Python" not in error.message:
            raise
        skip_without_python()
    return name


def figures(trace: Trace, *names: str) -> tuple[Any, ...]:
    told = facts_of(trace).figures
    return tuple(told[name] for name in names)


def test_the_probe_sees_the_same_on_each(laboratory: Laboratory, environment: str) -> None:
    def run(sequence: str, server: str = "runserver") -> Trace:
        scenario = Scenario(parse_sequence(sequence), server, environment=environment, conn_max_age=None)
        return laboratory.run(scenario).runs[0]

    connections, abandoned = (6, 6) if environment in HANGING_UP else (1, 0)
    kept = run(KEPT)
    assert kept.settings["Django"].startswith(environment.removeprefix("django-"))
    names = ("http.connections", "threads", "db.opened", "db.abandoned")
    assert figures(kept, *names) == (connections, connections, connections, abandoned)
    together = run(TOGETHER)
    assert figures(together, "threads", "db.opened", "db.peak") == (6, 6, 6)
    assert facts_of(together).overlaps == {frozenset({"one", "other"})}
    reloaded = run(RELOAD, "runserver-reload")
    assert figures(reloaded, "processes", "before.process", "after.process") == (2, "P1", "P2")


def test_the_demo_site_answers_the_same_on_each(laboratory: Laboratory, environment: str) -> None:
    trace = laboratory.run(Scenario(parse_sequence(EVERYTHING), environment=environment)).runs[0]
    assert figures(trace, "made.json")[0]["question_text"] == "Which?"
    assert figures(trace, "stranger.json")[0]["user"] is None
    requests = list(trace.entities.requests.values())
    assert all(request.thread.ended for request in requests)
    assert [request.number for request in requests] == list(range(1, 12))


def test_a_cache_is_shared_by_all_that_follow(laboratory: Laboratory, tmp_path: Path) -> None:
    sequence = parse_sequence("browser: GET /plain/")
    with closing(Laboratory(laboratory.profiles, tmp_path)) as another:
        found = [
            each.environment(Scenario(sequence, environment="django-5.2")) for each in (laboratory, another)
        ]
    assert found[0] == found[1]
