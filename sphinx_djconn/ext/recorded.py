"""What a build has on disk for its scenarios: recordings, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sphinx_djconn.ext.bugs import Bugs
from sphinx_djconn.store import Key, Recording, Store, StoreError

if TYPE_CHECKING:
    from sphinx_djconn.trace.facts import Facts

_IN_MEMORY: Final = 8
"""How many recordings are held at a time: a page asks for the same few again and again."""


@dataclass(frozen=True)
class MissingRecording:
    """Why a scenario has no recording: a message, the end of the server's log, and the type of its warning."""

    message: str
    log: tuple[str, ...] = ()
    subtype: str = "config"

    @property
    def uninstalled(self) -> bool:
        """Whether this machine lacks what the scenario needs: the page may well be right."""
        return self.subtype == "absent"


class Recorded:
    """The recordings of one build, read when they are asked for.

    ``keys`` and ``stamps`` are those of the scenarios that have a recording in ``store``: a stamp
    changes whenever a recording does. ``absences`` are the others'. ``lost`` are those whose recording could
    not be used when it was needed: their names, why, and the type of the warning.
    """

    def __init__(
        self,
        store: Store,
        keys: Mapping[str, Key],
        stamps: Mapping[str, str],
        absences: dict[str, MissingRecording],
        bugs: Bugs | None = None,
    ) -> None:
        self.absences = absences
        self.bugs = bugs or Bugs()
        self.lost: list[tuple[str, str, str]] = []
        self._store = store
        self._keys = keys
        self._stamps = stamps
        self._recordings: dict[str, Recording] = {}
        self._facts: dict[str, list[Facts]] = {}

    def recording(self, scenario: str) -> Recording | None:
        """Return the recording of ``scenario``; ``None`` where there is an absence instead."""
        if scenario in self.absences:
            return None
        if scenario not in self._recordings and scenario in self._stamps:
            recording = self._read(scenario)
            if recording is None:
                return None
            self._recordings[scenario] = recording
            if len(self._recordings) > _IN_MEMORY:
                del self._recordings[next(iter(self._recordings))]
        return self._recordings.get(scenario)

    def _read(self, scenario: str) -> Recording | None:
        """Return the recording of ``scenario``; note that it is absent where it cannot be read any more."""
        try:
            recording = self._store.read(self._keys[scenario])
        except StoreError as error:
            advice = "remove that file, or build once with djconn_mode = 'run'"
            self.lose(scenario, f"the recording {error}; {advice}", "stale")
            return None
        except Exception as error:  # noqa: BLE001 - one scenario's trouble
            self.lose(scenario, self.bugs.message(error, "its recording was read", scenario), "run")
            return None
        if recording is None:
            message = (
                "its recording was removed while the docs were built, perhaps by a build of other docs with "
                "the same folder for doctrees; build again"
            )
            self.lose(scenario, message, "stale")
        return recording

    def lose(self, scenario: str, message: str, subtype: str) -> None:
        """Note that nothing of ``scenario`` can be used, though its recording was found; warn of it."""
        if scenario not in self.absences:
            self.absences[scenario] = MissingRecording(message)
            self.lost.append((scenario, message, subtype))
            self._facts[scenario] = []
            self.told(scenario, message, subtype)

    def told(self, scenario: str, message: str, subtype: str) -> None:
        """Warn of ``scenario``; who knows its place overrides this."""

    def facts(self, scenario: str) -> "list[Facts]":
        """Return the facts of every run of ``scenario``."""
        from sphinx_djconn.trace.facts import facts_of  # noqa: PLC0415 - judgements are kept from build to build

        if scenario not in self._facts:
            recording = self.recording(scenario)
            runs = () if recording is None else recording.runs
            try:
                self._facts[scenario] = [facts_of(run) for run in runs]
            except Exception as error:  # noqa: BLE001 - one scenario's trouble
                self.lose(scenario, self.bugs.message(error, "its facts were read", scenario), "run")
        return self._facts[scenario]

    def stamp(self, scenario: str) -> str:
        """Return what changes whenever the recording of ``scenario`` does, or why there is none."""
        absence = self.absences.get(scenario)
        return self._stamps.get(scenario, "") if absence is None else absence.message
