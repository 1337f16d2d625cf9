"""Finds or makes a recording of every scenario."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager

from sphinx.util import logging
from sphinx.util.display import status_iterator

from sphinx_djconn.ext.bisection import Bisection
from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.recording_finder import RecordingFinder
from sphinx_djconn.ext.recordings import MissingRecording, Recordings
from sphinx_djconn.ext.registry import DeclaredScenario
from sphinx_djconn.ext.scenario_warnings import ScenarioWarnings
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.errors import (
    AbsentError,
    Cancelled,
    EnvironmentCreationError,
    LabError,
    ProfileError,
    RunError,
    UnexpectedError,
    UnresolvedError,
)
from sphinx_djconn.lab.inputs.reasons import summarize
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.scheduler import ScenarioResult, Scheduler
from sphinx_djconn.scenario.model import Scenario
from sphinx_djconn.store import Header, Key, Store, StoreError

logger = logging.getLogger(__name__)


class Runner:
    """Fills ``recordings``: with what ``finder`` finds, and with what the laboratory runs."""

    def __init__(
        self,
        recordings: Recordings,
        finder: RecordingFinder,
        laboratory: Laboratory,
        store: Store,
        settings: Settings,
        warnings: ScenarioWarnings,
    ) -> None:
        self._recordings = recordings
        self._finder = finder
        self._laboratory = laboratory
        self._store = store
        self._settings = settings
        self._warnings = warnings
        self._ran: dict[str, str] = {}

    def run(self, searches: Collection[Bisection]) -> None:
        """Find or make the recordings of all scenarios, and those of the cells that ``searches`` need.

        Which release a search needs next depends on the results so far. So there are rounds, each for all
        searches.
        """
        scenarios = list(self._recordings.scenarios.values())
        while True:
            cells = [cell for search in searches for cell in search.next_cells()]
            self._recordings.scenarios.update((cell.name, cell) for cell in cells)
            self._run_round([*scenarios, *cells])
            if not cells:
                return
            scenarios = []

    def _run_round(self, declared: Iterable[DeclaredScenario]) -> None:
        scenarios = self._valid(declared)
        if self._settings.mode == "replay":
            self._replay(scenarios)
        elif scenarios:
            # Installing keeps a processor busy, which a run does not.
            installations = max(1, self._settings.at_once // 2)
            with closing(self._laboratory.environments(scenarios, installations)) as groups:
                for environments in groups:
                    self._run_in(environments, scenarios)

    def _valid(self, declared: Iterable[DeclaredScenario]) -> dict[str, Scenario]:
        """Return the scenarios without an error, by name."""
        valid = {}
        for scenario in declared:
            if scenario.scenario is None:
                self._recordings.missing[scenario.name] = MissingRecording("its directive has an error")
                continue
            try:
                self._laboratory.profiles.check(scenario.scenario)
            except ProfileError as error:
                self._set_missing(scenario, error, "config")
            else:
                valid[scenario.name] = scenario.scenario
        return valid

    # Replay: nothing runs.

    def _replay(self, scenarios: Mapping[str, Scenario]) -> None:
        for name, scenario in scenarios.items():
            with self._concerning(name, "its recording was looked for"):
                self._recordings.fingerprints[name] = self._laboratory.fingerprints.of(scenario, None)
        found = self._find(name for name in scenarios if name in self._recordings.fingerprints)
        for name, stored in found.items():
            with self._concerning(name, "its recording was looked for"):
                self._replay_one(self._recordings.scenarios[name], stored)

    def _replay_one(self, declared: DeclaredScenario, stored: Header | StoreError | None) -> None:
        """Use ``stored``, and warn if it is missing, or if what it was made from has changed."""
        if not isinstance(stored, Header):
            message = "there is no recording of it" if stored is None else f"the recording {stored}"
            self._recordings.missing[declared.name] = MissingRecording(message, subtype="stale")
            self._warn_stale(declared, f"{message}, and djconn_mode = 'replay' runs nothing")
            return
        changes = self._finder.changes_since(self._recordings.fingerprints[declared.name], stored)
        if changes:
            self._warn_stale(declared, f"its recording was made from something else: {summarize(changes)}")
        self._use(declared, stored)

    def _warn_stale(self, declared: DeclaredScenario, message: str) -> None:
        advice = "build once with djconn_mode = 'auto', and commit the folder of djconn_recordings"
        self._warnings.add(declared, f"{message}; {advice}", "stale")

    # Find, else run.

    def _run_in(
        self, environments: Mapping[str, Environment | LabError], scenarios: Mapping[str, Scenario]
    ) -> None:
        """Find or make the recordings of those ``scenarios`` that have one of the ``environments``."""
        ready: dict[str, Environment] = {}
        for name, environment in environments.items():
            declared = self._recordings.scenarios[name]
            if isinstance(environment, LabError):
                self._recordings.fingerprints[name] = self._laboratory.fingerprints.of(scenarios[name], None)
                self._set_missing(declared, environment, _warning_type(environment))
                continue
            with self._concerning(name, "its recording was looked for"):
                fingerprint = self._laboratory.fingerprints.of(scenarios[name], environment)
                self._recordings.fingerprints[name] = fingerprint
                equal = self._ran.get(fingerprint.name)
                if equal is None:
                    ready[name] = environment
                else:
                    self._recordings.copy(equal, name)
        reasons: dict[str, str] = {}
        for name, stored in self._find(ready).items():
            with self._concerning(name, "its recording was looked for"):
                fingerprint = self._recordings.fingerprints[name]
                why = self._finder.reasons_to_run(name, fingerprint, stored, ready[name])
                if why:
                    reasons[name] = summarize(why)
                elif isinstance(stored, Header):
                    self._use(self._recordings.scenarios[name], stored)
        if reasons:
            self._log_reasons(reasons)
            self._run_all(reasons)

    def _find(self, names: Iterable[str]) -> dict[str, Header | StoreError | None]:
        found: dict[str, Header | StoreError | None] = {}
        for name in names:
            with self._concerning(name, "its recording was looked for"):
                found[name] = self._finder.find(self._recordings.fingerprints[name])
        return found

    def _log_reasons(self, reasons: Mapping[str, str]) -> None:
        """Log why scenarios are run, once for each reason and matrix."""
        groups: dict[tuple[str, str], list[str]] = {}
        for name, reason in reasons.items():
            groups.setdefault((reason, self._recordings.scenarios[name].group), []).append(name)
        for (reason, group), names in groups.items():
            several = f"`{group}` ({len(names)} of its cells)"
            logger.info("djconn: running %s: %s", several if len(names) > 1 else f"`{names[0]}`", reason)

    def _run_all(self, names: Iterable[str]) -> None:
        """Run the scenarios ``names``; equal ones run once."""
        equal: dict[str, list[str]] = {}
        for name in names:
            equal.setdefault(self._fingerprint(name).name, []).append(name)
        scenarios = {first: self._fingerprint(first).scenario for first, *_ in equal.values()}
        scheduler = Scheduler(self._laboratory, self._settings.at_once)
        with closing(scheduler.run(scenarios)) as results:
            for first, result in status_iterator(
                results,
                "running scenarios... ",
                "purple",
                len(scenarios),
                stringify_func=lambda named: named[0],
            ):
                fingerprint = self._fingerprint(first)
                for name in equal[fingerprint.name]:
                    with self._concerning(name, "its recording was kept"):
                        self._save(self._recordings.scenarios[name], result, fingerprint.scenario)
                self._ran[fingerprint.name] = first

    def _fingerprint(self, name: str) -> Key:
        return self._recordings.fingerprints[name]

    # What became of a scenario.

    def _save(self, declared: DeclaredScenario, result: ScenarioResult, ran: Scenario) -> None:
        """Save the result of ``ran``, which is equal to the scenario of ``declared``."""
        if result.recording is None:
            error = result.error
            assert error is not None
            if isinstance(error, UnexpectedError) and error.__cause__ is not None:
                error = self._bug(error.__cause__, "it was run", declared.name)
            self._set_missing(declared, error, _warning_type(error), ran)
            return
        try:
            self._use(declared, self._store.write(result.recording))
        except StoreError as error:
            self._set_missing(declared, LabError(str(error)), "run")

    def _use(self, declared: DeclaredScenario, stored: Header) -> None:
        self._recordings.add(declared.name, stored)
        for note in stored.notes:
            self._warnings.add(declared, note, "run")

    def _set_missing(
        self, declared: DeclaredScenario, error: LabError, subtype: str, ran: Scenario | None = None
    ) -> None:
        if subtype == "absent" and self._use_foreign(declared, error):
            return
        log = error.log if isinstance(error, (RunError, EnvironmentCreationError)) else ()
        self._recordings.missing[declared.name] = MissingRecording(error.message, log, subtype)
        line, own = error.line, declared.scenario
        if ran is not None and own is not None and line in ran.sequence.lines:
            line = own.sequence.lines[ran.sequence.lines.index(line)]
        self._warnings.add(declared, error.message, subtype, log, line)

    def _use_foreign(self, declared: DeclaredScenario, error: LabError) -> bool:
        """Use a recording of another machine, if there is one; return whether there is."""
        fingerprint = self._recordings.fingerprints.get(declared.name)
        stored = None if fingerprint is None else self._finder.find_foreign(fingerprint)
        if stored is None:
            return False
        self._use(declared, stored)
        logger.info("djconn: %s; using the recording of `%s`", error.message, declared.name)
        return True

    @contextmanager
    def _concerning(self, name: str, doing: str) -> Iterator[None]:
        """Turn an exception in the block into an error of the scenario ``name`` alone."""
        try:
            yield
        except LabError as error:
            self._set_missing(self._recordings.scenarios[name], error, _warning_type(error))
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - concerns one scenario
            self._set_missing(self._recordings.scenarios[name], self._bug(error, doing, name), "run")

    def _bug(self, error: BaseException, doing: str, name: str) -> LabError:
        return LabError(self._recordings.bug_reports.message(error, doing, name))


def _warning_type(error: LabError) -> str:
    """Return the type of a warning: the docs are wrong, this machine lacks something, or a run failed."""
    if isinstance(error, UnresolvedError):
        return "config"
    return "absent" if isinstance(error, AbsentError) else "run"
