"""The bounds between which facts vary with the time at which Python's garbage collector runs.

A database wrapper and its parts refer to each other in every release of Django. So the end of its thread
doesn't free it, only the garbage collector does, and only then does its session at the database server end. If
Python runs the collector automatically, each session that is abandoned (its threads have ended, and Django
never closed it) may end at any time. No other session depends on the collector: not one that Django closed, or
that the database server or the end of a process ended. SQLite has no sessions.

The same events are therefore read twice, as if the collector had never freed an abandoned connection
(:func:`without_collection`), and as if it had freed each one at once (:func:`with_immediate_collection`). What
readers see is the first, so that two runs of the same behaviour look the same. Facts that differ in the second
may have any value in between (:func:`alternatives`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sphinx_djconn.trace.entities import Key
from sphinx_djconn.trace.events import Event

ABANDONED: Final = "abandoned"
"""The state of a session that the database server has or not, depending on when the collector ran."""

_Owner = tuple[int, str, int]
"""A thread or a greenlet: the serial of its process, which of the two it is, and its serial in the process."""


@dataclass(eq=False, slots=True)
class _Session:
    """A session of the database server. ``freed`` means that the collector freed its wrapper."""

    pid: int
    wrapper: int
    key: Key
    users: set[_Owner] = field(default_factory=set)
    freed: bool = False


def is_automatic(events: Iterable[Event]) -> bool:
    """Return whether Python decided when the collector ran."""
    return all(event.data["mode"] == "automatic" for event in events if event.kind == "collector")


def without_collection(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` as they would be if the collector had never freed an abandoned connection.

    Each session that it could have freed has the state :data:`ABANDONED`.
    """
    return list(_SessionTracker(collect=False).rewrite(events))


