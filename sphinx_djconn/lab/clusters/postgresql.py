"""PostgreSQL: its programs, its statements, psycopg 3."""

import importlib
import os
import re
import signal
import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.clusters import binaries
from sphinx_djconn.lab.clusters.binaries import Binaries
from sphinx_djconn.lab.clusters.engine import APPLICATION, Address, Connection, Engine, ServerSession, rows
from sphinx_djconn.lab.clusters.engine import server_options as options
from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.profiles.databases import LAB_CONNECTIONS, RESERVED_CONNECTIONS

_ENVIRONMENT: Final = threading.Lock()
_CONNECT_TIMEOUT: Final = 10
_INITIAL_SETTINGS: Final = (16,)
_STRATEGY: Final = (15,)
_FORCE: Final = (13,)

_SETTINGS: Final = (
    ("listen_addresses", ""),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("autovacuum", "off"),
    ("shared_buffers", "16MB"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "64MB"),
    ("shared_memory_type", "mmap"),
    ("dynamic_shared_memory_type", "mmap"),  # in the folder: /dev/shm of a container may have nothing
    ("superuser_reserved_connections", str(RESERVED_CONNECTIONS)),
    ("max_worker_processes", "2"),
    ("log_min_messages", "log"),  # how it starts and ends, not what an application did wrong
    ("log_min_error_statement", "panic"),
    ("timezone", "UTC"),
)


