"""How the server of one run is started: the command, the variables and the port of a profile, filled in."""

import os
from typing import Any, Final

from sphinx_djconn.lab.installed import check_installed, program, unprivileged
from sphinx_djconn.lab.port import Port
from sphinx_djconn.lab.profiles import Profiles
from sphinx_djconn.lab.projects import Folder
from sphinx_djconn.lab.servers import filled
from sphinx_djconn.scenario import PROJECT_DEFAULT, Scenario

_SHOWN: Final = {"python": "python", "folder": "<run>"}


class Starting:
    """The start of ``scenario``'s server in ``folder``; to be closed when the server has ended.

    ``port`` is that of a server that is given one. Raises :class:`AbsentError` for what is not installed.
    """

    def __init__(self, scenario: Scenario, profiles: Profiles, python: str, folder: Folder) -> None:
        self.server = profiles.servers[scenario.server]
        self.project = profiles.projects[scenario.project]
        check_installed(scenario.server, self.server)
        self._scenario = scenario
        self._python = python
        self._folder = folder
        first = self.server.command[0]
        self._program = python if first == "{python}" else program(first, python)
        self.port = Port() if self.server.is_given_its_port else None

    def close(self) -> None:
        """Give the port back."""
        if self.port is not None:
            self.port.close()

    def argv(self) -> list[str]:
        """Return the command."""
        values = self._applications() | {"python": self._python, "folder": str(self._folder.path)}
        argv = [self._program, *(filled(word, values | self._port()) for word in self.server.command[1:])]
        return unprivileged(argv) if self.server.refuses_root else argv

    def environ(self) -> dict[str, str]:
        """Return the variables; what the settings of this run are is written into the folder."""
        spec: dict[str, Any] = {
            "apps": self.server.apps,
            "asgi": self._applications()["asgi"].replace(":", "."),
        }
        if self._scenario.conn_max_age != PROJECT_DEFAULT:
            spec["conn_max_age"] = self._scenario.conn_max_age
        if self._scenario.conn_health_checks is not None:
            spec["conn_health_checks"] = self._scenario.conn_health_checks
        values = {"folder": str(self._folder.path), **self._port()}
        own = {name: filled(value, values) for name, value in self.server.env}
        return self._folder.environ(self.project, spec, probe=True) | own

    def shown(self) -> str:
        """Return the command as a page shows it: as a user would write it, whatever this run's port is."""
        words = (filled(word, self._applications() | _SHOWN) for word in self.server.command)
        return " ".join(word.rpartition(os.sep)[2] if index == 0 else word for index, word in enumerate(words))

    def _applications(self) -> dict[str, str]:
        wsgi, asgi = (self.project.application(interface) for interface in ("wsgi", "asgi"))
        return {"wsgi": wsgi, "asgi": asgi, "wsgi_module": wsgi.partition(":")[0]}

    def _port(self) -> dict[str, str]:
        return {} if self.port is None else {"port": str(self.port.number)}
