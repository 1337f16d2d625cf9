"""The recordings of one build by scenario, or why a scenario has none."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sphinx_djconn.ext.bug_reports import BugReports
from sphinx_djconn.ext.messages import warn
from sphinx_djconn.ext.registry import DeclaredScenario
from sphinx_djconn.hashing import digest
from sphinx_djconn.inputs import Inputs
from sphinx_djconn.store import Header, Key, Recording, Store, StoreError
from sphinx_djconn.trace.facts import Facts, facts_of

_IN_MEMORY: Final = 8
"""How many recordings are kept in memory: a page needs the same few again and again."""


@dataclass(frozen=True)
class MissingRecording:
    """Why a scenario has no recording: a message, the end of the server's log, and the type of its warning."""

    message: str
    log: tuple[str, ...] = ()
    subtype: str = "config"

    @property
    def not_installed(self) -> bool:
        """Whether this machine lacks what the scenario needs: the page may be correct."""
        return self.subtype == "absent"


class Recordings:
    """The recordings of ``scenarios``, read from ``store`` when they are needed.

    ``fingerprints`` holds what each recording has to be made with. ``missing`` says why a scenario has no
    recording. ``unreadable`` lists the scenarios whose recording was found, but could not be used later.
    """

    def __init__(
        self, scenarios: dict[str, DeclaredScenario], store: Store, bug_reports: BugReports | None = None
    ) -> None:
        self.scenarios = scenarios
        self.bug_reports = bug_reports or BugReports()
        self.fingerprints: dict[str, Key] = {}
        self.inputs: dict[str, Inputs] = {}
        self.missing: dict[str, MissingRecording] = {}
        self.unreadable: list[str] = []
        self._store = store
        self._digests: dict[str, str] = {}
        self._djangos: dict[str, str] = {}
        self._read: dict[str, Recording] = {}
        self._facts: dict[str, list[Facts]] = {}

    def add(self, name: str, stored: Header) -> None:
        """Use ``stored`` as the recording of the scenario ``name``."""
        self.inputs[name] = stored.inputs
        self._djangos[name] = stored.key.parts.get("django", "")
        self._digests[name] = digest([stored.digest, self.fingerprints[name].name])

    def copy(self, source: str, name: str) -> None:
        """Use for ``name`` what there is of the equal scenario ``source``."""
        if source in self._digests:
            self.inputs[name] = self.inputs[source]
            self._djangos[name] = self._djangos[source]
            self._digests[name] = self._digests[source]
        else:
            self.missing[name] = self.missing[source]

    def recording(self, name: str) -> Recording | None:
        """Return the recording of the scenario ``name``, or ``None`` if it is missing."""
        if name in self.missing:
            return None
        if name not in self._read and name in self._digests:
            recording = self._load(name)
            if recording is None:
                return None
            self._read[name] = recording
            if len(self._read) > _IN_MEMORY:
                del self._read[next(iter(self._read))]
        return self._read.get(name)

    def facts(self, name: str) -> list[Facts]:
        """Return the facts of every run of the scenario ``name``."""
        if name not in self._facts:
            recording = self.recording(name)
            runs = () if recording is None else recording.runs
            try:
                self._facts[name] = [facts_of(run) for run in runs]
            except Exception as error:  # noqa: BLE001 - concerns one scenario
                self._set_unreadable(name, self.bug_reports.message(error, "its facts were read", name), "run")
        return self._facts[name]

    def digest(self, name: str) -> str:
        """Return a text that changes whenever the recording of ``name`` does, or why it is missing."""
        missing = self.missing.get(name)
        return self._digests.get(name, "") if missing is None else missing.message

    def without_run(self, cells: Iterable[DeclaredScenario]) -> list[DeclaredScenario]:
        """Return those of ``cells`` that have no recording."""
        return [cell for cell in cells if cell.scenario is None or cell.name in self.missing]

    def not_installed(self, cells: Iterable[DeclaredScenario]) -> tuple[str, ...]:
        """Return what is not installed, if that is why each of ``cells`` has no recording; else nothing."""
        reasons = [self.missing.get(cell.name) for cell in cells]
        messages = [reason.message for reason in reasons if reason is not None and reason.not_installed]
        return tuple(dict.fromkeys(messages)) if len(messages) == len(reasons) else ()

    def djangos(self, names: Iterable[str]) -> set[str]:
        """Return the versions of Django with which the scenarios ``names`` were recorded."""
        return {self._djangos[name] for name in names if name in self._djangos}

    def _load(self, name: str) -> Recording | None:
        try:
            recording = self._store.read(self.fingerprints[name])
        except StoreError as error:
            advice = "remove that file, or build once with djconn_mode = 'run'"
            self._set_unreadable(name, f"the recording {error}; {advice}", "stale")
            return None
        except Exception as error:  # noqa: BLE001 - concerns one scenario
            message = self.bug_reports.message(error, "its recording was read", name)
            self._set_unreadable(name, message, "run")
            return None
        if recording is None:
            message = (
                "its recording was removed while the docs were built, perhaps by a build of other docs with "
                "the same folder for doctrees; build again"
            )
            self._set_unreadable(name, message, "stale")
        return recording

    def _set_unreadable(self, name: str, message: str, subtype: str) -> None:
        """Note that the recording of ``name`` was found but cannot be used, and warn."""
        if name not in self.missing:
            self.missing[name] = MissingRecording(message)
            self.unreadable.append(name)
            self._facts[name] = []
            declared = self.scenarios[name]
            warn(declared.subject, message, subtype, str(declared.location))
