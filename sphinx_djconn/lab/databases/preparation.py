"""Create a project's databases: migrate them and load its fixtures, in a process of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sphinx_djconn.lab.databases.protocols import RunDatabases
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import PreparationError
from sphinx_djconn.lab.events.sanitizer import Sanitizer
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher, tail
from sphinx_djconn.lab.process.temporary import end_processes_of
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.run_environ import run_environ
from sphinx_djconn.lab.run_folder import RunFolder, run_settings

_PROGRAM: Final = Path(__file__).parents[1] / "process" / "inside" / "prepare.py"

_DEFAULT_SECONDS: Final = 120.0
"""How long the migrations and fixtures of a project may take, unless conf.py allows more."""

_SHOWN: Final = 20
"""How many lines of output the error of a failed preparation carries."""


@dataclass(frozen=True)
class TimeLimit:
    """How many seconds a preparation may take, and what an error says if that is not enough."""

    seconds: float
    message: str

    @classmethod
    def of(cls, project: Project, timeout: float) -> Self:
        """Return the limit for ``project``; ``timeout`` is :confval:`djconn_timeout`, in seconds."""
        if project.timeout is not None:
            seconds, source = project.timeout, "the `timeout` of the project in conf.py; raise that"
        elif timeout > _DEFAULT_SECONDS:
            seconds = timeout
            source = "the `djconn_timeout` of conf.py; raise that, or give the project a `timeout` of its own"
        else:
            seconds = _DEFAULT_SECONDS
            source = "the default limit; raise `djconn_timeout`, or give the project a `timeout` in conf.py"
        return cls(seconds, f"it took more than {seconds:g} seconds, {source}")


@dataclass(frozen=True)
class PreparationSpec:
    """Whose databases are to be created, and in which environment."""

    project: Project
    environment: Environment
    limit: TimeLimit


class Preparation:
    """A process that creates the databases of a project, and its folder. It starts at once.

    ``databases`` are empty databases on a server; without them, files are created in the folder. The process
    writes into the folder how many databases the project needs; see :meth:`needed`. If the server has fewer,
    it does nothing else.

    ``wait`` is passed to :meth:`Launcher.supervise`: without it, the process may fail to start.
    """

    def __init__(
        self,
        spec: PreparationSpec,
        launcher: Launcher,
        *,
        wait: bool = True,
        databases: RunDatabases | None = None,
    ) -> None:
        self.folder = RunFolder()
        self._spec = spec
        self._databases = databases
        project = spec.project
        command = [launcher.python, str(_PROGRAM), *project.fixtures]
        env = run_environ(self.folder.path, project, spec.environment, probe=False)
        self._process = launcher.supervise(command, self.folder.path, env=env, wait=wait)
        try:
            self.folder.create()
            overrides = {} if databases is None else databases.settings
            self.folder.write_settings(run_settings(self.folder.path, project, overrides))
            self._process.start(env=env, cwd=project.path, seconds=spec.limit.seconds)
        except BaseException:
            self.close()
            raise

    def finish(self, cancellation: Cancellation) -> bool:
        """Wait until the process has ended. Return ``False`` if it was never started by the fork server.

        Raises :class:`PreparationError` if it failed, and :class:`Cancelled`.
        """
        reports = self._process.finish(cancellation, self._spec.limit.seconds)
        if not {"exit", "gone"} & reports.keys():
            end_processes_of(self.folder.path)  # the supervisor was killed
        if not reports:
            return False
        if reports.get("exit") != 0:
            raise self.failure(reports, tail(self._process.log))
        self._process.close()
        return True

    def needed(self) -> int:
        """Return how many databases the project needs, once the process has ended."""
        return int(self.folder.path.joinpath("needed").read_text())

    def failure(self, reports: Mapping[str, Any] | None = None, output: bytes = b"") -> PreparationError:
        """Return the error that explains the supervisor's ``reports`` and the end of the ``output``."""
        reports = reports or {}
        lines = self._shown_lines(output)
        cause = next((line for line in reversed(lines) if line.strip()), "no output")
        if "late" in reports:
            cause = f"{self._spec.limit.message}; the last line of its output: {cause}"
        if "flood" in reports:
            cause = f"it wrote more output than a preparation may; {cause}"
        return PreparationError(
            f"the project's databases could not be prepared: {cause} (settings module "
            f"`{self._spec.project.settings}`; try `python manage.py migrate` in the project's folder)",
            lines[-_SHOWN:],
        )

    def _shown_lines(self, output: bytes) -> tuple[str, ...]:
        """Return the lines of ``output`` without secrets and paths."""
        project, environment = self._spec.project, self._spec.environment
        places = {**environment.path_labels, project.path: "<project>", self.folder.path: "<run>"}
        project_secrets = secrets = self.folder.secrets()
        replacements: Mapping[str, str] = {}
        if self._databases is not None:
            secrets, replacements = [*secrets, *self._databases.secrets], self._databases.replacements
        lines = Sanitizer(places, secrets, project.env, replacements).lines(output)
        if not project_secrets:
            # The secrets are unknown, so the source lines of the settings must not be shown.
            lines = tuple(line for line in lines if not line.startswith("    "))
        return lines

    def close(self) -> None:
        """End it, and remove its folder."""
        self._process.close()
        self.folder.remove()
