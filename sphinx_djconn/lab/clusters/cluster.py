"""One database server as scenarios use it, whatever its kind is and whoever started it."""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, Final, TypeVar, final

from sphinx_djconn.lab.clusters.engine import Connection, Engine, ServerSession, rows
from sphinx_djconn.lab.clusters.server import ClusterServer
from sphinx_djconn.lab.errors import ClusterError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ENDING: Final = 5.0
_GLANCE: Final = 0.002
"""Seconds between two looks at the sessions: no server tells when one has ended."""

Result = TypeVar("Result")


@final
class Cluster:
    """Databases of one server, and the witness of its sessions. May be used by several threads.

    All methods raise :class:`ClusterError` where the server says no, or is gone.
    """

    def __init__(self, engine: Engine, server: ClusterServer) -> None:
        self.kind = engine.kind
        self._engine = engine
        self._server = server
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._closed = False
        self.version: tuple[int, ...] = self._ask(engine.version)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make the database ``name``, empty or a copy of ``template``, in which no session may be."""
        source = None if template is None else self._full(template)
        full, owner = self._full(name), self._server.owner
        self._ask(lambda connection: self._engine.create(connection, full, source, owner))

    def drop_database(self, name: str) -> None:
        """Remove the database ``name`` and end its sessions; one that is not there is no error."""
        full = self._full(name)
        self._ask(lambda connection: self._engine.drop(connection, full))

    @property
    def label(self) -> str:
        """What the server is called, and its version."""
        return f"{self._engine.label} {'.'.join(map(str, self.version))}"

    def settings(self, name: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for the database ``name``."""
        return self._engine.settings(self._server.application, self._full(name))

    def sessions(
        self, database: str, *, closed: Collection[int] = (), seconds: float = _ENDING
    ) -> tuple[ServerSession, ...]:
        """Return the sessions that the server holds in ``database``; the lab's own is not among them.

        A client that closes its connection does not wait for the server: the session is there for some
        milliseconds more. The pids of those that were seen to be ``closed`` are waited for, for so many
        ``seconds`` at most; those that are still there after that are returned like all others.
        """
        full, gone = self._full(database), frozenset(closed)
        limit = time.monotonic() + seconds
        while True:
            found: tuple[ServerSession, ...] = self._ask(
                lambda connection: self._engine.sessions(connection, full)
            )
            if gone.isdisjoint(each.pid for each in found) or time.monotonic() >= limit:
                return found
            time.sleep(_GLANCE)

    def processes(self, databases: Iterable[str]) -> list[int]:
        """Return the processes of a server on this machine that work for ``databases``, or are about to.

        They are found on Linux, and where the server is of the build's own.
        """
        pid = self._server.pid
        return [] if pid is None else self._engine.processes(pid, set(map(self._full, databases)))

    def end_sessions(self, database: str) -> tuple[ServerSession, ...]:
        """End every session in ``database``; return those that there were, when they are gone."""
        ended = self.sessions(database)
        for session in ended:
            self._ask(partial(self._engine.end, pid=session.pid))
        pids = {each.pid for each in ended}
        left = pids & {each.pid for each in self.sessions(database, closed=pids)}
        if left:
            raise ClusterError(
                f"{self._engine.label} did not end {len(left)} of {len(pids)} sessions within {_ENDING:g} s"
            )
        return ended

    def refuse(self, database: str) -> None:
        """Have ``database`` refuse new sessions; those that are there stay."""
        self._allow(database, allowed=False)

    def accept(self, database: str) -> None:
        """Have ``database`` accept sessions again."""
        self._allow(database, allowed=True)

    def _allow(self, database: str, *, allowed: bool) -> None:
        full, owner = self._full(database), self._server.owner
        if owner is None and self.kind != "postgresql":
            raise ClusterError(
                f"{self._engine.label} can refuse connections only to a user of the build's own, and conf.py "
                "names a server; take the DSN out of conf.py, or the step out of the page"
            )
        self._ask(lambda connection: self._engine.allow(connection, full, owner or "", allowed=allowed))

    def restart(self) -> None:
        """Restart the server, with its data; all sessions end."""
        with self._lock:
            self._hang_up()
            try:
                self._connection = self._server.restart()
            except self._engine.error as error:
                raise self._server.failure(error) from None

    def close(self) -> None:
        """End the server, or remove what was made on one that is not ours."""
        with self._lock:
            if not self._closed:
                self._closed = True
                connection, self._connection = self._connection, None
                self._server.close(connection)
                if connection is not None:
                    self._quietly(connection.close)

    def _full(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ClusterError(f"`{name}` is no name of a database: it has to match {_NAME.pattern}")
        return self._server.names + name

    def _ask(self, question: Callable[[Connection], Result]) -> Result:
        with self._lock:
            if self._closed:
                raise ClusterError(f"the {self._engine.label} of this build has been closed")
            self._server.check()
            try:
                return question(self._connected())
            except self._engine.error as error:
                raise self._server.failure(error) from None

    def _connected(self) -> Connection:
        """Return the lab's connection, a new one where the server has ended it."""
        if self._connection is not None:
            try:
                rows(self._connection, "SELECT 1")
            except self._engine.error:
                self._hang_up()
        if self._connection is None:
            self._connection = self._server.connect()
        return self._connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._quietly(connection.close)

    def _quietly(self, close: Callable[[], None]) -> None:
        try:
            close()
        except self._engine.error:
            return
