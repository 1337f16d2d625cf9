"""Entities read out of the events of one run, named in the order of the sequence.

Serials tell entities apart within a process; the names T1, C1, H1, P1 are given here, by walking the
requests in the order of the sequence, so that two runs of the same behaviour have the same names
whichever thread was faster. What no request touched (the main thread of ``runserver``, the connection
of its migration check) has a name of its own kind: ``main``, ``S1``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from sphinx_djconn.trace.entities import DatabaseConnection, Greenlet, Key, Named, Session, Thread
from sphinx_djconn.trace.events import Event, TraceError
from sphinx_djconn.trace.served import Served


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
        """The entities, read once. Raises :class:`TraceError` where the events contradict each other."""
        try:
            return Entities(self.events)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise TraceError(f"its events contradict each other ({type(error).__name__}: {error})") from error


class Entities(Served):
    """All entities of a trace, by their keys and in the order of the sequence."""

    def __init__(self, events: Iterable[Event]) -> None:
        super().__init__()
        self.db_connections: dict[Key, DatabaseConnection] = {}
        self.sessions: dict[int, list[Session]] | None = None
        self.peak = 0
        self._owners: dict[Key, tuple[Key, Key | None]] = {}
        self._open: set[Key] = set()
        self._by_pid: dict[int, DatabaseConnection] = {}
        self._taken: dict[Key, DatabaseConnection] = {}
        self._holders: dict[Key, int] = {}
        self.read(events)
        self._settle()
        self._name()

    def db_connection(self, process: int, serial: int) -> DatabaseConnection | None:
        """Return the database connection that the probe told of by ``serial``."""
        return self._taken.get((process, serial)) or self.db_connections.get((process, serial))

    def is_taken_again(self, event: Event) -> bool:
        """Return whether ``event`` tells of a connection taken from its pool once more."""
        return (event.process, event.data["c"]) in self._taken

    def _process_ended(self, event: Event) -> None:
        super()._process_ended(event)
        self._open = {key for key in self._open if key[0] != event.process}

    def _wrapper_created(self, event: Event) -> None:
        self._owners[event.process, event.data["w"]] = self.here(event)
        if event.request is not None:
            self.request(event.request).wrappers += 1

    def _opened(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        thread, greenlet = self._owners.get((event.process, event.data["w"])) or self.here(event)
        alias = event.data.get("alias", "default")
        pid, pooled = event.data.get("pid"), event.data.get("pooled", False)
        known = self._by_pid.get(pid or 0) if pooled else None
        if known is not None and known.key[0] == event.process:
            self._take_again(known, event, thread, greenlet)
            return
        connection = DatabaseConnection(
            key, thread, greenlet, alias, opened_in=event.request, pid=pid, pooled=pooled
        )
        self.db_connections[key] = connection
        self._holders[key] = event.data["c"]
        if pid is not None:
            self._by_pid[pid] = connection
        if event.request is not None:
            self.request(event.request).connections.append((connection, "opened"))
            self._open.add(key)
            self.peak = max(self.peak, len(self._open))

    def _take_again(
        self, connection: DatabaseConnection, event: Event, thread: Key, greenlet: Key | None
    ) -> None:
        """Have ``connection``, which was given back to its pool, in the hands of another wrapper.

        That may come before the thread which has given it back gets to say so.
        """
        connection.thread, connection.greenlet, connection.returned = thread, greenlet, False
        self._holders[connection.key] = event.data["c"]
        self._taken[event.process, event.data["c"]] = connection
        if event.request is not None:
            self.request(event.request).connections.append((connection, "reused"))

    def _used(self, event: Event) -> None:
        connection = self._inherited(event.process, event.data["c"])
        if connection is not None and event.request is not None:
            self.request(event.request).connections.append((connection, "reused"))

    def _closed(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        connection = self.db_connection(*key)
        if connection is not None and event.data.get("pooled"):
            connection.returned = self._holders[connection.key] == event.data["c"]
            connection.returned_in.append(event.request)
            return
        self._open.discard(key)
        if connection is None:
            return
        if event.data["why"] == "dropped":
            connection.dropped = True
            return
        connection.why, connection.phase = event.data["why"], event.data["phase"]
        connection.closed_in = event.request
        if event.request is not None:
            self.request(event.request).closed_at.append(event.data["phase"])

    def _inherited(self, process: int | None, serial: int) -> DatabaseConnection | None:
        """Return a connection of ``process``, or one that a parent had when it forked ``process``."""
        while process is not None:
            found = self.db_connection(process, serial)
            if found is not None:
                return found
            process = self.parents.get(process)
        return None

    def _failed(self, event: Event) -> None:
        if event.request is not None:
            self.request(event.request).failed += 1

    def _health_checked(self, event: Event) -> None:
        if event.request is not None:
            self.request(event.request).health_checks += 1

    def _collected(self, event: Event) -> None:
        """With the object goes the session; of a file there is none, and no figure tells of it."""
        key = (event.process, event.data["c"])
        connection = self.db_connection(*key)
        if connection is not None and connection.pid is not None:
            self._open.discard(connection.key)

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
            owner: Thread | Greenlet | None = self.threads.get(connection.thread)
            if connection.greenlet is not None:
                owner = self.greenlets[connection.greenlet]
            connection.dropped |= self.process(connection.key[0]).ended
            connection.ended = self.sessions is not None and id(connection) not in held
            left = not connection.dropped and not connection.returned and owner is not None and owner.ended
            connection.abandoned, connection.lost = left and not connection.ended, left and connection.ended

    def _name(self) -> None:
        numbering = _Numbering()
        for request in self.requests.values():
            numbering.give("P", request.process)
            numbering.give("T", request.thread)
            numbering.give("G", request.greenlet)
            numbering.give("A", request.task)
            numbering.give("H", request.http)
            for connection, _ in request.connections:
                numbering.give("C", connection)
        for http in self.http_connections.values():
            numbering.give("H", http)
        for connection in self.db_connections.values():
            numbering.give("S", connection)
        for thread in self.threads.values():
            thread.process = self.process(thread.key[0]).name

    READERS: ClassVar = {
        **Served.READERS,
        "process.exit": _process_ended,
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
