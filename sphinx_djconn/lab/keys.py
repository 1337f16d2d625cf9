"""Keys: everything that could change a recording, by name, as texts and digests."""

import hashlib
import json
import os
import threading
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sphinx_djconn.lab.database import Database
from sphinx_djconn.lab.profiles import Profiles, Project
from sphinx_djconn.lab.servers import Server
from sphinx_djconn.scenario import Scenario
from sphinx_djconn.store import Key, digest

if TYPE_CHECKING:
    from sphinx_djconn.lab.environments import Ready

_PACKAGE: Final = Path(__file__).parent.parent
_SKIPPED_FOLDERS: Final = frozenset(
    {"__pycache__", "node_modules", "venv", "env", "site-packages", "htmlcov", "_build"}
)
_SKIPPED_SUFFIXES: Final = (".pyc", ".sqlite3", ".sqlite3-journal", ".db", ".log", ".pid")


class Keys:
    """Makes the keys of one build: what many scenarios have in common is read once."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._projects: dict[Project, str] = {}
        self._lock = threading.Lock()

    def of(self, scenario: Scenario, environment: "Ready | None") -> Key:
        """Return the key of ``scenario``'s recording on this machine, now.

        Where nothing runs, there may be no ``environment``: then it is without what that would tell.
        """
        database = self._profiles.databases[scenario.database]
        return Key(
            scenario,
            {
                "server": _server(self._profiles.servers[scenario.server]),
                "project": self._project(self._profiles.projects[scenario.project]),
                **({} if environment is None else _environment(environment)),
                "instrument": instrument(),
                **(_database(database) if database.has_server else {}),
            },
        )

    def databases(self, project: Project, environment: "Ready") -> str:
        """Return a name for the databases of ``project`` as they are before any request in ``environment``."""
        return digest([self._project(project), environment.installed.digest, instrument()])[:20]

    def _project(self, project: Project) -> str:
        """Return a digest of everything of ``project`` that a run could depend on."""
        with self._lock:
            if project not in self._projects:
                self._projects[project] = digest(
                    [project.settings, list(project.fixtures), tree(project.path, project.apart)]
                )
            return self._projects[project]


def portable(key: Key) -> Key:
    """Return ``key`` without what a machine that only replays cannot know."""
    return Key(
        key.scenario,
        {name: part for name, part in key.parts.items() if name in ("server", "project", "database")},
    )


@cache
def _server(server: Server) -> str:
    apart = [list(server.apps), server.refuses_root]
    return digest([list(server.command), server.reloads, list(server.env), *apart])


def _environment(environment: "Ready") -> dict[str, str]:
    installed = environment.installed
    return {
        "environment": installed.digest,
        "python": installed.python,
        "django": installed.version("django"),
    }


def _database(database: Database) -> dict[str, str]:
    from sphinx_djconn.lab.served import version  # noqa: PLC0415 - most builds need none

    return {
        "database": json.dumps(database.described(), sort_keys=True, default=str),
        "database server": f"{database.kind} {version(database)}".rstrip(),
    }


@cache
def instrument() -> str:
    """Return a digest of our own code that takes part in a run."""
    return digest([tree(_PACKAGE / room) for room in ("probe", "lab", "trace", "scenario")])


def tree(folder: Path, apart: Collection[Path] = ()) -> str:
    """Return a digest of the names and contents of a folder's files, caches and data left out.

    What is in one of the folders ``apart`` does not count either.
    """
    hashed = hashlib.sha256()
    for path in _files(str(folder), frozenset(map(str, apart))):
        name = path[len(str(folder)) :].lstrip(os.sep).replace(os.sep, "/")
        hashed.update(f"{name}\0{_content(path)}\n".encode())
    return hashed.hexdigest()


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as below
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "unreadable"


def _files(folder: str, apart: Collection[str]) -> Iterator[str]:
    """Yield the files as texts: with an object for each, this would take longer than reading them."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in _kept(folders)
            if os.path.join(parent, name) not in apart  # noqa: PTH118
        )
        for name in sorted(names):
            path = os.path.join(parent, name)  # noqa: PTH118
            hidden = name.startswith(".") or name.endswith(_SKIPPED_SUFFIXES)
            if not hidden and os.path.isfile(path):  # noqa: PTH113
                yield path


def _kept(folders: Iterable[str]) -> Iterator[str]:
    return (name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
