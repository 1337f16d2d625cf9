"""The servers that a cluster can use: a private one, or an external one that conf.py names."""

import secrets
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import Final, final

from sphinx_djconn.lab.clusters.engine import APPLICATION_USER, Address, Connection, Engine, server_options
from sphinx_djconn.lab.clusters.folder import ClusterFolder
from sphinx_djconn.lab.clusters.server_process import ServerProcess
from sphinx_djconn.lab.errors import ClusterError, LabError, ProfileError
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.profiles.databases import DEFAULT_MAX_CONNECTIONS

PREFIX: Final = "djconn_"
"""What the names of databases on an external server begin with."""

_TOKEN_LENGTH: Final = 8
_INIT_TIMEOUT: Final = 60.0
_START_TIMEOUT: Final = 30.0
_STOP_TIMEOUT: Final = 10.0
_KILL_TIMEOUT: Final = 2.0


class ClusterServer(ABC):
    """A server with the databases of a cluster."""

    admin: Address
    application: Address
    prefix: str
    """What the names of its databases begin with, after which the cluster's names follow."""

    owner: str | None
    """The user who owns the databases, if it is not the administrator."""

    pid: int | None = None
    """The process id of a private server."""

    @abstractmethod
    def connect(self) -> Connection:
        """Return a connection for the lab's own use. Raises the driver's error."""

    def check(self) -> None:
        """Raise :class:`ClusterError` if the server has ended. Some of its sessions may still answer."""
        return

    @abstractmethod
    def restart(self) -> Connection:
        """Restart the server as an administrator does, with its data.

        Return the first connection. The caller has to keep it open: the limits of the server allow for it.
        """

    @abstractmethod
    def failure(self, error: Exception) -> LabError:
        """Return the error to raise for the driver's ``error``."""

    @abstractmethod
    def close(self, connection: Connection | None) -> None:
        """Remove what the build has created. ``connection`` is the lab's own, if it is open."""


