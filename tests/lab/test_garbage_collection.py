"""When the garbage collector runs in a server's processes, as the scenario chooses it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.reading import Trace
from tests.support.building import Docs

SETTINGS = """
import gc

gc.enable()
gc.set_threshold(50)
STATIC_URL = "static/"
"""
"""A project that wants its garbage to be collected often."""

VIEWS = """
import gc
import os
import subprocess
import sys
import threading
import weakref

from djconn_probe_events import COLLECTED

CODE = "import gc; gc.enable(); print(gc.isenabled())"


class Cycle:
    def __init__(self):
        self.itself = self

    def __del__(self):
        COLLECTED.append(threading.get_ident())


def garbage(request):
    for _ in range(200):
        Cycle().more = [Cycle() for _ in range(5)]
    gc.enable()
    stats = [each["collections"] for each in gc.get_stats()]
    return JsonResponse({
        "enabled": gc.isenabled(),
        "stats": stats,
        "thread": threading.get_ident(),
        "collected": len(COLLECTED),
        "in": sorted(set(COLLECTED)),
    })


def children(request):
    started = subprocess.run([sys.executable, "-c", CODE], stdout=subprocess.PIPE, check=True).stdout
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"%d" % gc.isenabled())
        os._exit(0)
    os.wait()
    return JsonResponse({"started": started.decode().strip(), "forked": os.read(read, 1).decode()})


def explicit(request):
    return JsonResponse({"freed": gc.collect() > 0})
"""

SIX = "\n".join(f"browser: GET /garbage as r{number}" for number in range(6))


Run = Callable[..., Trace]


@pytest.fixture(scope="module")
def profiles(shared_docs: Docs) -> Profiles:
    table = shared_docs.project(views=VIEWS, settings=SETTINGS)
    shared_docs.folder.joinpath("site", "djconn_probe_events.py").write_text("COLLECTED = []\n")
    return Profiles(projects={"default": read_project(table, shared_docs.source)})


@pytest.fixture(scope="module")
def laboratory(profiles: Profiles, databases: Path) -> Iterator[Laboratory]:
    with closing(Laboratory(profiles, databases, timeout=60)) as laboratory:
        yield laboratory


def traced(laboratory: Laboratory, sequence: str, **options: Any) -> Trace:
    (trace,) = laboratory.run(Scenario(parse_sequence(sequence), **options)).runs
    return trace


@pytest.fixture
def run(laboratory: Laboratory) -> Run:
    return partial(traced, laboratory)


@pytest.fixture(scope="module", params=["warm", "cold"])
def each_request(
    laboratory: Laboratory, profiles: Profiles, databases: Path, request: pytest.FixtureRequest
) -> Trace:
    """Six requests of one client and one of another, with a collection after each."""
    sequence, mode = f"{SIX}\nnew client: GET /garbage as r6", "each-request"
    if request.param == "warm":
        return traced(laboratory, sequence, garbage_collection=mode)
    with closing(Laboratory(profiles, databases, timeout=60, warm=False)) as cold:
        return traced(cold, sequence, garbage_collection=mode)


def answers(trace: Trace) -> list[Any]:
    """Return the JSON of the requests that have a label."""
    return [request.json for request in trace.entities.requests.values() if request.label]


def test_python_collects_by_default(run: Run):
    trace = run(SIX)
    first, *_, last = answers(trace)
    assert first["enabled"]
    assert last["stats"][0] > first["stats"][0]
    assert trace.settings["Garbage collection"] == "automatic"


@pytest.mark.parametrize(
    "server",
    [
        "runserver",
        "gunicorn-sync",
        "uwsgi",
        *(pytest.param(each, marks=pytest.mark.exhaustive) for each in ("uvicorn", "granian-wsgi")),
    ],
)
def test_switched_off_it_never_runs_in_any_process(run: Run, server: str):
    if server != "runserver":
        pytest.importorskip(
            {"gunicorn-sync": "gunicorn", "uwsgi": "pyuwsgi"}.get(server, server.partition("-")[0])
        )
    trace = run(f"{SIX}\nnew client: GET /garbage as new", server=server, garbage_collection="off")
    found = answers(trace)
    processes = {request.process.serial for request in trace.entities.requests.values() if request.process}
    assert {each["enabled"] for each in found} == {False}
    assert {each["collected"] for each in found} == {0}
    assert len({tuple(each["stats"]) for each in found}) <= len(processes)
    assert trace.settings["Garbage collection"] == "off"


def test_switched_off_it_stays_off_in_children_and_the_project_can_collect(run: Run):
    trace = run("browser: GET /children as one\nbrowser: GET /explicit as two", garbage_collection="off")
    assert answers(trace) == [{"started": "False", "forked": "0"}, {"freed": True}]


def test_switched_off_it_stays_off_in_the_process_that_a_reload_starts(run: Run):
    sequence = "browser: GET /garbage as one\nreload\nbrowser: GET /garbage as two"
    found = answers(run(sequence, server="runserver-reload", garbage_collection="off"))
    assert [each["enabled"] for each in found] == [False, False]


def test_after_each_request_there_is_one_full_collection(each_request: Trace):
    found = answers(each_request)
    assert not any(each["enabled"] for each in found)
    first = found[0]["stats"]
    assert [each["stats"] for each in found] == [[*first[:2], first[2] + number] for number in range(7)]
    assert [each["collected"] for each in found] == [1200 * number for number in range(7)]
    assert each_request.settings["Garbage collection"] == "each-request"


def test_it_runs_in_the_thread_that_ended_the_request(each_request: Trace):
    *_, last, _ = answers(each_request)
    assert last["in"] == [last["thread"]]


def test_it_is_no_part_of_the_request_and_ends_before_the_next_step(each_request: Trace):
    kinds = ("request.sent", "request.end", "request.collected")
    order = [(event.kind, event.request) for event in each_request.events if event.kind in kinds]
    assert order == [(kind, number) for number in range(1, 8) for kind in kinds]


@pytest.mark.parametrize("server", ["runserver", pytest.param("uvicorn", marks=pytest.mark.exhaustive)])
def test_requests_that_end_together_are_all_followed_by_a_collection(run: Run, server: str):
    if server != "runserver":
        pytest.importorskip(server)
    sequence = "together:\n    8 x new client: GET /garbage\nbrowser: GET /garbage as last"
    trace = run(sequence, server=server, garbage_collection="each-request")
    collected = [event.request for event in trace.events if event.kind == "request.collected"]
    assert sorted(filter(None, collected)) == list(range(1, 10))
    assert answers(trace)[-1]["collected"] == 8 * 1200
