"""Profiles: what the names on a page refer to. Only conf.py can add to them.

The rest of the lab does not refer to any server, database, environment or project by name.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sphinx_djconn.lab.environments.drivers import driver
from sphinx_djconn.lab.environments.environment import CURRENT
from sphinx_djconn.lab.environments.python_versions import newest_series
from sphinx_djconn.lab.environments.specification import Specification, find_specification
from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.profiles.databases import DATABASES, Database
from sphinx_djconn.lab.profiles.projects import DEMO, Project
from sphinx_djconn.lab.profiles.servers import SERVERS, Server
from sphinx_djconn.scenario.model import DatabaseFault, Reload, Scenario, Step

Profile = TypeVar("Profile")


@dataclass(frozen=True)
class Profiles:
    """Every profile that a page can name: the built-in ones and those of conf.py."""

    servers: Mapping[str, Server] = field(default_factory=lambda: SERVERS)
    databases: Mapping[str, Database] = field(default_factory=lambda: DATABASES)
    environments: Mapping[str, Specification] = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=lambda: {"default": DEMO, "demo": DEMO})
    faults: Mapping[tuple[str, str], ProfileError] = field(default_factory=dict)
    """What is wrong with the profiles that cannot be used, by kind and name."""

    def check(self, scenario: Scenario) -> None:
        """Raise :class:`ProfileError` if ``scenario`` names a missing profile, or needs what one cannot do."""
        for kind_and_name in (
            ("server", scenario.server),
            ("database", scenario.database),
            ("environment", scenario.environment),
            ("project", scenario.project),
        ):
            if kind_and_name in self.faults:
                raise self.faults[kind_and_name]
        find("server", scenario.server, self.servers)
        find("database", scenario.database, self.databases)
        self.check_environment(scenario.environment)
        find("project", scenario.project, self.projects)
        for step in scenario.sequence.steps:
            self._check_step(step, scenario)

    def _check_step(self, step: Step, scenario: Scenario) -> None:
        server, database = self.servers[scenario.server], self.databases[scenario.database]
        match step:
            case Reload() if not server.reloads:
                usable = ", ".join(name for name, server in self.servers.items() if server.reloads)
                raise ProfileError(
                    f"the step `reload` needs a server that reloads, which `{scenario.server}` does "
                    f"not; use one of: {usable}",
                    step.line,
                )
            case DatabaseFault(action=action) if not database.has_server:
                usable = ", ".join(name for name, database in self.databases.items() if database.has_server)
                raise ProfileError(
                    f"the step `database: {action}` needs a database server, and "
                    f"`{scenario.database}` has none; use one of: {usable}",
                    step.line,
                )
            case DatabaseFault(action="restart") if database.dsn is not None:
                raise ProfileError(
                    "the step `database: restart` needs a server that the build starts, and "
                    f"`{scenario.database}` is one that conf.py names: others may be using it; remove 'dsn' "
                    "from conf.py, or the step from the page",
                    step.line,
                )
            case _:  # a step that any server and any database can do
                pass

    def check_environment(self, name: str) -> None:
        """Raise :class:`ProfileError` if there is no environment ``name``, built-in or of conf.py."""
        if name != CURRENT:
            find_specification(name, self.environments)

    def environment(self, scenario: Scenario) -> Specification:
        """Return the specification of the environment of ``scenario``, with its server and database driver."""
        specification = find_specification(scenario.environment, self.environments)
        database = self.databases[scenario.database]
        drivers = driver(database.kind, newest_series(specification.django), pool=database.has_pool)
        return specification.with_requirements([*self.servers[scenario.server].requires, *drivers])


def find(kind: str, name: str, profiles: Mapping[str, Profile]) -> Profile:
    """Return the profile ``name``. Raises :class:`ProfileError` with the nearest names if there is none."""
    if name in profiles:
        return profiles[name]
    near = difflib.get_close_matches(name, profiles, n=1)
    meant = f"; did you mean `{near[0]}`?" if near else "."
    raise ProfileError(f"unknown {kind} `{name}`{meant} Known: {', '.join(profiles)}")
