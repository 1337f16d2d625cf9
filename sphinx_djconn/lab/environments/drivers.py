"""The database driver that a Django needs."""

from typing import Final

from sphinx_djconn.lab.environments.python_versions import Minor

_PSYCOPG_3: Final = (4, 2)
"""The first Django that supports psycopg 3 (its release notes)."""

_PSYCOPG2_29: Final = (3, 1)
"""The first Django that supports the time zones of psycopg2 2.9 (its ticket 31233 and release notes)."""


def driver(kind: str, django: Minor | None, *, pool: bool) -> tuple[str, ...]:
    """Return the requirements for databases of ``kind``, as for ``pip install``.

    ``django`` is the series of Django; ``None`` is one that is newer than our table.
    """
    if kind == "mariadb":
        return ("mysqlclient",)
    if kind != "postgresql":
        return ()
    if django is None or django >= _PSYCOPG_3:
        return ("psycopg[binary,pool]" if pool else "psycopg[binary]",)
    return ("psycopg2-binary" if django >= _PSYCOPG2_29 else "psycopg2-binary<2.9",)
