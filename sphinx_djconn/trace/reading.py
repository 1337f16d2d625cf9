"""Entities read out of the events of one run, named in the order of the sequence.

Serials tell entities apart within a process; the names T1, C1, H1, P1 are given here, by walking the
requests in the order of the sequence, so that two runs of the same behaviour have the same names
whichever thread was faster. What no request touched (the main thread of ``runserver``, the connection
of its migration check) has a name of its own kind: ``main``, ``S1``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from sphinx_djconn.trace.balance import Imbalance, imbalances_of
from sphinx_djconn.trace.entities import (
    DatabaseConnection,
    Deed,
    Greenlet,
    Key,
    Named,
    Owner,
    RequestEntity,
    Session,
    Thread,
)
from sphinx_djconn.trace.events import Event, TraceError
from sphinx_djconn.trace.garbage_collection import as_if_never_run, freed_at_once, is_automatic, undecided
from sphinx_djconn.trace.request_events import Served


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
        """The entities, read once; if the garbage collector ran automatically, as if it had not run.

        Raises :class:`TraceError` if the events contradict each other.
        """
        with _readable():
            return Entities(as_if_never_run(self.events) if self.is_collected_automatically else self.events)

    @cached_property
    def entities_freed_at_once(self) -> "Entities | None":
        """The entities if the garbage collector had freed each connection when it was abandoned.

        ``None`` if Python did not run it automatically, or if that makes no difference.
        """
        if not self.is_collected_automatically or not self.entities.sessions:
            return None
        with _readable():
            events = freed_at_once(self.events)
            return Entities(events) if events != as_if_never_run(self.events) else None

    @cached_property
    def undecided(self) -> int | None:
        """The first request whose success depends on when the garbage collector ran, if there is one."""
        with _readable():
            return undecided(self.events) if self.is_collected_automatically else None

    @property
    def depends_on_collector(self) -> bool:
        """Whether sessions that the database server had, or not, depend on when the garbage collector ran."""
        return self.entities_freed_at_once is not None

    @cached_property
    def is_collected_automatically(self) -> bool:
        """Whether Python itself decided when its garbage collector ran."""
        return is_automatic(self.events)

    @cached_property
    def imbalances(self) -> tuple[Imbalance, ...]:
        """What does not balance in the events, read once."""
        with _readable():
            return imbalances_of(self.events, self.entities.name_of)


@contextmanager
def _readable() -> Iterator[None]:
    """Raise :class:`TraceError` if the block cannot read events that contradict each other."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        if isinstance(error, TraceError):
            raise
        raise TraceError(f"its events contradict each other ({type(error).__name__}: {error})") from error


