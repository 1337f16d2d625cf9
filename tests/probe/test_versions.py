"""The probe in every version of Python and Django that it supports: ``pytest -m versions``.

An interpreter is looked for among pyenv's and on the ``PATH``; the environments are kept where builds keep
theirs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sphinx_djconn.lab.environments.environments import Environments
from sphinx_djconn.lab.environments.specification import Specification
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles import profiles, servers
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.servers import Server
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.facts import facts_of

PAIRS = [
    ("3.6", "1.11"),
    ("3.6", "2.0"),
    ("3.6", "2.1.3"),
    ("3.6", "2.1.4"),
    ("3.6", "2.2"),
    ("3.7", "3.1"),
    ("3.8", "3.2"),
    ("3.8", "4.0"),
    ("3.8", "4.2"),
    ("3.10", "5.0"),
    ("3.10", "5.1"),
    ("3.12", "5.0"),
    ("3.12", "5.1"),
    ("3.12", "6.0"),
    ("3.13", "newest"),
]
SERVERS = {
    "runserver": servers.SERVERS["runserver"],
    "manage.py": Server(("{python}", "manage.py", "runserver", "127.0.0.1:0"), reloads=True),
}

NEW_CONNECTIONS = "6 x new client: GET /polls/ -> 200"
KEPT_CONNECTION = "browser: GET /polls/ -> 200\nwait 50ms\n" * 6
"""With pauses in which the client can notice that the server has hung up without a word before."""

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

pytestmark = pytest.mark.versions


def interpreter(version):
    """Return the path of a Python; skip the test where there is none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    # Those first: what pyenv puts on the PATH need not run.
    found = next(versions.glob(f"{version}.*/bin/python"), None) or shutil.which(f"python{version}")
    if found is None:
        pytest.skip(f"no python{version} on the PATH or among pyenv's")
    return str(found)


def specified(pair):
    """Return the environment with this pair of versions of Python and Django."""
    python, django = pair
    wanted = "django" if django == "newest" else f"django=={django}{'' if django.count('.') > 1 else '.*'}"
    return Specification(f"python{python}-django{django}", (wanted,), python=interpreter(python))


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: f"python{pair[0]}-django{pair[1]}")
def pair(request):
    return request.param


@pytest.fixture(scope="module")
def run(pair, tmp_path_factory):
    """Return what runs a sequence with a version of Python and Django."""
    names = Profiles(
        servers=SERVERS,
        environments={"asked": specified(pair)},
        projects={"default": profiles.DEMO},
    )
    laboratory = Laboratory(names, tmp_path_factory.mktemp("databases"), warm=False)

    def running(sequence, max_age=None, server="runserver"):
        scenario = Scenario(
            parse_sequence(sequence), server, environment="asked", conn_max_age=max_age, timeout=60
        )
        return laboratory.run(scenario).runs[0]

    yield running
    laboratory.close()


def keeps_alive(pair):
    """Return whether this version's development server keeps HTTP connections, by its release notes.

    Until 2.0 it spoke HTTP/1.0; 2.1.4 says: "Fixed keep-alive support in runserver after it was
    disabled to fix another issue in Django 2.0".
    """
    return pair[1] not in ("1.11", "2.0", "2.1.3")


def standing(pair):
    """Return how many connections the server itself keeps: the migration check's, before Django 5.1."""
    return int(pair[1] != "newest" and tuple(map(int, pair[1].split(".")))[:2] < (5, 1))


def figures(trace, *names):
    told = facts_of(trace).figures
    return tuple(told[name] for name in names)


def test_the_versions_are_those_that_were_asked_for(run, pair):
    trace = run("browser: GET /polls/")
    python, django = pair
    assert trace.settings["Python"].startswith(f"{python}.")
    assert django == "newest" or trace.settings["Django"].startswith(django)


@pytest.mark.parametrize("max_age", [0, None])
def test_each_new_http_connection_has_a_thread_and_a_database_connection(run, pair, max_age):
    trace = run(NEW_CONNECTIONS, max_age)
    assert figures(trace, "http.connections", "threads", "thread_idents", "db.opened") == (6, 6, 1, 6)
    closed = 0 if max_age is None else 6
    assert figures(trace, "db.closed", "db.abandoned", "db.open") == (
        closed,
        6 - closed,
        standing(pair),
    )


@pytest.mark.parametrize("max_age", [0, None])
def test_a_kept_http_connection_keeps_its_thread(run, pair, max_age):
    trace = run(KEPT_CONNECTION, max_age)
    connections = 1 if keeps_alive(pair) else 6
    opened = connections if max_age is None else 6
    expected = (connections, connections, opened, 6 - opened)
    assert figures(trace, "http.connections", "threads", "db.opened", "db.reused") == expected


def test_requests_at_once_have_a_thread_each(run):
    trace = run(TOGETHER)
    assert figures(trace, "threads", "thread_idents", "db.opened", "db.peak") == (6, 6, 6, 6)
    assert facts_of(trace).overlaps == {frozenset({"one", "other"})}


def test_a_reload_is_a_new_process(run, pair):
    trace = run(RELOAD, server="manage.py")
    assert figures(trace, "processes", "db.opened", "db.dropped") == (2, 2, 1 + standing(pair))
    assert figures(trace, "before.process", "after.process") == ("P1", "P2")


def test_the_migration_check_is_seen(run):
    trace = run("browser: GET /polls/")
    assert figures(trace, "db.outside_requests") == (1,)
    assert trace.entities.threads[1, 1].main


def test_every_thread_that_served_a_new_connection_is_told_to_have_ended(run):
    trace = run(NEW_CONNECTIONS)
    assert all(request.thread.ended for request in trace.entities.requests.values())


def test_all_other_tests_of_the_probe_pass(pair):
    if pair[0] == "3.6":
        pytest.skip("its collector finds less, with the probe and without, and its Django is another")
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", tests, f"--ignore={__file__}"],
        env={**os.environ, "DJCONN_TEST_PYTHON": Environments().get(specified(pair)).python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
