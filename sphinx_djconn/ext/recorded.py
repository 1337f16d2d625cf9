"""What a build has on disk for its scenarios: recordings, or why there is none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sphinx_djconn.store import Key, Recording, Store
from sphinx_djconn.values import value

if TYPE_CHECKING:
    from sphinx_djconn.trace import Facts

_IN_MEMORY: Final = 8
"""How many recordings are held at a time: a page asks for the same few again and again."""


@value
class Absence:
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
    changes whenever a recording does. ``absences`` are the others'.
    """

    def __init__(
        self,
        store: Store,
        keys: Mapping[str, Key],
        stamps: Mapping[str, str],
        absences: Mapping[str, Absence],
    ) -> None:
        self.absences = absences
        self._store = store
        self._keys = keys
        self._stamps = stamps
        self._recordings: dict[str, Recording] = {}
        self._facts: dict[str, list[Facts]] = {}

    def recording(self, scenario: str) -> Recording | None:
        """Return the recording of ``scenario``; ``None`` where there is an absence instead."""
        if scenario not in self._recordings and scenario in self._stamps:
            recording = self._store.read(self._keys[scenario])
            assert recording is not None, "it was there when the build began to write"
            self._recordings[scenario] = recording
            if len(self._recordings) > _IN_MEMORY:
                del self._recordings[next(iter(self._recordings))]
        return self._recordings.get(scenario)

    def facts(self, scenario: str) -> "list[Facts]":
        """Return the facts of every run of ``scenario``."""
        from sphinx_djconn.trace import facts_of  # noqa: PLC0415 - judgements are kept from build to build

        if scenario not in self._facts:
            recording = self.recording(scenario)
            runs = () if recording is None else recording.runs
            self._facts[scenario] = [facts_of(run) for run in runs]
        return self._facts[scenario]

    def stamp(self, scenario: str) -> str:
        """Return what changes whenever the recording of ``scenario`` does, or why there is none."""
        absence = self.absences.get(scenario)
        return self._stamps.get(scenario, "") if absence is None else absence.message
