"""The ``requests`` part: one row for each request, collapsed if there are many."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from docutils import nodes

from sphinx_djconn.evidence.collapse import CollapsedCell, Row, collapse_rows
from sphinx_djconn.evidence.endings import endings
from sphinx_djconn.evidence.nodes import Cell as TableCell
from sphinx_djconn.evidence.nodes import literal, note, table
from sphinx_djconn.evidence.text import number, printable
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.trace.attribution import NEVER_SEEN, why_unseen
from sphinx_djconn.trace.entities import DatabaseConnection, Greenlet, Named, RequestEntity, Thread
from sphinx_djconn.trace.reading import Trace

_LONGEST_TARGET: Final = 100
_PHASES: Final = {"start": "at start", "view": "in the view", "end": "at end"}
_FATES: Final = {
    "abandoned": "Abandoned: Django never closed the connection, and the thread or greenlet that held it "
    "has ended. Nothing can use or close it any more.",
    "lost": "Lost: Django never closed the connection, and the thread or greenlet that held it has ended. The "
    "server has no session of it any more: Python freed the object, or the server ended the session.",
    "dropped": "Dropped: Django never closed the connection, and the process that held it has ended.",
}
_SESSION_DEPENDS: Final = (
    " Whether the server still has its session depends on when Python's garbage collector runs."
)
_NOTHING: Final = CollapsedCell("—")
_UNKNOWN: Final = CollapsedCell("unknown")
_UNSEEN: Final = "not handled by Django's handler"


def requests_table(scenario: Scenario, trace: Trace) -> tuple[list[nodes.Node], int]:
    """Return the table of the requests of ``trace``, and the number of its rows."""
    places = _places(trace)
    rows = [_table_row(row) for row in collapse_rows(list(_rows(scenario, trace, places)))]
    columns = [
        ("#", 10),
        ("Client", 12),
        ("Request", 25),
        ("Status", 10),
        ("HTTP connection", 15),
        *((place, 10) for place in places),
        ("Database connection", 22),
    ]
    connections = trace.entities.db_connections.values()
    fates = [
        note(text + (_SESSION_DEPENDS if fate == "abandoned" and trace.depends_on_collector else ""))
        for fate, text in _FATES.items()
        if any(getattr(connection, fate) and _is_named(connection) for connection in connections)
    ]
    remarks = [note(text) for text in endings(trace)]
    return [table(columns, rows, "djconn-requests"), *fates, *remarks] if rows else [], len(rows)


_PLACES: Final[dict[str, Callable[[RequestEntity], Named | None]]] = {
    "Process": lambda request: request.process,
    "Thread": lambda request: request.thread,
    "Greenlet": lambda request: request.greenlet,
    "Task": lambda request: request.task,
}
"""What can handle a request, from the outermost to the innermost."""


def _places(trace: Trace) -> list[str]:
    """Return those of :data:`_PLACES` that have a column for ``trace``."""
    requests = trace.entities.requests.values()
    processes = {request.process.serial for request in requests if request.process}
    has_column = {
        "Process": len(processes) > 1,
        "Thread": True,
        "Greenlet": any(request.greenlet for request in requests),
        "Task": any(request.task for request in requests),
    }
    return [place for place in _PLACES if has_column[place]]


def _is_named(connection: DatabaseConnection) -> bool:
    return connection.name.startswith("C")


# Rows.


def _rows(scenario: Scenario, trace: Trace, places: Iterable[str]) -> Iterator[Row]:
    named = {request.client for request in scenario.sequence.requests()}
    requests = trace.entities.requests.values()
    databases = _Databases(trace)
    last_of_http = {request.http.serial: request.number for request in requests if request.http}
    for request in requests:
        client = request.client if request.client in named else "new client"
        yield Row(
            request.number,
            request.number,
            request.label,
            (client, f"{request.method} {request.path}", _status(request)),
            (
                _http(request, last_of_http),
                *(_place(place, request, trace) for place in places),
                databases.cell(request),
            ),
        )


def _place(place: str, request: RequestEntity, trace: Trace) -> CollapsedCell:
    if not request.is_seen:
        never_seen = place == "Thread" and why_unseen(trace.entities) == NEVER_SEEN
        return CollapsedCell(_UNSEEN) if never_seen else _UNKNOWN
    entity = _PLACES[place](request)
    return CollapsedCell("{}", (entity.name,)) if entity else _NOTHING


def _status(request: RequestEntity) -> str:
    if request.status is not None:
        return str(request.status)
    return f"none ({request.error})" if request.error else "—"


def _http(request: RequestEntity, last_of_http: dict[int, int]) -> CollapsedCell:
    http = request.http
    if http is None:
        return _NOTHING
    template = "{} new" if request.http_new else "{} kept"
    if http.closed_by == "server" and last_of_http[http.serial] == request.number:
        template += ", closed by server"
    return CollapsedCell(template, (http.name,))


class _Databases:
    """The last uses and the closing of database connections, by request."""

    def __init__(self, trace: Trace) -> None:
        self._entities = trace.entities
        self.closed: dict[int, list[DatabaseConnection]] = {}
        self.last_use: dict[tuple[int, int], int] = {}
        for connection in trace.entities.db_connections.values():
            if connection.closed_in is not None:
                self.closed.setdefault(connection.closed_in, []).append(connection)
        for request in trace.entities.requests.values():
            for connection, _ in request.connections:
                self.last_use[connection.key] = request.number

    def cell(self, request: RequestEntity) -> CollapsedCell:
        if not request.is_seen and not request.connections:
            return _UNKNOWN
        used: dict[tuple[int, int], tuple[DatabaseConnection, str]] = {}
        for connection, how in request.connections:
            used.setdefault(connection.key, (connection, how))
        changes: list[tuple[str, tuple[str, ...]]] = [
            (f"{_alias(connection)} closed {_closing(connection, request)}", (connection.name,))
            for connection in self.closed.get(request.number, ())
            if connection.key not in used
        ]
        for connection, how in used.values():
            where, names = self._where(connection, request)
            template = f"{_alias(connection)} {how}{where}{self._after(connection, request)}"
            changes.append((template, (connection.name, *names)))
        templates = [template for template, _ in changes]
        if request.failed:
            templates.append("failed to open" if request.failed == 1 else f"failed {request.failed} times")
        if request.health_checks and not any("health check" in template for template in templates):
            templates.append("health checked")
        return CollapsedCell("; ".join(templates) or "—", tuple(name for _, names in changes for name in names))

    def _where(self, connection: DatabaseConnection, request: RequestEntity) -> tuple[str, tuple[str, ...]]:
        """Return the process, thread or greenlet of ``connection``, if a request started it."""
        process = self._entities.processes.get(connection.key[0])
        if process is not None and process.started_by is not None and process is not request.process:
            return " in {}", (process.name,)
        owner: Thread | Greenlet | None = self._entities.threads.get(connection.thread)
        own: Thread | Greenlet | None = request.thread
        if connection.greenlet is not None:
            owner, own = self._entities.greenlets[connection.greenlet], request.greenlet
        if owner is None or owner is own or owner.started_by is None:
            return "", ()
        return " in {}", (owner.name,)

    def _after(self, connection: DatabaseConnection, request: RequestEntity) -> str:
        """Return what happened to ``connection`` after ``request`` used it, or after its last use."""
        if request.number in connection.returned_in:
            return ", given back to its pool"
        if connection.closed_in == request.number:
            return f", closed {_closing(connection, request)}"
        if self.last_use[connection.key] != request.number or connection.closed_in is not None:
            return ""
        if connection.why is not None:
            return f", closed {_closing(connection, request)}"
        return next((f", then {fate}" for fate in _FATES if getattr(connection, fate)), "")


def _alias(connection: DatabaseConnection) -> str:
    if connection.alias == "default":
        return "{}"
    return "{} (" + printable(connection.alias).replace("{", "{{").replace("}", "}}") + ")"


def _closing(connection: DatabaseConnection, request: RequestEntity) -> str:
    """Return when Django closed ``connection``, which ``request`` used, and an unusual reason.

    A connection that is closed outside of requests, for example in a thread that a request started, may be
    closed before the response.
    """
    when = _PHASES.get(connection.phase or "")
    if when is None or connection.closed_in != request.number:
        limit = request.answered or request.ended
        early = limit is not None and connection.closed_at is not None and connection.closed_at < limit
        when = "before the response" if early else "later"
    return when if connection.why == "end of request" else f"{when} ({connection.why})"


def _table_row(row: Row) -> list[TableCell]:
    client, request, status = row.fixed
    span = str(row.first) if row.first == row.last else f"{row.first}–{row.last}"
    target: TableCell = _target(request)
    if row.label is not None:
        label = nodes.emphasis("", printable(row.label))
        target = [_target(request), nodes.Text(" as "), label]
    if row.left_out is not None:
        target = f"… {number(row.requests)} more {row.left_out} …"
    return [span, printable(client), target, printable(status), *(cell.text for cell in row.cells)]


def _target(request: str) -> nodes.literal:
    plain = re.sub(r"\s+", " ", request)
    return literal(plain if len(plain) <= _LONGEST_TARGET else plain[: _LONGEST_TARGET - 1] + "…")
