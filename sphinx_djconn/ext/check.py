"""After all pages are read: run what has no valid recording, judge every claim, say what is wrong.

Runs once, in Sphinx's main process, whatever reads or writes pages in parallel.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.display import status_iterator

from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.registry import DeclaredScenario, Registry
from sphinx_djconn.ext.results import Absence, FactError, Results
from sphinx_djconn.lab import LabError, Laboratory, Outcome, ProfileError, Profiles, Scheduler
from sphinx_djconn.lab.errors import RunError
from sphinx_djconn.lab.keys import key_of, portable
from sphinx_djconn.store import Key, Store, StoreError, digest

logger = logging.getLogger(__name__)


def check(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Bring every result up to date; return the pages that have to be written anew for it."""
    domain = env.get_domain("djconn")
    registry = Registry(domain.data)
    if not registry.pages:
        domain.results = Results(registry, Store(Path()), {}, {}, {})  # type: ignore[attr-defined]
        return []
    try:
        settings = Settings.of(app.config)
        profiles = settings.profiles(Path(app.confdir))
    except ProfileError as error:
        raise ExtensionError(f"conf.py: {error.message}") from error
    store = Store(settings.recordings_folder(Path(app.confdir), Path(app.doctreedir)))
    gathering = _Gathering(registry.scenarios(), profiles, store, settings)
    gathering.gather(Path(app.doctreedir) / "djconn" / "databases")
    if settings.recordings is None and settings.mode != "replay":
        store.prune(gathering.keys.values())
    results = gathering.results(registry)
    domain.results = results  # type: ignore[attr-defined]
    _report(registry, results)
    return list(_outdated(registry, results))


class _Gathering:
    """Finds or makes a recording of every scenario; says at its place why one has none."""

    def __init__(
        self,
        scenarios: Mapping[str, DeclaredScenario],
        profiles: Profiles,
        store: Store,
        settings: Settings,
    ) -> None:
        self.keys: dict[str, Key] = {}
        self._stamps: dict[str, str] = {}
        self._absences: dict[str, Absence] = {}
        self._scenarios = scenarios
        self._profiles = profiles
        self._store = store
        self._settings = settings

    def results(self, registry: Registry) -> Results:
        return Results(registry, self._store, self.keys, self._stamps, self._absences)

    def gather(self, databases: Path) -> None:
        wanted: dict[str, list[str]] = {}
        for name, declared in self._scenarios.items():
            if declared.scenario is None:
                self._absences[name] = Absence("what the page says of it was refused")
                continue
            try:
                self._profiles.check(declared.scenario)
            except ProfileError as error:
                self._absent(declared, error, "config")
                continue
            self.keys[name] = key = key_of(declared.scenario, self._profiles)
            if not self._find(declared, key):
                wanted.setdefault(key.name, []).append(name)
        if self._settings.mode == "replay":
            return
        laboratory = Laboratory(self._profiles, databases, self._settings.timeout)
        scheduler = Scheduler(laboratory, self._settings.at_once)
        first = {names[0]: self.keys[names[0]].scenario for names in wanted.values()}
        for name, outcome in status_iterator(
            scheduler.run(first),
            "running scenarios... ",
            "purple",
            len(first),
            stringify_func=lambda done: done[0],
        ):
            for same in wanted[self.keys[name].name]:
                self._take(self._scenarios[same], outcome)

    def _find(self, declared: DeclaredScenario, key: Key) -> bool:
        """Return whether a stored recording serves, or has to, since nothing may run."""
        replay = self._settings.mode == "replay"
        if self._settings.mode == "run":
            return False
        try:
            stored = self._store.parts(key)
        except StoreError as error:
            if replay:
                self._stale(declared, f"{error}; build once with djconn_mode = 'auto'")
                self._absences[declared.name] = Absence(str(error))
            else:
                logger.info("djconn: %s; running `%s` again", error, declared.name)
            return replay
        if stored is None:
            if replay:
                message = "no recording of it exists, and djconn_mode = 'replay' runs nothing"
                self._stale(declared, f"{message}; build once with 'auto', and commit the folder")
                self._absences[declared.name] = Absence(message)
            return replay
        if replay:
            differing = portable(key).differences(stored)
            if differing:
                self._stale(
                    declared,
                    f"its recording was made with another {' and '.join(differing)}; build once with "
                    "djconn_mode = 'auto', and commit the folder",
                )
        elif dict(stored.parts) != dict(key.parts):
            return False
        self._stamps[declared.name] = self._stamp(key)
        return True

    def _take(self, declared: DeclaredScenario, outcome: Outcome) -> None:
        for note in outcome.notes:
            logger.warning(
                "djconn:scenario `%s`: %s",
                declared.name,
                note,
                type="djconn",
                subtype="run",
                location=str(declared.place),
            )
        if outcome.recording is None:
            assert outcome.error is not None
            self._absent(declared, outcome.error, "run")
            return
        try:
            self._store.write(outcome.recording)
        except StoreError as error:
            self._absent(declared, LabError(f"{error}; make room"), "run")
            return
        self._stamps[declared.name] = self._stamp(outcome.recording.key)

    def _stamp(self, key: Key) -> str:
        """Return what changes whenever the recording's file does."""
        status = self._store.path(key).stat()
        return digest([key.name, status.st_mtime_ns, status.st_size])

    def _absent(self, declared: DeclaredScenario, error: LabError, subtype: str) -> None:
        log = error.log if isinstance(error, RunError) else ()
        self._absences[declared.name] = Absence(error.message, log)
        place = str(declared.place)
        if isinstance(error, RunError) and error.line is not None:
            place = declared.place.moved(declared.body_offset + error.line)
        tail = "\n    ".join(["", "the end of the server's log:", *log]) if log else ""
        logger.warning(
            "djconn:scenario `%s`: %s%s",
            declared.name,
            error.message,
            tail,
            type="djconn",
            subtype=subtype,
            location=place,
        )

    def _stale(self, declared: DeclaredScenario, message: str) -> None:
        logger.warning(
            "djconn:scenario `%s`: %s",
            declared.name,
            message,
            type="djconn",
            subtype="stale",
            location=str(declared.place),
        )


