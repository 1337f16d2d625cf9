"""Database profiles: what a page's ``:database:`` names, and what conf.py can add."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sphinx_djconn.lab.errors import ProfileError

KINDS: Final[Mapping[str, str]] = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}
"""What kinds there are, and what they are called."""

_SERVERS: Final = tuple(kind for kind in KINDS if kind != "sqlite")
_MOST_CONNECTIONS: Final = 1000

CONNECTIONS: Final = 100
"""What an application can hold where nothing else is said: PostgreSQL's own default."""

RESERVED: Final = 3
"""Connections that PostgreSQL keeps for administrators, beyond those that are said to be free for all."""

WITNESS: Final = 1
"""The lab's own, which is held all the time, takes one of those that are free for all."""
_SETTING: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Database:
    """A database of runs: its ``kind``, and the ``OPTIONS`` of Django's settings.

    ``dsn`` names a server that is there; else the build starts one. It has room for ``max_connections`` of
    the application and is started with ``server_settings``: where either is given, it is a server of the
    scenario's own.
    """

    title: str
    kind: str = "sqlite"
    options: Mapping[str, Any] = field(default_factory=dict)
    max_connections: int | None = None
    server_settings: tuple[tuple[str, str], ...] = ()
    dsn: str | None = field(default=None, repr=False)

    @property
    def has_server(self) -> bool:
        """Whether it has sessions, which can be asked for and ended."""
        return self.kind != "sqlite"

    @property
    def has_pool(self) -> bool:
        """Whether Django takes connections from a pool."""
        return bool(self.options.get("pool"))

    @property
    def needs_own_server(self) -> bool:
        """Whether its server cannot be one that scenarios share."""
        return self.max_connections is not None or bool(self.server_settings)

    @property
    def room(self) -> int | None:
        """How many sessions the application can have; ``None`` if that is not known, or without a limit."""
        if not self.has_server or self.dsn is not None:
            return None
        settings = dict(self.server_settings)
        if "max_connections" not in settings:
            return CONNECTIONS if self.max_connections is None else self.max_connections
        reserved = str(RESERVED if self.kind == "postgresql" else 0)
        taken = settings.get("superuser_reserved_connections", reserved)
        if not (settings["max_connections"].isdecimal() and taken.isdecimal()):
            return None
        return int(settings["max_connections"]) - int(taken) - WITNESS

    def described(self) -> dict[str, Any]:
        """Return what of it can change a run, but for the server's version; nothing of it is secret."""
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
    """Return the database that ``table``, a value of ``djconn_databases``, describes."""
    known = {"kind", "dsn", "options", "max_connections", "server_settings"}
    for key in table:
        if key not in known:
            raise ProfileError(f"{variable}: unknown key `{key}`. Known: {', '.join(sorted(known))}")
    kind, dsn, connections = table.get("kind"), table.get("dsn"), table.get("max_connections")
    if kind not in _SERVERS:
        raise ProfileError(f"{variable}['kind'] must be one of {', '.join(map(repr, _SERVERS))}")
    if dsn is not None and (not isinstance(dsn, str) or not dsn.strip()):
        raise ProfileError(
            f"{variable}['dsn'] must be a text, such as os.environ.get('DATABASE_URL'); without it, the build "
            "starts a server of its own"
        )
    options = table.get("options", {})
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise ProfileError(f"{variable}['options'] must be a dictionary, as OPTIONS in Django's settings")
    if not _is_plain(options):
        raise ProfileError(
            f"{variable}['options'] must be made of texts, numbers, True, False, None, lists and dictionaries"
        )
    if kind != "postgresql" and options.get("pool"):
        raise ProfileError(f"{variable}['options']: Django has a pool of connections for PostgreSQL only")
    settings = _server_settings(table.get("server_settings", {}), connections, variable)
    if dsn is not None and (connections is not None or settings):
        raise ProfileError(
            f"{variable}: 'max_connections' and 'server_settings' are of a server that the build starts, and "
            "'dsn' names one that others may use; leave 'dsn' out"
        )
    title = KINDS[kind] + (" with a pool of connections" if options.get("pool") else "")
    return Database(title, kind, dict(options), connections, settings, dsn)


def _server_settings(settings: object, connections: object, variable: str) -> tuple[tuple[str, str], ...]:
    """Return the settings of a server as they are handed to it; refuse a bad number of connections, too."""
    whole = isinstance(connections, int) and not isinstance(connections, bool)
    if connections is not None and not (whole and 1 <= int(str(connections)) <= _MOST_CONNECTIONS):
        raise ProfileError(f"{variable}['max_connections'] must be a number from 1 to {_MOST_CONNECTIONS}")
    if not isinstance(settings, Mapping) or not all(
        isinstance(name, str) and _SETTING.fullmatch(name) and isinstance(each, (str, int, float))
        for name, each in settings.items()
    ):
        raise ProfileError(
            f"{variable}['server_settings'] must be a dictionary of the server's own settings, such as "
            "{'idle_session_timeout': '500ms'}"
        )
    return tuple(sorted((name, _written(each)) for name, each in settings.items()))


def _is_plain(given: object) -> bool:
    """Whether JSON can carry ``given`` to the settings of a run."""
    if isinstance(given, Mapping):
        return all(isinstance(name, str) and _is_plain(each) for name, each in given.items())
    if isinstance(given, (list, tuple)):
        return all(map(_is_plain, given))
    return given is None or isinstance(given, (str, int, float))


def _written(setting: object) -> str:
    return {True: "on", False: "off"}[setting] if isinstance(setting, bool) else str(setting)
