"""Entities read out of the events of one run, named in the order of the sequence.

Serials tell entities apart within a process; the names T1, C1, H1, P1 are given here, by walking the
requests in the order of the sequence, so that two runs of the same behaviour have the same names
whichever thread was faster. What no request touched (the main thread of ``runserver``, the connection
of its migration check) has a name of its own kind: ``main``, ``S1``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from sphinx_djconn.trace.events import Event

Key: TypeAlias = tuple[int, int]
"""The serial of a process, and a serial within it."""


@dataclass(slots=True)
class Process:
    """A process of the server. ``name`` is P1, P2, … where it served requests, else ``P0``."""

    serial: int
    name: str = "P0"
    pid: int = 0
    parent_pid: int = 0
    python: str = ""
    django: str = ""
    ended: bool = False


@dataclass(slots=True)
class Thread:
    """A thread. ``name`` is T1, T2, … where it served requests, else ``main`` or what Python calls it."""

    key: Key
    name: str = "?"
    process: str = "P0"
    ident: int = 0
    main: bool = False
    ended: bool = False


@dataclass(slots=True)
class HttpConnection:
    """An HTTP connection as the client sees it. ``closed_by`` is ``client``, ``server`` or ``None``."""

    serial: int
    name: str = "?"
    client: str = ""
    port: int = 0
    closed_by: str | None = None


@dataclass(slots=True)
class DatabaseConnection:
    """A database connection: C1, C2, … where a request opened or used it, else S1, S2, ….

    ``opened_in`` and ``closed_in`` are numbers of requests, ``None`` outside of any. ``why`` tells why
    Django closed it and is ``None`` where Django did not. ``thread`` is the thread whose
    ``django.db.connections`` holds it.
    """

    key: Key
    thread: Key
    alias: str = "default"
    name: str = "?"
    opened_in: int | None = None
    closed_in: int | None = None
    why: str | None = None
    phase: str | None = None
    abandoned: bool = False
    dropped: bool = False

    @property
    def open(self) -> bool:
        """Whether a thread that is alive can still use it."""
        return self.why is None and not self.abandoned and not self.dropped


@dataclass(slots=True)
class RequestEntity:
    """A request: what the client saw of it, and what the probe saw of it inside the server.

    ``begun`` and ``ended`` are nanoseconds of the monotonic clock, ``None`` where Django never saw the
    request. ``connections`` are the database connections it used, in that order, with ``opened`` or
    ``reused``.
    """

    number: int
    client: str = ""
    method: str = ""
    path: str = ""
    label: str | None = None
    step: int = 0
    status: int | None = None
    error: str | None = None
    json: Any = None
    http: HttpConnection | None = None
    http_new: bool = False
    thread: Thread | None = None
    process: Process | None = None
    begun: int | None = None
    ended: int | None = None
    wrappers: int = 0
    failed: int = 0
    health_checks: int = 0
    connections: list[tuple[DatabaseConnection, str]] = field(default_factory=list)
    closed_at: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Trace:
    """The ordered events of one run, the lines of the server's log, and what the server was started with.

    ``settings`` maps the names of the ``settings`` part to texts, free of paths and secrets.
    """

    events: tuple[Event, ...]
    log: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def entities(self) -> "Entities":
        """The entities, read once."""
        return Entities(self.events)


class Entities:
    """All entities of a trace, by their keys and in the order of the sequence."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.processes: dict[int, Process] = {}
        self.threads: dict[Key, Thread] = {}
        self.http_connections: dict[int, HttpConnection] = {}
        self.db_connections: dict[Key, DatabaseConnection] = {}
        self.requests: dict[int, RequestEntity] = {}
        self.peak = 0
        self._owners: dict[Key, Key] = {}
        self._open: set[Key] = set()
        self._step = 0
        for event in events:
            reader = _READERS.get(event.kind)
            if reader is not None:
                reader(self, event)
        self.requests = dict(sorted(self.requests.items()))
        self._settle()
        self._name()

    def thread_of(self, event: Event) -> Thread:
        """Return the thread in which ``event`` happened."""
        key = (event.process, event.thread)
        if key not in self.threads:
            self.threads[key] = Thread(key)
        return self.threads[key]

    def request(self, number: int) -> RequestEntity:
        """Return the request with ``number``."""
        if number not in self.requests:
            self.requests[number] = RequestEntity(number)
        return self.requests[number]

    def process(self, serial: int) -> Process:
        """Return the process with ``serial``."""
        if serial not in self.processes:
            self.processes[serial] = Process(serial)
        return self.processes[serial]

    # Clients.

    def _step_begins(self, event: Event) -> None:
        self._step = event.data["n"]

    def _http_opened(self, event: Event) -> None:
        data = event.data
        self.http_connections[data["h"]] = HttpConnection(
            data["h"], client=data["client"], port=data["port"]
        )

    def _http_closed(self, event: Event) -> None:
        self.http_connections[event.data["h"]].closed_by = event.data["by"]

    def _sent(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.client, request.method = event.data["client"], event.data["method"]
        request.path, request.label = event.data["path"], event.data.get("label")
        request.step = self._step

    def _answered(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.status = event.data.get("status")
        request.error = event.data.get("error")
        request.json = event.data.get("json")
        request.http = self.http_connections.get(event.data.get("h") or 0)
        request.http_new = bool(event.data.get("new"))

    # Processes and threads.

    def _process_started(self, event: Event) -> None:
        process = self.process(event.process)
        process.pid, process.parent_pid = event.data["pid"], event.data["ppid"]
        process.python = event.data["python"]

    def _django_loaded(self, event: Event) -> None:
        self.process(event.process).django = event.data["version"]

    def _process_ended(self, event: Event) -> None:
        self.process(event.process).ended = True
        self._open = {key for key in self._open if key[0] != event.process}

    def _thread_started(self, event: Event) -> None:
        thread = self.thread_of(event)
        thread.ident, thread.main = event.data["ident"], event.data["main"]
        thread.name = "main" if thread.main else _plain(event.data["name"])

    def _thread_ended(self, event: Event) -> None:
        self.thread_of(event).ended = True

    # Requests inside the server.

    def _begun(self, event: Event) -> None:
        request = self.request(event.request or 0)
        request.begun, request.thread = event.at, self.thread_of(event)
        request.process = self.process(event.process)

    def _ended(self, event: Event) -> None:
        self.request(event.request or 0).ended = event.at

    # Databases.

    def _wrapper_created(self, event: Event) -> None:
        self._owners[event.process, event.data["w"]] = (event.process, event.thread)
        if event.request is not None:
            self.request(event.request).wrappers += 1

    def _opened(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        owner = self._owners.get((event.process, event.data["w"]), (event.process, event.thread))
        connection = DatabaseConnection(
            key, owner, event.data.get("alias", "default"), opened_in=event.request
        )
        self.db_connections[key] = connection
        if event.request is not None:
            self.request(event.request).connections.append((connection, "opened"))
            self._open.add(key)
            self.peak = max(self.peak, len(self._open))

    def _used(self, event: Event) -> None:
        connection = self.db_connections.get((event.process, event.data["c"]))
        if connection is not None and event.request is not None:
            self.request(event.request).connections.append((connection, "reused"))

    def _closed(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        self._open.discard(key)
        connection = self.db_connections.get(key)
        if connection is None:
            return
        connection.why, connection.phase = event.data["why"], event.data["phase"]
        connection.closed_in = event.request
        if event.request is not None:
            self.request(event.request).closed_at.append(event.data["phase"])

    def _failed(self, event: Event) -> None:
        if event.request is not None:
            self.request(event.request).failed += 1

    def _health_checked(self, event: Event) -> None:
        if event.request is not None:
            self.request(event.request).health_checks += 1

    # What only the whole shows.

    def _settle(self) -> None:
        for connection in self.db_connections.values():
            if connection.why is not None:
                continue
            owner = self.threads.get(connection.thread)
            connection.dropped = self.process(connection.key[0]).ended
            connection.abandoned = not connection.dropped and owner is not None and owner.ended

    def _name(self) -> None:
        threads = processes = connections = https = others = 0
        for request in self.requests.values():
            if request.process is not None and request.process.name == "P0":
                processes += 1
                request.process.name = f"P{processes}"
            if request.thread is not None and not _named(request.thread.name, "T"):
                threads += 1
                request.thread.name = f"T{threads}"
            if request.http is not None and request.http.name == "?":
                https += 1
                request.http.name = f"H{https}"
            for connection, _ in request.connections:
                if connection.name == "?":
                    connections += 1
                    connection.name = f"C{connections}"
        for http in self.http_connections.values():
            if http.name == "?":
                https += 1
                http.name = f"H{https}"
        for connection in self.db_connections.values():
            if connection.name == "?":
                others += 1
                connection.name = f"S{others}"
        for thread in self.threads.values():
            thread.process = self.process(thread.key[0]).name


def _named(name: str, letter: str) -> bool:
    return re.fullmatch(rf"{letter}\d+", name) is not None


def _plain(name: str) -> str:
    """Return a thread's name without the counter that Python puts into it."""
    counted = re.fullmatch(r"Thread-\d+(?: \((?P<target>.*)\))?", name)
    return name if counted is None else counted["target"] or "thread"


_READERS = {
    "step": Entities._step_begins,
    "http.open": Entities._http_opened,
    "http.close": Entities._http_closed,
    "request.sent": Entities._sent,
    "response": Entities._answered,
    "request.error": Entities._answered,
    "process.start": Entities._process_started,
    "django": Entities._django_loaded,
    "process.exit": Entities._process_ended,
    "thread.start": Entities._thread_started,
    "thread.end": Entities._thread_ended,
    "request.begin": Entities._begun,
    "request.end": Entities._ended,
    "db.wrapper": Entities._wrapper_created,
    "db.open": Entities._opened,
    "db.use": Entities._used,
    "db.close": Entities._closed,
    "db.failed": Entities._failed,
    "db.health": Entities._health_checked,
}
