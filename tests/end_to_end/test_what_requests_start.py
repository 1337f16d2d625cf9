"""Connections that a request's threads, tasks and greenlets leave behind are counted, under real servers."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.unknown import Unknown
from tests.end_to_end.server_witness import skip_where_absent
from tests.support.building import Docs

VIEWS = """
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async
from django.db import connection

TASKS = set()


def query():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def plain(request):
    return HttpResponse("ok")


def executor(request):
    barrier = threading.Barrier(3)

    def work(_):
        barrier.wait(10)
        query()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    return HttpResponse("ok")


def greenlets(request):
    import gevent

    gevent.joinall([gevent.spawn(query) for _ in range(2)])
    return HttpResponse("ok")


def native(request):
    import gevent

    gevent.get_hub().threadpool.apply(query)
    return HttpResponse("ok")


async def tasks(request):
    await sync_to_async(query, thread_sensitive=False)()
    return HttpResponse("ok")


async def later(request):
    async def work():
        await asyncio.sleep(0.2)
        await sync_to_async(query, thread_sensitive=False)()

    TASKS.add(asyncio.ensure_future(work()))
    return HttpResponse("ok")
"""

OUTSIDE = """
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
django = get_wsgi_application()


def application(environ, start_response):
    if environ["PATH_INFO"] != "/outside":
        return django(environ, start_response)
    if environ["QUERY_STRING"]:
        from views import query

        query()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""

Run = Callable[..., Trace]


@pytest.fixture
def run(docs: Docs, databases: Path) -> Run:
    """Return what runs a sequence on a server, with the views above."""

    def running(sequence: str, server: str, settings: str = "") -> Trace:
        skip_where_absent(server)
        project = read_project(docs.project(views=VIEWS, settings=settings), docs.source)
        docs.folder.joinpath("site", "outer.py").write_text(OUTSIDE)
        scenario = Scenario(parse_sequence(sequence), server=server, conn_max_age=None)
        with closing(Laboratory(Profiles(projects={"default": project}), databases, timeout=90)) as laboratory:
            recording = laboratory.run(scenario)
        assert recording.notes == ()
        return recording.runs[0]

    return running


def figures(trace: Trace, *names: str) -> tuple[Any, ...]:
    found = facts_of(trace).figures
    return tuple(found[name] for name in names)


OPENED = ("db.opened", "db.closed", "db.open", "db.abandoned")


@pytest.mark.parametrize("server", ["runserver", "gunicorn-sync"])
def test_threads_of_an_executor(run: Run, server: str) -> None:
    trace = run("2 x browser: GET /executor", server)
    assert figures(trace, *OPENED, "threads_started") == (6, 0, 0, 6, 6)
    told = [connection.opened_in for connection in trace.entities.db_connections.values()]
    assert told.count(1) == told.count(2) == 3


@pytest.mark.exhaustive
def test_greenlets_that_a_view_spawns(run: Run) -> None:
    trace = run("browser: GET /greenlets as first\nbrowser: GET /native as second", "gunicorn-gevent")
    opened, closed, open_, abandoned = figures(trace, *OPENED)
    assert (opened, closed, open_ + abandoned) == (3, 0, 3)
    assert figures(trace, "first.db_connections", "second.db_connections") == (2, 1)
    assert isinstance(figures(trace, "threads_started")[0], Unknown)


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_tasks_and_threads_of_an_event_loop(run: Run, server: str) -> None:
    trace = run(
        "browser: GET /tasks as first\nbrowser: GET /later as second\nwait 600ms\nbrowser: GET /plain as third",
        server,
    )
    # The loop's pool has one thread for all of this, which keeps its connection.
    assert figures(trace, "db.opened", "db.reused", "db.peak") == (1, 1, 1)
    names = [f"{label}.db_connections" for label in ("first", "second", "third")]
    assert figures(trace, *names) == (1, 1, 0)
    assert figures(trace, "threads") == (2,)  # the loop's, and the one that ran the synchronous view


def test_a_request_without_a_view_has_no_thread_under_asgi(run: Run) -> None:
    trace = run("browser: GET /plain as first\nbrowser: GET /nowhere as missing", "uvicorn")
    assert figures(trace, "missing.status", "missing.thread", "threads", "executors", "tasks") == (
        404,
        None,
        1,
        1,
        2,
    )


def test_what_is_answered_outside_of_djangos_handler_is_counted_and_not_known(run: Run) -> None:
    settings = 'WSGI_APPLICATION = "outer.application"'
    trace = run("browser: GET /plain as inside\nbrowser: GET /outside as outside", "runserver", settings)
    assert figures(trace, "requests", "responses", "outside.status", "db.opened") == (2, 2, 200, 0)
    assert figures(trace, "inside.thread", "outside.http_connection") == ("T1", "H1")
    for name in ("threads", "processes", "executors", "outside.thread", "outside.db_connection"):
        assert figures(trace, name) == (Unknown("Django's handler never saw the request"),), name


def test_what_is_opened_outside_of_djangos_handler_is_not_known_to_be_the_servers_own(run: Run) -> None:
    settings = 'WSGI_APPLICATION = "outer.application"'
    trace = run("new client: GET /outside?query=1", "runserver", settings)
    assert all(isinstance(figure, Unknown) for figure in figures(trace, "db.opened", "db.outside_requests"))
    assert figures(trace, "db.abandoned") == (1,)
