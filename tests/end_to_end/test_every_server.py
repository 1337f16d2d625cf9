"""Every server: its trace, compared with what the kernel and the project's own views say of the run."""

import os
import sys
import time
from collections.abc import Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import read_project
from sphinx_djconn.lab.profiles.servers import SERVERS
from sphinx_djconn.scenario.grammar import parse_sequence
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.facts import facts_of
from sphinx_djconn.trace.reading import Trace
from tests.end_to_end.server_witness import VIEWS, Look, skip_where_absent
from tests.support.building import Docs
from tests.support.choosing import a_few

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the witness is Linux's /proc")

SETTINGS = 'STATIC_URL = "static/"\n'  # which runserver_plus takes for granted
TOGETHER = 8
REPRESENTATIVE = ("runserver", "gunicorn-gthread", "uvicorn", "mod_wsgi")
"""A thread for each connection, a pool of threads, an event loop, and Apache."""

POOL = min(32, (os.cpu_count() or 1) + 4)  # concurrent.futures.ThreadPoolExecutor, unless told otherwise
NO_ORM = "gunicorn-tornado"
"""An event loop runs in the thread that runs the views, and Django's ORM refuses to work there."""


def sequence(server: str) -> str:
    """Return the steps; in a loop that is the views' thread too, a request that waits for others stops all."""
    return "\n".join(
        [
            *(f"browser: GET /query as kept{n}" for n in range(6)),
            *(f"new client: GET /query as new{n}" for n in range(6)),
            *(["together:"] if server != NO_ORM else []),
            *(f"{'    ' * (server != NO_ORM)}client{n}: GET /query as together{n}" for n in range(TOGETHER)),
            "browser: GET /held as held",
            *(f"client{n}: GET /myself as after{n}" for n in range(TOGETHER)),
        ]
    )


PROCESSES = {
    "gunicorn-sync": 3,
    "gunicorn-gthread": 3,
    "gunicorn-gevent": 3,
    "gunicorn-tornado": 3,
    "gunicorn-asgi": 3,
    "gunicorn-uvicorn": 3,
    "uwsgi": 3,
    "uwsgi-threads": 2,
    "mod_wsgi": 2,
}
"""How many processes may handle requests; one, where nothing is said."""

POOLS = {
    "runserver-nothreading": 1,
    "gunicorn-sync": 1,
    "gunicorn-gthread": 2,
    "gunicorn-gevent": 1,
    "gunicorn-tornado": 1,
    "uwsgi": 1,
    "uwsgi-threads": 3,
    "mod_wsgi": 3,
    "waitress": 4,
    "cheroot": 10,
    "hypercorn-wsgi": POOL,
}
"""How many threads of each process may handle requests, where there is a bound."""

AT_ONCE = {
    "runserver-nothreading": 1,
    "gunicorn-sync": 3,
    "gunicorn-gthread": 6,
    "gunicorn-tornado": 1,
    "uwsgi": 3,
    "uwsgi-threads": 6,
    "mod_wsgi": 6,
    "waitress": 4,
    "hypercorn-wsgi": min(TOGETHER, POOL),
}
"""How many of the requests that are sent together the server takes at once; all, where nothing is said."""

TAKES_MORE = {"gunicorn-gthread"}
"""A worker takes what its threads cannot handle yet, while another's have nothing to do."""


@dataclass(frozen=True)
class Observed:
    """One run: its trace, and what was seen from outside, when, while a view waited for that."""

    trace: Trace
    look: Look
    at: int

    @property
    def requests(self) -> list[RequestEntity]:
        return list(self.trace.entities.requests.values())

    @property
    def held(self) -> RequestEntity:
        return next(request for request in self.requests if request.label == "held")


def laboratory(docs: Docs, databases: Path) -> Laboratory:
    project = read_project(docs.project(views=VIEWS, settings=SETTINGS), docs.source)
    return Laboratory(Profiles(projects={"default": project}), databases, timeout=90)


def observe(docs: Docs, databases: Path, server: str) -> Observed:
    """Run the sequence, and look at the server's processes while the view ``held`` waits for that."""
    site = docs.folder / "site"
    scenario = Scenario(parse_sequence(sequence(server)), server=server, conn_max_age=None)
    with closing(laboratory(docs, databases)) as lab, ThreadPoolExecutor() as pool:
        running = pool.submit(lab.run, scenario)
        while not site.joinpath(".held").exists() and not running.done():
            time.sleep(0.01)
        look, at = Look.at(docs.processes()), time.monotonic_ns()
        site.joinpath(".seen").touch()
        recording = running.result()
    assert recording.notes == ()
    return Observed(recording.runs[0], look, at)


@pytest.mark.parametrize("server", a_few(SERVERS, *REPRESENTATIVE))
def test_the_trace_of_a_server_is_what_others_saw_of_the_run(docs: Docs, databases: Path, server: str) -> None:
    skip_where_absent(server)
    observed = observe(docs, databases, server)
    figures = facts_of(observed.trace).figures
    assert figures["responses"] == figures["requests"] == len(observed.requests)
    expected = 500 if server == NO_ORM else 200
    assert {request.status for request in observed.requests if request.path == "/query"} == {expected}
    if server == NO_ORM:
        assert any("SynchronousOnlyOperation" in line for line in observed.trace.log)
    check_threads(observed)
    check_greenlets(observed)
    check_processes(observed)
    check_connections(observed)
    check_databases(observed)
    check_bounds(observed, server)


