"""MariaDB: its programs, its statements, mysqlclient or PyMySQL."""

import importlib
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sphinx_djconn.lab.clusters import binaries
from sphinx_djconn.lab.clusters.binaries import Binaries
from sphinx_djconn.lab.clusters.engine import APPLICATION, Address, Connection, Engine, ServerSession, rows
from sphinx_djconn.lab.clusters.engine import server_options as options
from sphinx_djconn.lab.errors import AbsentError

_DRIVERS: Final = ("MySQLdb", "pymysql")
"""mysqlclient, the one that Django supports, and what its users have where that cannot be built."""

_CONNECT_TIMEOUT: Final = 10
_WITNESS: Final = 1
"""The lab's own connection takes one of ``max_connections``, and is held all the time."""

_LEAST: Final = 10
"""The smallest ``max_connections`` that there is."""

_NO_SUCH_THREAD: Final = 1094
_NO_SYNC: Final = (
    ("innodb-flush-method", "nosync"),
    ("loose-debug-no-sync", "1"),  # for all that is not InnoDB's: Aria, the log of definitions
    ("sync-frm", "0"),
    ("innodb-flush-log-at-trx-commit", "0"),
    ("innodb-doublewrite", "0"),
    ("innodb-use-native-aio", "0"),  # the kernel counts its requests over all containers
    ("innodb-log-file-size", "4M"),
    ("innodb-buffer-pool-size", "16M"),
)
_SETTINGS: Final = (
    *_NO_SYNC,
    ("performance-schema", "OFF"),
    ("skip-log-bin", "1"),
    ("character-set-server", "utf8mb4"),
    ("default-time-zone", "+00:00"),
)


