"""Facts: named figures read from a trace. The tables here are the reference page's tables too.

Figures of the database count what requests did, and what threads, tasks and processes that they started did
for them. What the server did by itself is counted apart: the connection that ``runserver`` opens for its
migration check, before any request, is in ``db.outside_requests``. What is true at the end (``db.open``,
``db.abandoned``, ``db.lost``, ``db.dropped``, ``db.sessions``) counts every connection, whoever opened it. What
depends on when Python's garbage collector ran is in :attr:`Facts.alternatives`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sphinx_djconn.trace.balance import doubt_of_probe, unknown_facts
from sphinx_djconn.trace.entities import DatabaseConnection, Place, RequestEntity
from sphinx_djconn.trace.garbage_collection import alternatives
from sphinx_djconn.trace.overlaps import overlaps_of
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
    """The entities of a trace, with what several facts share; with ``alias``, those of one database.

    What requests did is what was done in them, or for them by what they started. It isn't known if something
    was done of which it isn't known whether it was for a request: :meth:`Entities.doubt`.
    """

    def __init__(self, entities: Entities, alias: str | None = None) -> None:
        self.entities = entities
        self.alias = alias
        self.requests = list(entities.requests.values())
        self.served = [request for request in self.requests if request.is_seen]
        self.all = [
            connection
            for connection in entities.db_connections.values()
            if alias is None or connection.alias == alias
        ]
        self.connections = [connection for connection in self.all if connection.opened_in is not None]
        unseen = entities.unseen()
        self.unseen = None if unseen is None else Unknown(unseen)
        self.whose = self._doubt(each.opened_at for each in self.all if each.opened_in is None)

    def _doubt(self, places: Iterable[Place | None]) -> Unknown | None:
        doubts = filter(None, map(self.entities.doubt, places))
        return next((Unknown(doubt) for doubt in doubts), None)

    def if_all_seen(self, figure: Any) -> Any:
        """Return ``figure``, which is known if Django's handler saw all requests."""
        return self.unseen or figure

    def if_known_whose(self, figure: Any) -> Any:
        """Return ``figure``, which is known if it's known which connections were opened for requests."""
        return self.whose or figure

    def if_uses_known(self, figure: Any) -> Any:
        """Return ``figure``, which is known if it's known which connections requests have used, too."""
        return self.whose or (self.unseen if self.all else None) or figure

    def deeds(self, kind: str) -> Any:
        """Return how often requests did what ``kind`` says."""
        deeds = [deed for deed in self.entities.deeds if deed.kind == kind and self.alias in (None, deed.alias)]
        doubt = self._doubt(deed.place for deed in deeds if deed.request is None)
        return doubt or sum(deed.request is not None for deed in deeds)

    def threads_started(self) -> Any:
        """Return how many threads requests have started."""
        if self.unseen is not None:
            return self.unseen
        if self.entities.greenlets:
            return Unknown("who starts a greenlet is not told")
        threads = self.entities.threads.values()
        served = {request.thread.key for request in self.served if request.thread is not None}
        served |= {key for key, _ in self.entities.served}
        if any(thread.foreign and thread.key not in served for thread in threads):
            return Unknown("who started a thread of the server is not known")
        return sum(thread.started_by is not None for thread in threads)

    def processes_started(self) -> Any:
        """Return how many processes requests have started."""
        processes = self.entities.processes.values()
        if any(process.foreign for process in processes):
            return Unknown("who started a process of the server is not known")
        started = {process.pid for process in processes if process.started_by is not None}
        return self.if_all_seen(len(started))

    def reused(self) -> int:
        """Return how many requests have used a connection that they had not opened themselves."""
        return sum(
            any(
                how == "reused" and connection.opened_in != request.number
                for connection, how in request.connections
                if self.alias in (None, connection.alias)
            )
            for request in self.requests
        )

    def count(self, test: Callable[[DatabaseConnection], bool]) -> int:
        """Return how many connections fulfil ``test``, whoever has opened them."""
        return sum(map(test, self.all))

    def closed(self) -> list[DatabaseConnection]:
        """Return the connections of requests that Django has closed."""
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
        "responses received to their end: that which their headers announce, or else that of their connection",
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
        lambda r: r.if_all_seen(len({request.process.serial for request in r.served if request.process})),
    ),
    "threads": Fact(
        COUNT,
        "threads that handled requests, told apart by serial numbers; under ASGI, that ran their views",
        lambda r: r.if_all_seen(len({request.thread.key for request in r.served if request.thread})),
    ),
    "thread_idents": Fact(
        COUNT,
        "distinct values of ``threading.get_ident()`` where requests were handled; a greenlet has its own",
        lambda r: r.if_all_seen(len({_ident(request) for request in r.served if request.thread})),
    ),
    "greenlets": Fact(
        COUNT,
        "greenlets that handled requests",
        lambda r: r.if_all_seen(len({request.greenlet.key for request in r.served if request.greenlet})),
    ),
    "tasks": Fact(
        COUNT,
        "tasks of event loops that requests were given to",
        lambda r: r.if_all_seen(len({request.task.key for request in r.served if request.task})),
    ),
    "executors": Fact(
        COUNT,
        "threads, greenlets or tasks that ran views: whichever of them runs nothing else at the time",
        lambda r: r.if_all_seen(len({_executor(request) for request in r.served if request.thread})),
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
        lambda r: r.deeds("wrapper"),
    ),
    "db.opened": Fact(
        COUNT,
        "database connections opened by requests, and for them by what they started: threads, tasks, processes",
        lambda r: r.if_known_whose(len(r.connections)),
    ),
    "db.closed": Fact(COUNT, "of those, how many Django closed", lambda r: r.if_known_whose(len(r.closed()))),
    "db.close_reasons": Fact(
        TEXT.listed,
        "why Django closed them, each reason once",
        lambda r: r.if_known_whose(sorted({connection.why for connection in r.closed()}, key=str)),
    ),
    "db.reused": Fact(
        COUNT,
        "requests that used a database connection which they had not opened themselves",
        lambda r: r.if_uses_known(r.reused()),
    ),
    "db.failed": Fact(
        COUNT,
        "attempts of requests to open a database connection that failed",
        lambda r: r.deeds("failed"),
    ),
    "db.health_checks": Fact(
        COUNT,
        "health checks of database connections made by requests",
        lambda r: r.deeds("health"),
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
            "never closed by Django, whoever opened them, and their thread has ended: nobody can use or close "
            "them; a server, where there is one, still has their sessions"
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
        lambda r: r.deeds("returned"),
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
        lambda r: r.if_known_whose(len(r.all) - len(r.connections)),
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
    "threads_started": Fact(COUNT, "threads that it started", lambda q: q.threads_started),
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


_OF_CLIENT: Final = frozenset({"http_connection", "status", "json"})
"""Facts of a request that are known even if Django's handler never saw it."""


def facts_of(trace: Trace) -> Facts:
    """Return the facts of ``trace``: every one of :data:`FACTS`, and of each labelled request.

    Those of :data:`ALIAS_FACTS` are there for each database of the project if the run has had any wrapper.
    """
    reading = _Reading(trace.entities)
    figures = _figures(trace.entities)
    freed = trace.entities_freed_at_once
    varying = () if freed is None else alternatives(figures, _figures(freed))
    labelled = [request for request in reading.requests if request.label is not None]
    for request in labelled:
        for name, fact in REQUEST_FACTS.items():
            figures[f"{request.label}.{name}"] = _of_request(request, name, fact, reading)
    labels = tuple(str(request.label) for request in labelled)
    overlaps, unknown_overlaps = overlaps_of(labelled, doubt_of_probe(trace.imbalances))
    facts = Facts(figures, labels, overlaps, unknown_overlaps, varying)
    if trace.undecided is not None:
        facts = _undecided(facts, labelled, trace.undecided)
    return _without_contradictions(facts, trace)


def _without_contradictions(facts: Facts, trace: Trace) -> Facts:
    """Return ``facts`` without those that what does not balance in the run concerns."""
    if not trace.imbalances:
        return facts
    unknown = dict(unknown_facts(facts.figures, facts.labels, trace.imbalances))
    if trace.is_collected_automatically and "db.sessions" in facts.figures:
        # Which of them could have ended earlier is known from the probe.
        unknown["db.sessions"] = Unknown(f"the run contradicts itself: {trace.imbalances[0].text}")
    varying = tuple(
        tuple({name: value for name, value in each.items() if name not in unknown} for each in group)
        for group in facts.alternatives
        if not group[0].keys() <= unknown.keys()
    )
    return facts._replace(figures=facts.figures | unknown, alternatives=varying)


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
    pairs = {*facts.overlaps, *facts.unknown_overlaps, *_pairs(facts.labels)}
    unknown = {pair: reason for pair in pairs if not {name.partition(".")[0] for name in pair} <= before}
    return Facts(figures, facts.labels, facts.overlaps - set(unknown), {**facts.unknown_overlaps, **unknown})


def _pairs(labels: Iterable[str]) -> Iterator[frozenset[str]]:
    """Yield every pair of labelled requests, and of their views."""
    for one, other in combinations(labels, 2):
        yield frozenset({one, other})
        yield frozenset({f"{one}.view", f"{other}.view"})


def _figures(entities: Entities) -> dict[str, Any]:
    """Return the facts of the run, and of each database, as far as there are figures for them."""
    reading = _Reading(entities)
    read = {name: fact.read(reading) for name, fact in FACTS.items()}
    figures: dict[str, Any] = {name: figure for name, figure in read.items() if figure is not None}
    for alias in entities.aliases:
        of_alias = _Reading(entities, alias)
        for name in ALIAS_FACTS:
            figures[f'db["{alias}"].{name}'] = FACTS[f"db.{name}"].read(of_alias)
    return figures


def _of_request(request: RequestEntity, name: str, fact: Fact[RequestEntity], reading: _Reading) -> Any:
    if not request.is_seen and name not in _OF_CLIENT:
        return reading.unseen
    figure = fact.read(request)
    if name == "threads_started" and isinstance(started := reading.threads_started(), Unknown):
        return started
    if name == "db_connections" or (name == "db_connection" and figure is None):
        return reading.whose or figure
    return figure
