"""Whether the events of a run agree with each other and with their witnesses.

The probe's events are a set of books: what is closed was opened, what ends has begun, each event has its
serial. The clients, the kernel (``processes.seen``) and the database server (``db.sessions``) keep books of
their own. What does not balance is an :class:`Imbalance`, and the facts concerned are not known.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

from sphinx_djconn.trace.entities import Key
from sphinx_djconn.trace.events import Event
from sphinx_djconn.trace.unknown import Unknown


class Scope(StrEnum):
    """Which facts an imbalance concerns."""

    PROBE = "all that the probe tells"
    DATABASE = "database connections"
    CLIENTS = "all"


class Imbalance(NamedTuple):
    """One thing that does not balance, ``times`` in the run, first in ``step`` (0: before the first)."""

    text: str
    scope: Scope
    step: int
    times: int = 1

    @property
    def message(self) -> str:
        """What it is, where, and what to do, in one line."""
        where = f"in step {self.step}" if self.step else "before the first step"
        often = f", {self.times} times in all" if self.times > 1 else ""
        return (
            f"the run contradicts itself {where}{often}: {self.text}; no fact about {self.scope} is known of "
            "it, and no claim that needs one can hold. Find out what the project does there that Django does "
            "not see, or build again, and report it if it stays"
        )


_OF_CLIENTS: Final = frozenset(
    {"requests", "responses", "errors", "statuses", "http.connections", "http.close_delimited", "db.sessions"}
)
_OF_CLIENTS_ONE: Final = frozenset({"status", "json", "http_connection"})
"""Facts of a run, and of a labelled request, that the clients and the database server know by themselves."""


def unknown_facts(
    names: Iterable[str], labels: Iterable[str], imbalances: Iterable[Imbalance]
) -> Mapping[str, Unknown]:
    """Return those of the facts ``names`` that are not known because of ``imbalances``, with the reason."""
    ones = {f"{label}.{name}" for label in labels for name in _OF_CLIENTS_ONE}
    unknown: dict[str, Unknown] = {}
    found = list(imbalances)
    for name in names:
        for imbalance in found:
            if _concerns(imbalance.scope, name, name in _OF_CLIENTS or name in ones):
                unknown[name] = Unknown(f"the run contradicts itself: {imbalance.text}")
                break
    return unknown


def doubt_of_probe(imbalances: Iterable[Imbalance]) -> Unknown | None:
    """Return why nothing that the probe tells is known; ``None`` if its events balance."""
    doubts = (each for each in imbalances if each.scope is not Scope.DATABASE)
    return next((Unknown(f"the run contradicts itself: {each.text}") for each in doubts), None)


def _concerns(scope: Scope, name: str, of_clients: bool) -> bool:
    match scope:
        case Scope.CLIENTS:
            return True
        case Scope.PROBE:
            return not of_clients
        case Scope.DATABASE:
            return not of_clients and (name.startswith("db") or ".db_" in name)


def imbalances_of(events: Iterable[Event], name: Callable[[str, Key], str]) -> tuple[Imbalance, ...]:
    """Return what does not balance in ``events``, which are in their order.

    A run that has no ``end`` is not whole, and nothing is said of it. ``name`` returns what readers call the
    ``process``, ``thread``, ``http`` or ``db`` connection of a key.
    """
    books = _Books(name)
    for event in events:
        books.enter(event)
    return tuple(books.found.values()) if books.ended else ()


@dataclass(slots=True)
class _ProcessBook:
    """What a process has told so far."""

    parent: int | None = None
    started: bool = False
    ended: bool = False
    serials: set[int] = field(default_factory=set)
    last: int = 0
    threads: dict[int, bool] = field(default_factory=dict)
    natives: dict[int, int] = field(default_factory=dict)
    greenlets: dict[int, bool] = field(default_factory=dict)
    wrappers: dict[int, str] = field(default_factory=dict)
    holding: dict[int, int] = field(default_factory=dict)
    connections: dict[int, str] = field(default_factory=dict)
    sockets: set[int] = field(default_factory=set)
    seen_sockets: set[int] = field(default_factory=set)
    ended_by_server: set[int] = field(default_factory=set)
    files: set[int] = field(default_factory=set)
    inherited: int = 0


@dataclass(slots=True)
class _RequestBook:
    """What was told of a request so far."""

    sent: bool = False
    process: int | None = None
    in_task: bool = False
    ended: bool = False
    views: int = 0
    http: int | None = None
    outcome: str = ""


_OPEN, _CLOSED, _RETURNED, _DROPPED, _COLLECTED = "open", "closed", "returned", "dropped", "collected"


class _Books:
    """Walks over the events once; ``found`` are the imbalances by their texts."""

    def __init__(self, name: Callable[[str, Key], str]) -> None:
        self.found: dict[str, Imbalance] = {}
        self.ended = False
        self._name = name
        self._step = 0
        self._processes: dict[int, _ProcessBook] = {}
        self._pids: dict[int, int] = {}
        self._requests: dict[int, _RequestBook] = {}
        self._ports: dict[int, int] = {}
        self._http: dict[int, bool] = {}
        self._unsent = 0
        self._served_ports: set[int] = set()
        self._by_session: dict[int, Key] = {}
        self._strange_sessions: Counter[int] = Counter()
        self._pools = False

    def enter(self, event: Event) -> None:
        """Take in one event."""
        if event.process and event.kind != "process.exit":
            self._check_stream(event)
        reader = self.READERS.get(event.kind)
        if reader is not None:
            reader(self, event)
        if event.kind == "end":
            self.ended = True
            self._close()

    def _close(self) -> None:
        """Take stock at the end of the run."""
        for number, request in self._requests.items():
            if request.sent and not request.outcome:
                self._note(f"request {number} has neither a response nor an error", Scope.CLIENTS)
        carried = {request.http for request in self._requests.values()}
        idle = [serial for serial in self._http if serial not in carried]
        if len(idle) > self._unsent:
            names = ", ".join(self._name("http", (0, serial)) for serial in idle)
            self._note(f"no request was sent over the HTTP connection {names}", Scope.CLIENTS)
        if self._served_ports & set(self._ports.values()):
            self._check_threads_of_connections()
        if not self._pools:
            for step, count in self._strange_sessions.items():
                self._step = step
                what = "a session" if count == 1 else f"{count} sessions"
                self._note(f"the database server has {what} that no wrapper of Django's opened", Scope.DATABASE)

    def _check_threads_of_connections(self) -> None:
        """A server that gives each connection a thread has done so with every one that served a request."""
        for number, request in self._requests.items():
            port = self._ports.get(request.http or 0)
            if request.process is not None and port is not None and port not in self._served_ports:
                self._note(f"no thread was given to the HTTP connection of request {number}", Scope.PROBE)

    def _note(self, text: str, scope: Scope) -> None:
        known = self.found.get(text)
        self.found[text] = (
            Imbalance(text, scope, self._step) if known is None else known._replace(times=known.times + 1)
        )

    def _process(self, event: Event) -> str:
        return f"process {self._name('process', (event.process, 0))}"

    def _db(self, process: int, serial: int) -> str:
        return f"database connection {self._name('db', (process, serial))}"

    def _book(self, process: int) -> _ProcessBook:
        return self._processes.setdefault(process, _ProcessBook())

    def _lineage(self, process: int | None) -> Iterable[_ProcessBook]:
        """Return the books of a process and of those that it was forked from."""
        while process is not None:
            book = self._book(process)
            yield book
            process = book.parent

    # The stream.

    def _check_stream(self, event: Event) -> None:
        book = self._book(event.process)
        if event.serial:
            self._check_serial(event, book)
        if event.kind == "process.start":
            return
        if not book.started:
            book.started = True
            self._note(f"{self._process(event)} was not seen to start", Scope.PROBE)
        if book.ended:
            self._note(f"{self._process(event)} told something after its end", Scope.PROBE)
        if event.kind == "thread.start":
            return
        if event.thread and not book.threads.get(event.thread, False):
            state = "after its end" if event.thread in book.threads else "before its start"
            book.threads.setdefault(event.thread, True)
            thread = self._name("thread", (event.process, event.thread))
            self._note(f"thread {thread} of {self._process(event)} told something {state}", Scope.PROBE)
        greenlet = event.data.get("g", 0)
        if greenlet and not event.kind.startswith("greenlet.") and not self._is_alive(event.process, greenlet):
            self._note(f"a greenlet of {self._process(event)} told something that is not alive", Scope.PROBE)

    def _is_alive(self, process: int, greenlet: int) -> bool:
        for book in self._lineage(process):
            if greenlet in book.greenlets:
                return book.greenlets[greenlet]
        return False

    def _check_serial(self, event: Event, book: _ProcessBook) -> None:
        if event.serial in book.serials:
            self._note(f"an event of {self._process(event)} is there twice", Scope.PROBE)
        elif event.serial < book.last:
            self._note(f"events of {self._process(event)} are not in their order", Scope.PROBE)
        elif event.serial > book.last + 1:
            self._note(f"events of {self._process(event)} are missing", Scope.PROBE)
        book.serials.add(event.serial)
        book.last = max(book.last, event.serial)

    def _read(self, event: Event) -> None:
        for process, count in event.data["processes"]:
            if len(self._book(process).serials) < count:
                name = self._name("process", (process, 0))
                self._note(f"events of process {name} are missing", Scope.PROBE)

    # Processes, threads, greenlets.

    def _process_started(self, event: Event) -> None:
        book = self._book(event.process)
        if book.started:
            self._note(f"{self._process(event)} started twice", Scope.PROBE)
        book.started = True
        parent = self._pids.get(event.data["ppid"])
        if parent is not None and parent != event.process and not self._book(parent).ended:
            book.parent = parent
            held = self._book(parent)
            book.inherited = held.inherited + len(held.files)
        self._pids[event.data["pid"]] = event.process

    def _process_ended(self, event: Event) -> None:
        self._book(event.process).ended = True

    def _thread_started(self, event: Event) -> None:
        book = self._book(event.process)
        if event.thread in book.threads:
            self._note(f"a thread of {self._process(event)} started twice", Scope.PROBE)
        book.threads[event.thread] = True
        book.natives[event.thread] = event.data.get("native", 0)

    def _thread_ended(self, event: Event) -> None:
        self._book(event.process).threads[event.thread] = False

    def _greenlet_started(self, event: Event) -> None:
        greenlets = self._book(event.process).greenlets
        if event.data["g"] in greenlets:
            self._note(f"a greenlet of {self._process(event)} started twice", Scope.PROBE)
        greenlets[event.data["g"]] = True

    def _greenlet_ended(self, event: Event) -> None:
        if not self._is_alive(event.process, event.data["g"]):
            self._note(f"a greenlet of {self._process(event)} ended that was not alive", Scope.PROBE)
        self._book(event.process).greenlets[event.data["g"]] = False

    # Requests.

    def _request(self, event: Event) -> _RequestBook:
        return self._requests.setdefault(event.request or 0, _RequestBook())

    def _step_begins(self, event: Event) -> None:
        self._step = event.data["n"]

    def _sent(self, event: Event) -> None:
        self._request(event).sent = True

    def _answered(self, event: Event) -> None:
        request = self._request(event)
        request.outcome, request.http = event.kind, event.data.get("h")
        self._unsent += request.http is None

    def _begun(self, event: Event) -> None:
        request = self._request(event)
        if not request.sent:
            self._note(f"request {event.request} began, and no client sent it", Scope.PROBE)
        if request.process is not None:
            self._note(f"request {event.request} began twice", Scope.PROBE)
        if request.outcome == "response":
            self._note(f"request {event.request} began after its response", Scope.PROBE)
        request.process, request.in_task = event.process, "task" in event.data

    def _viewed(self, event: Event) -> None:
        request = self._request(event)
        if request.process is None:
            self._note(f"the view of request {event.request} began before the request", Scope.PROBE)
        request.views += 1

    def _view_ended(self, event: Event) -> None:
        request = self._request(event)
        request.views -= 1
        if request.views < 0:
            request.views = 0
            self._note(f"the view of request {event.request} ended without having begun", Scope.PROBE)

    def _ended(self, event: Event) -> None:
        request = self._request(event)
        if request.process != event.process:
            self._note(f"request {event.request} ended where it did not begin", Scope.PROBE)
        if request.ended:
            self._note(f"request {event.request} ended twice", Scope.PROBE)
        if request.views and not request.in_task:
            self._note(f"request {event.request} ended before its view", Scope.PROBE)
        request.ended = True

    # HTTP connections.

    def _http_opened(self, event: Event) -> None:
        if event.data["h"] in self._http:
            self._note("an HTTP connection was opened twice", Scope.CLIENTS)
        self._http[event.data["h"]] = True
        self._ports[event.data["h"]] = event.data["port"]

    def _http_closed(self, event: Event) -> None:
        if not self._http.get(event.data["h"], False):
            self._note("an HTTP connection was closed that was not open", Scope.CLIENTS)
        self._http[event.data["h"]] = False

    def _given_a_thread(self, event: Event) -> None:
        self._served_ports.add(event.data["port"])

    # Database connections.

    def _wrapper_created(self, event: Event) -> None:
        wrappers = self._book(event.process).wrappers
        if event.data["w"] in wrappers:
            self._note(f"a database wrapper of {self._process(event)} was created twice", Scope.PROBE)
        wrappers[event.data["w"]] = event.data.get("vendor", "")

    def _opened(self, event: Event) -> None:
        book, wrapper, serial = self._book(event.process), event.data["w"], event.data["c"]
        vendors = [each.wrappers[wrapper] for each in self._lineage(event.process) if wrapper in each.wrappers]
        if not vendors:
            self._note(f"{self._db(event.process, serial)} has no wrapper that was seen", Scope.PROBE)
        if serial in book.connections:
            self._note(f"{self._db(event.process, serial)} was opened twice", Scope.PROBE)
        held = book.holding.get(wrapper)
        if held is not None:
            self._note(f"{self._db(event.process, held)} was replaced without being closed", Scope.PROBE)
        book.holding[wrapper] = serial
        book.connections[serial] = _OPEN
        self._pools = self._pools or "pooled" in event.data
        if "pid" in event.data:
            self._by_session[event.data["pid"]] = (event.process, serial)
        if "inode" in event.data:
            book.sockets.add(serial)
        if vendors[:1] == ["sqlite"]:
            book.files.add(serial)

    def _used(self, event: Event) -> None:
        if self._state(event) != _OPEN:
            connection = self._db(event.process, event.data["c"])
            self._note(f"{connection} was used, and was not open", Scope.PROBE)

    def _closed(self, event: Event) -> None:
        why = event.data["why"]
        state = _RETURNED if "pooled" in event.data else _DROPPED if why == "dropped" else _CLOSED
        self._leave(event, state, "was closed")

    def _collected(self, event: Event) -> None:
        self._leave(event, _COLLECTED, "was freed")

    def _leave(self, event: Event, state: str, what: str) -> None:
        book, serial = self._book(event.process), event.data["c"]
        if self._state(event) != _OPEN:
            self._note(f"{self._db(event.process, serial)} {what}, and was not open", Scope.PROBE)
        book.connections[serial] = state
        book.holding.pop(event.data["w"], None)
        if state != _DROPPED:
            book.files.discard(serial)

    def _state(self, event: Event) -> str | None:
        """Return what has become of a connection in its process, or in one that this was forked from."""
        for book in self._lineage(event.process):
            if event.data["c"] in book.connections:
                return book.connections[event.data["c"]]
        return None

    # Witnesses.

    def _seen(self, event: Event) -> None:
        for seen in event.data["processes"]:
            book, process = self._book(seen["p"]), seen["p"]
            if book.ended:
                continue
            self._check_threads(process, book, set(seen["threads"]))
            self._check_sockets(process, book, set(seen.get("connections", ())))
            self._check_files(process, book, seen["files"], locked=seen.get("locked", False))

    def _check_threads(self, process: int, book: _ProcessBook, there: set[int]) -> None:
        for thread, alive in book.threads.items():
            if alive and book.natives.get(thread) and thread not in there:
                name = self._name("thread", (process, thread))
                self._note(f"the end of thread {name} was not seen", Scope.PROBE)

    def _check_sockets(self, process: int, book: _ProcessBook, there: set[int]) -> None:
        for serial in sorted(book.sockets | there):
            state = book.connections.get(serial)
            if state == _OPEN and serial not in there:
                if serial in book.ended_by_server:
                    continue  # the driver has noticed, and closed its socket
                told = "is open for Django, and has no socket any more"
            elif serial in there and state is None:
                told = "has a socket, and was not seen to open"
            elif serial in there and state == _CLOSED:
                told = "was closed, and still has a socket"
            else:
                continue
            self._note(f"{self._db(process, serial)} {told}", Scope.DATABASE)
        book.seen_sockets = there

    def _faulted(self, event: Event) -> None:
        """The database server is about to end all sessions of this run."""
        if event.data["action"] in ("end sessions", "restart"):
            for book in self._processes.values():
                book.ended_by_server |= book.sockets

    def _check_files(self, process: int, book: _ProcessBook, there: int, *, locked: bool) -> None:
        sure = sum(book.connections[serial] == _OPEN for serial in book.files)
        most = len(book.files) + book.inherited
        if there < sure or (there > most and not locked):
            name = self._name("process", (process, 0))
            self._note(
                f"process {name} has {sure} open connections to SQLite files, and {there} descriptors of them",
                Scope.DATABASE,
            )

    def _witnessed(self, event: Event) -> None:
        strange = 0
        for pid, _ in event.data["sessions"]:
            key = self._by_session.get(pid)
            if key is None:
                strange += 1
            elif self._processes[key[0]].ended:
                self._note(f"{self._db(*key)} still has a session, and its process has ended", Scope.DATABASE)
            elif self._processes[key[0]].connections[key[1]] == _CLOSED:
                self._note(f"{self._db(*key)} was closed, and still has a session", Scope.DATABASE)
        there = {pid for pid, _ in event.data["sessions"]}
        for pid, (process, serial) in self._by_session.items():
            if pid not in there and serial in self._book(process).seen_sockets:
                self._book(process).ended_by_server.add(serial)
        if strange:
            self._strange_sessions[self._step] = max(strange, self._strange_sessions[self._step])

    READERS: ClassVar[dict[str, Any]] = {
        "step": _step_begins,
        "events.read": _read,
        "process.start": _process_started,
        "process.exit": _process_ended,
        "thread.start": _thread_started,
        "thread.end": _thread_ended,
        "greenlet.start": _greenlet_started,
        "greenlet.end": _greenlet_ended,
        "request.sent": _sent,
        "response": _answered,
        "request.error": _answered,
        "request.begin": _begun,
        "request.view": _viewed,
        "request.view.end": _view_ended,
        "request.end": _ended,
        "http.open": _http_opened,
        "http.close": _http_closed,
        "http.thread": _given_a_thread,
        "db.wrapper": _wrapper_created,
        "db.open": _opened,
        "db.use": _used,
        "db.health": _used,
        "db.usable": _used,
        "db.close": _closed,
        "db.collected": _collected,
        "db.fault": _faulted,
        "processes.seen": _seen,
        "db.sessions": _witnessed,
    }
