"""MariaDB, with mysqlclient or PyMySQL."""

import importlib
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

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

_DRIVERS: Final = ("MySQLdb", "pymysql")
"""mysqlclient, which Django supports, and what its users install if that cannot be compiled."""

_OWN_CONNECTIONS: Final = 1
"""The connections of ``max_connections`` that the lab itself holds all the time."""

_LEAST_MAX_CONNECTIONS: Final = 10
"""The smallest ``max_connections`` that MariaDB accepts."""

_NO_SUCH_THREAD: Final = 1094
_NO_SYNC: Final = (
    ("innodb-flush-method", "nosync"),
    ("loose-debug-no-sync", "1"),  # for the files that are not InnoDB's: Aria, the DDL log
    ("sync-frm", "0"),
    ("innodb-flush-log-at-trx-commit", "0"),
    ("innodb-doublewrite", "0"),
    ("innodb-use-native-aio", "0"),  # the kernel limits these requests for all containers together
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
    """Raises :class:`AbsentError` if no driver is installed."""

    kind = "mariadb"
    label = "MariaDB"
    backend = "django.db.backends.mysql"
    oldest = binaries.OLDEST_MARIADB
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL
    quote_character = "`"
    # MariaDB reports neither the start of a session nor its application.
    sessions_sql = (
        "SELECT id, command, '', NULL FROM information_schema.processlist "
        "WHERE db = %s AND id <> connection_id() ORDER BY id"
    )
    databases_sql = "SELECT schema_name FROM information_schema.schemata"
    lock_sql = "SELECT get_lock(%s, 0)"

    def __init__(self) -> None:
        self._driver = _import_driver()
        self.error = self._driver.Error
        self.connection_error = self._driver.OperationalError

    def find_binaries(self) -> Binaries:
        """Return MariaDB's programs."""
        return binaries.mariadb()

    def init_command(self, binaries: Binaries, folder: Path) -> list[str]:
        """Return the ``mariadb-install-db`` command.

        root authenticates by the private Unix socket, without a password.
        """
        command = [str(binaries.initialise), "--no-defaults", f"--datadir={folder / 'data'}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        # When a server starts, it removes all temporary tables in tmpdir, including those of other servers.
        return [*command, f"--tmpdir={folder}", *server_options(_NO_SYNC)]

    def server_command(self, binaries: Binaries, folder: Path, connections: int) -> list[str]:
        """Return the ``mariadbd`` command."""
        settings = (
            *_SETTINGS,
            ("datadir", str(folder / "data")),
            ("socket", str(folder / "socket")),
            ("pid-file", str(folder / "pid")),
            ("tmpdir", str(folder)),
            ("max-connections", str(max(_LEAST_MAX_CONNECTIONS, connections + _OWN_CONNECTIONS))),
        )
        command = [str(binaries.server), "--no-defaults", "--skip-networking", "--skip-name-resolve"]
        return [*command, *server_options(settings)]

    def excess_connections(self, connections: int) -> int:
        """Return how many connections to occupy if ``max_connections`` cannot be set as low as requested."""
        return max(0, _LEAST_MAX_CONNECTIONS - connections - _OWN_CONNECTIONS)

    def admin_address(self, folder: Path) -> Address:
        """Return the address of the administrator of the private cluster in ``folder``."""
        return Address(str(folder / "socket"), user="root")

    def parse_dsn(self, dsn: str) -> Address:
        """Return the address in ``mariadb://user:password@host:3306/database?unix_socket=…``."""
        invalid = ValueError("it is not of the form `mariadb://user:password@host:3306/database`")
        try:
            parts = urlsplit(dsn)
            port = parts.port
        except ValueError:
            raise invalid from None
        if parts.scheme not in {"mariadb", "mysql"}:
            raise invalid
        query = dict(parse_qsl(parts.query))
        return Address(
            host=query.pop("unix_socket", "") or parts.hostname or "",
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")),
            options=tuple(sorted(query.items())),
        )

    def connect(self, address: Address) -> Connection:
        """Return a connection in autocommit mode."""
        values: dict[str, Any] = {
            "user": address.user,
            "password": address.password,
            "database": address.database,
        }
        if address.host.startswith("/"):
            values["unix_socket"] = address.host
        else:
            values |= {"host": address.host, "port": address.port}
        connection: Connection = self._driver.connect(
            **without_empty(values),
            **dict(address.options),
            connect_timeout=CONNECT_TIMEOUT,
            charset="utf8mb4",
            autocommit=True,
        )
        return connection

    def version(self, connection: Connection) -> tuple[int, ...]:
        """Return the server's version, empty for MySQL."""
        text = str(rows(connection, "SELECT version()")[0][0])
        match = re.search(r"(\d+)\.(\d+)\.(\d+)-MariaDB", text)
        return tuple(map(int, match.groups())) if match else ()

    def create_user(self, connection: Connection, name: str) -> None:
        """Create a user who connects by the socket."""
        rows(connection, f"CREATE USER {self.quote(name)}@localhost")

    def create_database(
        self, connection: Connection, name: str, template: str | None, owner: str | None
    ) -> None:
        """Create a database. MariaDB has no templates, so tables and rows are copied one by one."""
        rows(connection, f"CREATE DATABASE {self.quote(name)} CHARACTER SET utf8mb4")
        if owner is not None:
            self.allow_connections(connection, name, owner, allowed=True)
        if template is not None:
            self._copy(connection, template, name)

    def end_session(self, connection: Connection, pid: int) -> None:
        """End a session."""
        try:
            rows(connection, f"KILL CONNECTION {int(pid)}")
        except self.error as error:
            if error.args[:1] != (_NO_SUCH_THREAD,):
                raise

    def allow_connections(self, connection: Connection, name: str, owner: str, *, allowed: bool) -> None:
        """Grant or revoke all privileges of ``owner``. Without any, its sessions are refused."""
        verb, preposition = ("GRANT", "TO") if allowed else ("REVOKE", "FROM")
        pattern = self.quote(name.replace("_", r"\_"))
        user = f"{self.quote(owner)}@localhost"
        rows(connection, f"{verb} ALL PRIVILEGES ON {pattern}.* {preposition} {user}")

    def _copy(self, connection: Connection, template: str, name: str) -> None:
        """Copy all tables of the database ``template`` to the database ``name``."""
        quote = self.quote
        generated = set(
            rows(
                connection,
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = %s AND is_generated <> 'NEVER'",
                [template],
            )
        )
        tables = rows(connection, f"SHOW FULL TABLES FROM {quote(template)} WHERE table_type = 'BASE TABLE'")
        rows(connection, f"USE {quote(name)}")
        rows(connection, "SET foreign_key_checks = 0, sql_mode = concat(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
        try:
            for table, _ in tables:
                source = f"{quote(template)}.{quote(table)}"
                rows(connection, str(rows(connection, f"SHOW CREATE TABLE {source}")[0][1]).replace("%", "%%"))
                columns = [str(row[0]) for row in rows(connection, f"SHOW COLUMNS FROM {source}")]
                copied = ", ".join(quote(each) for each in columns if (table, each) not in generated)
                rows(connection, f"INSERT INTO {quote(table)} ({copied}) SELECT {copied} FROM {source}")  # noqa: S608
        finally:
            with suppress(self.error):
                rows(connection, "SET foreign_key_checks = 1, sql_mode = DEFAULT")
                rows(connection, "USE information_schema")


def _import_driver() -> Any:
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
