"""Whose request the demo site's views see, under real servers."""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from sphinx_djconn.lab.profiles.projects import DEMO, Project
from sphinx_djconn.testing import run
from tests.support.choosing import a_few

WAYS = ["thread_local", "thread_local_async", "context_var", "asgiref_local", "done_right"]
CLEARED = ["done_right"]
SITE = Path(__file__).parents[2] / "demo_site"
ASGI = "mysite.asgi:application"
DEADLINE = 60  # seconds; for a machine that is busy with other things


def bodies(way, sequence, server="runserver"):
    """Return the JSON that the labelled requests were answered, by their labels."""
    (facts,) = run(sequence, project=Project(DEMO.path, f"mysite.settings_whose_{way}"), server=server)
    return {label: facts.figures[f"{label}.json"] for label in facts.labels}


def at_once(path):
    return (
        "together:\n"
        f"    new client: GET {path}?user=anna&meet=2 -> 200 as anna\n"
        f"    new client: GET {path}?user=ben&meet=2 -> 200 as ben\n"
    )


def after_another(path):
    return f"one: GET {path}?user=cleo -> 200 as cleo\none: GET {path}?user=dora -> 200 as dora\n"


def saw(seen):
    return {user: body["saw"] for user, body in seen.items()}


def early(seen):
    return {user: body["early"] for user, body in seen.items()}


def test_the_site_itself_has_nothing_of_it():
    code = (
        "import django, sys; django.setup(); from django.urls import get_resolver;"
        "from django.core.wsgi import get_wsgi_application; get_wsgi_application();"
        "get_resolver().url_patterns; print([name for name in sys.modules if name.startswith('whose')])"
    )
    assert python(code, "mysite.settings") == "[]\n"


@pytest.mark.parametrize("way", a_few(WAYS, "thread_local", "done_right"))
def test_django_finds_nothing_to_complain_about(way):
    code = (
        "import django; django.setup(); from django.core.management import call_command; call_command('check')"
    )
    assert "no issues" in python(code, f"mysite.settings_whose_{way}")


@pytest.mark.parametrize("way", a_few(WAYS, "thread_local", "done_right"))
def test_sync_views_at_once_see_their_own(way):
    seen = bodies(way, at_once("/whose/") + after_another("/whose/"))
    assert seen["anna"]["met"] == ["ben"]
    assert seen["ben"]["met"] == ["anna"]
    assert saw(seen) == {user: user for user in ("anna", "ben", "cleo", "dora")}


@pytest.mark.parametrize("way", a_few(WAYS, "thread_local", "done_right"))
def test_the_next_on_the_thread_finds_what_is_not_cleared(way):
    seen = bodies(way, after_another("/whose/"))
    assert early(seen) == {"cleo": None, "dora": None if way in CLEARED else "cleo"}


@pytest.mark.parametrize(
    ("way", "anna", "ben"),
    a_few(
        [
            ("thread_local", None, None),
            ("thread_local_async", "ben", "ben"),
            ("context_var", "anna", "ben"),
            ("asgiref_local", "anna", "ben"),
            ("done_right", "anna", "ben"),
        ],
        ("thread_local_async", "ben", "ben"),
        ("done_right", "anna", "ben"),
    ),
)
def test_async_views_at_once_see_what_their_way_keeps(way, anna, ben):
    seen = bodies(way, at_once("/whose/async/"), "uvicorn")
    assert seen["anna"]["met"] == ["ben"]
    assert saw(seen) == {"anna": anna, "ben": ben}


@pytest.mark.parametrize(("way", "stale"), [("thread_local_async", "cleo"), ("done_right", None)])
def test_the_next_in_an_event_loop_finds_what_its_thread_keeps(way, stale):
    seen = bodies(way, after_another("/whose/async/"), "uvicorn")
    assert early(seen) == {"cleo": None, "dora": stale}


@pytest.mark.parametrize(("way", "seen_late"), [("thread_local", "anna"), ("done_right", None)])
def test_a_streamed_response_sees_what_is_left_when_the_middleware_has_returned(way, seen_late):
    seen = bodies(way, "one: GET /whose/stream/?user=anna -> 200 as anna\n")
    assert saw(seen) == {"anna": seen_late}


@pytest.mark.exhaustive
def test_who_waits_in_vain_goes_on_alone_and_is_met_by_nobody_later():
    seen = bodies(
        "done_right",
        "one: GET /whose/?user=anna&meet=2 -> 200 as anna\none: GET /whose/?user=ben&meet=2 -> 200 as ben\n",
    )
    assert [body["met"] for body in seen.values()] == [[], []]


@pytest.mark.parametrize("path", a_few(["/whose/", "/whose/async/"], "/whose/"))
@pytest.mark.parametrize("meet", a_few(["0", "11", "-1", "two"], "0", "two"))
def test_a_party_has_a_size(path, meet):
    bodies("done_right", f"one: GET {path}?user=anna&meet={meet} -> 400\n")


@pytest.mark.parametrize(("way", "found"), [("context_var", "anna"), ("done_right", None)])
def test_a_pipelined_request_under_uvicorn_finds_a_context_that_is_not_cleared(way, found):
    with uvicorn(way) as port, socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        client.sendall(request("anna") + request("ben", "close"))
        answered = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert re.findall('"user": ("[a-z]+"), "early": ("[a-z]+"|null)', answered) == [
        ('"anna"', "null"),
        ('"ben"', "null" if found is None else f'"{found}"'),
    ]


@contextmanager
def uvicorn(way):
    """Start uvicorn, and yield the port at which it listens: that of a socket which it inherits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            # Its defaults where nothing more is installed than itself.
            [
                sys.executable,
                "-m",
                "uvicorn",
                "--http=h11",
                "--loop=asyncio",
                f"--fd={listener.fileno()}",
                ASGI,
            ],
            cwd=SITE,
            env=environment(f"mysite.settings_whose_{way}"),
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait(DEADLINE)


def python(code, settings):
    """Run ``code`` with warnings as errors in the site's folder, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=SITE,
        env=environment(settings),
        text=True,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(settings):
    return {**os.environ, "DJANGO_SETTINGS_MODULE": settings}


def request(user, connection="keep-alive"):
    line = f"GET /whose/async/?user={user} HTTP/1.1"
    return f"{line}\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n".encode()