def _report(registry: Registry, results: Results) -> None:
    """Warn of everything on the pages that is not as declared."""
    for what, place, first in registry.repeated():
        logger.warning(
            "the %s is declared twice; the one at %s counts; give this one another name",
            what,
            first,
            type="djconn",
            subtype="config",
            location=str(place),
        )
    for claim in results.claims.values():
        judgement = results.judgement(claim.name)
        misplaced = results.misplaced.get(claim.name)
        if misplaced is None and judgement.verdict == claim.declared:
            continue
        if misplaced is not None:
            message = misplaced
        else:
            kind = "expect" if claim.expect else "sometimes"
            message = (
                f"is {judgement.verdict}, but declared `{claim.declared}`: "
                f"“{claim.sentence}” In `{claim.scenario}`, `:{kind}: {claim.expression}` was "
                f"checked; {judgement.reason}. Correct the sentence and the expression, or declare "
                f"`:verdict: {judgement.verdict}`"
            )
        logger.warning(
            "djconn:claim `%s` %s",
            claim.name,
            message,
            type="djconn",
            subtype="claim",
            location=str(claim.place),
        )
    for page in registry.pages.values():
        for use in page.facts:
            try:
                results.figure(use.scenario, use.expression)
            except FactError as error:
                logger.warning(
                    "djconn:fact `%s`: %s",
                    f"{use.scenario} {use.expression}".strip(),
                    error,
                    type="djconn",
                    subtype="config",
                    location=str(use.place),
                )


def _outdated(registry: Registry, results: Results) -> Iterator[str]:
    for docname, page in sorted(registry.pages.items()):
        shown = results.shown_on(page)
        if page.written != shown:
            page.written = shown
            yield docname
