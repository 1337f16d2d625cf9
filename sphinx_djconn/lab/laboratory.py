"""The face of the lab: it runs a scenario and returns its recording."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from sphinx_djconn.inputs import Inputs, merge
from sphinx_djconn.lab.command import ServerCommand
from sphinx_djconn.lab.databases.in_files import SQLiteProvider
from sphinx_djconn.lab.environments.environment import CURRENT, Environment, current
from sphinx_djconn.lab.errors import AbsentError, LabError, PreparationError, RunError, ServerError
from sphinx_djconn.lab.fingerprint import Fingerprints
from sphinx_djconn.lab.inputs.files import Files
from sphinx_djconn.lab.inputs.machine import Machines
from sphinx_djconn.lab.limits import DEFAULT_TIMEOUT, MAX_TIMEOUT
from sphinx_djconn.lab.process.cancellation import Cancellation
from sphinx_djconn.lab.process.launcher import Launcher
from sphinx_djconn.lab.process.temporary import sweep
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.lab.profiles.projects import Project
from sphinx_djconn.lab.run_spec import RunServices, RunSpec
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Recording

if TYPE_CHECKING:
    from sphinx_djconn.lab.databases.on_server import ServerProvider
    from sphinx_djconn.lab.environments.environments import Environments
    from sphinx_djconn.trace.reading import Trace


class Laboratory:
    """Runs scenarios. A laboratory that is closed leaves no process behind.

    * ``cache`` is a folder that keeps prepared databases; ``timeout`` is the time limit of one run, in seconds.
    * ``warm`` lets runs start as forks of processes that have imported Django already, instead of from the
      command line.
    * ``unsupported`` allows environments with a Python that their Django does not support.
    * ``report`` is called with messages for the user, in the thread that calls :meth:`report_pending` or waits
      for environments.
    * ``checkout`` is the folder that contains the docs and what they describe; ``files`` has the digests of
      files.
    """

    def __init__(
        self,
        profiles: Profiles,
        cache: Path,
        timeout: float = DEFAULT_TIMEOUT,
        *,
        warm: bool = True,
        unsupported: bool = False,
        report: Callable[[str], None] = lambda _: None,
        checkout: Path | None = None,
        files: Files | None = None,
    ) -> None:
        self.profiles = profiles
        self.fingerprints = Fingerprints(profiles)
        self.machines = Machines(files or Files(), checkout)
        self._sqlite_provider = SQLiteProvider(cache, self.fingerprints, timeout)
        self._server_provider: ServerProvider | None = None
        self._launchers: dict[str, Launcher] = {}
        self._environments: Environments | None = None
        self._warm = warm
        self._unsupported = unsupported
        self._report = report
        self._messages: SimpleQueue[str] = SimpleQueue()
        self._timeout = timeout
        self._lock = threading.Lock()
        self._cancellation = Cancellation()
        sweep()

    def run(self, scenario: Scenario) -> Recording:
        """Execute every run of ``scenario``.

        Raises :class:`ProfileError`, :class:`AbsentError`, :class:`RunError` and :class:`Cancelled`.
        """
        # It imports requests, which takes 0.1 s and which a build that runs nothing does not need.
        from sphinx_djconn.lab.run import Run  # noqa: PLC0415

        self.profiles.check(scenario)
        environment = self.environment(scenario)
        key = self.fingerprints.of(scenario, environment)
        seconds = min(self._timeout if scenario.timeout is None else scenario.timeout, MAX_TIMEOUT)
        spec = RunSpec.of(scenario, self.profiles, environment)
        provider = self._servers() if spec.database.has_server else self._sqlite_provider
        services = self._services(spec.project, environment)
        traces: list[Trace] = []
        notes: dict[str, None] = {}
        inputs: list[Inputs] = []
        for _ in range(scenario.runs):
            run = Run(spec, services, provider, seconds)
            try:
                traces.append(run.execute())
            except (PreparationError, ServerError) as error:
                if environment.unsupported:
                    raise _unsupported(environment, error) from error
                raise
            notes |= dict.fromkeys(run.notes)
            inputs += run.inputs
        distributions = environment.installed.distributions
        return Recording(key, tuple(traces), tuple(notes), distributions, merge(inputs))

    def environment(self, scenario: Scenario) -> Environment:
        """Return the environment of ``scenario``, which is created if it does not exist.

        Raises :class:`ProfileError`, :class:`AbsentError` if it cannot be created, and :class:`Cancelled`.
        """
        if scenario.environment == CURRENT:
            return current()
        return self._all_environments().get(self.profiles.environment(scenario))

    def environments(
        self, scenarios: Mapping[str, Scenario], at_once: int
    ) -> "Generator[dict[str, Environment | LabError], None, None]":
        """Yield the environments of ``scenarios``, or the errors of creating them, by name, in groups.

        The first group are those that exist. The others follow as they are created, ``at_once`` at a time.
        """
        existing: dict[str, Environment | LabError] = {
            name: current() for name, scenario in scenarios.items() if scenario.environment == CURRENT
        }
        wanted = {
            name: self.profiles.environment(scenario)
            for name, scenario in scenarios.items()
            if scenario.environment != CURRENT
        }
        if not wanted:
            yield existing
            return
        from sphinx_djconn.lab.environments.create_many import create_many  # noqa: PLC0415 - not on Windows

        groups = create_many(
            self._all_environments(),
            wanted,
            max_workers=at_once,
            report=self.report_pending,
            cancel=self.cancel,
        )
        with closing(groups):
            yield {**existing, **next(groups)}
            yield from groups

    def report_pending(self) -> None:
        """Report the messages of other threads since the last call."""
        while not self._messages.empty():
            self._report(self._messages.get())

    def launcher(self, python: str) -> Launcher:
        """Return what starts processes with the interpreter ``python``; its fork server is starting."""
        with self._lock:
            if python not in self._launchers:
                self._launchers[python] = Launcher(python, warm=self._warm)
            return self._launchers[python]

    def warm_up(self, *, databases: bool = True) -> None:
        """Begin what takes time before the first run, and return at once.

        ``databases`` includes those of the default project.
        """
        launcher = self.launcher(sys.executable)
        if databases and launcher.is_warm and not any(name == "default" for _, name in self.profiles.faults):
            project = self.profiles.projects["default"]
            self._sqlite_provider.begin(project, current(), self._services(project, current()))

    def begin_servers(self, scenarios: Iterable[Scenario]) -> None:
        """Begin to start the database servers that ``scenarios`` share, and return at once."""
        for scenario in scenarios:
            with suppress(Exception):  # the scenario's run will raise it
                self.profiles.check(scenario)
                database = self.profiles.databases[scenario.database]
                if database.has_server:
                    self._servers().warm_up(database)

    def preload_common(self, scenarios: Iterable[Scenario]) -> None:
        """Set up projects in advance, for ``scenarios`` whose servers start alike."""
        runs: Counter[str] = Counter()
        for scenario in scenarios:
            with suppress(LabError):  # the scenario's run will raise it
                self.profiles.check(scenario)
                if scenario.environment != CURRENT:
                    continue  # there is no fork server for it
                command = ServerCommand(RunSpec.of(scenario, self.profiles, current()))
                runs[command.preload_key()] += scenario.runs
        for key, count in runs.most_common():
            if key and count > 1:
                self.launcher(current().python).preload(key)

    def close(self) -> None:
        """End the fork servers, the database servers, and preparations that no run has needed."""
        self._cancellation.cancel()  # so that a database server that is being started is not waited for
        self._sqlite_provider.close()
        if self._server_provider is not None:
            self._server_provider.close()
        with self._lock:
            for launcher in self._launchers.values():
                launcher.close()
            self._launchers.clear()
        self.machines.files.save()

    def cancel(self) -> None:
        """End every run, and start no other."""
        self._cancellation.cancel()

    def _services(self, project: Project, environment: Environment) -> RunServices:
        machine = self.machines.of(project, environment)
        return RunServices(self.launcher(environment.python), machine, self._cancellation)

    def _servers(self) -> "ServerProvider":
        """Return the provider of databases on servers, which most builds do not need."""
        from sphinx_djconn.lab.databases.on_server import ServerProvider  # noqa: PLC0415 - not on Windows

        with self._lock:
            if self._server_provider is None:
                self._server_provider = ServerProvider(self.fingerprints, self._timeout, self._cancellation)
            return self._server_provider

    def _all_environments(self) -> "Environments":
        from sphinx_djconn.lab.environments.environments import Environments  # noqa: PLC0415 - not on Windows

        with self._lock:
            if self._environments is None:
                self._environments = Environments(
                    report=self._messages.put,
                    cancellation=self._cancellation,
                    allow_unsupported=self._unsupported,
                )
            return self._environments


def _unsupported(environment: Environment, error: RunError) -> AbsentError:
    """Return the error of a Django that failed with a Python that is too new for it."""
    django = environment.installed.version("django")
    return AbsentError(
        f"Django {django} does not support Python {environment.version}, and did not work with it: "
        f"{error.message}; install a Python that it supports"
    )