def with_immediate_collection(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` as they would be if the collector had freed each connection when it was abandoned."""
    return list(_SessionTracker(collect=True).rewrite(events))


def first_undecided_request(events: Iterable[Event]) -> int | None:
    """Return the number of the first request whose success depends on when the collector ran.

    That request needed a database connection when the database server had reached its limit, but only together
    with sessions that the collector could have freed. Returns ``None`` if there is no such request, and 0 if
    this happened outside of requests.
    """
    tracker = _SessionTracker(collect=False)
    for _ in tracker.rewrite(events):
        pass
    return tracker.first_undecided


class _SessionTracker:
    """Goes over the events once, and follows the sessions that the database server has or may have.

    ``collect`` says whether abandoned connections are collected at once, or never. ``first_undecided`` is what
    :func:`first_undecided_request` returns.
    """

    def __init__(self, *, collect: bool) -> None:
        self.first_undecided: int | None = None
        self._collect = collect
        self._most_sessions: int | None = None
        self._refuses_connections = False
        self._wrapper_owners: dict[Key, _Owner] = {}
        self._sessions: dict[int, _Session] = {}
        self._by_key: dict[Key, _Session] = {}
        self._sessions_of: dict[_Owner, list[_Session]] = {}
        self._ended_owners: set[_Owner] = set()

    def rewrite(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield ``events``, changed as if collections had happened as ``collect`` says."""
        for event in events:
            if event.kind == "db.collected" and self._is_abandoned(self._session(event)):
                self._by_key[event.process, event.data["c"]].freed = True
                continue
            if (
                event.kind in ("db.open", "db.failed")
                and self.first_undecided is None
                and self._is_undecided(event)
            ):
                self.first_undecided = event.request or 0
            yield self._corrected(event) if event.kind == "db.sessions" else event
            yield from self._follow(event)

    def _is_undecided(self, event: Event) -> bool:
        """Return whether the collector decided if a connection could be opened."""
        if self._refuses_connections or not any(map(self._is_abandoned, self._sessions.values())):
            return False
        if self._most_sessions is None:
            return event.kind == "db.failed"
        return len(self._sessions) >= self._most_sessions

    def _follow(self, event: Event) -> Iterator[Event]:
        """Follow what ``event`` does to sessions; yield the collections that it makes possible."""
        match event.kind:
            case "thread.end" | "greenlet.end":
                yield from self._owner_ended(event)
            case "process.exit":
                self._end(session for session in self._sessions.values() if session.key[0] == event.process)
            case "collector":
                self._most_sessions = event.data.get("room")
            case "db.fault":
                self._apply_fault(event.data["action"])
            case "db.wrapper":
                self._wrapper_owners[event.process, event.data["w"]] = _owner_of(event)
            case "db.open" if "pid" in event.data:
                self._opened(event)
            case "db.use" | "db.close" | "db.collected" if (session := self._session(event)) is not None:
                if event.kind == "db.use":
                    self._use(session, _owner_of(event))
                elif event.data.get("pooled"):
                    session.users.clear()  # its pool holds it now
                else:
                    self._end([session])

    def _apply_fault(self, action: str) -> None:
        if action in ("end sessions", "restart"):
            self._end(self._sessions.values())
        elif action in ("refuse connections", "accept connections"):
            self._refuses_connections = action == "refuse connections"

    def _opened(self, event: Event) -> None:
        key, pid = (event.process, event.data["c"]), event.data["pid"]
        owner = self._wrapper_owners.get((event.process, event.data["w"]), _owner_of(event))
        self._sessions[pid] = self._by_key[key] = session = _Session(pid, event.data["w"], key)
        self._use(session, owner)
        self._use(session, _owner_of(event))

    def _use(self, session: _Session, owner: _Owner) -> None:
        session.users.add(owner)
        self._sessions_of.setdefault(owner, []).append(session)

    def _owner_ended(self, event: Event) -> Iterator[Event]:
        is_thread = event.kind == "thread.end"
        kind, serial = ("thread", event.thread) if is_thread else ("greenlet", event.data["g"])
        owner = (event.process, kind, serial)
        self._ended_owners.add(owner)
        for session in self._sessions_of.pop(owner, ()) if self._collect else ():
            exists = self._sessions.get(session.pid) is session and not session.freed
            if exists and self._is_abandoned(session):
                session.freed = True
                data = {"w": session.wrapper, "c": session.key[1]}
                yield Event(event.at, "db.collected", event.process, 0, None, event.log, data)

    def _session(self, event: Event) -> _Session | None:
        return self._by_key.get((event.process, event.data["c"]))

    def _is_abandoned(self, session: _Session | None) -> bool:
        return session is not None and bool(session.users) and session.users <= self._ended_owners

    def _end(self, sessions: Iterable[_Session]) -> None:
        for session in list(sessions):
            if self._sessions.get(session.pid) is session:
                del self._sessions[session.pid]

    def _corrected(self, event: Event) -> Event:
        """Return ``event`` with all abandoned sessions, or without any of them."""
        seen = dict(event.data["sessions"])
        # A session that the server itself has ended doesn't return.
        self._end(
            session for session in self._sessions.values() if not session.freed and session.pid not in seen
        )
        abandoned = {
            session.pid: ABANDONED for session in self._sessions.values() if self._is_abandoned(session)
        }
        sessions = {pid: state for pid, state in seen.items() if pid not in abandoned}
        if not self._collect:
            sessions |= abandoned
        return event._replace(data={**event.data, "sessions": [list(session) for session in sessions.items()]})


def _owner_of(event: Event) -> _Owner:
    greenlet = event.data.get("g", 0)
    return (event.process, "greenlet", greenlet) if greenlet else (event.process, "thread", event.thread)


def alternatives(
    never: Mapping[str, Any], at_once: Mapping[str, Any]
) -> tuple[tuple[Mapping[str, Any], ...], ...]:
    """Return the other values that figures can have, in groups of figures that vary together.

    ``never`` and ``at_once`` are the figures of the two readings. Figures that count connections at the end
    vary together, by one for each connection that was freed or not, for each database; if several databases
    vary, the figures of all databases are a group of their own. A peak varies by itself.
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
    """Return the database that a fact is about, ``db["archive"]``, or an empty string for all databases."""
    database = name.rpartition(".")[0]
    return "" if database == "db" else database
