"""What a cluster asks of a kind of database server: the seam between PostgreSQL and MariaDB."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sphinx_djconn.lab.clusters.binaries import Binaries

APPLICATION: str = "django"
"""The user of a private cluster that runs connect as; it has no more rights than a project's user has."""


class ServerSession(NamedTuple):
    """A session as the database server sees it.

    ``pid`` is what a connection knows itself by (``pg_backend_pid()``, ``CONNECTION_ID()``), ``state`` is
    the server's word (``idle``, ``active``, ``Sleep``), ``began`` is in seconds since the epoch, ``None``
    where the server does not tell.
    """

    pid: int
    state: str
    application: str
    began: float | None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and as whom to connect. ``host`` is a folder or a file where it is a socket.

    ``database`` is the one from which others are made; ``options`` are the driver's.
    ``own`` tells that the build has started it: then no variable of the environment is meant for it.
    """

    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: tuple[tuple[str, str], ...] = ()
    own: bool = False


class Connection(ABC):
    """What is used of DB-API's connections."""

    @abstractmethod
    def cursor(self) -> Any:
        """Return a cursor."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""


class Engine(ABC):
    """A kind of database server, and the driver to talk to it. The names given are the server's own."""

    kind: ClassVar[str]
    label: ClassVar[str]
    backend: ClassVar[str]
    """The value of ``ENGINE`` in Django's settings."""

    oldest: ClassVar[tuple[int, ...]]
    stop: ClassVar[int]
    """The signal after which it ends its sessions and itself, as when an administrator restarts it."""

    quit: ClassVar[int]
    """The signal after which it ends at once; its data need not be usable any more."""

    error: type[Exception]
    """What its driver raises."""

    lost: type[Exception]
    """What the driver raises, among other things, when the connection broke."""

    @abstractmethod
    def binaries(self) -> Binaries:
        """Return its programs. Raises ``AbsentError``."""

    @abstractmethod
    def initialise(self, binaries: Binaries, folder: Path) -> list[str]:
        """Return the command that makes the files of a private cluster in ``folder``."""

    @abstractmethod
    def serve(self, binaries: Binaries, folder: Path, connections: int) -> list[str]:
        """Return the command of the server; the application can hold so many ``connections``."""

    def ballast(self, connections: int) -> int:
        """Return how many connections the lab has to hold so that so many, and no more, are left."""
        return 0

    @abstractmethod
    def address(self, folder: Path) -> Address:
        """Return the address of a private cluster's administrator."""

    @abstractmethod
    def parsed(self, dsn: str) -> Address:
        """Return the address that ``dsn`` says. Raises ``ValueError`` without any of its text."""

    @abstractmethod
    def connect(self, address: Address) -> Connection:
        """Return a connection that commits each statement. Raises :attr:`error`."""

    @abstractmethod
    def settings(self, address: Address, database: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for ``database``."""

    @abstractmethod
    def version(self, connection: Connection) -> tuple[int, ...]:
        """Return the server's version."""

    @abstractmethod
    def add_application(self, connection: Connection) -> None:
        """Make the user that runs connect as, in a private cluster."""

    @abstractmethod
    def create(self, connection: Connection, name: str, template: str | None, owner: str | None) -> None:
        """Make a database, empty or a copy of ``template``, whose sessions have ended."""

    @abstractmethod
    def drop(self, connection: Connection, name: str) -> None:
        """Remove a database, if it is there, and end its sessions."""

    @abstractmethod
    def sessions(self, connection: Connection, name: str) -> tuple[ServerSession, ...]:
        """Return the sessions of a database, but for that of ``connection``, in the order of their pids."""

    def processes(self, server: int, databases: Set[str]) -> list[int]:
        """Return the processes that work for ``databases``, where ``server`` is the first one's id."""
        return [server]

    @abstractmethod
    def end(self, connection: Connection, pid: int) -> None:
        """Have a session ended; one that is gone is no error."""

    @abstractmethod
    def allow(self, connection: Connection, name: str, owner: str, *, allowed: bool) -> None:
        """Have a database accept new sessions of ``owner``, or refuse them; those that are there stay."""

    @abstractmethod
    def hold(self, connection: Connection, token: str) -> bool:
        """Lock ``token`` for as long as ``connection`` is open; return whether nobody else holds it."""

    @abstractmethod
    def names(self, connection: Connection, prefix: str) -> list[str]:
        """Return the names of the databases that begin with ``prefix``."""


def rows(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute a statement, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, tuple(parameters) or None)
        return [] if cursor.description is None else list(cursor.fetchall())


def server_options(settings: Iterable[tuple[str, str]]) -> list[str]:
    """Return ``--name=value`` for each setting; PostgreSQL and MariaDB both read that."""
    return [f"--{name}={value}" for name, value in settings]
