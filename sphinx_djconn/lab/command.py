"""How the server of one run is started: the command and the variables of a profile, filled in."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sphinx_djconn.lab.databases.in_files import PLACE, settings_in, variables_in
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.profiles.placeholders import fill_placeholders
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.requirements import check_installed, command_in, program, unprivileged
from sphinx_djconn.scenario.model import AUTOMATIC, PROJECT_DEFAULT, Scenario

if TYPE_CHECKING:
    from sphinx_djconn.lab.databases.on_server import ServerDatabases

_RUNSERVER: Final = ["-m", "django", "runserver"]
"""The command that ``inside/preload.py`` knows the beginning of."""

_SHOWN: Final = {"python": "python", "folder": "<run>"}


class ServerCommand:
    """How ``scenario``'s server is started in ``environment``, in the folder ``place``, at ``port``.

    Without a folder it is that of all servers which begin alike. Raises :class:`AbsentError` for a server
    that is not installed.
    """

    def __init__(
        self,
        scenario: Scenario,
        profiles: Profiles,
        environment: Environment,
        place: Path = PLACE,
        port: int | None = None,
        databases: "ServerDatabases | None" = None,
    ) -> None:
        self.server = profiles.servers[scenario.server]
        self.project = profiles.projects[scenario.project]
        check_installed(scenario.server, self.server, environment)
        self._scenario = scenario
        self._profiles = profiles
        self._environment = environment
        self._place = place
        self._databases = databases
        self.port = port
        self.python = environment.python
        self._command = command_in(environment, self.server)
        wsgi, asgi = (self.project.application(interface) for interface in ("wsgi", "asgi"))
        self._applications = {"wsgi": wsgi, "asgi": asgi, "wsgi_module": wsgi.partition(":")[0]}
        self._values = {
            **self._applications,
            "python": self.python,
            "folder": str(place),
            **({} if port is None else {"port": str(port)}),
        }

    def argv(self) -> list[str]:
        """Return the command."""
        first, *rest = self._command
        executable = self.python if first == "{python}" else program(first, self.python)
        argv = [executable, *(fill_placeholders(word, self._values) for word in rest)]
        return unprivileged(argv) if self.server.refuses_root else argv

    def settings(self) -> dict[str, Any]:
        """Return what the settings module of the run has to know."""
        own: dict[str, Any] = {}
        if self._scenario.conn_max_age != PROJECT_DEFAULT:
            own["conn_max_age"] = self._scenario.conn_max_age
        if self._scenario.conn_health_checks is not None:
            own["conn_health_checks"] = self._scenario.conn_health_checks
        if self.server.apps:
            own |= {"apps": self.server.apps, "asgi": self._applications["asgi"].replace(":", ".")}
        if self._databases is not None:
            own |= self._databases.settings
        return settings_in(self._place, self.project, own)

    def environ(self) -> dict[str, str]:
        """Return the variables."""
        own = {name: fill_placeholders(value, self._values) for name, value in self.server.env}
        if self._scenario.garbage_collection != AUTOMATIC:
            own["DJCONN_GARBAGE_COLLECTION"] = self._scenario.garbage_collection
        return variables_in(self._place, self.project, self._environment, probe=True) | own

    def like(self) -> str:
        """Return what the starts of all servers have in common that can be set up as this one can.

        It is empty where the server is none of those.
        """
        argv = self.argv()
        if argv[1:4] != _RUNSERVER or "--noreload" not in argv or self.server.needs_port:
            return ""
        if self._profiles.databases[self._scenario.database].has_server:
            return ""  # each run has names and sockets of its own there, which a driver may have looked at
        if self._place != PLACE:
            return ServerCommand(self._scenario, self._profiles, self._environment).like()
        like = {"argv": argv, "env": self.environ(), "cwd": str(self.project.path), "settings": self.settings()}
        return json.dumps(like, sort_keys=True)

    def shown(self) -> str:
        """Return the command as a page shows it: as a user would write it, whatever this run's port is."""
        words = (fill_placeholders(word, self._applications | _SHOWN) for word in self._command)
        return " ".join(word.rpartition(os.sep)[2] if index == 0 else word for index, word in enumerate(words))
