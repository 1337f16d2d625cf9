"""How the server of one run is started: the command and environment variables of its profile, filled in."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sphinx_djconn.lab.profiles.placeholders import fill_placeholders
from sphinx_djconn.lab.requirements import check_installed, command_in, find_program, unprivileged
from sphinx_djconn.lab.run_environ import run_environ
from sphinx_djconn.lab.run_folder import TEMPLATE_FOLDER, run_settings
from sphinx_djconn.lab.run_spec import RunSpec
from sphinx_djconn.scenario.model import AUTOMATIC, PROJECT_DEFAULT

_RUNSERVER: Final = ["-m", "django", "runserver"]
"""The only command whose start ``inside/preload.py`` can do in advance."""

_SHOWN_VALUES: Final = {"python": "python", "folder": "<run>"}


class ServerCommand:
    """The command, environment variables and settings of a run's server.

    ``port`` is the number of the port that the lab has chosen, if any. ``database_settings`` are
    :attr:`RunDatabases.settings`. Without ``folder``, the run's folder, it is the command that all servers have
    in common which can be preloaded alike. Raises :class:`AbsentError` if the server is not installed.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Path = TEMPLATE_FOLDER,
        port: int | None = None,
        database_settings: Mapping[str, Any] | None = None,
    ) -> None:
        check_installed(spec.scenario.server, spec.server, spec.environment)
        self.port = port
        self._spec = spec
        self._folder = folder
        self._database_settings = database_settings or {}
        self._command = command_in(spec.environment, spec.server)
        wsgi, asgi = (spec.project.application(interface) for interface in ("wsgi", "asgi"))
        self._applications = {"wsgi": wsgi, "asgi": asgi, "wsgi_module": wsgi.partition(":")[0]}
        self._values = {
            **self._applications,
            "python": spec.environment.python,
            "folder": str(folder),
            **({} if port is None else {"port": str(port)}),
        }

    def argv(self) -> list[str]:
        """Return the command."""
        first, *rest = self._command
        python = self._spec.environment.python
        executable = python if first == "{python}" else find_program(first, python)
        argv = [executable, *(fill_placeholders(word, self._values) for word in rest)]
        return unprivileged(argv) if self._spec.server.refuses_root else argv

    def settings(self) -> dict[str, Any]:
        """Return what the settings module of the run reads."""
        scenario, server = self._spec.scenario, self._spec.server
        overrides: dict[str, Any] = {}
        if scenario.conn_max_age != PROJECT_DEFAULT:
            overrides["conn_max_age"] = scenario.conn_max_age
        if scenario.conn_health_checks is not None:
            overrides["conn_health_checks"] = scenario.conn_health_checks
        if server.apps:
            overrides |= {"apps": server.apps, "asgi": self._applications["asgi"].replace(":", ".")}
        return run_settings(self._folder, self._spec.project, {**overrides, **self._database_settings})

    def environ(self) -> dict[str, str]:
        """Return the environment variables."""
        spec = self._spec
        own = {name: fill_placeholders(value, self._values) for name, value in spec.server.env}
        if spec.scenario.garbage_collection != AUTOMATIC:
            own["DJCONN_GARBAGE_COLLECTION"] = spec.scenario.garbage_collection
        return run_environ(self._folder, spec.project, spec.environment, probe=True) | own

    def preload_key(self) -> str:
        """Return what :meth:`Launcher.preload` takes, which is equal for servers that it can preload alike.

        It is empty if the server cannot be preloaded.
        """
        argv = self.argv()
        if argv[1:4] != _RUNSERVER or "--noreload" not in argv or self._spec.server.needs_port:
            return ""
        if self._spec.database.has_server:
            return ""  # each run has its own names and sockets, which the driver may read while it is imported
        if self._folder != TEMPLATE_FOLDER:
            return ServerCommand(self._spec).preload_key()
        key = {
            "argv": argv,
            "env": self.environ(),
            "cwd": str(self._spec.project.path),
            "settings": self.settings(),
        }
        return json.dumps(key, sort_keys=True)

    def shown(self) -> str:
        """Return the command as a page shows it: as a user would write it, without the port of this run."""
        words = (fill_placeholders(word, self._applications | _SHOWN_VALUES) for word in self._command)
        return " ".join(word.rpartition(os.sep)[2] if index == 0 else word for index, word in enumerate(words))
