"""Formats events for the log part: the entity that an event happened in, and a description."""

from collections.abc import Callable, Iterable
from typing import Final

from sphinx_djconn.evidence.text import printable
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.reading import Trace

NEW_CLIENT: Final = "new client"

_LISTED_MOST: Final = 3
_PHASES: Final = {
    "start": " before the view",
    "view": " in the view",
    "end": " after the response",
}
_REASONS: Final = {
    "age": "older than CONN_MAX_AGE",
    "autocommit": "autocommit was not as in the settings",
    "dropped": "it had been taken away",
    "end of request": "CONN_MAX_AGE is 0",
    "error": "an error had occurred",
    "explicit": "close() was called",
    "health check": "it failed its health check",
}


class EventFormatter:
    """Formats the events of one trace. ``named`` are the clients that have a name in the sequence."""

    def __init__(self, trace: Trace, named: Iterable[str | None]) -> None:
        self._entities = trace.entities
        self._named = frozenset(named)
        handling = {request.process.serial for request in trace.entities.requests.values() if request.process}
        children = [process for process in trace.entities.processes.values() if process.started_by is not None]
        self._many_processes = len(handling) > 1 or bool(children)
        self._abandoned: dict[tuple[bool, tuple[int, int]], list[str]] = {}
        self._dropped: dict[int, list[str]] = {}
        for connection in trace.entities.db_connections.values():
            if connection.abandoned or connection.lost:
                in_greenlet, owner = connection.greenlet is not None, connection.greenlet or connection.thread
                self._abandoned.setdefault((in_greenlet, owner), []).append(connection.name)
            elif connection.dropped:
                self._dropped.setdefault(connection.key[0], []).append(connection.name)

    def format(self, event: Event) -> tuple[str, str]:
        """Return the entity and the description of ``event``, whose kind is one of :data:`FORMATTED_KINDS`."""
        entity, description = _FORMATS[event.kind]
        return entity(self, event), description(self, event)

    # Entities.

    def _thread(self, event: Event) -> str:
        thread = self._entities.threads.get((event.process, event.thread))
        greenlet = self._entities.greenlet_of(event)
        name = "server" if thread is None else printable((greenlet or thread).name)
        return f"{self._process(event)} {name}" if self._many_processes else name

    def _process(self, event: Event) -> str:
        return self._entities.process(event.process).name

    def _http(self, event: Event) -> str:
        http = self._entities.http_connections.get(event.data["h"])
        return "client" if http is None else http.name

    def _sender(self, event: Event) -> str:
        request = self._entities.requests.get(event.request or 0)
        return self._client("" if request is None else request.client)

    # Descriptions.

    def _client(self, name: str) -> str:
        return printable(name) if name in self._named else NEW_CLIENT

    def _opened_by(self, event: Event) -> str:
        return f"opened by {self._client(event.data['client'])}"

    def _closed_by(self, event: Event) -> str:
        if event.data["by"] == "server":
            return "closed by the server"
        http = self._entities.http_connections.get(event.data["h"])
        return f"closed by {self._client(http.client if http else '')}"

    def _request(self, event: Event) -> str:
        request = self._entities.request(event.request or 0)
        label = f" ({printable(request.label)})" if request.label else ""
        target = printable(f"{request.method} {request.path}")
        http = f" on {request.http.name}" if request.http else ""
        return f"request {request.number}{label}: {target}{http}"

    def _unanswered(self, event: Event) -> str:
        return f"request {event.request} had no response: {printable(str(event.data['error']))}"

    def _viewed(self, event: Event) -> str:
        task = self._entities.request(event.request or 0).task
        return f"view of request {event.request}" + (f", given to task {task.name}" if task else "")

    def _greenlet_ended(self, event: Event) -> str:
        left = self._abandoned.get((True, (event.process, event.data["g"])), [])
        greenlet = self._entities.greenlet_of(event)
        return _ended("greenlet", None if greenlet is None else greenlet.started_by) + _never_closed(left)

    def _thread_started(self, event: Event) -> str:
        return "thread started" + _by(self._entities.thread_of(event).started_by)

    def _thread_ended(self, event: Event) -> str:
        left = self._abandoned.get((False, (event.process, event.thread)), [])
        return _ended("thread", self._entities.thread_of(event).started_by) + _never_closed(left)

    def _process_started(self, event: Event) -> str:
        return "process started" + _by(self._entities.process(event.process).started_by)

    def _process_ended(self, event: Event) -> str:
        ended = _ended("process", self._entities.process(event.process).started_by)
        return ended + _never_closed(self._dropped.get(event.process, []))

    def _created(self, event: Event) -> str:
        return "DB wrapper created" + _alias(event.data.get("alias", "default"))

    def _connection(self, event: Event) -> str:
        connection = self._entities.db_connection(event.process, event.data["c"])
        return f"DB connection {connection.name}{_alias(connection.alias)}" if connection else "a DB connection"

    def _opened(self, event: Event) -> str:
        if self._entities.is_pool_reuse(event):
            return f"{self._connection(event)} taken from its pool again"
        return f"{self._connection(event)} opened"

    def _reused(self, event: Event) -> str:
        connection = self._entities.db_connection(event.process, event.data["c"])
        request = self._entities.request_of(event)
        own = connection is not None and request is not None and connection.opened_in == request
        return f"{self._connection(event)} {'used' if own else 'reused'}"

    def _closed(self, event: Event) -> str:
        if event.data.get("pooled"):
            when = _PHASES.get(event.data["phase"], "")
            return f"{self._connection(event)} given back to its pool{when}"
        phase, why = event.data["phase"], event.data["why"]
        when, reason = _PHASES.get(phase, ""), _REASONS.get(why, why)
        return f"{self._connection(event)} closed{when}: {reason}"

    def _failed(self, event: Event) -> str:
        return f"DB connection could not be opened: {printable(str(event.data['error']))}"

    def _checked(self, event: Event) -> str:
        outcome = "usable" if event.data["usable"] else "not usable"
        return f"{self._connection(event)} checked: {outcome}"