def check_threads(observed: Observed) -> None:
    """Each request ran where its view says, and requests that shared a thread are those that say so."""
    native = natives(observed.trace)
    told = [request for request in observed.requests if request.json]
    assert len(told) >= TOGETHER
    for request in told:
        assert request.thread is not None
        assert request.process is not None
        assert (request.process.pid, native[request.thread.key]) == itself(request)
    assert partition(told, key_of_thread) == partition(told, itself)


def check_greenlets(observed: Observed) -> None:
    told = [request for request in observed.requests if request.json]
    own = [request for request in told if request.greenlet is not None]
    assert own == [request for request in told if request.json["greenlet"] is not None]
    of_view = partition(own, lambda request: (request.json["pid"], request.json["greenlet"]))
    assert partition(own, lambda request: request.greenlet and request.greenlet.key) == of_view


def check_processes(observed: Observed) -> None:
    """What the trace has as living was there for the kernel, and what served is in the trace."""
    events = [event for event in observed.trace.events if event.at < observed.at]
    exited = {event.process for event in events if event.kind == "process.exit"}
    pids = {event.process: event.data["pid"] for event in events if event.kind == "process.start"}
    alive = {serial: pid for serial, pid in pids.items() if serial not in exited}
    assert set(alive.values()) <= observed.look.tasks.keys()
    ended = {(event.process, event.thread) for event in events if event.kind == "thread.end"}
    for event in events:
        if event.kind == "thread.start" and event.process in alive:
            there = event.data["native"] in observed.look.tasks[alive[event.process]]
            assert there or (event.process, event.thread) in ended, event
    assert observed.held.json["task"] in observed.look.tasks[observed.held.json["pid"]]


def check_connections(observed: Observed) -> None:
    """The kernel has each connection that was used afterwards, and the trace has each of the kernel's."""
    port = observed.held.json["port"]
    listening = [event.data["port"] for event in observed.trace.events if event.kind == "listening"]
    assert port in listening or not listening
    assert observed.look.listening(port)
    events = [event for event in observed.trace.events if event.at < observed.at]
    opened = {event.data["h"]: event.data["port"] for event in events if event.kind == "http.open"}
    closed = {event.data["h"] for event in events if event.kind == "http.close"}
    connected = {socket.remote for socket in observed.look.connected(port)}
    assert connected <= {port for serial, port in opened.items() if serial not in closed}
    used = [request for request in observed.requests if request.number >= observed.held.number]
    carrying = {request.http.serial for request in used if request.http} & opened.keys()
    assert {opened[serial] for serial in carrying} <= connected
    assert observed.held.http is not None
    assert observed.held.http.serial in carrying
    assert all(observed.look.owners(socket) for socket in observed.look.connected(port))


def check_databases(observed: Observed) -> None:
    """As many SQLite files are open as the trace has connections; those of ended threads may be, too."""
    events = [event for event in observed.trace.events if event.at < observed.at]
    seen = Trace(tuple(events)).entities.db_connections.values()
    open_ = sum(connection.open for connection in seen)
    abandoned = sum(connection.abandoned for connection in seen)
    assert open_ <= observed.look.databases() <= open_ + abandoned


def check_bounds(observed: Observed, server: str) -> None:
    served = [request for request in observed.requests if request.thread is not None]
    processes = partition(served, lambda request: request.process and request.process.pid)
    assert len(processes) <= PROCESSES.get(server, 1)
    if server in POOLS:
        assert len(partition(served, key_of_thread)) <= PROCESSES.get(server, 1) * POOLS[server]
    together = [request for request in served if (request.label or "").startswith("together")]
    assert len(together) == TOGETHER
    most = AT_ONCE.get(server, TOGETHER)
    assert at_once(together) == most or (server in TAKES_MORE and 1 < at_once(together) < most)


def natives(trace: Trace) -> dict[tuple[int, int], int]:
    """Return the kernel's numbers of the trace's threads."""
    starts = [event for event in trace.events if event.kind == "thread.start"]
    return {(event.process, event.thread): event.data["native"] for event in starts}


def itself(request: RequestEntity) -> tuple[int, int]:
    """Return process and task, as the view has them from the kernel."""
    return request.json["pid"], request.json["task"]


def key_of_thread(request: RequestEntity) -> Hashable:
    return request.thread and request.thread.key


def partition(requests: Iterable[RequestEntity], key: Any) -> set[frozenset[int]]:
    """Return the numbers of the requests, in groups with the same key."""
    groups: dict[Hashable, set[int]] = {}
    for request in requests:
        groups.setdefault(key(request), set()).add(request.number)
    return set(map(frozenset, groups.values()))


def at_once(requests: list[RequestEntity]) -> int:
    """Return how many of the requests were inside the server at one time."""
    spans = [(request.begun or 0, request.ended or sys.maxsize) for request in requests]
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)
