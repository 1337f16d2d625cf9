"""The face of the lab: what runs a scenario and returns its recording."""

import threading
from pathlib import Path

from sphinx_djconn.lab.errors import Cancelled
from sphinx_djconn.lab.keys import key_of
from sphinx_djconn.lab.profiles import Profiles
from sphinx_djconn.lab.projects import Databases
from sphinx_djconn.lab.run import Run
from sphinx_djconn.scenario import Scenario
from sphinx_djconn.store import Recording

DEFAULT_TIMEOUT = 30.0
"""Seconds that one run may take, where nothing else is said."""


class Laboratory:
    """Runs scenarios. ``cache`` keeps prepared databases; ``timeout`` is in seconds, for one run."""

    def __init__(self, profiles: Profiles, cache: Path, timeout: float = DEFAULT_TIMEOUT) -> None:
        self.profiles = profiles
        self._databases = Databases(cache)
        self._timeout = timeout
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def run(self, scenario: Scenario, notes: list[str] | None = None) -> Recording:
        """Execute every run of ``scenario``; add to ``notes`` what a warning should say.

        Raises :class:`ProfileError`, :class:`RunError` and ``Cancelled``.
        """
        self.profiles.check(scenario)
        key = key_of(scenario, self.profiles)
        seconds = self._timeout if scenario.timeout is None else scenario.timeout
        traces = []
        for _ in range(scenario.runs):
            run = Run(scenario, self.profiles, self._databases, seconds)
            with self._lock:
                if self._cancelled:
                    raise Cancelled
                self._runs.add(run)
            try:
                traces.append(run.execute())
            finally:
                self._runs.discard(run)
            if notes is not None:
                notes.extend(note for note in run.notes if note not in notes)
        return Recording(key, tuple(traces))

    def cancel(self) -> None:
        """End every run that is going on, and begin no other."""
        with self._lock:
            self._cancelled = True
            for run in self._runs:
                run.cancel()
