"""Record which sessions the database server has at the end of each step."""

import time
from typing import Any, Final

from sphinx_djconn.lab.databases.protocols import DatabaseServer
from sphinx_djconn.lab.events.collector import EventCollector

_END_TIMEOUT: Final = 1.0
"""Seconds for a session to end after its client has closed it. It needs some milliseconds."""

_STABLE_TIMEOUT: Final = 0.2
"""Seconds within which two queries for the sessions should return the same. The second one usually does."""

_POLL_INTERVAL: Final = 0.002
"""Seconds between two queries. No server notifies of changes."""


class SessionRecorder:
    """Fetches the sessions of a run's ``databases``, and emits them as events."""

    def __init__(self, collector: EventCollector, databases: DatabaseServer) -> None:
        self._collector = collector
        self._databases = databases
        self._events_read = 0
        self._pids: dict[tuple[int, int], int] = {}
        self._closed: set[int] = set()

    def record(self) -> None:
        """Emit ``db.sessions``. Raises ``ClusterError``."""
        self._collector.drain()
        events = self._collector.state.events[self._events_read :]
        self._events_read += len(events)
        for event in events:
            self._follow(event)
        before = self._fetch_sessions()
        limit = time.monotonic() + _STABLE_TIMEOUT
        while (sessions := self._fetch_sessions()) != before and time.monotonic() < limit:
            before = sessions
            time.sleep(_POLL_INTERVAL)
        self._collector.emit("db.sessions", sessions=sessions)

    def _fetch_sessions(self) -> list[list[Any]]:
        # Sessions that do not end in time are not waited for again.
        closed, self._closed = self._closed, set()
        sessions = self._databases.sessions(closed, _END_TIMEOUT)
        return [[session.pid, session.state.lower()] for session in sessions]

    def _follow(self, event: dict[str, Any]) -> None:
        """Update which sessions are about to end, because the client has closed or collected the connection."""
        connection = (event["p"], event.get("c", 0))
        match event["k"]:
            case "db.open" if "pid" in event:
                self._pids[connection] = event["pid"]
                self._closed.discard(event["pid"])
            case "db.close" if event["why"] != "dropped" and "pooled" not in event:
                self._mark_closed(connection)
            case "db.collected":
                self._mark_closed(connection)
            case "process.exit":
                for each in [each for each in self._pids if each[0] == event["p"]]:
                    self._mark_closed(each)

    def _mark_closed(self, connection: tuple[int, int]) -> None:
        pid = self._pids.pop(connection, None)
        if pid is not None:
            self._closed.add(pid)
