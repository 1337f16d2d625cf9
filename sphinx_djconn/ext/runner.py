"""Find or make a recording of every scenario, and say at its place why one has none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.display import status_iterator

from sphinx_djconn.ext.bugs import Bugs, warn
from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.elsewhere import is_usable
from sphinx_djconn.ext.recorded import MissingRecording
from sphinx_djconn.ext.registry import DeclaredMatrix, DeclaredScenario, Registry
from sphinx_djconn.ext.results import Results
from sphinx_djconn.ext.up_to_date import Dependencies
from sphinx_djconn.hashing import digest
from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.environments.environment import CURRENT, current
from sphinx_djconn.lab.errors import (
    AbsentError,
    Cancelled,
    EnvironmentMakingError,
    LabError,
    ProfileError,
    RunError,
    UnexpectedError,
    UnresolvedError,
)
from sphinx_djconn.lab.fingerprint import portable
from sphinx_djconn.lab.inputs.reasons import committed_reasons, reasons, summarize
from sphinx_djconn.lab.inputs.roots import COMMITTED, display_name, root_of
from sphinx_djconn.lab.inputs.variables import ALL
from sphinx_djconn.store import Header, Key, Store, StoreError

if TYPE_CHECKING:
    from sphinx_djconn.ext.names import Names
    from sphinx_djconn.lab.environments.environment import Environment
    from sphinx_djconn.lab.inputs.machine import Machines
    from sphinx_djconn.lab.laboratory import Laboratory
    from sphinx_djconn.lab.profiles.profiles import Profiles
    from sphinx_djconn.lab.scheduler import ScenarioResult
    from sphinx_djconn.scenario.model import Scenario

logger = logging.getLogger(__name__)


class _Failure(NamedTuple):
    """What is to be warned of, and where."""

    declared: DeclaredScenario
    message: str
    subtype: str
    log: tuple[str, ...]
    place: str


class Runner:
    """The recordings of ``registry``'s scenarios: those in ``store``, and those that are made anew.

    ``accepts_absence`` is that of the results.
    """

    def __init__(
        self,
        registry: Registry,
        profiles: "Profiles",
        store: Store,
        settings: Settings,
        names: "Names",
        bugs: Bugs | None = None,
        *,
        accepts_absence: bool = False,
    ) -> None:
        self._registry = registry
        self._profiles = profiles
        self._store = store
        self._settings = settings
        self._keys: dict[str, Key] = {}
        self._stamps: dict[str, str] = {}
        self._absences: dict[str, MissingRecording] = {}
        self._djangos: dict[str, str] = {}
        self._troubles: list[_Failure] = []
        self._bugs = bugs or Bugs()
        self._results = Results(
            registry,
            store,
            self._keys,
            self._stamps,
            self._absences,
            self._djangos,
            self._bugs,
            accepts_absence=accepts_absence,
        )
        self._scenarios = self._results.scenarios
        self._settled: dict[str, str] = {}
        self._from_elsewhere = False
        self._machines: Machines | None = None
        self._names = names
        self._used: dict[str, Inputs] = {}
        self._written: set[str] = set()

    def can_be_sealed(self) -> bool:
        """Return whether nothing was wrong, and files and variables are all that the recordings depend on.

        That is: no server of a database, no environment but the one that builds the docs.
        """
        return not (self._troubles or self._from_elsewhere) and all(
            key.scenario.environment == CURRENT
            and not self._profiles.databases[key.scenario.database].has_server
            for key in self._keys.values()
        )

    def depends_on(self, machines: "Machines") -> Dependencies:
        """Return the paths and variables that the recordings depend on, on this machine."""
        paths: dict[str, None] = {}
        variables: dict[str, None] = {}
        for name, key in self._keys.items():
            project, inputs = self._profiles.projects[key.scenario.project], self._used.get(name)
            if inputs is not None:
                paths |= dict.fromkeys(machines.of(project, self._environment_of(key)).watched_paths(inputs))
                variables |= dict.fromkeys(inputs.variables)
        return Dependencies(paths, None if ALL in variables else variables)

    def _environment_of(self, key: Key) -> "Environment | None":
        return None if self._settings.mode == "replay" else current()

    def gather(self, laboratory: "Laboratory") -> Results:
        """Have ``laboratory`` run what has no valid recording, and return the results.

        What a search for a release needs next depends on what it has found so far: all that are searches go on
        to the next round together.
        """
        self._machines = laboratory.machines
        found = list(self._scenarios.values())
        searches = self._results.searches.values()
        while True:
            cells = [cell for search in searches for cell in search.next()]
            self._scenarios.update((cell.name, cell) for cell in cells)
            self._round([*found, *cells], laboratory)
            if not cells:
                break
            found = []
        ours = self._settings.mode != "replay" and self._settings.recordings is None
        if ours and not self._absences and not self._refused():
            self._store.prune(self._keys.values())
        self._names.update({name: key.name for name, key in self._keys.items()})
        self._tell_written()
        self._tell()
        # In the order of the pages, whatever came first.
        absences = {name: self._absences[name] for name in self._scenarios if name in self._absences}
        self._absences.clear()
        self._absences.update(absences)
        return self._results

    def _round(self, declared: "Sequence[DeclaredScenario]", laboratory: "Laboratory") -> None:
        """Find or make the recordings of what is ``declared``."""
        scenarios = self._checked(declared)
        if self._settings.mode == "replay":
            for name, scenario in scenarios.items():
                with self._one(name, "its recording was looked for"):
                    self._keys[name] = laboratory.keys.of(scenario, None)
            for name, stored in self._stored(name for name in scenarios if name in self._keys).items():
                with self._one(name, "its recording was looked for"):
                    self._replay(self._scenarios[name], stored, laboratory)
        elif scenarios:
            making = max(1, self._settings.at_once // 2)  # which keeps a processor busy, as a run does not
            with closing(laboratory.environments(scenarios, making)) as groups:
                for environments in groups:
                    self._in(environments, scenarios, laboratory)

    def _checked(self, declared: "Sequence[DeclaredScenario]") -> "dict[str, Scenario]":
        """Return the scenarios of which nothing was refused, by name."""
        checked = {}
        for each in declared:
            if each.scenario is None:
                self._absences[each.name] = MissingRecording("what the page says of it was refused")
                continue
            try:
                self._profiles.check(each.scenario)
            except ProfileError as error:
                self._absent(each, error, "config")
            else:
                checked[each.name] = each.scenario
        return checked

    def _in(
        self,
        environments: "Mapping[str, Environment | LabError]",
        scenarios: "Mapping[str, Scenario]",
        laboratory: "Laboratory",
    ) -> None:
        """Find or make the recordings of those ``scenarios`` whose ``environments`` are there."""
        wanted: dict[str, list[str]] = {}
        open_: dict[str, Environment] = {}
        for name, environment in environments.items():
            declared = self._scenarios[name]
            if isinstance(environment, LabError):
                self._keys[name] = laboratory.keys.of(scenarios[name], None)
                self._absent(declared, environment, _subtype(environment))
                continue
            with self._one(name, "its recording was looked for"):
                self._keys[name] = laboratory.keys.of(scenarios[name], environment)
                if not self._is_settled(declared, self._keys[name]):
                    open_[name] = environment
        why: dict[str, list[str]] = {}
        for name, stored in self._stored(open_).items():
            with self._one(name, "its recording was looked for"):
                again = self._why_again(self._scenarios[name], stored, open_[name], laboratory)
                if again:
                    wanted.setdefault(self._keys[name].name, []).append(name)
                    why.setdefault(summarize(again), []).append(name)
                elif isinstance(stored, Header):
                    self._found(self._scenarios[name], stored)
        if wanted:
            self._tell_why(why)
            self._run(wanted, laboratory)

    @contextmanager
    def _one(self, name: str, doing: str) -> Iterator[None]:
        """Have what is unexpected in the block concern the scenario ``name`` alone."""
        try:
            yield
        except LabError as error:
            self._absent(self._scenarios[name], error, _subtype(error))
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one scenario's trouble
            self._absent(self._scenarios[name], LabError(self._bugs.message(error, doing, name)), "run")

    def _is_settled(self, declared: DeclaredScenario, key: Key) -> bool:
        """Return whether the scenario was run in an earlier round of this build."""
        same, name = self._settled.get(key.name), declared.name
        if same is None:
            return False
        if same in self._stamps:
            self._stamps[name], self._djangos[name] = self._stamps[same], self._djangos[same]
            self._used[name] = self._used[same]
        else:
            self._absences[name] = self._absences[same]
        return True

    def _stored(self, names: "Iterable[str]") -> "dict[str, Header | StoreError | None]":
        """Return what stands above the recordings of the scenarios ``names``, or what is wrong with them."""
        found: dict[str, Header | StoreError | None] = {}
        for name in names:
            with self._one(name, "its recording was looked for"):
                try:
                    found[name] = stored = self._store.read_header(self._keys[name])
                except StoreError as error:
                    found[name] = error
                else:
                    self._written |= set(() if stored is None else stored.inputs.written)
        return found

    def _why_again(
        self,
        declared: DeclaredScenario,
        stored: "Header | StoreError | None",
        environment: "Environment",
        laboratory: "Laboratory",
    ) -> list[str]:
        """Return why the scenario has to be run; nothing where what is ``stored`` tells what a run would do."""
        key = self._keys[declared.name]
        if isinstance(stored, StoreError):
            return [f"the recording {stored}"]
        if self._settings.mode == "run":
            return ["djconn_mode is 'run'"]
        if stored is None:
            return ["scenario edited" if self._names.was_edited(declared.name, key.name) else "no recording"]
        changed = key.changes(stored.key)
        if changed:
            return changed
        machine = laboratory.machines.of(self._profiles.projects[key.scenario.project], environment)
        return reasons(
            stored.inputs, machine, self._written, (stored.environment, environment.installed.distributions)
        )

    def _tell_why(self, why: Mapping[str, list[str]]) -> None:
        """Say of all scenarios that are going to be run why they are; once, where many have the same reason."""
        for reason, names in why.items():
            groups: dict[str, list[str]] = {}
            for name in names:
                groups.setdefault(self._scenarios[name].group, []).append(name)
            for group, cells in groups.items():
                several = f"`{group}` ({len(cells)} of its cells)"
                subject = several if len(cells) > 1 else f"`{cells[0]}`"
                logger.info("djconn: running %s: %s", subject, reason)

    def _tell_written(self) -> None:
        """Say which files the project writes into its own folder, or beside the docs, while it runs."""
        written = {
            name for inputs in self._used.values() for name in inputs.written if root_of(name) in COMMITTED
        }
        files = sorted(display_name(name) for name in written if not name.endswith(":"))
        if files:
            logger.info(
                "djconn: while it runs, the project writes into its own folder: %s. No recording depends on "
                "what is written there; to have it written elsewhere, see `env` of djconn_project",
                summarize(files),
            )

    def _refused(self) -> bool:
        """Return whether there is a matrix whose cells nobody knows."""
        found = self._registry.declared().values()
        return any(isinstance(each, DeclaredMatrix) and not each.cells for each in found)

    def _run(self, wanted: Mapping[str, list[str]], laboratory: "Laboratory") -> None:
        """Run each of the scenarios in ``wanted`` once, under the first of its names."""
        from sphinx_djconn.lab.scheduler import Scheduler  # noqa: PLC0415 - where nothing is wanted, nobody needs it

        first = {names[0]: self._keys[names[0]].scenario for names in wanted.values()}
        with closing(Scheduler(laboratory, self._settings.at_once).run(first)) as outcomes:
            for name, outcome in status_iterator(
                outcomes,
                "running scenarios... ",
                "purple",
                len(first),
                stringify_func=lambda done: done[0],
            ):
                for same in wanted[self._keys[name].name]:
                    with self._one(same, "its recording was kept"):
                        self._take(self._scenarios[same], outcome, self._keys[name].scenario)
                self._settled[self._keys[name].name] = name

    def _replay(
        self, declared: DeclaredScenario, stored: "Header | StoreError | None", laboratory: "Laboratory"
    ) -> None:
        """Take what is ``stored``, whatever it was made from, and warn where that has changed."""
        if isinstance(stored, StoreError):
            self._missing(declared, f"the recording {stored}")
        elif stored is None:
            self._missing(declared, "there is no recording of it")
        else:
            key = self._keys[declared.name]
            machine = laboratory.machines.of(self._profiles.projects[key.scenario.project], None)
            changed = portable(key).changes(stored.key)
            changed += committed_reasons(stored.inputs, machine, self._written)
            if changed:
                self._stale(declared, f"its recording was made from something else: {summarize(changed)}")
            self._found(declared, stored)

    def _found(self, declared: DeclaredScenario, stored: Header) -> None:
        self._used[declared.name] = stored.inputs
        self._djangos[declared.name] = stored.key.parts.get("django", "")
        self._stamps[declared.name] = digest([stored.digest, self._keys[declared.name].name])
        for note in stored.notes:
            self._trouble(declared, note, "run")

    def _take(self, declared: DeclaredScenario, outcome: "ScenarioResult", ran: "Scenario") -> None:
        """Take the outcome of ``ran``, which is equal to the scenario of ``declared``."""
        if outcome.recording is None:
            error = outcome.error
            assert error is not None
            if isinstance(error, UnexpectedError) and error.__cause__ is not None:
                error = LabError(self._bugs.message(error.__cause__, "it was run", declared.name))
            self._absent(declared, error, _subtype(error), ran)
            return
        try:
            self._found(declared, self._store.write(outcome.recording))
        except StoreError as error:
            self._absent(declared, LabError(str(error)), "run")

    def _absent(
        self, declared: DeclaredScenario, error: LabError, subtype: str, ran: "Scenario | None" = None
    ) -> None:
        if subtype == "absent" and self._use_from_elsewhere(declared, error):
            return
        log = error.log if isinstance(error, (RunError, EnvironmentMakingError)) else ()
        self._absences[declared.name] = MissingRecording(error.message, log, subtype)
        line, own = error.line, declared.scenario
        if ran is not None and own is not None and line in ran.sequence.lines:
            line = own.sequence.lines[ran.sequence.lines.index(line)]
        self._trouble(declared, error.message, subtype, log, line)

    def _use_from_elsewhere(self, declared: DeclaredScenario, error: LabError) -> bool:
        """Return whether a recording from another machine serves, because this one lacks what the run needs."""
        key = self._keys.get(declared.name)
        if key is None:
            return False
        try:
            stored = None if self._settings.mode == "run" else self._store.read_header(key)
        except StoreError:
            return False
        if stored is None or not is_usable(stored, key, self._profiles):
            return False
        assert self._machines is not None, "known since it was gathered"
        machine = self._machines.of(self._profiles.projects[key.scenario.project], None)
        if committed_reasons(stored.inputs, machine, {*self._written, *stored.inputs.written}):
            return False
        self._found(declared, stored)
        self._from_elsewhere = True
        logger.info("djconn: %s; using the recording of `%s`", error.message, declared.name)
        return True

    def _missing(self, declared: DeclaredScenario, message: str) -> None:
        """Say that nothing serves, and nothing may run."""
        self._absences[declared.name] = MissingRecording(message, subtype="stale")
        self._stale(declared, f"{message}, and djconn_mode = 'replay' runs nothing")

    def _stale(self, declared: DeclaredScenario, message: str) -> None:
        advice = "build once with djconn_mode = 'auto', and commit the folder of djconn_recordings"
        self._trouble(declared, f"{message}; {advice}", "stale")

    def _trouble(
        self,
        declared: DeclaredScenario,
        message: str,
        subtype: str,
        log: Sequence[str] = (),
        line: int | None = None,
    ) -> None:
        place = declared.place if line is None else declared.line_at(line)
        self._troubles.append(_Failure(declared, message, subtype, tuple(log), str(place)))

    def _tell(self) -> None:
        """Warn of all troubles in the order of the pages; once, where many cells have the same."""
        order = {name: index for index, name in enumerate(self._scenarios)}
        alike: dict[tuple[str, ...], list[_Failure]] = {}
        for each in sorted(self._troubles, key=lambda each: order[each.declared.name]):
            alike.setdefault((each.declared.group, each.message, each.subtype, each.place), []).append(each)
        for first, *others in alike.values():
            tail = "\n    ".join(["", "the end of the log:", *first.log]) if first.log else ""
            more = f" (and {len(others)} more of its cells)" if others else ""
            warn(first.declared.subject + more, first.message + tail, first.subtype, first.place)


def _subtype(error: LabError) -> str:
    """Return the type of a warning: the docs are wrong, this machine lacks something, or a run failed."""
    if isinstance(error, UnresolvedError):
        return "config"
    return "absent" if isinstance(error, AbsentError) else "run"


def is_suppressed(subtype: str, config: Config) -> bool:
    """Return whether ``suppress_warnings`` of conf.py suppresses the warnings ``djconn.`` + ``subtype``."""
    return logging.is_suppressed_warning("djconn", subtype, config.suppress_warnings)
