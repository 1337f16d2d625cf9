"""Keys: what a recording is made with, by name, as texts and digests.

What its runs used of the machine, such as files and variables, is not among it: that is in
:mod:`sphinx_djconn.inputs`.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx_djconn.hashing import digest
from sphinx_djconn.lab.file_digest import PACKAGE, tree
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.profiles.servers import Server
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Key

if TYPE_CHECKING:
    from sphinx_djconn.lab.environments.environment import Environment


class Fingerprints:
    """Makes the keys of one build: what many scenarios have in common is read once."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def of(self, scenario: Scenario, environment: "Environment | None") -> Key:
        """Return the key of ``scenario``'s recording on this machine, now.

        Where nothing runs, there may be no ``environment``: then it is without what that would tell.
        """
        database = self._profiles.databases[scenario.database]
        return Key(
            scenario,
            {
                "server": _server(self._profiles.servers[scenario.server]),
                "project": _project(self._profiles.projects[scenario.project]),
                **({} if environment is None else _environment(environment)),
                "instrument": instrument(),
                **(_database(database) if database.has_server else {}),
            },
        )

    def databases(self, project: Project, environment: "Environment") -> str:
        """Return a name for the databases of ``project`` that are made in ``environment``.

        It tells how they are made. What is used for it, such as migrations, may change: see ``inputs``.
        """
        made_in = [environment.name, *_environment(environment).values()]
        return digest([_project(project), *made_in, instrument()])[:20]


def portable(key: Key) -> Key:
    """Return ``key`` without what a machine that only replays cannot know."""
    return Key(
        key.scenario,
        {name: part for name, part in key.parts.items() if name in ("server", "project", "database")},
    )


@cache
def _project(project: Project) -> str:
    """Return a digest of what conf.py says of ``project``, but for its place."""
    return digest([project.settings, list(project.fixtures), list(project.env)])


@cache
def _server(server: Server) -> str:
    apart = [list(server.apps), server.refuses_root]
    return digest([list(server.command), server.reloads, list(server.env), *apart])


def _environment(environment: "Environment") -> dict[str, str]:
    installed = environment.installed
    return {
        "python": installed.python,
        "django": installed.version("django"),
    }


def _database(database: Database) -> dict[str, str]:
    from sphinx_djconn.lab.databases.on_server import version  # noqa: PLC0415 - most builds need none

    return {
        "database": json.dumps(database.fingerprint_data(), sort_keys=True, default=str),
        "database server": f"{database.kind} {version(database)}".rstrip(),
    }


@cache
def instrument() -> str:
    """Return a digest of our own code that takes part in a run."""
    return digest([tree(Path(PACKAGE, room)) for room in ("probe", "lab", "trace", "scenario")])
