"""Finds the recordings in the store, and says why one cannot be used."""

from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.foreign_recordings import is_usable
from sphinx_djconn.ext.recording_names import RecordingNames
from sphinx_djconn.lab.environments.environment import Environment
from sphinx_djconn.lab.fingerprint import portable
from sphinx_djconn.lab.inputs.machine import Machine, Machines
from sphinx_djconn.lab.inputs.reasons import committed_reasons, reasons
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.store import Header, Key, Store, StoreError


class RecordingFinder:
    """Looks up recordings in ``store``, and compares them with the project as it is on this machine.

    ``used_foreign`` says whether a recording of another machine is used.
    """

    def __init__(
        self, store: Store, profiles: Profiles, settings: Settings, machines: Machines, names: RecordingNames
    ) -> None:
        self.used_foreign = False
        self._store = store
        self._profiles = profiles
        self._settings = settings
        self._machines = machines
        self._names = names
        self._written: set[str] = set()

    def find(self, fingerprint: Key) -> Header | StoreError | None:
        """Return the recording for ``fingerprint`` without its traces, or the error of its file.

        All recordings of a build are looked up before one is compared: what any run wrote is an input of none.
        """
        try:
            stored = self._store.read_header(fingerprint)
        except StoreError as error:
            return error
        if stored is not None:
            self._written.update(stored.inputs.written)
        return stored

    def reasons_to_run(
        self, name: str, fingerprint: Key, stored: Header | StoreError | None, environment: Environment
    ) -> list[str]:
        """Return why the scenario ``name`` must be run; nothing if ``stored`` is valid."""
        if isinstance(stored, StoreError):
            return [f"the recording {stored}"]
        if self._settings.mode == "run":
            return ["djconn_mode is 'run'"]
        if stored is None:
            edited = self._names.was_edited(name, fingerprint.name)
            return ["scenario edited" if edited else "no recording"]
        changes = fingerprint.changes(stored.key)
        if changes:
            return changes
        distributions = stored.environment, environment.installed.distributions
        return reasons(stored.inputs, self._machine(fingerprint, environment), self._written, distributions)

    def changes_since(self, fingerprint: Key, stored: Header) -> list[str]:
        """Return what has changed since ``stored`` was recorded, as far as a replay can tell."""
        return [
            *portable(fingerprint).changes(stored.key),
            *committed_reasons(stored.inputs, self._machine(fingerprint, None), self._written),
        ]

    def find_foreign(self, fingerprint: Key) -> Header | None:
        """Return a recording of another machine that can be used because this one cannot run the scenario."""
        if self._settings.mode == "run":
            return None
        stored = self.find(fingerprint)
        if not isinstance(stored, Header) or not is_usable(stored, fingerprint, self._profiles):
            return None
        if committed_reasons(stored.inputs, self._machine(fingerprint, None), self._written):
            return None
        self.used_foreign = True
        return stored

    def _machine(self, fingerprint: Key, environment: Environment | None) -> Machine:
        return self._machines.of(self._profiles.projects[fingerprint.scenario.project], environment)
