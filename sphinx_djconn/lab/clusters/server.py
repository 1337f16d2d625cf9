"""The servers that a cluster can stand on: one of the build's own, or one that conf.py names."""

import secrets
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import Final, final

from sphinx_djconn.lab.clusters.engine import APPLICATION, Address, Connection, Engine, server_options
from sphinx_djconn.lab.clusters.folder import ClusterFolder
from sphinx_djconn.lab.clusters.server_process import ServerProcess
from sphinx_djconn.lab.errors import ClusterError, LabError, ProfileError
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.profiles.databases import DEFAULT_MAX_CONNECTIONS

PREFIX: Final = "djconn_"
_INITIALISING: Final = 60.0
_STARTING: Final = 30.0
_STOPPING: Final = 10.0
_QUITTING: Final = 2.0
_TOKEN: Final = 8


class ClusterServer(ABC):
    """``admin`` and ``application`` are its addresses, ``names`` what names of databases begin with."""

    admin: Address
    application: Address
    names: str
    owner: str | None
    """Whose the databases are, where that is not who makes them."""

    pid: int | None = None
    """Its process, where that is of this build."""

    @abstractmethod
    def connect(self) -> Connection:
        """Return a connection for the lab's own use. Raises the driver's error."""

    def check(self) -> None:
        """Raise :class:`ClusterError` where the server is known to be gone, though sessions still answer."""
        return

    @abstractmethod
    def restart(self) -> Connection:
        """End the server as an administrator does, and start it again with its data.

        Return the first connection, which is to be held: the limits of the server reckon with it.
        """

    @abstractmethod
    def failure(self, error: Exception) -> LabError:
        """Return what to raise for an error of the driver's."""

    @abstractmethod
    def close(self, connection: Connection | None) -> None:
        """Leave nothing of it."""