class MariaDB(Engine):
    """Raises :class:`AbsentError` where there is no driver."""

    kind = "mariadb"
    label = "MariaDB"
    backend = "django.db.backends.mysql"
    oldest = binaries.OLDEST_MARIADB
    stop = signal.SIGTERM
    quit = signal.SIGKILL

    def __init__(self) -> None:
        self._driver = _driver()
        self.error = self._driver.Error
        self.lost = self._driver.OperationalError

    def binaries(self) -> Binaries:
        """Return its programs."""
        return binaries.mariadb()

    def initialise(self, binaries: Binaries, folder: Path) -> list[str]:
        """Return ``mariadb-install-db``: root is who comes through the socket, which nobody else reaches."""
        command = [str(binaries.initialise), "--no-defaults", f"--datadir={folder / 'data'}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        # Its own: at its start, each server removes all temporary tables from there, another's too.
        return [*command, f"--tmpdir={folder}", *options(_NO_SYNC)]

    def serve(self, binaries: Binaries, folder: Path, connections: int) -> list[str]:
        """Return the command of the server."""
        places = (
            ("datadir", str(folder / "data")),
            ("socket", str(folder / "socket")),
            ("pid-file", str(folder / "pid")),
            ("tmpdir", str(folder)),
            ("max-connections", str(max(_LEAST, connections + _WITNESS))),
        )
        return [
            *(str(binaries.server), "--no-defaults", "--skip-networking", "--skip-name-resolve"),
            *options((*_SETTINGS, *places)),
        ]

    def ballast(self, connections: int) -> int:
        """Return how many to hold where the limit cannot be as small as it is to be."""
        return max(0, _LEAST - connections - _WITNESS)

    def address(self, folder: Path) -> Address:
        """Return the address of a private cluster's administrator."""
        return Address(str(folder / "socket"), user="root")

    def parsed(self, dsn: str) -> Address:
        """Return what ``mariadb://user:password@host:3306/database?unix_socket=…`` says."""
        problem = ValueError("it is not of the form `mariadb://user:password@host:3306/database`")
        try:
            parts = urlsplit(dsn)
            port = parts.port
        except ValueError:
            raise problem from None
        if parts.scheme not in {"mariadb", "mysql"}:
            raise problem
        given = dict(parse_qsl(parts.query))
        return Address(
            host=given.pop("unix_socket", "") or parts.hostname or "",
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")),
            options=tuple(sorted(given.items())),
        )

    def connect(self, address: Address) -> Connection:
        """Return a connection that commits each statement."""
        if address.host.startswith("/"):
            given: dict[str, Any] = {"unix_socket": address.host}
        else:
            given = {"host": address.host, "port": address.port}
        given |= {"user": address.user, "password": address.password, "database": address.database}
        given = {name: value for name, value in given.items() if value}
        connection: Connection = self._driver.connect(
            **given,
            **dict(address.options),
            connect_timeout=_CONNECT_TIMEOUT,
            charset="utf8mb4",
            autocommit=True,
        )
        return connection

    def settings(self, address: Address, database: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for ``database``; a HOST with a slash is a socket."""
        place = {"HOST": address.host, "PORT": str(address.port or "")}
        user = {"USER": address.user, "PASSWORD": address.password}
        return {"ENGINE": self.backend, "NAME": database, **user, **place, "OPTIONS": dict(address.options)}

    def version(self, connection: Connection) -> tuple[int, ...]:
        """Return the server's version; MySQL has none of MariaDB."""
        said = str(rows(connection, "SELECT version()")[0][0])
        found = re.search(r"(\d+)\.(\d+)\.(\d+)-MariaDB", said)
        return tuple(map(int, found.groups())) if found else ()

    def add_application(self, connection: Connection) -> None:
        """Make the user that runs connect as."""
        rows(connection, f"CREATE USER {APPLICATION}@localhost")

    def create(self, connection: Connection, name: str, template: str | None, owner: str | None) -> None:
        """Make a database. MariaDB has no templates: tables are made anew and rows copied."""
        rows(connection, f"CREATE DATABASE {_quoted(name)} CHARACTER SET utf8mb4")
        if owner is not None:
            self.allow(connection, name, owner, allowed=True)
        if template is not None:
            self._copy(connection, template, name)

    def drop(self, connection: Connection, name: str) -> None:
        """Remove a database; sessions in it would go on without one."""
        for session in self.sessions(connection, name):
            self.end(connection, session.pid)
        rows(connection, f"DROP DATABASE IF EXISTS {_quoted(name)}")

    def sessions(self, connection: Connection, name: str) -> tuple[ServerSession, ...]:
        """Return the sessions of a database; when they began, and for what, MariaDB does not tell."""
        found = rows(
            connection,
            "SELECT id, command FROM information_schema.processlist "
            "WHERE db = %s AND id <> connection_id() ORDER BY id",
            [name],
        )
        return tuple(ServerSession(int(pid), str(state), "", None) for pid, state in found)

    def end(self, connection: Connection, pid: int) -> None:
        """Have a session ended."""
        try:
            rows(connection, f"KILL CONNECTION {int(pid)}")
        except self.error as error:
            if error.args[:1] != (_NO_SUCH_THREAD,):
                raise

    def allow(self, connection: Connection, name: str, owner: str, *, allowed: bool) -> None:
        """Give ``owner`` its rights in a database, or take them: a session with that database is refused."""
        verb, to = ("GRANT", "TO") if allowed else ("REVOKE", "FROM")
        pattern = _quoted(name.replace("_", r"\_"))
        rows(connection, f"{verb} ALL PRIVILEGES ON {pattern}.* {to} {_quoted(owner)}@localhost")

    def hold(self, connection: Connection, token: str) -> bool:
        """Take a lock by name."""
        return bool(rows(connection, "SELECT get_lock(%s, 0)", [token])[0][0])

    def names(self, connection: Connection, prefix: str) -> list[str]:
        """Return the names of the databases that begin with ``prefix``."""
        found = rows(connection, "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name")
        return [str(name) for (name,) in found if str(name).startswith(prefix)]

    def _copy(self, connection: Connection, template: str, name: str) -> None:
        generated = dict.fromkeys(
            rows(
                connection,
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = %s AND is_generated <> 'NEVER'",
                [template],
            )
        )
        tables = rows(connection, f"SHOW FULL TABLES FROM {_quoted(template)} WHERE table_type = 'BASE TABLE'")
        rows(connection, f"USE {_quoted(name)}")
        rows(connection, "SET foreign_key_checks = 0, sql_mode = concat(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
        try:
            for table, _ in tables:
                source = f"{_quoted(template)}.{_quoted(table)}"
                rows(connection, str(rows(connection, f"SHOW CREATE TABLE {source}")[0][1]).replace("%", "%%"))
                names = [str(row[0]) for row in rows(connection, f"SHOW COLUMNS FROM {source}")]
                columns = ", ".join(_quoted(each) for each in names if (table, each) not in generated)
                into = f"{_quoted(table)} ({columns})"
                rows(connection, f"INSERT INTO {into} SELECT {columns} FROM {source}")  # noqa: S608
        finally:
            with suppress(self.error):
                rows(connection, "SET foreign_key_checks = 1, sql_mode = DEFAULT")
                rows(connection, "USE information_schema")


def _driver() -> Any:
    problems = []
    for name in _DRIVERS:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            problems.append(f"{name}: {error}")
    raise AbsentError(
        "MariaDB needs mysqlclient, which cannot be imported from the environment that builds the docs "
        f"({'; '.join(problems)}); install it with `pip install 'sphinx-djconn[mariadb]'`, for which Linux "
        "needs a compiler and `libmariadb-dev`"
    )


def _quoted(name: str) -> str:
    return "`{}`".format(name.replace("`", "``"))
