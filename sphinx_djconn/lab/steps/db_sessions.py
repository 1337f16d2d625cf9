"""The database server as a witness: which sessions it holds at the end of each step."""

import time
from typing import Any, Final

from sphinx_djconn.lab.databases.protocols import DatabaseServer
from sphinx_djconn.lab.events.collector import EventCollector

_LEAVING: Final = 1.0
"""Seconds that a session may take to end after its client has closed it; it needs some milliseconds."""

_SETTLING: Final = 0.2
"""Seconds in which two looks at the sessions should be the same; the second one usually is."""

_GLANCE: Final = 0.002
"""Seconds between two looks: no server tells when its sessions have changed."""


class SessionRecorder:
    """Asks for the sessions of a run, and tells ``feed``."""

    def __init__(self, feed: EventCollector, databases: DatabaseServer) -> None:
        self._feed = feed
        self._databases = databases
        self._read = 0
        self._pids: dict[tuple[int, int], int] = {}
        self._closed: set[int] = set()

    def look(self) -> None:
        """Emit ``db.sessions``. Raises ``ClusterError``."""
        self._feed.drain()
        events = self._feed.events[self._read :]
        self._read += len(events)
        for event in events:
            self._follow(event)
        found = self._sessions()
        limit = time.monotonic() + _SETTLING
        while (again := self._sessions()) != found and time.monotonic() < limit:
            found = again
            time.sleep(_GLANCE)
        self._feed.emit("db.sessions", sessions=again)

    def _sessions(self) -> list[list[Any]]:
        # Those that are there in spite of it are not waited for again.
        closed, self._closed = self._closed, set()
        found = self._databases.sessions(closed, _LEAVING)
        return [[session.pid, session.state.lower()] for session in found]

    def _follow(self, event: dict[str, Any]) -> None:
        """Note which sessions are about to end: Django has closed them, or nothing holds them any more."""
        key = (event["p"], event.get("c", 0))
        match event["k"]:
            case "db.open" if "pid" in event:
                self._pids[key] = event["pid"]
                self._closed.discard(event["pid"])
            case "db.close" if event["why"] != "dropped" and "pooled" not in event:
                self._leave(key)
            case "db.collected":
                self._leave(key)
            case "process.exit":
                for each in [each for each in self._pids if each[0] == event["p"]]:
                    self._leave(each)

    def _leave(self, key: tuple[int, int]) -> None:
        pid = self._pids.pop(key, None)
        if pid is not None:
            self._closed.add(pid)
