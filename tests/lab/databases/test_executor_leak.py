"""What the threads of a view's executor leave open is in the facts: with a database server, and without."""

import json

import pytest

from tests.support.building import Docs

VIEWS = """
import threading
from concurrent.futures import ThreadPoolExecutor


def one():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


def executor(request):
    barrier = threading.Barrier(3)

    def job(number):
        barrier.wait(20)
        return one()

    with ThreadPoolExecutor(3) as pool:
        return JsonResponse({"sum": sum(pool.map(job, range(3)))})
"""

PAGE = """
    Threads of a view
    =================

    .. djconn:scenario:: executor
       :server: one-sync
       :database: postgresql
       :conn-max-age: 0
       :garbage-collection: off

       2 x browser: GET /executor

    .. djconn:claim:: six-sessions
       :in: executor
       :expect: db.sessions == 6

       Connections that a view's executor threads have opened stay open when the threads have ended.

    .. djconn:claim:: nothing-leaks
       :in: executor
       :expect: db.abandoned == 0 and db.open == 0 and db.lost == 0 and db.opened == db.closed
       :verdict: refuted

       Django closes all of them.

    .. djconn:scenario:: executor-sqlite
       :server: one-sync
       :conn-max-age: 0

       2 x browser: GET /executor

    .. djconn:claim:: nothing-leaks-sqlite
       :in: executor-sqlite
       :expect: db.abandoned == 0 and db.open == 0 and db.lost == 0 and db.opened == db.closed
       :verdict: refuted

       Django closes all of them.
"""

SERVER = {
    "command": ["gunicorn", "--workers=1", "{wsgi}"],
    "env": {"GUNICORN_CMD_ARGS": "--bind=127.0.0.1:{port}", "XDG_RUNTIME_DIR": "{folder}"},
}


def test_a_claim_that_nothing_leaks_is_refuted_if_the_threads_of_an_executor_leak(
    docs: Docs, postgresql: str
) -> None:
    pytest.importorskip("gunicorn")
    docs.configure(
        djconn_project=docs.project(views=VIEWS), djconn_servers={"one-sync": SERVER}, djconn_timeout=90
    )
    docs.page("index", PAGE)
    built = docs.build("djconn")
    assert built.code == 0, built.errors
    verdicts = {claim["id"]: claim["verdict"] for claim in json.loads(built.read("claims.json"))}
    assert verdicts == {
        "six-sessions": "holds",
        "nothing-leaks": "refuted",
        "nothing-leaks-sqlite": "refuted",
    }
    for (run,) in (each["runs"] for each in json.loads(built.read("facts.json")).values()):
        assert (run["db.opened"], run["db.closed"], run["threads_started"]) == (6, 0, 6)
        assert run["db.abandoned"] + run["db.lost"] == 6
