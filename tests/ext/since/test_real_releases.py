"""Real releases of Django: what changed between them, and what varies in each of them."""

import json
import re
import sys

import pytest

from sphinx_djconn.lab.environments.interpreters import find_interpreters
from tests.support.absence import skip_without_python
from tests.support.building import Docs


def python(oldest: int, newest: int) -> None:
    """Skip a test on a machine without one of these minor versions of Python 3."""
    there = {each.version[1] for each in find_interpreters()}
    if not there & set(range(oldest, newest + 1)):
        skip_without_python()


@pytest.mark.exhaustive
def test_two_real_releases(docs: Docs):
    docs.configure(djconn_project=docs.project(views=QUERY), djconn_unsupported_pythons=True)
    docs.page("index", REAL)
    built = docs.build("text")
    assert built.warnings == []
    page = built.read("index.txt")
    assert "**holds until 5.0, in reused, Django 5.0, 5.1**" in page
    assert re.search(r"\*\*Django 5\.0\.\d+ \(Python 3\.\d+\.\d+\)\*\*", page)
    assert docs.build("text").ran == []


QUERY = """
    def query(request):
        connection.cursor().execute("SELECT 1")
        return HttpResponse("ok")
"""

REAL = """
    Real
    ====

    .. djconn:scenario:: reused
       :server: runserver-nothreading
       :conn-max-age: none

       browser: GET /query

    .. djconn:since:: reused-until
       :in: reused
       :releases: 5.0, 5.1
       :expect: db.opened == 0 and db.reused == 1
       :until: 5.0

       With ``--nothreading``, the first request reuses the connection of the migration check.
"""


@pytest.mark.exhaustive
def test_a_server_that_hangs_up_without_a_word_is_seen_alike_in_every_run(docs: Docs):
    python(6, 9)
    docs.configure(djconn_unsupported_pythons=True)
    docs.page("index", HANGING_UP)
    built = docs.build("djconn")
    assert built.warnings == []
    facts = json.loads(built.read("facts.json"))
    assert len(facts) == 2
    for server in facts.values():
        for run in server["runs"]:
            assert run["statuses"] == [200] * 6
            assert run["http.connections"] == 6
            assert run["db.opened"] + run["db.reused"] == 6


HANGING_UP = """
    Hanging up
    ==========

    .. djconn:matrix:: hanging-up
       :server: runserver, runserver-nothreading
       :environment: django-2.1.3
       :conn-max-age: none
       :runs: 12

       6 x browser: GET /query/
"""


@pytest.mark.exhaustive
def test_the_thread_that_runs_a_view_is_seen_under_asgi_in_django_30_too(docs: Docs):
    python(6, 9)
    docs.configure(
        djconn_environments={"pool-of-threads": ["django==3.0.14", "asgiref~=3.2.0"]},
        djconn_unsupported_pythons=True,
    )
    docs.page("index", ASGI)
    built = docs.build("djconn")
    assert built.warnings == []
    (told,) = json.loads(built.read("claims.json"))
    assert told["reason"].startswith(
        "true with pool-of-threads (threads is 2), false with 3.0 (threads is 1); "
    )


ASGI = """
    ASGI
    ====

    .. djconn:scenario:: at-once
       :server: uvicorn

       together:
           one: GET /query/
           other: GET /query/

    .. djconn:since:: threads-at-once
       :in: at-once
       :releases: pool-of-threads, 3.0
       :expect: threads == 2
       :until: pool-of-threads

       Two requests that are sent together are handled by two threads.
"""


@pytest.mark.exhaustive
def test_a_python_that_a_django_does_not_support_is_no_fault_of_the_page(docs: Docs):
    docs.configure(
        djconn_environments={"too-new": {"requirements": ["django==2.0.13"], "python": sys.executable}},
        djconn_unsupported_pythons=True,
    )
    docs.page("index", TOO_NEW)
    built = docs.build("djconn")
    assert {each.kind for each in built.warnings} == {"djconn.absent"}
    assert any(
        re.search(r"Django 2\.0\.13 does not support Python 3\.\d+", each.text) for each in built.warnings
    ) or (
        "could not be made" in built.warnings[0].text  # without distutils, not even its own commands start
    )


TOO_NEW = """
    Too new
    =======

    .. djconn:scenario:: tried
       :environment: too-new

       browser: GET /plain/
"""