def _always(sentence: str) -> Callable[[EventFormatter, Event], str]:
    return lambda _, __: sentence


def _by(request: int | None) -> str:
    return "" if request is None else f" by request {request}"


def _ended(what: str, request: int | None) -> str:
    return f"{what} ended" if request is None else f"{what}, started by request {request}, ended"


def _alias(alias: str) -> str:
    return "" if alias == "default" else f" ({printable(alias)})"


def _never_closed(names: list[str]) -> str:
    if not names:
        return ""
    if len(names) == 1:
        return f"; DB connection {names[0]} was never closed"
    listed = " and ".join(names) if len(names) <= _LISTED_MOST else str(len(names))
    return f"; DB connections never closed: {listed}"


# ruff: noqa: SLF001 - the table of the methods above

_FORMATS: Final[
    dict[str, tuple[Callable[[EventFormatter, Event], str], Callable[[EventFormatter, Event], str]]]
] = {
    "http.open": (EventFormatter._http, EventFormatter._opened_by),
    "http.close": (EventFormatter._http, EventFormatter._closed_by),
    "request.error": (EventFormatter._sender, EventFormatter._unanswered),
    "process.start": (EventFormatter._process, EventFormatter._process_started),
    "process.exit": (EventFormatter._process, EventFormatter._process_ended),
    "thread.start": (EventFormatter._thread, EventFormatter._thread_started),
    "thread.end": (EventFormatter._thread, EventFormatter._thread_ended),
    "greenlet.end": (EventFormatter._thread, EventFormatter._greenlet_ended),
    "listening": (EventFormatter._thread, _always("listening for HTTP connections")),
    "request.begin": (EventFormatter._thread, EventFormatter._request),
    "request.view": (EventFormatter._thread, EventFormatter._viewed),
    "db.wrapper": (EventFormatter._thread, EventFormatter._created),
    "db.open": (EventFormatter._thread, EventFormatter._opened),
    "db.failed": (EventFormatter._thread, EventFormatter._failed),
    "db.use": (EventFormatter._thread, EventFormatter._reused),
    "db.health": (EventFormatter._thread, EventFormatter._checked),
    "db.usable": (EventFormatter._thread, EventFormatter._checked),
    "db.close": (EventFormatter._thread, EventFormatter._closed),
}

FORMATTED_KINDS: Final = frozenset(_FORMATS)
"""The kinds of events that the log part shows."""
