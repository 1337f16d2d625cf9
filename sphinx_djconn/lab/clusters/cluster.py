"""One database server as scenarios use it, private or external, of any kind."""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar, final

from sphinx_djconn.lab.clusters.engine import Connection, Engine, ServerSession, rows
from sphinx_djconn.lab.clusters.server import ClusterServer
from sphinx_djconn.lab.errors import ClusterError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_END_TIMEOUT: Final = 5.0
_POLL_INTERVAL: Final = 0.002
"""Seconds between two queries for the sessions. No server notifies when one ends."""

Result = TypeVar("Result")


@final
class Cluster:
    """Creates databases on one server, and observes their sessions. May be used by several threads.

    All methods raise :class:`ClusterError` if the server refuses a statement, or has ended.
    """

    def __init__(self, engine: Engine, server: ClusterServer) -> None:
        self.kind = engine.kind
        self._engine = engine
        self._server = server
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._closed = False
        self.version: tuple[int, ...] = self._execute(engine.version)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create the database ``name``, empty or as a copy of ``template``, which must have no sessions."""
        source = None if template is None else self._full_name(template)
        full_name, owner = self._full_name(name), self._server.owner
        self._execute(lambda connection: self._engine.create_database(connection, full_name, source, owner))

    def drop_database(self, name: str) -> None:
        """End the sessions of the database ``name``, and remove it. It is no error if it does not exist."""
        full_name = self._full_name(name)
        self._execute(lambda connection: self._engine.drop_database(connection, full_name))

    @property
    def label(self) -> str:
        """The name and the version of the server."""
        return f"{self._engine.label} {'.'.join(map(str, self.version))}"

    def settings(self, name: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for the database ``name``."""
        return self._engine.django_settings(self._server.application, self._full_name(name))

    def sessions(
        self, database: str, *, closed: Collection[int] = (), seconds: float = _END_TIMEOUT
    ) -> tuple[ServerSession, ...]:
        """Return the sessions of ``database``, without the lab's own.

        ``closed`` are the pids of connections that clients have closed. The server ends such a session some
        milliseconds later, so this waits until none of them is left, for ``seconds`` at most.
        """
        full_name, pids = self._full_name(database), frozenset(closed)
        deadline = time.monotonic() + seconds
        while True:
            sessions: tuple[ServerSession, ...] = self._execute(
                lambda connection: self._engine.sessions(connection, full_name)
            )
            if pids.isdisjoint(each.pid for each in sessions) or time.monotonic() >= deadline:
                return sessions
            time.sleep(_POLL_INTERVAL)

    def processes(self, databases: Iterable[str]) -> list[int]:
        """Return the server's processes that work for ``databases``, or may be about to.

        They are found on Linux, for private servers.
        """
        pid = self._server.pid
        return [] if pid is None else self._engine.processes(pid, set(map(self._full_name, databases)))

    def end_sessions(self, database: str) -> tuple[ServerSession, ...]:
        """End all sessions of ``database`` and wait for their end. Return them."""
        sessions = self.sessions(database)
        for session in sessions:
            self._execute(partial(self._engine.end_session, pid=session.pid))
        pids = {each.pid for each in sessions}
        left = pids & {each.pid for each in self.sessions(database, closed=pids)}
        if left:
            raise ClusterError(
                f"{self._engine.label} did not end {len(left)} of {len(pids)} sessions "
                f"within {_END_TIMEOUT:g} s"
            )
        return sessions

    def refuse(self, database: str) -> None:
        """Let ``database`` refuse new sessions. Existing ones are unaffected."""
        self._allow(database, allowed=False)

    def accept(self, database: str) -> None:
        """Let ``database`` accept new sessions again."""
        self._allow(database, allowed=True)

    def _allow(self, database: str, *, allowed: bool) -> None:
        full_name, owner = self._full_name(database), self._server.owner
        if owner is None and self.kind != "postgresql":
            raise ClusterError(
                f"{self._engine.label} can refuse connections only on a server of the build's own, and conf.py "
                "names a server; take the DSN out of conf.py, or the step out of the page"
            )
        self._execute(
            lambda connection: self._engine.allow_connections(
                connection, full_name, owner or "", allowed=allowed
            )
        )

    def restart(self) -> None:
        """Restart the server, with its data. All sessions end."""
        with self._lock:
            self._disconnect()
            try:
                self._connection = self._server.restart()
            except self._engine.error as error:
                raise self._server.failure(error) from None

    def close(self) -> None:
        """End a private server, or drop the databases on an external one."""
        with self._lock:
            if not self._closed:
                self._closed = True
                connection, self._connection = self._connection, None
                self._server.close(connection)
                if connection is not None:
                    with suppress(self._engine.error):
                        connection.close()

    def _full_name(self, name: str) -> str:
        """Return the name that the database ``name`` has on the server."""
        if not _NAME.fullmatch(name):
            raise ClusterError(f"`{name}` is not a valid name of a database: it has to match {_NAME.pattern}")
        return self._server.prefix + name

    def _execute(self, statement: Callable[[Connection], Result]) -> Result:
        with self._lock:
            if self._closed:
                raise ClusterError(f"the {self._engine.label} of this build has been closed")
            self._server.check()
            try:
                return statement(self._connect())
            except self._engine.error as error:
                raise self._server.failure(error) from None

    def _connect(self) -> Connection:
        """Return the lab's connection, which is opened again if the server has ended it."""
        if self._connection is not None:
            try:
                rows(self._connection, "SELECT 1")
            except self._engine.error:
                self._disconnect()
        if self._connection is None:
            self._connection = self._server.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._engine.error):
                connection.close()