@final
class PrivateServer(ClusterServer):
    """A server of this build, which the constructor starts. The application can hold ``connections``.

    ``settings`` are the server's, by their names. ``cancellation`` kills it while it starts.
    """

    def __init__(
        self,
        engine: Engine,
        connections: int = DEFAULT_MAX_CONNECTIONS,
        settings: tuple[tuple[str, str], ...] = (),
        cancellation: Cancellation | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._connections = connections
        self._binaries = engine.find_binaries()
        folder = ClusterFolder()
        self.admin = engine.admin_address(folder.path)
        self.application = replace(self.admin, user=APPLICATION_USER, database="")
        self.prefix = ""
        self.owner = APPLICATION_USER
        cancellation = cancellation or Cancellation()
        self.process = ServerProcess(engine.label, folder, cancellation)
        self._excess: list[Connection] = []
        self._first: Connection | None = None
        try:
            with cancellation.on_cancel(self.process.kill):
                self.process.run(engine.init_command(self._binaries, folder.path), _INIT_TIMEOUT)
                self._first = self._start()
                engine.create_user(self._first, APPLICATION_USER)
        except BaseException:
            self.process.close()
            raise

    def connect(self) -> Connection:
        """Return a connection: the first time, the one that was opened at the start."""
        connection, self._first = self._first, None
        return connection or self._engine.connect(self.admin)

    def check(self) -> None:
        """Raise :class:`ClusterError` if the server has ended."""
        if self.process.has_ended():
            raise self.process.failure("", connection_lost=True)

    def restart(self) -> Connection:
        """Restart the server as an administrator does, with its data."""
        self.check()
        self.process.send_signal(self._engine.stop_signal)
        if not self.process.has_ended(_STOP_TIMEOUT):
            raise self.process.error(
                f"{self._engine.label} did not end within {_STOP_TIMEOUT:g} s, for its restart"
            )
        return self._start()

    def failure(self, error: Exception) -> LabError:
        """Return an error that says whether the server has ended."""
        connection_lost = isinstance(error, self._engine.connection_error)
        return self.process.failure(_message(error), connection_lost=connection_lost)

    def close(self, connection: Connection | None) -> None:
        """End the server at once, without a clean shutdown, and remove its folder."""
        self.process.send_signal(self._engine.kill_signal)
        self.process.has_ended(_KILL_TIMEOUT)
        self.process.close()
        for each in (self._first, *self._excess):
            if each is not None:
                with suppress(self._engine.error):
                    each.close()

    def _start(self) -> Connection:
        engine = self._engine
        command = engine.server_command(self._binaries, self.process.folder.path, self._connections)
        self.process.start([*command, *server_options(self._settings)])
        connection = self.process.wait_until_ready(
            lambda: engine.connect(self.admin), engine.connection_error, _START_TIMEOUT
        )
        self.pid = self.process.pid
        self._excess = [engine.connect(self.admin) for _ in range(engine.excess_connections(self._connections))]
        return connection


@final
class ExternalServer(ClusterServer):
    """The server that ``dsn`` names. Nothing but the build's own databases is changed there."""

    def __init__(self, engine: Engine, dsn: str) -> None:
        self._engine = engine
        self._token = secrets.token_hex(_TOKEN_LENGTH // 2)
        self.prefix = f"{PREFIX}{self._token}_"
        self.owner = None
        try:
            self.admin = self.application = engine.parse_dsn(dsn)
        except ValueError as error:
            raise ProfileError(f"the DSN of {engine.label} in conf.py cannot be used: {error}") from None
        try:
            connection = self.connect()
        except (engine.error, TypeError, ValueError) as error:
            raise ProfileError(
                f"the server of the DSN of {engine.label} in conf.py cannot be connected to: "
                f"{self._masked(error)}; check that it runs, and the host, port, user, password and database"
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
        self._drop_leftovers(connection)
        try:
            engine.create_database(connection, f"{self.prefix}check", None, None)
            engine.drop_database(connection, f"{self.prefix}check")
        except engine.error as error:
            raise ProfileError(
                f"the user of the DSN of {engine.label} in conf.py cannot create databases: "
                f"{self._masked(error)}; grant that privilege (CREATEDB, or CREATE for all that begin with "
                "`djconn_`)"
            ) from None

    def _drop_leftovers(self, connection: Connection) -> None:
        """Drop the databases of builds that were killed: the lock of their token is free."""
        for name in self._engine.database_names(connection, PREFIX):
            token = name.removeprefix(PREFIX).partition("_")[0]
            if len(token) == _TOKEN_LENGTH and self._engine.try_lock(connection, PREFIX + token):
                with suppress(self._engine.error):
                    self._engine.drop_database(connection, name)

    def connect(self) -> Connection:
        """Return a connection with a lock, by which other builds see that this one runs."""
        connection = self._engine.connect(self.admin)
        self._engine.try_lock(connection, PREFIX + self._token)
        return connection

    def restart(self) -> Connection:
        """Raise :class:`ClusterError`: others may use the server."""
        raise ClusterError(
            f"`database: restart` needs a {self._engine.label} of the build's own, and conf.py names a server: "
            "others may be using it; take the DSN out of conf.py, or the step out of the page"
        )

    def failure(self, error: Exception) -> LabError:
        """Return an error with the server's message, without the password."""
        return ClusterError(f"the {self._engine.label} that conf.py names refused: {self._masked(error)}")

    def close(self, connection: Connection | None) -> None:
        """Drop the databases of this build."""
        with suppress(self._engine.error):
            connection = connection or self._engine.connect(self.admin)
            for name in self._engine.database_names(connection, self.prefix):
                self._engine.drop_database(connection, name)

    def _masked(self, error: Exception) -> str:
        message, password = _message(error), self.admin.password
        return message.replace(password, "<password>") if password else message


def _message(error: Exception) -> str:
    """Return the message in one line, without the number that MariaDB's drivers put first."""
    text = str(error.args[-1]) if error.args else str(error)
    return " ".join(text.split())
