"""What Django needs for a kind of database: a driver, and of which kind its version wants it."""

from typing import Final

from sphinx_djconn.lab.environments.python_versions import Minor

_PSYCOPG: Final = (4, 2)
"""The first Django that knows psycopg 3 (its release notes); those before it need psycopg2."""

_UTC: Final = (3, 1)
"""The first Django that knows the zones of psycopg2 2.9 (its ticket 31233 and release notes)."""


def driver(kind: str, django: Minor | None, *, pool: bool) -> tuple[str, ...]:
    """Return what ``pip install`` is to be given for databases of ``kind``.

    ``django`` is the series of Django; nothing stands for one that is newer than any known one.
    """
    if kind == "mariadb":
        return ("mysqlclient",)
    if kind != "postgresql":
        return ()
    if django is None or django >= _PSYCOPG:
        return ("psycopg[binary,pool]" if pool else "psycopg[binary]",)
    return ("psycopg2-binary" if django >= _UTC else "psycopg2-binary<2.9",)