class Entities(Served):
    """All entities of a trace, by their keys and in the order of the sequence."""

    def __init__(self, events: Iterable[Event]) -> None:
        super().__init__()
        self.db_connections: dict[Key, DatabaseConnection] = {}
        self.sessions: dict[int, list[Session]] | None = None
        self.deeds: list[Deed] = []
        self.started: set[Owner] = set()
        self.peaks: Counter[str | None] = Counter()
        self._owners: dict[Key, Owner] = {}
        self._aliases: dict[Key, str] = {}
        self._configured: set[str] = set()
        self._open: dict[Key, str] = {}
        self._open_now: Counter[str | None] = Counter()
        self._by_pid: dict[int, DatabaseConnection] = {}
        self._taken: dict[Key, DatabaseConnection] = {}
        self._holders: dict[Key, int] = {}
        self._order: dict[Key, int] = {}
        self.read(events)
        self._settle()
        self._name()

    def db_connection(self, process: int, serial: int) -> DatabaseConnection | None:
        """Return the database connection that the probe told of by ``serial``."""
        return self._taken.get((process, serial)) or self.db_connections.get((process, serial))

    def name_of(self, kind: str, key: Key) -> str:
        """Return the name of the ``process``, ``thread``, ``http`` or ``db`` connection ``key``; else ``?``."""
        found: Named | None = {
            "process": self.processes.get(key[0]),
            "thread": self.threads.get(key),
            "http": self.http_connections.get(key[1]),
            "db": self._inherited(*key),
        }[kind]
        return "?" if found is None else found.name

    def is_taken_again(self, event: Event) -> bool:
        """Return whether ``event`` tells of a connection taken from its pool once more."""
        return (event.process, event.data["c"]) in self._taken

    @property
    def aliases(self) -> list[str]:
        """The aliases of the project's databases; none if the run has had no wrapper of any."""
        return sorted({*self._aliases.values(), *self._configured})

    @property
    def peak(self) -> int:
        """The most connections that requests had opened or used at one time; ``peaks`` has it by alias, too."""
        return self.peaks[None]

    def _process_ended(self, event: Event) -> None:
        super()._process_ended(event)
        for key in [key for key in self._open if key[0] == event.process]:
            self._let_go(key)

    def _did(self, kind: str, event: Event) -> int | None:
        """Note that something was done with a wrapper; return the number of the request, if it was for one."""
        request = self.request_of(event)
        alias = self._aliases.get((event.process, event.data["w"]), "default")
        self.deeds.append(Deed(kind, alias, request, self.place(event)))
        return request

    def _take_up(self, connection: DatabaseConnection) -> None:
        """Count ``connection``, which a request has opened or uses, at the peak."""
        if connection.key in self._open:
            return
        self._open[connection.key] = connection.alias
        for alias in (None, connection.alias):
            self._open_now[alias] += 1
            self.peaks[alias] = max(self.peaks[alias], self._open_now[alias])

    def _let_go(self, key: Key) -> None:
        alias = self._open.pop(key, None)
        if alias is not None:
            self._open_now.subtract((None, alias))

    def _databases_told(self, event: Event) -> None:
        self._configured.update(event.data["aliases"])

    def _wrapper_created(self, event: Event) -> None:
        key = (event.process, event.data["w"])
        self._owners[key] = self.here(event)
        self._aliases[key] = event.data.get("alias", "default")
        request = self._did("wrapper", event)
        if request is not None:
            self.request(request).wrappers += 1

    def _opened(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        wrapper = (event.process, event.data["w"])
        thread, greenlet = self._owners.get(wrapper) or self.here(event)
        alias = self._aliases[wrapper] = event.data.get("alias", "default")
        request = self.request_of(event)
        pid, pooled = event.data.get("pid"), event.data.get("pooled", False)
        known = self._by_pid.get(pid or 0) if pooled else None
        if known is not None and known.key[0] == event.process:
            self._take_again(known, event, thread, greenlet)
            return
        connection = DatabaseConnection(
            key, thread, greenlet, alias, opened_in=request, pid=pid, pooled=pooled, opened_at=self.place(event)
        )
        connection.users = {(thread, greenlet), self.here(event)}
        self.db_connections[key] = connection
        self._holders[key] = event.data["c"]
        if pid is not None:
            self._by_pid[pid] = connection
        if request is not None:
            self.request(request).connections.append((connection, "opened"))
            self._take_up(connection)

    def _take_again(
        self, connection: DatabaseConnection, event: Event, thread: Key, greenlet: Key | None
    ) -> None:
        """Have ``connection``, which was given back to its pool, in the hands of another wrapper.

        That may come before the thread which has given it back gets to say so.
        """
        connection.thread, connection.greenlet, connection.returned = thread, greenlet, False
        connection.users = {(thread, greenlet), self.here(event)}
        self._holders[connection.key] = event.data["c"]
        self._taken[event.process, event.data["c"]] = connection
        self._use(connection, self.request_of(event))

    def _used(self, event: Event) -> None:
        connection = self._inherited(event.process, event.data["c"])
        if connection is None:
            return
        if connection.key[0] == event.process:  # else a child has inherited it
            connection.users.add(self.here(event))
        self._use(connection, self.request_of(event))

    def _use(self, connection: DatabaseConnection, request: int | None) -> None:
        if request is None:
            return
        self.request(request).connections.append((connection, "reused"))
        if connection.why is None and not connection.dropped:
            self._take_up(connection)

    def _closed(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        connection = self.db_connection(*key)
        if connection is not None and event.data.get("pooled"):
            connection.returned = self._holders[connection.key] == event.data["c"]
            connection.returned_in.append(self._did("returned", event))
            return
        self._let_go(key)
        if connection is None:
            return
        if event.data["why"] == "dropped":
            connection.dropped = True
            return
        connection.why, connection.phase = event.data["why"], event.data["phase"]
        connection.closed_in, connection.closed_at = self.request_of(event), event.at
        if connection.closed_in is not None:
            self.request(connection.closed_in).closed_at.append(event.data["phase"])

    def _inherited(self, process: int | None, serial: int) -> DatabaseConnection | None:
        """Return a connection of ``process``, or one that a parent had when it forked ``process``."""
        while process is not None:
            found = self.db_connection(process, serial)
            if found is not None:
                return found
            process = self.parents.get(process)
        return None

    def _failed(self, event: Event) -> None:
        request = self._did("failed", event)
        if request is not None:
            self.request(request).failed += 1

    def _health_checked(self, event: Event) -> None:
        request = self._did("health", event)
        if request is not None:
            self.request(request).health_checks += 1

    def _collected(self, event: Event) -> None:
        """With the object goes the session; of a file there is none, and no figure tells of it."""
        key = (event.process, event.data["c"])
        connection = self.db_connection(*key)
        if connection is None:
            return
        connection.users = {(connection.thread, connection.greenlet)}  # no other holds the object any more
        if connection.pid is not None:
            self._let_go(connection.key)

    def _witnessed(self, event: Event) -> None:
        if self.sessions is None:
            self.sessions = {}
        found = event.data["sessions"]
        self.sessions[self.step] = [Session(self._by_pid.get(pid), state) for pid, state in found]
        # What has ended stays so: a server that was restarted gives the same numbers to others.
        self._by_pid = {pid: self._by_pid[pid] for pid, _ in found if pid in self._by_pid}

    def _settle(self) -> None:
        last = next(reversed((self.sessions or {}).values()), [])
        held = {id(session.connection) for session in last}
        for connection in self.db_connections.values():
            if connection.why is not None:
                continue
            connection.dropped |= self.process(connection.key[0]).ended
            connection.ended = self.sessions is not None and id(connection) not in held
            left = not (connection.dropped or connection.returned) and self._have_ended(connection.users)
            connection.abandoned, connection.lost = left and not connection.ended, left and connection.ended

    def _have_ended(self, users: Iterable[Owner]) -> bool:
        owners: list[Thread | Greenlet | None] = [
            self.threads.get(thread) if greenlet is None else self.greenlets[greenlet]
            for thread, greenlet in users
        ]
        return all(owner is not None and owner.ended for owner in owners)

    def _name(self) -> None:
        numbering = _Numbering()
        for request in self.requests.values():
            numbering.give("P", request.process)
            numbering.give("T", request.thread)
            numbering.give("G", request.greenlet)
            numbering.give("A", request.task)
            numbering.give("H", request.http)
        for process in self.processes.values():
            if process.started_by is not None:
                numbering.give("P", process)
        self._name_started(numbering)
        for request in self.requests.values():
            request.connections.sort(key=lambda use: self._started_before(request, use[0]))
            for connection, _ in request.connections:
                numbering.give("C", connection)
        for http in self.http_connections.values():
            numbering.give("H", http)
        for connection in self.db_connections.values():
            numbering.give("S", connection)
        for thread in self.threads.values():
            thread.process = self.process(thread.key[0]).name

    def _name_started(self, numbering: "_Numbering") -> None:
        """Name the threads and greenlets that requests started, and that used a database, in that order."""
        users = {owner for connection in self.db_connections.values() for owner in connection.users}
        owners: list[tuple[str, Thread | Greenlet, Owner]] = [
            *(("T", thread, (thread.key, None)) for thread in self.threads.values()),
            *(("G", self.greenlets[key], (thread, key)) for thread, key in users if key is not None),
        ]
        started = [(each.started_by, letter, each.key, each, owner) for letter, each, owner in owners]
        for _, letter, key, each, owner in sorted(
            (one for one in started if one[0] is not None and one[4] in users), key=lambda one: one[:3]
        ):
            self._order[key] = len(self._order) + 1
            self.started.add(owner)
            numbering.give(letter, each)

    def _started_before(self, request: RequestEntity, connection: DatabaseConnection) -> int:
        """Order the connections of a request: its own first, then those of threads in the order of their start.

        The order in which threads that run at the same time open them is by chance.
        """
        thread = connection.thread
        return 0 if request.thread is not None and thread == request.thread.key else self._order.get(thread, 0)

    READERS: ClassVar = {
        **Served.READERS,
        "process.exit": _process_ended,
        "databases": _databases_told,
        "db.wrapper": _wrapper_created,
        "db.open": _opened,
        "db.use": _used,
        "db.close": _closed,
        "db.collected": _collected,
        "db.sessions": _witnessed,
        "db.failed": _failed,
        "db.health": _health_checked,
    }


class _Numbering:
    """Gives each entity one name, a letter and a number, the first time it comes by."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()
        self._given: set[int] = set()

    def give(self, letter: str, entity: Named | None) -> None:
        if entity is not None and id(entity) not in self._given:
            self._given.add(id(entity))
            self._last[letter] += 1
            entity.name = f"{letter}{self._last[letter]}"
