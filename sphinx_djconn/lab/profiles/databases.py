"""Database profiles: what ``:database:`` on a page refers to, and how conf.py describes one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.profiles.tables import check_keys

KINDS: Final[Mapping[str, str]] = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}
"""The kinds of databases, and their names."""

_KEYS: Final = ("kind", "dsn", "options", "max_connections", "server_settings")
_SERVERS: Final = tuple(kind for kind in KINDS if kind != "sqlite")
_HIGHEST_MAX_CONNECTIONS: Final = 1000
_SETTING_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

DEFAULT_MAX_CONNECTIONS: Final = 100
"""How many connections an application can open by default, as in PostgreSQL."""

RESERVED_CONNECTIONS: Final = 3
"""Connections that PostgreSQL reserves for administrators, in addition to those for all users."""

LAB_CONNECTIONS: Final = 1
"""The lab's own connection, which is open during the whole run, is one of those for all users."""


@dataclass(frozen=True)
class Database:
    """A database that runs can use."""

    title: str
    """Its name on pages."""

    kind: str = "sqlite"
    """One of :data:`KINDS`."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """``OPTIONS`` of Django's settings."""

    max_connections: int | None = None
    """How many connections the application can open. If it is given, the scenario has a server of its own."""

    server_settings: tuple[tuple[str, str], ...] = ()
    """Settings of the server. If there are any, the scenario has a server of its own."""

    dsn: str | None = field(default=None, repr=False)
    """An existing server; ``None`` if the build starts one."""

    @property
    def has_server(self) -> bool:
        """Whether a server holds it, with sessions that can be listed and ended."""
        return self.kind != "sqlite"

    @property
    def has_pool(self) -> bool:
        """Whether Django takes connections from a pool."""
        return bool(self.options.get("pool"))

    @property
    def needs_own_server(self) -> bool:
        """Whether scenarios cannot share its server."""
        return self.max_connections is not None or bool(self.server_settings)

    @property
    def session_limit(self) -> int | None:
        """How many sessions the application can have; ``None`` if that is unknown or unlimited."""
        if not self.has_server or self.dsn is not None:
            return None
        settings = dict(self.server_settings)
        if "max_connections" not in settings:
            return DEFAULT_MAX_CONNECTIONS if self.max_connections is None else self.max_connections
        default = RESERVED_CONNECTIONS if self.kind == "postgresql" else 0
        reserved = settings.get("superuser_reserved_connections", str(default))
        if not (settings["max_connections"].isdecimal() and reserved.isdecimal()):
            return None
        return int(settings["max_connections"]) - int(reserved) - LAB_CONNECTIONS

    def fingerprint_data(self) -> dict[str, Any]:
        """Return everything in it that can change a run, except the server's version. Nothing is secret."""
        return {
            "kind": self.kind,
            "options": dict(self.options),
            "max_connections": self.max_connections,
            "server_settings": dict(self.server_settings),
            "given": self.dsn is not None,
        }


DATABASES: Final[Mapping[str, Database]] = {
    "sqlite": Database("SQLite"),
    "postgresql": Database("PostgreSQL", "postgresql"),
    "postgresql-pool": Database(
        "PostgreSQL with a pool of connections", "postgresql", {"pool": {"min_size": 1, "max_size": 4}}
    ),
    "mariadb": Database("MariaDB", "mariadb"),
}


def read_database(table: Mapping[str, Any], variable: str) -> Database:
    """Return the database that ``table`` describes, which is the value ``variable`` of conf.py.

    Raises :class:`ProfileError` if it is not usable.
    """
    check_keys(variable, table, _KEYS)
    kind, dsn, connections = table.get("kind"), table.get("dsn"), table.get("max_connections")
    if kind not in _SERVERS:
        raise ProfileError(f"{variable}['kind'] must be one of {', '.join(map(repr, _SERVERS))}")
    if dsn is not None and (not isinstance(dsn, str) or not dsn.strip()):
        raise ProfileError(
            f"{variable}['dsn'] must be a string, such as os.environ.get('DATABASE_URL'); without it, the "
            "build starts a server of its own"
        )
    options = table.get("options", {})
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise ProfileError(f"{variable}['options'] must be a dictionary, as OPTIONS in Django's settings")
    if not _is_plain(options):
        raise ProfileError(
            f"{variable}['options'] must consist of strings, numbers, True, False, None, lists and dictionaries"
        )
    if kind != "postgresql" and options.get("pool"):
        raise ProfileError(f"{variable}['options']: Django has a pool of connections for PostgreSQL only")
    settings = _server_settings(table.get("server_settings", {}), connections, variable)
    if dsn is not None and (connections is not None or settings):
        raise ProfileError(
            f"{variable}: 'max_connections' and 'server_settings' need a server that the build starts, and "
            "'dsn' names one that others may use; remove 'dsn'"
        )
    title = KINDS[kind] + (" with a pool of connections" if options.get("pool") else "")
    return Database(title, kind, dict(options), connections, settings, dsn)


def _server_settings(settings: object, connections: object, variable: str) -> tuple[tuple[str, str], ...]:
    """Return the server's settings as strings. Raises :class:`ProfileError`, also for bad ``connections``."""
    is_integer = isinstance(connections, int) and not isinstance(connections, bool)
    if connections is not None and not (is_integer and 1 <= int(str(connections)) <= _HIGHEST_MAX_CONNECTIONS):
        raise ProfileError(
            f"{variable}['max_connections'] must be a number from 1 to {_HIGHEST_MAX_CONNECTIONS}"
        )
    if not isinstance(settings, Mapping) or not all(
        isinstance(name, str) and _SETTING_NAME.fullmatch(name) and isinstance(value, (str, int, float))
        for name, value in settings.items()
    ):
        raise ProfileError(
            f"{variable}['server_settings'] must be a dictionary of the server's own settings, such as "
            "{'idle_session_timeout': '500ms'}"
        )
    return tuple(sorted((name, _setting_text(value)) for name, value in settings.items()))


def _is_plain(value: object) -> bool:
    """Return whether ``value`` can be passed to a run's settings as JSON."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(inner) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float))


def _setting_text(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
