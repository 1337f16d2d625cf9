"""PostgreSQL, with psycopg 3."""

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
from sphinx_djconn.lab.clusters.engine import (
    CONNECT_TIMEOUT,
    Address,
    Connection,
    Engine,
    rows,
    server_options,
    without_empty,
)
from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.profiles.databases import LAB_CONNECTIONS, RESERVED_CONNECTIONS

_ENVIRON_LOCK: Final = threading.Lock()

# The versions that introduced `initdb -c`, `CREATE DATABASE … STRATEGY`, and `DROP DATABASE … WITH (FORCE)`.
_INITDB_SETTINGS: Final = (16,)
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
    ("dynamic_shared_memory_type", "mmap"),  # in the folder: /dev/shm of a container may be empty
    ("superuser_reserved_connections", str(RESERVED_CONNECTIONS)),
    ("max_worker_processes", "2"),
    ("log_min_messages", "log"),  # starts and stops, but no errors of applications
    ("log_min_error_statement", "panic"),
    ("timezone", "UTC"),
)


class PostgreSQL(Engine):
    """Raises :class:`AbsentError` if psycopg is not installed."""

    kind = "postgresql"
    label = "PostgreSQL"
    backend = "django.db.backends.postgresql"
    oldest = binaries.OLDEST_POSTGRESQL
    stop_signal = signal.SIGINT  # "fast shutdown": SIGTERM would wait for the sessions
    kill_signal = signal.SIGQUIT  # SIGKILL would leave a segment of System V shared memory
    quote_character = '"'
    sessions_sql = (
        "SELECT pid, coalesce(state, ''), coalesce(application_name, ''), "
        "extract(epoch FROM backend_start)::float8 FROM pg_stat_activity "
        "WHERE datname = %s AND pid <> pg_backend_pid() "
        "AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY pid"
    )
    databases_sql = "SELECT datname FROM pg_database"
    lock_sql = "SELECT pg_try_advisory_lock(hashtext(%s), 0)"

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
        self.connection_error = self._driver.OperationalError

    def find_binaries(self) -> Binaries:
        """Return PostgreSQL's programs."""
        return binaries.postgresql()

    def init_command(self, binaries: Binaries, folder: Path) -> list[str]:
        """Return the ``initdb`` command. The locale is C, because others may not be installed."""
        command = [str(binaries.initialise), "-D", str(folder / "data"), "--username=postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--no-locale", "--no-sync", "--wal-segsize=1"]
        if binaries.version >= _INITDB_SETTINGS:
            command += ["-c", "dynamic_shared_memory_type=mmap"]
        return command

    def server_command(self, binaries: Binaries, folder: Path, connections: int) -> list[str]:
        """Return the ``postgres`` command."""
        settings = (
            *_SETTINGS,
            ("unix_socket_directories", str(folder)),
            ("max_connections", str(connections + LAB_CONNECTIONS + RESERVED_CONNECTIONS)),
        )
        return [str(binaries.server), "-D", str(folder / "data"), *server_options(settings)]

    def admin_address(self, folder: Path) -> Address:
        """Return the address of the administrator of the private cluster in ``folder``."""
        return Address(str(folder), 5432, "postgres", database="postgres", private=True)

    def parse_dsn(self, dsn: str) -> Address:
        """Return the address that libpq reads from ``dsn``, with its defaults and environment variables."""
        try:
            values = self._conninfo.conninfo_to_dict(dsn)
            port = values.pop("port", None)
            return Address(
                host=values.pop("host", ""),
                port=None if port is None else int(port),
                user=values.pop("user", ""),
                password=values.pop("password", ""),
                database=values.pop("dbname", "") or "postgres",
                options=tuple(sorted((name, str(value)) for name, value in values.items())),
            )
        except (self.error, ValueError):
            raise ValueError(
                "libpq cannot parse it; its form is `postgresql://user:password@host:5432/database`"
            ) from None

    def connect(self, address: Address) -> Connection:
        """Return a connection in autocommit mode."""
        values = {
            "connect_timeout": CONNECT_TIMEOUT,
            **dict(address.options),
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "password": address.password,
            "dbname": address.database,
        }
        with _without_variables("PG") if address.private else nullcontext():
            connection: Connection = self._driver.connect(
                **{"options": "", **without_empty(values)},
                autocommit=True,
                application_name="sphinx_djconn",
                prepare_threshold=None,
            )
        return connection

    def version(self, connection: Connection) -> tuple[int, ...]:
        """Return the server's version."""
        text = str(rows(connection, "SHOW server_version")[0][0])
        return tuple(int(each) for each in re.findall(r"\d+", text.split(maxsplit=1)[0]))

    def create_user(self, connection: Connection, name: str) -> None:
        """Create a role that can log in."""
        rows(connection, f"CREATE ROLE {self.quote(name)} LOGIN")

    def create_database(
        self, connection: Connection, name: str, template: str | None, owner: str | None
    ) -> None:
        """Create a database by copying files, which takes half as long as the default, writing to the WAL."""
        statement = f"CREATE DATABASE {self.quote(name)} TEMPLATE {self.quote(template or 'template0')}"
        if owner is not None:
            statement += f" OWNER {self.quote(owner)}"
        if self.version(connection) >= _STRATEGY:
            statement += " STRATEGY file_copy"
        rows(connection, statement)

    def drop_database(self, connection: Connection, name: str) -> None:
        """End the sessions of a database, and remove it."""
        if self.version(connection) >= _FORCE:
            rows(connection, f"DROP DATABASE IF EXISTS {self.quote(name)} WITH (FORCE)")
        else:
            super().drop_database(connection, name)

    def processes(self, server: int, databases: Set[str]) -> list[int]:
        """Return ``server``, and its children with a session in ``databases``, or without a title yet."""
        pids = [server]
        for pid in _read(f"/proc/{server}/task/{server}/children").split():
            title = _read(f"/proc/{pid}/cmdline").split()
            if title[:1] != ["postgres:"] or not databases.isdisjoint(title):
                pids.append(int(pid))
        return pids

    def end_session(self, connection: Connection, pid: int) -> None:
        """End a session."""
        rows(connection, "SELECT pg_terminate_backend(%s)", [pid])

    def allow_connections(self, connection: Connection, name: str, owner: str, *, allowed: bool) -> None:
        """Let a database accept or refuse new sessions, of any user."""
        rows(connection, f"ALTER DATABASE {self.quote(name)} ALLOW_CONNECTIONS {str(allowed).lower()}")


@contextmanager
def _without_variables(prefix: str) -> Iterator[None]:
    """Hide environment variables from libpq. Some, such as PGSERVICE, cannot be overridden by parameters."""
    with _ENVIRON_LOCK:
        hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefix)}
        try:
            yield
        finally:
            os.environ.update(hidden)


def _read(path: str) -> str:
    """Return the content of a file of ``/proc``; nothing if the process has ended, or without ``/proc``."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
