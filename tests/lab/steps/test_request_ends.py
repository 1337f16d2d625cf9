"""Requests whose end the server does not tell: never, elsewhere, or with the end of their process."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sphinx_djconn.evidence.endings import endings
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.lab.steps import player
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.unknown import Unknown
from tests.support.building import Docs, documentation

VIEWS = """
import threading
from functools import cache

from django.core.wsgi import get_wsgi_application
from django.http import StreamingHttpResponse


def query(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("queried")


def broken_off(request):
    def parts():
        yield b"one"
        raise RuntimeError("broken off")

    return StreamingHttpResponse(parts())


application = cache(get_wsgi_application)


class Unclosed:
    def __init__(self, response):
        self.parts = iter(response)
        self.response = response

    def __iter__(self):
        return self.parts


class Elsewhere(Unclosed):
    def close(self):
        thread = threading.Thread(target=self.response.close)
        thread.start()
        thread.join()


def never_closed(environ, start_response):
    return Unclosed(application()(environ, start_response))


def closed_elsewhere(environ, start_response):
    return Elsewhere(application()(environ, start_response))
"""


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> Iterator[Docs]:
    with documentation(tmp_path_factory.mktemp("ends") / "docs", databases) as docs:
        yield docs


def run(docs: Docs, databases: Path, sequence: str, application: str = "application") -> Trace:
    name = f"site_{application}"
    settings = "" if application == "application" else f'WSGI_APPLICATION = "views.{application}"'
    project = read_project(docs.project(name, views=VIEWS, settings=settings), docs.source)
    with closing(Laboratory(Profiles(projects={"default": project}), databases, timeout=60)) as laboratory:
        recording = laboratory.run(Scenario(parse_sequence(sequence), conn_max_age=0))
    assert recording.notes == ()
    return recording.runs[0]


def test_an_end_that_is_never_told_is_waited_for_once(
    docs: Docs, databases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    wait = player.EventCollector.wait

    def noting(collector: player.EventCollector, test: object, what: str, **options: object) -> object:
        begun = time.monotonic()
        try:
            return wait(collector, test, what, **options)  # type: ignore[arg-type]
        finally:
            if what.startswith("the end of `GET"):
                waited.append(time.monotonic() - begun)

    monkeypatch.setattr(player, "_SETTLING", 0.5)
    monkeypatch.setattr(player.EventCollector, "wait", noting)
    trace = run(
        docs,
        databases,
        "browser: GET /query as a\nbrowser: GET /query as b\n7 x browser: GET /query",
        "never_closed",
    )
    assert len(waited) == 9
    assert sum(seconds >= 0.5 for seconds in waited) == 1
    figures = facts_of(trace).figures
    assert (figures["responses"], figures["db.opened"], figures["db.closed"]) == (9, 9, 8)
    (reason,) = {unknown.reason for unknown in facts_of(trace).unknown_overlaps.values()}
    assert reason == "the end of request 1 was not seen"
    (remark,) = endings(trace)
    assert remark.startswith("The server never closed the responses of requests 1–9: Django did not do")


def test_a_response_that_is_closed_in_another_thread_is_remarked_on(docs: Docs, databases: Path) -> None:
    trace = run(docs, databases, "2 x browser: GET /query", "closed_elsewhere")
    assert facts_of(trace).figures["db.closed"] == 1
    (remark,) = endings(trace)
    assert remark.startswith("The server closed the responses of requests 1–2 in other threads than those")


def test_a_stream_that_broke_off_where_the_client_cannot_know_is_remarked_on(
    docs: Docs, databases: Path
) -> None:
    trace = run(docs, databases, "browser: GET /broken_off\nbrowser: GET /query")
    figures = facts_of(trace).figures
    assert (figures["responses"], figures["http.close_delimited"]) == (2, 1)
    (remark,) = endings(trace)
    assert remark.startswith("The response of request 1 has neither a length nor chunks")


def test_views_have_intervals_of_their_own(docs: Docs, databases: Path) -> None:
    facts = facts_of(run(docs, databases, "together:\n    a: GET /query as a\n    b: GET /query as b"))
    assert facts.overlaps == {frozenset({"a", "b"})}
    assert facts.unknown_overlaps == {}
    facts = facts_of(run(docs, databases, "a: GET /nowhere as a\nb: GET /query as b"))
    assert facts.overlaps == frozenset()
    assert facts.unknown_overlaps == {
        frozenset({"a.view", "b.view"}): Unknown("no view was seen to handle request 1")
    }
