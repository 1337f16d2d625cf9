"""The facts that claims can use, with the type of each, its description, and how it is read.

The reference page's tables are made from these. Facts about the database count what requests did, and what the
threads, tasks and processes that they started did for them. What the server did by itself is counted apart: the
connection that ``runserver`` opens for its migration check, before any request, is in ``db.outside_requests``.
Facts about the end of the run (``db.open``, ``db.abandoned``, ``db.lost``, ``db.dropped``, ``db.sessions``)
count every connection, whoever opened it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.run_reader import RunReader
from sphinx_djconn.trace.types import (
    COUNT,
    DB_CONNECTION,
    GREENLET,
    HTTP_CONNECTION,
    JSON,
    PROCESS,
    STATUS,
    TASK,
    TEXT,
    THREAD,
    Type,
)

_Source = TypeVar("_Source")


@dataclass(frozen=True, slots=True)
class Fact(Generic[_Source]):
    """A fact of a run or of a labelled request: its type, its meaning, and the function that reads it."""

    type: Type
    description: str
    read: Callable[[_Source], Any]


FACTS: Final[dict[str, Fact[RunReader]]] = {
    "requests": Fact(COUNT, "requests sent", lambda r: len(r.requests)),
    "responses": Fact(
        COUNT,
        "complete responses: up to the end that their headers announce, or else to the end of the connection",
        lambda r: sum(request.status is not None for request in r.requests),
    ),
    "errors": Fact(
        COUNT,
        "requests without a whole response",
        lambda r: sum(request.error is not None for request in r.requests),
    ),
    "statuses": Fact(
        STATUS.listed,
        "status codes, in the order of the sequence",
        lambda r: [request.status for request in r.requests if request.status is not None],
    ),
    "processes": Fact(
        COUNT,
        "processes that handled requests",
        lambda r: r.if_all_seen(
            len({request.process.serial for request in r.seen_requests if request.process})
        ),
    ),
    "threads": Fact(
        COUNT,
        "threads that handled requests, or under ASGI ran their views, distinguished by serial numbers",
        lambda r: r.if_all_seen(len({request.thread.key for request in r.seen_requests if request.thread})),
    ),
    "thread_idents": Fact(
        COUNT,
        "distinct values of ``threading.get_ident()`` where requests were handled; a greenlet has its own",
        lambda r: r.if_all_seen(len({_ident(request) for request in r.seen_requests if request.thread})),
    ),
    "greenlets": Fact(
        COUNT,
        "greenlets that handled requests",
        lambda r: r.if_all_seen(len({request.greenlet.key for request in r.seen_requests if request.greenlet})),
    ),
    "tasks": Fact(
        COUNT,
        "tasks of event loops that requests were given to",
        lambda r: r.if_all_seen(len({request.task.key for request in r.seen_requests if request.task})),
    ),
    "executors": Fact(
        COUNT,
        "threads, greenlets or tasks that ran views: whichever of them runs nothing else at the time",
        lambda r: r.if_all_seen(len({_executor(request) for request in r.seen_requests if request.thread})),
    ),
    "threads_started": Fact(
        COUNT,
        (
            "threads that requests started, by their own code or by Django's: under ASGI, for the synchronous "
            "code of each request"
        ),
        lambda r: r.threads_started(),
    ),
    "processes_started": Fact(
        COUNT,
        "Python processes that requests started, forked ones too",
        lambda r: r.processes_started(),
    ),
    "http.connections": Fact(
        COUNT,
        "HTTP connections opened by the clients",
        lambda r: len(r.entities.http_connections),
    ),
    "http.close_delimited": Fact(
        COUNT,
        (
            "responses without a length or chunks: only the end of their connection shows where they end, and "
            "one that broke off looks the same"
        ),
        lambda r: sum(request.close_delimited for request in r.requests),
    ),
    "db.wrappers": Fact(
        COUNT,
        "``DatabaseWrapper`` objects created by requests, or by what they started",
        lambda r: r.actions("wrapper"),
    ),
    "db.opened": Fact(
        COUNT,
        "database connections opened by requests, and for them by what they started: threads, tasks, processes",
        lambda r: r.if_openers_known(len(r.connections)),
    ),
    "db.closed": Fact(COUNT, "of those, how many Django closed", lambda r: r.if_openers_known(len(r.closed()))),
    "db.close_reasons": Fact(
        TEXT.listed,
        "why Django closed them, each reason once",
        lambda r: r.if_openers_known(sorted({connection.why for connection in r.closed()}, key=str)),
    ),
    "db.reused": Fact(
        COUNT,
        "requests that used a database connection which they had not opened themselves",
        lambda r: r.if_uses_known(r.reused()),
    ),
    "db.failed": Fact(
        COUNT,
        "attempts of requests to open a database connection that failed",
        lambda r: r.actions("failed"),
    ),
    "db.health_checks": Fact(
        COUNT,
        "health checks of database connections made by requests",
        lambda r: r.actions("health"),
    ),
    "db.peak": Fact(
        COUNT,
        "most database connections that requests had opened or used at one time, abandoned ones included",
        lambda r: r.if_uses_known(r.entities.peaks[r.alias]),
    ),
    "db.open": Fact(
        COUNT,
        "open at the end, as Django sees it, whoever opened them: a living thread can use them",
        lambda r: r.count(lambda connection: connection.open),
    ),
    "db.sessions": Fact(
        COUNT,
        "sessions at the end, as the database server sees them; none for SQLite, which has no sessions",
        lambda r: _sessions(r.entities),
    ),
    "db.abandoned": Fact(
        COUNT,
        (
            "never closed by Django, whoever opened them, and their thread has ended: no thread can use or "
            "close them, but a database server still has their sessions"
        ),
        lambda r: r.count(lambda connection: connection.abandoned),
    ),
    "db.lost": Fact(
        COUNT,
        (
            "never closed by Django, whoever opened them, their thread has ended, and the server has no "
            "session of theirs any more: Python freed the object, or the server ended the session"
        ),
        lambda r: r.count(lambda connection: connection.lost),
    ),
    "db.returned": Fact(
        COUNT,
        "times that Django, in a request, gave a database connection back to its pool instead of closing it",
        lambda r: r.actions("returned"),
    ),
    "db.dropped": Fact(
        COUNT,
        (
            "never closed by Django, whoever opened them, and their process has ended, or they were taken away "
            "from their wrapper"
        ),
        lambda r: r.count(lambda connection: connection.dropped),
    ),
    "db.outside_requests": Fact(
        COUNT,
        (
            "database connections that the server opened by itself, outside of any request, as for the "
            "migration check"
        ),
        lambda r: r.if_openers_known(len(r.all_connections) - len(r.connections)),
    ),
}
"""The facts of a run by name, in the order of the summary."""

ALIAS_FACTS: Final = {
    name.removeprefix("db."): fact.description
    for name, fact in FACTS.items()
    if name.startswith("db.") and name != "db.sessions"
}
"""The facts of one database by name, without ``db.``, and their descriptions: ``db["archive"].opened``."""

REQUEST_FACTS: Final[dict[str, Fact[RequestEntity]]] = {
    "thread": Fact(
        THREAD.optional,
        "the thread that handled it; under ASGI, that ran its view, and ``None`` if no view was run",
        lambda q: q.thread and q.thread.name,
    ),
    "greenlet": Fact(
        GREENLET.optional, "the greenlet that handled it, if any", lambda q: q.greenlet and q.greenlet.name
    ),
    "task": Fact(
        TASK.optional, "the task that an event loop gave it to, if any", lambda q: q.task and q.task.name
    ),
    "process": Fact(PROCESS.optional, "the process that handled it", lambda q: q.process and q.process.name),
    "http_connection": Fact(
        HTTP_CONNECTION.optional, "the HTTP connection that carried it", lambda q: q.http and q.http.name
    ),
    "db_connection": Fact(
        DB_CONNECTION.optional,
        "the database connection it used first; ``None`` if it used none",
        lambda q: q.connections[0][0].name if q.connections else None,
    ),
    "db_connections": Fact(
        COUNT,
        "how many database connections it used",
        lambda q: len({connection.name for connection, _ in q.connections}),
    ),
    "db_wrappers": Fact(COUNT, "``DatabaseWrapper`` objects created in it", lambda q: q.wrappers),
    "db_closed_at_start": Fact(
        COUNT,
        "database connections Django closed at its beginning, before the view",
        lambda q: q.closed_at.count("start"),
    ),
    "db_closed_at_end": Fact(
        COUNT,
        "database connections Django closed at its end, after the response",
        lambda q: q.closed_at.count("end"),
    ),
    "threads_started": Fact(COUNT, "threads that it started", lambda q: q.threads_started),
    "status": Fact(STATUS.optional, "the status code of its response", lambda q: q.status),
    "json": Fact(JSON, "the body of its response, if it is JSON of at most 1 MiB", lambda q: q.json),
}
"""The facts of a labelled request by name."""


def _ident(request: RequestEntity) -> tuple[int, int]:
    assert request.thread is not None, "Django's handler saw it"
    return request.thread.key[0], (request.greenlet or request.thread).ident


def _sessions(entities: Entities) -> int | None:
    return None if entities.sessions is None else len(next(reversed(entities.sessions.values()), []))


def _executor(request: RequestEntity) -> tuple[str, tuple[int, int]]:
    executor = request.executor
    assert executor is not None, "Django's handler saw it"
    return type(executor).__name__, executor.key
