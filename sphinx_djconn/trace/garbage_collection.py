"""What a run says if Python's garbage collector could have run at other times.

A database wrapper and its parts refer to each other, in every release of Django: the end of its thread doesn't
free it, only the collector does. The session of a database connection ends with its wrapper. So if the
collector runs automatically, each session whose threads have ended, and that Django never closed, may have
ended at any time since. A session that ended for another reason (Django closed it, the database server or the
process ended it) does not depend on the collector. Neither do connections to SQLite, which has no sessions.

The events of such a run are read as if the collector had not run, so that two runs of the same behaviour read
the same. :func:`freed_at_once` is the other extreme, and :func:`alternatives` are all facts in between.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sphinx_djconn.trace.entities import Key
from sphinx_djconn.trace.events import Event

ABANDONED: Final = "abandoned"
"""The state of a session that the server may have or not, depending on when the collector ran."""

_Owner = tuple[int, str, int]
"""A thread or a greenlet: the serial of its process, which of the two it is, and its serial in the process."""


@dataclass(eq=False, slots=True)
class _Session:
    """A session of the database server. ``freed`` tells that its wrapper was collected."""

    pid: int
    wrapper: int
    key: Key
    users: set[_Owner] = field(default_factory=set)
    freed: bool = False


def is_automatic(events: Iterable[Event]) -> bool:
    """Return whether Python itself decided when the collector ran."""
    return all(event.data["mode"] == "automatic" for event in events if event.kind == "collector")


def as_if_never_run(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` as they would be if the collector had not freed any abandoned connection.

    The state of each session that it could have freed is :data:`ABANDONED`.
    """
    return list(_Reading(freed=False).read(events))


