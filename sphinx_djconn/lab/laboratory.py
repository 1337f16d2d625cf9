"""The face of the lab: what runs a scenario and returns its recording."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from sphinx_djconn.inputs import Inputs, merge
from sphinx_djconn.lab.databases.in_files import FileDatabases
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
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Recording

if TYPE_CHECKING:
    from sphinx_djconn.lab.databases.on_server import DatabaseServers
    from sphinx_djconn.lab.environments.environments import Environments
    from sphinx_djconn.trace.reading import Trace


class Laboratory:
    """Runs scenarios. ``cache`` keeps prepared databases; ``timeout`` is in seconds, for one run.

    ``checkout`` is the folder that the documentation is in, with what it describes; ``files`` knows the files
    of this machine.

    ``warm`` lets runs start from processes that have imported Django already, instead of from the
    command line. ``unsupported`` allows environments with a Python that their Django does not support.
    ``tell`` is called, in the thread that calls :meth:`say` or waits for environments, with lines for the
    reader. A laboratory that is closed leaves no process behind.
    """

    def __init__(
        self,
        profiles: Profiles,
        cache: Path,
        timeout: float = DEFAULT_TIMEOUT,
        *,
        warm: bool = True,
        unsupported: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        checkout: Path | None = None,
        files: Files | None = None,
    ) -> None:
        self.profiles = profiles
        self.keys = Fingerprints(profiles)
        self.machines = Machines(files or Files(), checkout)
        self._databases = FileDatabases(cache, self.keys, self.machines, timeout)
        self._served: DatabaseServers | None = None
        self._launchers: dict[str, Launcher] = {}
        self._environments: Environments | None = None
        self._warm = warm
        self._unsupported = unsupported
        self._tell = tell
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._timeout = timeout
        self._lock = threading.Lock()
        self._interruption = Cancellation()
        sweep()

    def run(self, scenario: Scenario) -> Recording:
        """Execute every run of ``scenario``.

        Raises :class:`ProfileError`, ``AbsentError``, :class:`RunError` and ``Cancelled``.
        """
        # With it comes the library of the clients, which takes time and which many builds never need.
        from sphinx_djconn.lab.run import Run  # noqa: PLC0415

        self.profiles.check(scenario)
        environment = self.environment(scenario)
        key = self.keys.of(scenario, environment)
        seconds = min(self._timeout if scenario.timeout is None else scenario.timeout, MAX_TIMEOUT)
        served = self._serving(scenario)
        traces: list[Trace] = []
        notes: dict[str, None] = {}
        inputs: list[Inputs] = []
        machine = self.machines.of(self.profiles.projects[scenario.project], environment)
        for _ in range(scenario.runs):
            run = Run(
                scenario,
                self.profiles,
                environment,
                self._databases if served is None else served,
                self.launcher(environment.python),
                self._interruption,
                seconds,
                machine,
            )
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
        """Return the environment of ``scenario``, made if it is not there.

        Raises :class:`ProfileError`, ``AbsentError`` where it is not to be had, and ``Cancelled``.
        """
        if scenario.environment == CURRENT:
            return current()
        return self._all_environments().get(self.profiles.environment(scenario))

    def environments(
        self, scenarios: Mapping[str, Scenario], at_once: int
    ) -> "Generator[dict[str, Environment | LabError], None, None]":
        """Yield the environments of ``scenarios``, or why there is none, under their names, in groups.

        The first group are those that are there; the others are made meanwhile, ``at_once`` at a time, and
        come as they are.
        """
        own: dict[str, Environment | LabError] = {
            name: current() for name, each in scenarios.items() if each.environment == CURRENT
        }
        wanted = {
            name: self.profiles.environment(each)
            for name, each in scenarios.items()
            if each.environment != CURRENT
        }
        if not wanted:
            yield own
            return
        from sphinx_djconn.lab.environments.create_many import create_many  # noqa: PLC0415 - most builds need none

        groups = create_many(
            self._all_environments(), wanted, max_workers=at_once, report=self.say, cancel=self.cancel
        )
        with closing(groups):
            yield {**own, **next(groups)}
            yield from groups

    def _all_environments(self) -> "Environments":
        from sphinx_djconn.lab.environments.environments import Environments  # noqa: PLC0415 - as above

        with self._lock:
            if self._environments is None:
                self._environments = Environments(
                    report=self._lines.put, cancellation=self._interruption, allow_unsupported=self._unsupported
                )
            return self._environments

    def say(self) -> None:
        """Tell what other threads have had to say since."""
        while not self._lines.empty():
            self._tell(self._lines.get())

    def launcher(self, python: str) -> Launcher:
        """Return what starts processes with the interpreter ``python``; a warm one imports by now."""
        with self._lock:
            if python not in self._launchers:
                self._launchers[python] = Launcher(python, warm=self._warm)
            return self._launchers[python]

    def _serving(self, scenario: Scenario) -> "DatabaseServers | None":
        """Return what has the database servers of this build, where ``scenario`` needs one."""
        if not self.profiles.databases[scenario.database].has_server:
            return None
        from sphinx_djconn.lab.databases.on_server import DatabaseServers  # noqa: PLC0415 - most builds need none

        with self._lock:
            if self._served is None:
                self._served = DatabaseServers(self.keys, self.machines, self._timeout, self._interruption)
        return self._served

    def warm_up(self, *, databases: bool = True) -> None:
        """Begin what takes time before the first run, and return at once.

        ``databases`` asks for those of the project that pages mean where they name none.
        """
        launcher = self.launcher(sys.executable)
        if databases and not any(name == "default" for _, name in self.profiles.faults):
            self._databases.begin(self.profiles.projects["default"], current(), launcher)

    def begin_servers(self, scenarios: Iterable[Scenario]) -> None:
        """Begin to start the database servers that ``scenarios`` share, and return at once."""
        for scenario in scenarios:
            with suppress(Exception):  # which its own run will raise
                self.profiles.check(scenario)
                served = self._serving(scenario)
                if served is not None:
                    served.warm_up(self.profiles.databases[scenario.database])

    def foresee(self, scenarios: Iterable[Scenario]) -> None:
        """Have projects set up for the runs of ``scenarios``, where many begin alike."""
        from sphinx_djconn.lab.command import ServerCommand  # noqa: PLC0415 - as above

        alike: Counter[tuple[str, str]] = Counter()
        for scenario in scenarios:
            with suppress(LabError):  # which its own run will raise
                self.profiles.check(scenario)
                if scenario.environment != CURRENT:
                    continue  # nothing is warm for it
                starting = ServerCommand(scenario, self.profiles, current())
                alike[starting.python, starting.like()] += scenario.runs
        for (python, like), runs in alike.most_common():
            if like and runs > 1:
                self.launcher(python).ready(like)

    def close(self) -> None:
        """End the warm processes, and what was begun in vain."""
        self._interruption.happen()  # a database server that is being started is not waited for
        self._databases.close()
        if self._served is not None:
            self._served.close()
        with self._lock:
            for launcher in self._launchers.values():
                launcher.close()
            self._launchers.clear()
        self.machines.files.save()

    def cancel(self) -> None:
        """End every run that is going on, and begin no other."""
        self._interruption.happen()


def _unsupported(environment: Environment, error: RunError) -> AbsentError:
    """Return the error of a Django that did not work with a Python that is too new for it."""
    django = environment.installed.version("django")
    return AbsentError(
        f"Django {django} does not support Python {environment.version}, and did not work with it: "
        f"{error.message}; install a Python that it supports"
    )
