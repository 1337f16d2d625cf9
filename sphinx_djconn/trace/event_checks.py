"""Check the events of a run against each other: serials, and the begin and end of everything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sphinx_djconn.trace.contradictions import ContradictionReport, Scope
from sphinx_djconn.trace.events import Event


class ConnectionState(StrEnum):
    """What the last event about a database connection did to it."""

    OPEN = "open"
    CLOSED = "closed"
    RETURNED = "returned to its pool"
    DROPPED = "taken away from its wrapper"
    COLLECTED = "garbage-collected"


@dataclass(slots=True)
class ProcessRecord:
    """What the events of one process have said so far. Keys are the serials of the process.

    ``threads`` and ``greenlets`` map to whether they are alive, ``wrappers`` to the vendor of their database,
    and ``open_by_wrapper`` to the connection that the wrapper has open.
    """

    parent: int | None = None
    started: bool = False
    ended: bool = False
    serials: set[int] = field(default_factory=set)
    last_serial: int = 0
    threads: dict[int, bool] = field(default_factory=dict)
    greenlets: dict[int, bool] = field(default_factory=dict)
    wrappers: dict[int, str] = field(default_factory=dict)
    open_by_wrapper: dict[int, int] = field(default_factory=dict)
    connections: dict[int, ConnectionState] = field(default_factory=dict)


class ProcessRecords:
    """The records of all processes by their serials."""

    def __init__(self) -> None:
        self._records: dict[int, ProcessRecord] = {}

    def __getitem__(self, process: int) -> ProcessRecord:
        return self._records.setdefault(process, ProcessRecord())

    def lineage(self, process: int | None) -> Iterator[ProcessRecord]:
        """Yield the record of a process, then those of the processes that it was forked from."""
        while process is not None:
            record = self[process]
            yield record
            process = record.parent

    def vendor(self, process: int, wrapper: int) -> str | None:
        """Return the vendor of a wrapper of ``process``, or of one it was forked from; ``None`` without it."""
        records = self.lineage(process)
        return next((record.wrappers[wrapper] for record in records if wrapper in record.wrappers), None)

    def connection_state(self, process: int, connection: int) -> ConnectionState | None:
        """Return the state of a connection of ``process``, or of one that it was forked from."""
        for record in self.lineage(process):
            if connection in record.connections:
                return record.connections[connection]
        return None

    def is_greenlet_alive(self, process: int, greenlet: int) -> bool:
        """Return whether a greenlet of ``process``, or of one it was forked from, is alive."""
        for record in self.lineage(process):
            if greenlet in record.greenlets:
                return record.greenlets[greenlet]
        return False


@dataclass(slots=True)
class _RequestRecord:
    """What the events of one request have said so far. ``views`` counts those that have begun, not ended."""

    sent: bool = False
    process: int | None = None
    in_task: bool = False
    ended: bool = False
    views: int = 0
    http: int | None = None
    outcome: str = ""


class EventChecks:
    """Goes through the events once, in their order, and adds contradictions to a report."""

    def __init__(self, report: ContradictionReport) -> None:
        self.processes = ProcessRecords()
        self._report = report
        self._pids: dict[int, int] = {}
        self._requests: dict[int, _RequestRecord] = {}
        self._http_ports: dict[int, int] = {}
        self._http_open: dict[int, bool] = {}
        self._ports_with_thread: set[int] = set()
        self._failed_to_connect = 0
        self.handlers: dict[str, Callable[[Event], None]] = {
            "events.read": self._events_read,
            "process.start": self._process_started,
            "process.exit": self._process_ended,
            "thread.start": self._thread_started,
            "thread.end": self._thread_ended,
            "greenlet.start": self._greenlet_started,
            "greenlet.end": self._greenlet_ended,
            "request.sent": self._request_sent,
            "response": self._request_answered,
            "request.error": self._request_answered,
            "request.begin": self._request_begun,
            "request.view": self._view_begun,
            "request.view.end": self._view_ended,
            "request.end": self._request_ended,
            "http.open": self._http_opened,
            "http.close": self._http_closed,
            "http.thread": self._http_given_thread,
            "db.wrapper": self._wrapper_created,
            "db.open": self._db_opened,
            "db.use": self._db_used,
            "db.health": self._db_used,
            "db.usable": self._db_used,
            "db.close": self._db_closed,
            "db.collected": self._db_collected,
        }

    def check(self, event: Event) -> None:
        """Check one event against those before it."""
        if event.process and event.kind != "process.exit":
            self._check_origin(event)
        handler = self.handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def finish(self) -> None:
        """Check what only the end of the run shows."""
        for number, request in self._requests.items():
            if request.sent and not request.outcome:
                self._report.add(f"request {number} has neither a response nor an error", Scope.CLIENTS)
        used = {request.http for request in self._requests.values()}
        unused = [connection for connection in self._http_open if connection not in used]
        if len(unused) > self._failed_to_connect:
            names = ", ".join(self._report.name_of("http", (0, connection)) for connection in unused)
            self._report.add(f"no request was sent over the HTTP connection {names}", Scope.CLIENTS)
        if self._ports_with_thread & set(self._http_ports.values()):
            self._check_threads_of_connections()

    def _check_threads_of_connections(self) -> None:
        """Check that a server that gives each HTTP connection a thread did so for each one with a request."""
        for number, request in self._requests.items():
            port = self._http_ports.get(request.http or 0)
            if request.process is not None and port is not None and port not in self._ports_with_thread:
                self._report.add(f"no thread was given to the HTTP connection of request {number}", Scope.PROBE)

    def _process(self, event: Event) -> str:
        return self._report.process(event.process)

    # The process, thread and greenlet that an event came from.

    def _check_origin(self, event: Event) -> None:
        record = self.processes[event.process]
        if event.serial:
            self._check_serial(event, record)
        if event.kind == "process.start":
            return
        if not record.started:
            record.started = True
            self._report.add(f"{self._process(event)} sent an event before its start", Scope.PROBE)
        if record.ended:
            self._report.add(f"{self._process(event)} sent an event after its end", Scope.PROBE)
        if event.kind == "thread.start":
            return
        if event.thread and not record.threads.get(event.thread, False):
            when = "after its end" if event.thread in record.threads else "before its start"
            record.threads.setdefault(event.thread, True)
            thread = self._report.thread(event.process, event.thread)
            self._report.add(f"{thread} of {self._process(event)} sent an event {when}", Scope.PROBE)
        greenlet = event.data.get("g", 0)
        if (
            greenlet
            and not event.kind.startswith("greenlet.")
            and not self.processes.is_greenlet_alive(event.process, greenlet)
        ):
            self._report.add(
                f"a greenlet of {self._process(event)} that was not alive sent an event", Scope.PROBE
            )

    def _check_serial(self, event: Event, record: ProcessRecord) -> None:
        serial = event.serial
        if serial in record.serials:
            self._report.add(f"an event of {self._process(event)} was recorded twice", Scope.PROBE)
        elif serial < record.last_serial:
            self._report.add(f"events of {self._process(event)} are out of order", Scope.PROBE)
        elif serial > record.last_serial + 1:
            self._report.add(f"events of {self._process(event)} are missing", Scope.PROBE)
        record.serials.add(serial)
        record.last_serial = max(record.last_serial, serial)

    def _events_read(self, event: Event) -> None:
        """Compare how many events the lab has read with how many there are."""
        for process, count in event.data["processes"]:
            if len(self.processes[process].serials) < count:
                self._report.add(f"events of {self._report.process(process)} are missing", Scope.PROBE)

    # Processes, threads, greenlets.

    def _process_started(self, event: Event) -> None:
        record = self.processes[event.process]
        if record.started:
            self._report.add(f"{self._process(event)} started twice", Scope.PROBE)
        record.started = True
        parent = self._pids.get(event.data["ppid"])
        if parent is not None and parent != event.process and not self.processes[parent].ended:
            record.parent = parent
        self._pids[event.data["pid"]] = event.process

    def _process_ended(self, event: Event) -> None:
        self.processes[event.process].ended = True

    def _thread_started(self, event: Event) -> None:
        record = self.processes[event.process]
        if event.thread in record.threads:
            self._report.add(f"a thread of {self._process(event)} started twice", Scope.PROBE)
        record.threads[event.thread] = True

    def _thread_ended(self, event: Event) -> None:
        self.processes[event.process].threads[event.thread] = False

    def _greenlet_started(self, event: Event) -> None:
        greenlets = self.processes[event.process].greenlets
        if event.data["g"] in greenlets:
            self._report.add(f"a greenlet of {self._process(event)} started twice", Scope.PROBE)
        greenlets[event.data["g"]] = True

    def _greenlet_ended(self, event: Event) -> None:
        if not self.processes.is_greenlet_alive(event.process, event.data["g"]):
            self._report.add(f"a greenlet of {self._process(event)} ended that was not alive", Scope.PROBE)
        self.processes[event.process].greenlets[event.data["g"]] = False

    # Requests.

    def _request(self, event: Event) -> _RequestRecord:
        return self._requests.setdefault(event.request or 0, _RequestRecord())

    def _request_sent(self, event: Event) -> None:
        self._request(event).sent = True

    def _request_answered(self, event: Event) -> None:
        request = self._request(event)
        request.outcome, request.http = event.kind, event.data.get("h")
        self._failed_to_connect += request.http is None

    def _request_begun(self, event: Event) -> None:
        request = self._request(event)
        if not request.sent:
            self._report.add(f"request {event.request} began, but no client sent it", Scope.PROBE)
        if request.process is not None:
            self._report.add(f"request {event.request} began twice", Scope.PROBE)
        if request.outcome == "response":
            self._report.add(f"request {event.request} began after its response", Scope.PROBE)
        request.process, request.in_task = event.process, "task" in event.data

    def _view_begun(self, event: Event) -> None:
        request = self._request(event)
        if request.process is None:
            self._report.add(f"the view of request {event.request} began before the request", Scope.PROBE)
        request.views += 1

    def _view_ended(self, event: Event) -> None:
        request = self._request(event)
        request.views -= 1
        if request.views < 0:
            request.views = 0
            self._report.add(f"the view of request {event.request} ended, but never began", Scope.PROBE)

    def _request_ended(self, event: Event) -> None:
        request = self._request(event)
        if request.process != event.process:
            self._report.add(f"request {event.request} ended in a process where it never began", Scope.PROBE)
        if request.ended:
            self._report.add(f"request {event.request} ended twice", Scope.PROBE)
        if request.views and not request.in_task:
            self._report.add(f"request {event.request} ended before its view", Scope.PROBE)
        request.ended = True

    # HTTP connections.

    def _http_opened(self, event: Event) -> None:
        if event.data["h"] in self._http_open:
            self._report.add("an HTTP connection was opened twice", Scope.CLIENTS)
        self._http_open[event.data["h"]] = True
        self._http_ports[event.data["h"]] = event.data["port"]

    def _http_closed(self, event: Event) -> None:
        if not self._http_open.get(event.data["h"], False):
            self._report.add("an HTTP connection was closed that was not open", Scope.CLIENTS)
        self._http_open[event.data["h"]] = False

    def _http_given_thread(self, event: Event) -> None:
        self._ports_with_thread.add(event.data["port"])

    # Database connections.

    def _wrapper_created(self, event: Event) -> None:
        wrappers = self.processes[event.process].wrappers
        if event.data["w"] in wrappers:
            self._report.add(f"a database wrapper of {self._process(event)} was created twice", Scope.PROBE)
        wrappers[event.data["w"]] = event.data.get("vendor", "")

    def _db_opened(self, event: Event) -> None:
        record, wrapper, connection = self.processes[event.process], event.data["w"], event.data["c"]
        if self.processes.vendor(event.process, wrapper) is None:
            name = self._report.db_connection(event.process, connection)
            self._report.add(f"{name} was opened in a wrapper that was never created", Scope.PROBE)
        if connection in record.connections:
            name = self._report.db_connection(event.process, connection)
            self._report.add(f"{name} was opened twice", Scope.PROBE)
        before = record.open_by_wrapper.get(wrapper)
        if before is not None:
            replaced = self._report.db_connection(event.process, before)
            self._report.add(f"{replaced} was replaced without being closed", Scope.PROBE)
        record.open_by_wrapper[wrapper] = connection
        record.connections[connection] = ConnectionState.OPEN

    def _db_used(self, event: Event) -> None:
        self._require_open(event, "was used")

    def _db_closed(self, event: Event) -> None:
        self._require_open(event, "was closed")
        if "pooled" in event.data:
            self._leave(event, ConnectionState.RETURNED)
        elif event.data["why"] == "dropped":
            self._leave(event, ConnectionState.DROPPED)
        else:
            self._leave(event, ConnectionState.CLOSED)

    def _db_collected(self, event: Event) -> None:
        self._require_open(event, "was garbage-collected")
        self._leave(event, ConnectionState.COLLECTED)

    def _require_open(self, event: Event, what: str) -> None:
        connection = event.data["c"]
        if self.processes.connection_state(event.process, connection) is not ConnectionState.OPEN:
            name = self._report.db_connection(event.process, connection)
            self._report.add(f"{name} {what}, but was not open", Scope.PROBE)

    def _leave(self, event: Event, state: ConnectionState) -> None:
        record = self.processes[event.process]
        record.connections[event.data["c"]] = state
        record.open_by_wrapper.pop(event.data["w"], None)
