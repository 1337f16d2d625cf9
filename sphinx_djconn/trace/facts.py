"""Facts: named figures read from a trace. The tables here are the reference page's tables too.

Figures of the database count what requests did: the connection that ``runserver`` opens for its
migration check, before any request, is in ``db.outside_requests`` alone. What depends on when Python's garbage
collector ran is in :attr:`Facts.alternatives`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sphinx_djconn.trace.collector import alternatives
from sphinx_djconn.trace.entities import DatabaseConnection, RequestEntity
from sphinx_djconn.trace.reading import Entities, Trace
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
from sphinx_djconn.trace.unknown import Unknown

_Source = TypeVar("_Source")


class Facts(NamedTuple):
    """The figures of one run by name (``db.opened``, ``first.thread``), and what overlapped.

    A figure that this run cannot know is :class:`Unknown`. ``overlaps`` holds a pair of labels for each two
    labelled requests that were in Django's handler at the same time; ``unknown_overlaps`` says of which pairs
    this is not known. ``alternatives`` are the other values that facts could have had if Python's garbage
    collector had run at other times: each item is a group of facts that vary together, as a sequence of the
    values that replace those in ``figures``, which are those of a run in which it freed no database connection.
    """

    figures: dict[str, Any]
    labels: tuple[str, ...]
    overlaps: frozenset[frozenset[str]]
    unknown_overlaps: Mapping[frozenset[str], Unknown] = MappingProxyType({})
    alternatives: tuple[tuple[Mapping[str, Any], ...], ...] = ()

    def bounds(self, name: str) -> tuple[Any, Any] | None:
        """Return the lowest and the highest value of a fact that depends on when the garbage collector ran.

        Returns ``None`` for any other fact.
        """
        others = [each[name] for group in self.alternatives for each in group if name in each]
        values = [*others, self.figures[name]] if others else []
        return (min(values), max(values)) if values else None

    def absent(self, name: str) -> tuple[str, str] | None:
        """Return why a fact has no figure in this run, and what to do; ``None`` where it is no fact."""
        return None if name in self.figures else _WITHOUT_FIGURE.get(name)


_WITHOUT_FIGURE: Final = {
    "db.sessions": (
        "there is no figure for 'db.sessions' in this run: SQLite has no sessions",
        "give the scenario a database with a server, as in `:database: postgresql`",
    )
}


class _Reading:
    """The entities of a trace, with what several facts share."""

    def __init__(self, entities: Entities) -> None:
        self.entities = entities
        self.requests = list(entities.requests.values())
        self.served = [request for request in self.requests if request.thread is not None]
        self.connections = [
            connection for connection in entities.db_connections.values() if connection.opened_in is not None
        ]

    def count(self, test: Callable[[DatabaseConnection], bool]) -> int:
        return sum(map(test, self.connections))

    def closed(self) -> list[DatabaseConnection]:
        return [connection for connection in self.connections if connection.why is not None]


@dataclass(frozen=True, slots=True)
class Fact(Generic[_Source]):
    """A fact of a run or of a labelled request: its type, its meaning, and how it is read."""

    type: Type
    description: str
    read: Callable[[_Source], Any]


FACTS: Final[dict[str, Fact[_Reading]]] = {
    "requests": Fact(COUNT, "requests sent", lambda r: len(r.requests)),
    "responses": Fact(
        COUNT,
        "responses received whole",
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
        lambda r: len({request.process.serial for request in r.served if request.process}),
    ),
    "threads": Fact(
        COUNT,
        "threads that handled requests, told apart by serial numbers; under ASGI, that ran their views",
        lambda r: len({request.thread.key for request in r.served if request.thread}),
    ),
    "thread_idents": Fact(
        COUNT,
        "distinct values of ``threading.get_ident()`` where requests were handled; a greenlet has its own",
        lambda r: len({_ident(request) for request in r.served}),
    ),
    "greenlets": Fact(
        COUNT,
        "greenlets that handled requests",
        lambda r: len({request.greenlet.key for request in r.served if request.greenlet}),
    ),
    "tasks": Fact(
        COUNT,
        "tasks of event loops that requests were given to",
        lambda r: len({request.task.key for request in r.served if request.task}),
    ),
    "executors": Fact(
        COUNT,
        "threads, greenlets or tasks that ran views: whichever of them runs nothing else at the time",
        lambda r: len({_executor(request) for request in r.served}),
    ),
    "http.connections": Fact(
        COUNT,
        "HTTP connections opened by the clients",
        lambda r: len(r.entities.http_connections),
    ),
    "db.wrappers": Fact(
        COUNT,
        "``DatabaseWrapper`` objects created while requests were handled",
        lambda r: sum(request.wrappers for request in r.requests),
    ),
    "db.opened": Fact(COUNT, "database connections opened by requests", lambda r: len(r.connections)),
    "db.closed": Fact(COUNT, "of those, how many Django closed", lambda r: len(r.closed())),
    "db.close_reasons": Fact(
        TEXT.listed,
        "why Django closed them, each reason once",
        lambda r: sorted({connection.why for connection in r.closed()}, key=str),
    ),
    "db.reused": Fact(
        COUNT,
        "requests that used a database connection which an earlier request had opened",
        lambda r: sum(any(how == "reused" for _, how in request.connections) for request in r.requests),
    ),
    "db.failed": Fact(
        COUNT,
        "attempts of requests to open a database connection that failed",
        lambda r: sum(request.failed for request in r.requests),
    ),
    "db.health_checks": Fact(
        COUNT,
        "health checks of database connections made by requests",
        lambda r: sum(request.health_checks for request in r.requests),
    ),
    "db.peak": Fact(
        COUNT,
        "most database connections of requests at one time, abandoned ones included",
        lambda r: r.entities.peak,
    ),
    "db.open": Fact(
        COUNT,
        "open at the end, as Django sees it: a living thread can use them",
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
            "never closed by Django, and their thread has ended: nobody can use or close them; a server, where "
            "there is one, still has their sessions"
        ),
        lambda r: r.count(lambda connection: connection.abandoned),
    ),
    "db.lost": Fact(
        COUNT,
        (
            "never closed by Django, their thread has ended, and the server has no session of theirs any more: "
            "Python freed the object, or the server ended the session"
        ),
        lambda r: r.count(lambda connection: connection.lost),
    ),
    "db.returned": Fact(
        COUNT,
        "times that Django, in a request, gave a database connection back to its pool instead of closing it",
        lambda r: sum(
            request is not None
            for connection in r.entities.db_connections.values()
            for request in connection.returned_in
        ),
    ),
    "db.dropped": Fact(
        COUNT,
        "never closed by Django, and their process has ended, or they were taken away from their wrapper",
        lambda r: r.count(lambda connection: connection.dropped),
    ),
    "db.outside_requests": Fact(
        COUNT,
        "database connections opened outside of any request, as for the migration check",
        lambda r: len(r.entities.db_connections) - len(r.connections),
    ),
}
"""The facts of a run by name, in the order of the summary."""

REQUEST_FACTS: Final[dict[str, Fact[RequestEntity]]] = {
    "thread": Fact(THREAD.optional, "the thread that handled it", lambda q: q.thread and q.thread.name),
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
        "the database connection it used first; ``None`` where it used none",
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
    "status": Fact(STATUS.optional, "the status code of its response", lambda q: q.status),
    "json": Fact(JSON, "the body of its response, where that is JSON of 1 MiB at most", lambda q: q.json),
}
"""The facts of a labelled request by name."""


def _ident(request: RequestEntity) -> tuple[int, int]:
    assert request.thread is not None, "it was served"
    return request.thread.key[0], (request.greenlet or request.thread).ident


def _sessions(entities: Entities) -> int | None:
    return None if entities.sessions is None else len(next(reversed(entities.sessions.values()), []))


def _executor(request: RequestEntity) -> tuple[str, tuple[int, int]]:
    executor = request.executor
    assert executor is not None, "it was served"
    return type(executor).__name__, executor.key


def facts_of(trace: Trace) -> Facts:
    """Return the facts of ``trace``: every one of :data:`FACTS`, and of each labelled request."""
    reading = _Reading(trace.entities)
    figures = _figures(trace.entities)
    freed = trace.entities_freed_at_once
    varying = () if freed is None else alternatives(figures, _figures(freed))
    labelled = [request for request in reading.requests if request.label is not None]
    for request in labelled:
        for name, fact in REQUEST_FACTS.items():
            figures[f"{request.label}.{name}"] = fact.read(request)
    overlaps = frozenset(
        frozenset({str(one.label), str(other.label)})
        for index, one in enumerate(labelled)
        for other in labelled[:index]
        if _overlap(one, other)
    )
    labels = tuple(str(request.label) for request in labelled)
    facts = Facts(figures, labels, overlaps, alternatives=varying)
    return facts if trace.undecided is None else _undecided(facts, labelled, trace.undecided)


def _undecided(facts: Facts, labelled: Iterable[RequestEntity], number: int) -> Facts:
    """Return ``facts`` without those that depend on whether request ``number`` got a database connection."""
    who = f"request {number}" if number else "the server"
    reason = Unknown(
        f"whether {who} could open a database connection depends on when Python's garbage collector runs; "
        "choose `:garbage-collection: off` or `each-request`"
    )
    before = {str(request.label) for request in labelled if request.number < number}
    known = {"requests", *(f"{label}.{name}" for label in before for name in REQUEST_FACTS)}
    figures = {name: value if name in known else reason for name, value in facts.figures.items()}
    pairs = (frozenset({one, other}) for one in facts.labels for other in facts.labels if one != other)
    unknown = {pair: reason for pair in pairs if not pair <= before}
    return Facts(figures, facts.labels, facts.overlaps - set(unknown), unknown)


def _figures(entities: Entities) -> dict[str, Any]:
    """Return the facts of the run, as far as there are figures for them."""
    reading = _Reading(entities)
    read = {name: fact.read(reading) for name, fact in FACTS.items()}
    return {name: figure for name, figure in read.items() if figure is not None}


def _overlap(one: RequestEntity, other: RequestEntity) -> bool:
    if one.begun is None or other.begun is None:
        return False
    one_end = one.ended if one.ended is not None else float("inf")
    other_end = other.ended if other.ended is not None else float("inf")
    return one.begun < other_end and other.begun < one_end
