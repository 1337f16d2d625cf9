"""Whether a database server, and Django's driver for it, are installed."""

import importlib.util
from functools import cache
from typing import Final

from packaging.version import Version

from sphinx_djconn.lab.clusters import binaries
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import AbsentError
from sphinx_djconn.lab.profiles.databases import Database

_POOLS: Final = Version("5.1")
"""The version of Django that introduced OPTIONS["pool"] (release notes)."""


def check_driver(database: Database, environment: Environment) -> None:
    """Raise :class:`AbsentError` if Django in ``environment`` cannot use ``database``."""
    if database.kind == "mariadb" and not _is_installed(environment, "MySQLdb", "mysqlclient"):
        raise AbsentError(
            "MariaDB needs mysqlclient, the driver that Django uses, which is not installed; install it with "
            "`pip install 'sphinx-djconn[mariadb]'`, for which Linux needs a compiler and `libmariadb-dev`"
        )
    if database.has_pool:
        django = environment.installed.version("django")
        if django and Version(django) < _POOLS:
            raise AbsentError(
                f"a connection pool needs Django {_POOLS} or later, and {django} is installed; install a later "
                "version, or use another database"
            )
        if not _is_installed(environment, "psycopg_pool", "psycopg-pool"):
            raise AbsentError(
                "a connection pool needs psycopg_pool, which is not installed; install it with "
                "`pip install 'sphinx-djconn[postgresql]'`"
            )


def server_version(database: Database) -> str:
    """Return the version of the server that the build would start; empty if it is unknown."""
    return "" if database.dsn is not None else _installed_version(database.kind)


@cache
def _installed_version(kind: str) -> str:
    """Return the version of the server on this machine, which is run to find out."""
    try:
        installed = binaries.postgresql() if kind == "postgresql" else binaries.mariadb()
    except AbsentError:
        return ""
    return ".".join(map(str, installed.version))


def _is_installed(environment: Environment, module: str, distribution: str) -> bool:
    if environment.is_current:  # the module itself can be looked up
        return importlib.util.find_spec(module) is not None
    return bool(environment.installed.version(distribution))
