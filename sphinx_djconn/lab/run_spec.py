"""What a run is given: the scenario with its profiles, and the parts of the lab that run it."""

from dataclasses import dataclass
from typing import Self

from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.inputs.machine import Machine
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher
from sphinx_djconn.lab.profiles.databases import Database
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.profiles.servers import Server
from sphinx_djconn.scenario.model import Scenario


@dataclass(frozen=True)
class RunSpec:
    """A scenario, with the profiles that its names refer to."""

    scenario: Scenario
    server: Server
    project: Project
    database: Database
    environment: Environment

    @classmethod
    def of(cls, scenario: Scenario, profiles: Profiles, environment: Environment) -> Self:
        """Return the specification of ``scenario``, which :meth:`Profiles.check` has accepted."""
        return cls(
            scenario,
            profiles.servers[scenario.server],
            profiles.projects[scenario.project],
            profiles.databases[scenario.database],
            environment,
        )


@dataclass(frozen=True)
class RunServices:
    """The parts of the lab that runs of one project in one environment share."""

    launcher: Launcher
    """Starts their processes."""

    machine: Machine
    """Translates what they have recorded into inputs."""

    cancellation: Cancellation
    """Ends them when the build is interrupted."""
