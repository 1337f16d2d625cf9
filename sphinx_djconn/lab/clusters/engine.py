"""The interface between a cluster and its kind of database server, with what PostgreSQL and MariaDB share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from sphinx_djconn.lab.clusters.binaries import Binaries

APPLICATION_USER: Final = "django"
"""The user of private clusters that runs connect as. It has no more privileges than a project's user has."""

CONNECT_TIMEOUT: Final = 10
"""Seconds."""


class ServerSession(NamedTuple):
    """A session as the database server sees it.

    ``pid`` identifies it (``pg_backend_pid()``, ``CONNECTION_ID()``), ``state`` is the server's word (``idle``,
    ``active``, ``Sleep``), ``began`` is in seconds since the epoch, ``None`` if the server does not report it.
    """

    pid: int
    state: str
    application: str
    began: float | None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and as whom to connect. ``host`` is a folder or a file if it is a socket.

    ``database`` is the one to connect to first, and ``options`` are the driver's. ``private`` is true for a
    server that the build started. Environment variables of the driver do not apply to it.
    """

    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: tuple[tuple[str, str], ...] = ()
    private: bool = False


class Connection(ABC):
    """What we use of a DB-API connection."""

    @abstractmethod
    def cursor(self) -> Any:
        """Return a cursor."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""


class Engine(ABC):
    """A kind of database server, and its driver. Database names are those on the server."""

    kind: ClassVar[str]
    label: ClassVar[str]
    backend: ClassVar[str]
    """The value of ``ENGINE`` in Django's settings."""

    oldest: ClassVar[tuple[int, ...]]
    stop_signal: ClassVar[int]
    """The signal that ends all sessions and then the server, as an administrator's restart does."""

    kill_signal: ClassVar[int]
    """The signal that ends the server at once. Its data may be unusable afterwards."""

    error: type[Exception]
    """The base class of the driver's exceptions."""

    connection_error: type[Exception]
    """The exception that the driver raises if the connection breaks, among other reasons."""

    # The statements. They are executed with the parameters of the methods below.

    quote_character: ClassVar[str]
    sessions_sql: ClassVar[str]
    databases_sql: ClassVar[str]
    lock_sql: ClassVar[str]

    @abstractmethod
    def find_binaries(self) -> Binaries:
        """Return the programs. Raises ``AbsentError``."""

    @abstractmethod
    def init_command(self, binaries: Binaries, folder: Path) -> list[str]:
        """Return the command that creates the data of a private cluster in ``folder``."""

    @abstractmethod
    def server_command(self, binaries: Binaries, folder: Path, connections: int) -> list[str]:
        """Return the command of the server, in which the application can hold so many ``connections``."""

    def excess_connections(self, connections: int) -> int:
        """Return how many connections to occupy so that exactly ``connections`` are left."""
        return 0

    @abstractmethod
    def admin_address(self, folder: Path) -> Address:
        """Return the address of the administrator of the private cluster in ``folder``."""

    @abstractmethod
    def parse_dsn(self, dsn: str) -> Address:
        """Return the address in ``dsn``. Raises ``ValueError``, whose message has nothing of ``dsn``."""

    @abstractmethod
    def connect(self, address: Address) -> Connection:
        """Return a connection in autocommit mode. Raises :attr:`error`."""

    @abstractmethod
    def version(self, connection: Connection) -> tuple[int, ...]:
        """Return the server's version, or an empty tuple if it is another kind of server."""

    @abstractmethod
    def create_user(self, connection: Connection, name: str) -> None:
        """Create a user of a private cluster."""

    @abstractmethod
    def create_database(
        self, connection: Connection, name: str, template: str | None, owner: str | None
    ) -> None:
        """Create a database, empty or as a copy of ``template``, which must have no sessions."""

    @abstractmethod
    def end_session(self, connection: Connection, pid: int) -> None:
        """End a session. It is no error if it has ended."""

    @abstractmethod
    def allow_connections(self, connection: Connection, name: str, owner: str, *, allowed: bool) -> None:
        """Let a database accept or refuse new sessions of ``owner``. Existing sessions are unaffected."""

    def django_settings(self, address: Address, database: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for ``database``. A socket is a ``HOST``, too."""
        return {
            "ENGINE": self.backend,
            "NAME": database,
            "USER": address.user,
            "PASSWORD": address.password,
            "HOST": address.host,
            "PORT": str(address.port or ""),
            "OPTIONS": dict(address.options),
        }

    def drop_database(self, connection: Connection, name: str) -> None:
        """End the sessions of a database, and remove it. It is no error if it does not exist."""
        for session in self.sessions(connection, name):
            self.end_session(connection, session.pid)
        rows(connection, f"DROP DATABASE IF EXISTS {self.quote(name)}")

    def sessions(self, connection: Connection, name: str) -> tuple[ServerSession, ...]:
        """Return the clients' sessions of a database, without that of ``connection``, sorted by their pids."""
        found = rows(connection, self.sessions_sql, [name])
        return tuple(ServerSession(int(pid), str(state), str(app), began) for pid, state, app, began in found)

    def processes(self, server: int, databases: Set[str]) -> list[int]:
        """Return the processes that work for ``databases``. ``server`` is the pid of the main process."""
        return [server]

    def try_lock(self, connection: Connection, name: str) -> bool:
        """Lock ``name`` until ``connection`` is closed. Return whether it was free."""
        return bool(rows(connection, self.lock_sql, [name])[0][0])

    def database_names(self, connection: Connection, prefix: str) -> list[str]:
        """Return the names of the databases that begin with ``prefix``, sorted."""
        names = [str(name) for (name,) in rows(connection, self.databases_sql)]
        return sorted(name for name in names if name.startswith(prefix))

    def quote(self, name: str) -> str:
        """Return ``name`` as an identifier in SQL."""
        quote = self.quote_character
        return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def rows(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute ``statement``, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, tuple(parameters) or None)
        return [] if cursor.description is None else list(cursor.fetchall())


def server_options(settings: Iterable[tuple[str, str]]) -> list[str]:
    """Return ``--name=value`` for each setting, which both PostgreSQL and MariaDB accept."""
    return [f"--{name}={value}" for name, value in settings]


def without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` without those that are empty: the driver's default applies to them."""
    return {name: value for name, value in values.items() if value}