def freed_at_once(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` as they would be if the collector had freed each connection when it was abandoned."""
    return list(_Reading(freed=True).read(events))


def undecided(events: Iterable[Event]) -> int | None:
    """Return the number of the first request whose success depends on when the collector ran.

    It needed a database connection when the server, with the sessions that the collector could have freed, had
    no room for another one. Returns ``None`` if there is no such request, and 0 if it was in none.
    """
    reading = _Reading(freed=False)
    for _ in reading.read(events):
        pass
    return reading.undecided


class _Reading:
    """One walk over the events, which knows the sessions that the server has or may have.

    ``undecided`` is what :func:`undecided` returns.
    """

    def __init__(self, *, freed: bool) -> None:
        self.undecided: int | None = None
        self._freed = freed
        self._room: int | None = None
        self._refuses = False
        self._owners: dict[Key, _Owner] = {}
        self._sessions: dict[int, _Session] = {}
        self._by_key: dict[Key, _Session] = {}
        self._used: dict[_Owner, list[_Session]] = {}
        self._ended: set[_Owner] = set()

    def read(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events."""
        for event in events:
            if event.kind == "db.collected" and self._is_abandoned(self._session(event)):
                self._by_key[event.process, event.data["c"]].freed = True
                continue
            if event.kind in ("db.open", "db.failed") and self.undecided is None and self._is_undecided(event):
                self.undecided = event.request or 0
            yield self._witnessed(event) if event.kind == "db.sessions" else event
            yield from self._follow(event)

    def _is_undecided(self, event: Event) -> bool:
        """Return whether it depends on the collector if a connection could be opened."""
        if self._refuses or not any(map(self._is_abandoned, self._sessions.values())):
            return False
        if self._room is None:
            return event.kind == "db.failed"
        return len(self._sessions) >= self._room

    def _follow(self, event: Event) -> Iterator[Event]:
        """Note what ``event`` says of sessions; yield the collections that could follow at once."""
        match event.kind:
            case "thread.end" | "greenlet.end":
                yield from self._owner_ended(event)
            case "process.exit":
                self._end(session for session in self._sessions.values() if session.key[0] == event.process)
            case "collector":
                self._room = event.data.get("room")
            case "db.fault":
                self._suffer(event.data["action"])
            case "db.wrapper":
                self._owners[event.process, event.data["w"]] = _here(event)
            case "db.open" if "pid" in event.data:
                self._opened(event)
            case "db.use" | "db.close" | "db.collected" if (session := self._session(event)) is not None:
                if event.kind == "db.use":
                    self._use(session, _here(event))
                elif event.data.get("pooled"):
                    session.users.clear()  # its pool has it
                else:
                    self._end([session])

    def _suffer(self, action: str) -> None:
        if action in ("end sessions", "restart"):
            self._end(self._sessions.values())
        elif action in ("refuse connections", "accept connections"):
            self._refuses = action == "refuse connections"

    def _opened(self, event: Event) -> None:
        key, pid = (event.process, event.data["c"]), event.data["pid"]
        owner = self._owners.get((event.process, event.data["w"]), _here(event))
        self._sessions[pid] = self._by_key[key] = session = _Session(pid, event.data["w"], key)
        self._use(session, owner)
        self._use(session, _here(event))

    def _use(self, session: _Session, owner: _Owner) -> None:
        session.users.add(owner)
        self._used.setdefault(owner, []).append(session)

    def _owner_ended(self, event: Event) -> Iterator[Event]:
        is_thread = event.kind == "thread.end"
        kind, serial = ("thread", event.thread) if is_thread else ("greenlet", event.data["g"])
        owner = (event.process, kind, serial)
        self._ended.add(owner)
        for session in self._used.pop(owner, ()) if self._freed else ():
            is_there = self._sessions.get(session.pid) is session and not session.freed
            if is_there and self._is_abandoned(session):
                session.freed = True
                data = {"w": session.wrapper, "c": session.key[1]}
                yield Event(event.at, "db.collected", event.process, 0, None, event.log, data)

    def _session(self, event: Event) -> _Session | None:
        return self._by_key.get((event.process, event.data["c"]))

    def _is_abandoned(self, session: _Session | None) -> bool:
        return session is not None and bool(session.users) and session.users <= self._ended

    def _end(self, sessions: Iterable[_Session]) -> None:
        for session in list(sessions):
            if self._sessions.get(session.pid) is session:
                del self._sessions[session.pid]

    def _witnessed(self, event: Event) -> Event:
        """Return ``event`` with every session that the server may have, or only with those that it has."""
        found = dict(event.data["sessions"])
        # What the server has ended itself doesn't come back.
        self._end(each for each in self._sessions.values() if not each.freed and each.pid not in found)
        uncertain = {
            session.pid: ABANDONED for session in self._sessions.values() if self._is_abandoned(session)
        }
        for pid in uncertain:
            found.pop(pid, None)
        if not self._freed:
            found |= uncertain
        return event._replace(data={**event.data, "sessions": [[pid, state] for pid, state in found.items()]})


def _here(event: Event) -> _Owner:
    greenlet = event.data.get("g", 0)
    return (event.process, "greenlet", greenlet) if greenlet else (event.process, "thread", event.thread)


def alternatives(
    never: Mapping[str, Any], at_once: Mapping[str, Any]
) -> tuple[tuple[Mapping[str, Any], ...], ...]:
    """Return the other values that the figures ``never`` can have, in groups that vary together.

    ``at_once`` are the figures if each connection was freed when it was abandoned. What is counted at the end
    varies by one for each connection that was freed or not; if several databases vary, the sums are a group of
    their own. A peak is anything in between.
    """
    varying = [name for name, value in never.items() if at_once.get(name, value) != value]
    databases = {_database(name) for name in varying if not _is_peak(name)} - {""}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in varying:
        steps = str(abs(never[name] - at_once[name]))
        if _is_peak(name):
            groups[name, steps] = [name]
        else:
            groups.setdefault((_database(name) if len(databases) > 1 else "", steps), []).append(name)
    return tuple(
        tuple(
            {name: at_once[name] + step * (1 if never[name] > at_once[name] else -1) for name in names}
            for step in range(int(steps))
        )
        for (_, steps), names in groups.items()
    )


def _is_peak(name: str) -> bool:
    return name.rpartition(".")[2] == "peak"


def _database(name: str) -> str:
    """Return what a fact is of: ``db["archive"]``, or nothing if it is of all databases."""
    database = name.rpartition(".")[0]
    return "" if database == "db" else database
