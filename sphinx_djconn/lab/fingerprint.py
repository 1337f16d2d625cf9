"""Fingerprints: texts and digests of everything that determines a recording.

They do not cover what a run uses of the machine, such as files and variables; see :mod:`sphinx_djconn.inputs`.
"""

import json
from functools import cache
from pathlib import Path

from sphinx_djconn.hashing import digest
from sphinx_djconn.lab.clusters.requirements import server_version
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.file_digest import PACKAGE, tree_digest
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.profiles.servers import Server
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Key


class Fingerprints:
    """Computes the fingerprints of one build's scenarios and databases."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def of(self, scenario: Scenario, environment: Environment | None) -> Key:
        """Return the key of ``scenario``'s recording on this machine.

        Without ``environment``, which a build that runs nothing may lack, the versions of Python and Django are
        missing.
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

    def database_name(self, project: Project, environment: Environment) -> str:
        """Return the name of the databases of ``project`` that are created in ``environment``.

        It depends on how they are created. The files that this uses, such as migrations, are their inputs.
        """
        versions = [environment.name, *_environment(environment).values()]
        return digest([_project(project), *versions, instrument()])[:20]


def portable(key: Key) -> Key:
    """Return ``key`` without the parts that are unknown on a machine that only replays."""
    return Key(
        key.scenario,
        {name: part for name, part in key.parts.items() if name in ("server", "project", "database")},
    )


@cache
def _project(project: Project) -> str:
    """Return a digest of what conf.py says about ``project``, except its path."""
    return digest([project.settings, list(project.fixtures), list(project.env)])


@cache
def _server(server: Server) -> str:
    installation = [list(server.apps), server.refuses_root]
    return digest([list(server.command), server.reloads, list(server.env), *installation])


def _environment(environment: Environment) -> dict[str, str]:
    installed = environment.installed
    return {"python": installed.python, "django": installed.version("django")}


def _database(database: Database) -> dict[str, str]:
    return {
        "database": json.dumps(database.fingerprint_data(), sort_keys=True, default=str),
        "database server": f"{database.kind} {server_version(database)}".rstrip(),
    }


@cache
def instrument() -> str:
    """Return a digest of the code of this package that takes part in a run."""
    return digest([tree_digest(Path(PACKAGE, package)) for package in ("probe", "lab", "trace", "scenario")])