class PostgreSQL(Engine):
    """Raises :class:`AbsentError` where there is no psycopg."""

    kind = "postgresql"
    label = "PostgreSQL"
    backend = "django.db.backends.postgresql"
    oldest = binaries.OLDEST_POSTGRESQL
    stop = signal.SIGINT  # "fast": sessions are ended; SIGTERM would wait for them
    quit = signal.SIGQUIT  # killed, it would leave a segment of System V shared memory

    def __init__(self) -> None:
        try:
            self._driver: Any = importlib.import_module("psycopg")
            self._conninfo: Any = importlib.import_module("psycopg.conninfo")
        except ImportError as error:
            raise AbsentError(
                "PostgreSQL needs psycopg 3, which cannot be imported from the environment that builds the "
                f"docs ({error}); install it with `pip install 'sphinx-djconn[postgresql]'`"
            ) from None
        self.error = self._driver.Error
        self.lost = self._driver.OperationalError

    def binaries(self) -> Binaries:
        """Return its programs."""
        return binaries.postgresql()

    def initialise(self, binaries: Binaries, folder: Path) -> list[str]:
        """Return ``initdb``: of no locale, since the machine may have none, and with no wait for the disk."""
        command = [str(binaries.initialise), "-D", str(folder / "data"), "--username=postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        command.append("--wal-segsize=1")
        if binaries.version >= _INITIAL_SETTINGS:
            command += ["-c", "dynamic_shared_memory_type=mmap"]
        return command

    def serve(self, binaries: Binaries, folder: Path, connections: int) -> list[str]:
        """Return the command of the server."""
        places = (
            ("unix_socket_directories", str(folder)),
            ("max_connections", str(connections + LAB_CONNECTIONS + RESERVED_CONNECTIONS)),
        )
        return [str(binaries.server), "-D", str(folder / "data"), *options((*_SETTINGS, *places))]

    def address(self, folder: Path) -> Address:
        """Return the address of a private cluster's administrator."""
        return Address(str(folder), 5432, "postgres", database="postgres", own=True)

    def parsed(self, dsn: str) -> Address:
        """Return what libpq reads in ``dsn``, with its defaults and variables of the environment."""
        try:
            given = self._conninfo.conninfo_to_dict(dsn)
            port = given.pop("port", None)
            return Address(
                host=given.pop("host", ""),
                port=None if port is None else int(port),
                user=given.pop("user", ""),
                password=given.pop("password", ""),
                database=given.pop("dbname", "") or "postgres",
                options=tuple(sorted((name, str(value)) for name, value in given.items())),
            )
        except (self.error, ValueError):
            raise ValueError(
                "it is not one that libpq reads: `postgresql://user:password@host:5432/database`"
            ) from None

    def connect(self, address: Address) -> Connection:
        """Return a connection that commits each statement."""
        given = {"connect_timeout": _CONNECT_TIMEOUT, "options": "", **dict(address.options)}
        given |= {"host": address.host, "port": address.port, "user": address.user}
        given |= {"password": address.password, "dbname": address.database}
        given = {name: value for name, value in given.items() if value or name == "options"}
        given |= {"autocommit": True, "application_name": "sphinx_djconn", "prepare_threshold": None}
        with _without_variables("PG") if address.own else nullcontext():
            connection: Connection = self._driver.connect(**given)
        return connection

    def settings(self, address: Address, database: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for ``database``."""
        place = {"HOST": address.host, "PORT": str(address.port or "")}
        user = {"USER": address.user, "PASSWORD": address.password}
        return {"ENGINE": self.backend, "NAME": database, **user, **place, "OPTIONS": dict(address.options)}

    def version(self, connection: Connection) -> tuple[int, ...]:
        """Return the server's version."""
        said = str(rows(connection, "SHOW server_version")[0][0])
        return tuple(int(each) for each in re.findall(r"\d+", said.split(maxsplit=1)[0]))

    def add_application(self, connection: Connection) -> None:
        """Make the user that runs connect as."""
        rows(connection, f"CREATE ROLE {_quoted(APPLICATION)} LOGIN")

    def create(self, connection: Connection, name: str, template: str | None, owner: str | None) -> None:
        """Make a database by a copy of files, which takes half the time that the log of them does."""
        version = self.version(connection)
        statement = f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template or 'template0')}"
        statement += "" if owner is None else f" OWNER {_quoted(owner)}"
        rows(connection, statement + (" STRATEGY file_copy" if version >= _STRATEGY else ""))

    def drop(self, connection: Connection, name: str) -> None:
        """Remove a database."""
        force = " WITH (FORCE)" if self.version(connection) >= _FORCE else ""
        if not force:
            for session in self.sessions(connection, name):
                self.end(connection, session.pid)
        rows(connection, f"DROP DATABASE IF EXISTS {_quoted(name)}{force}")

    def sessions(self, connection: Connection, name: str) -> tuple[ServerSession, ...]:
        """Return the sessions of clients; workers of the server are none."""
        found = rows(
            connection,
            "SELECT pid, coalesce(state, ''), coalesce(application_name, ''), "
            "extract(epoch FROM backend_start)::float8 FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_backend_pid() "
            "AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY pid",
            [name],
        )
        return tuple(ServerSession(*row) for row in found)

    def processes(self, server: int, databases: Set[str]) -> list[int]:
        """Return it, and its children with a session in ``databases``, or with no title of their own yet."""
        found = [server]
        for pid in _read(f"/proc/{server}/task/{server}/children").split():
            title = _read(f"/proc/{pid}/cmdline").split()
            if title[:1] != ["postgres:"] or not databases.isdisjoint(title):
                found.append(int(pid))
        return found

    def end(self, connection: Connection, pid: int) -> None:
        """Have a session ended."""
        rows(connection, "SELECT pg_terminate_backend(%s)", [pid])

    def allow(self, connection: Connection, name: str, owner: str, *, allowed: bool) -> None:
        """Have a database accept new sessions, whosever they are, or refuse them."""
        rows(connection, f"ALTER DATABASE {_quoted(name)} ALLOW_CONNECTIONS {str(allowed).lower()}")

    def hold(self, connection: Connection, token: str) -> bool:
        """Take an advisory lock."""
        return bool(rows(connection, "SELECT pg_try_advisory_lock(hashtext(%s), 0)", [token])[0][0])

    def names(self, connection: Connection, prefix: str) -> list[str]:
        """Return the names of the databases that begin with ``prefix``."""
        found = rows(connection, "SELECT datname FROM pg_database ORDER BY datname")
        return [str(name) for (name,) in found if str(name).startswith(prefix)]


@contextmanager
def _without_variables(prefix: str) -> Iterator[None]:
    """Hide variables of the environment from libpq: PGSERVICE, for one, cannot be overridden otherwise."""
    with _ENVIRONMENT:
        hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefix)}
        try:
            yield
        finally:
            os.environ.update(hidden)


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _read(path: str) -> str:
    """Return what the kernel tells there; nothing of a process that has ended, or on another system."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