@final
class PrivateServer(ClusterServer):
    """A server of this build's own, which is started here; the application can hold ``connections``.

    ``settings`` are the server's own, by their names. ``interruption`` ends it while it starts.
    """

    def __init__(
        self,
        engine: Engine,
        connections: int = DEFAULT_MAX_CONNECTIONS,
        settings: tuple[tuple[str, str], ...] = (),
        interruption: Cancellation | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._connections = connections
        self._binaries = engine.binaries()
        folder = ClusterFolder()
        self.admin = engine.address(folder.path)
        self.application = replace(self.admin, user=APPLICATION, database="")
        self.names = ""
        self.owner = APPLICATION
        interruption = interruption or Cancellation()
        self.daemon = ServerProcess(engine.label, folder, interruption)
        self._ballast: list[Connection] = []
        self._first: Connection | None = None
        try:
            with interruption.on_cancel(self.daemon.kill):
                self.daemon.run(engine.initialise(self._binaries, folder.path), _INITIALISING)
                self._first = self._start()
                engine.add_application(self._first)
        except BaseException:
            self.daemon.close()
            raise

    def connect(self) -> Connection:
        """Return a connection, at first the one that was made at the start."""
        connection, self._first = self._first, None
        return connection or self._engine.connect(self.admin)

    def check(self) -> None:
        """Say that the server is gone, where it is."""
        if self.daemon.has_ended():
            raise self.daemon.failure("", is_lost=True)

    def restart(self) -> Connection:
        """End the server as an administrator does, and start it again with its data."""
        self.check()
        self.daemon.signal(self._engine.stop)
        if not self.daemon.has_ended(_STOPPING):
            raise self.daemon.error(f"{self._engine.label} did not end within {_STOPPING:g} s, for its restart")
        return self._start()

    def failure(self, error: Exception) -> LabError:
        """Say that the server is gone, where it is."""
        return self.daemon.failure(_said(error), is_lost=isinstance(error, self._engine.lost))

    def close(self, connection: Connection | None) -> None:
        """End the server: it does not tidy up its data, only what the system holds for it."""
        self.daemon.signal(self._engine.quit)
        self.daemon.has_ended(_QUITTING)
        self.daemon.close()
        for each in (self._first, *self._ballast):
            if each is not None:
                with suppress(self._engine.error):
                    each.close()

    def _start(self) -> Connection:
        engine = self._engine
        command = engine.serve(self._binaries, self.daemon.folder.path, self._connections)
        self.daemon.begin([*command, *server_options(self._settings)])
        connection = self.daemon.wait(lambda: engine.connect(self.admin), engine.lost, _STARTING)
        self.pid = self.daemon.pid
        self._ballast = [engine.connect(self.admin) for _ in range(engine.ballast(self._connections))]
        return connection


@final
class GivenServer(ClusterServer):
    """The server that ``dsn`` names: databases are made there and removed, and nothing else is touched."""

    def __init__(self, engine: Engine, dsn: str) -> None:
        self._engine = engine
        self._token = secrets.token_hex(_TOKEN // 2)
        self.names = f"{PREFIX}{self._token}_"
        self.owner = None
        try:
            self.admin = self.application = engine.parsed(dsn)
        except ValueError as error:
            raise ProfileError(f"the DSN of {engine.label} in conf.py cannot be used: {error}") from None
        try:
            connection = self.connect()
        except (engine.error, TypeError, ValueError) as error:
            raise ProfileError(
                f"nothing answers to the DSN of {engine.label} in conf.py as it should: {self._clean(error)}; "
                "see that the server runs, and that host, port, user, password and database are right"
            ) from None
        try:
            self._check(connection)
        finally:
            connection.close()

    def _check(self, connection: Connection) -> None:
        engine = self._engine
        version, oldest = engine.version(connection), ".".join(map(str, engine.oldest))
        if not version:
            raise ProfileError(f"the server that the DSN in conf.py names is not {engine.label}")
        if version < engine.oldest:
            raise ProfileError(
                f"the server that the DSN in conf.py names is {engine.label} {'.'.join(map(str, version))}, "
                f"which is too old: {oldest} is the oldest; name another, or none"
            )
        self._sweep(connection)
        try:
            engine.create(connection, f"{self.names}check", None, None)
            engine.drop(connection, f"{self.names}check")
        except engine.error as error:
            raise ProfileError(
                f"the user of the DSN of {engine.label} in conf.py cannot make databases: "
                f"{self._clean(error)}; let the user have that right (CREATEDB, or CREATE for all that begin "
                "with `djconn_`)"
            ) from None

    def _sweep(self, connection: Connection) -> None:
        """Remove the databases of builds that were killed: nobody holds the lock of their token."""
        for name in self._engine.names(connection, PREFIX):
            token = name.removeprefix(PREFIX).partition("_")[0]
            if len(token) == _TOKEN and self._engine.hold(connection, PREFIX + token):
                with suppress(self._engine.error):
                    self._engine.drop(connection, name)

    def connect(self) -> Connection:
        """Return a connection that tells other builds that this one lives."""
        connection = self._engine.connect(self.admin)
        self._engine.hold(connection, PREFIX + self._token)
        return connection

    def restart(self) -> Connection:
        """Refuse: others may use that server."""
        raise ClusterError(
            f"`database: restart` needs a {self._engine.label} of the build's own, and conf.py names a server: "
            "others may be using it; take the DSN out of conf.py, or the step out of the page"
        )

    def failure(self, error: Exception) -> LabError:
        """Say what the server said, without the password."""
        return ClusterError(f"the {self._engine.label} that conf.py names refused: {self._clean(error)}")

    def close(self, connection: Connection | None) -> None:
        """Remove this build's databases."""
        with suppress(self._engine.error):
            connection = connection or self._engine.connect(self.admin)
            for name in self._engine.names(connection, self.names):
                self._engine.drop(connection, name)

    def _clean(self, error: Exception) -> str:
        said, password = _said(error), self.admin.password
        return said.replace(password, "<password>") if password else said


def _said(error: Exception) -> str:
    """Return an error's message in one line; MariaDB's drivers put a number before it."""
    text = str(error.args[-1]) if error.args else str(error)
    return " ".join(text.split())
