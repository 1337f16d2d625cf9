"""The check: after all pages are read, run what has no valid recording, judge every claim, log the warnings.

It runs once, in Sphinx's main process, even if pages are read or written in parallel.
"""

import time
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from string import ascii_lowercase

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from sphinx_djconn.ext.bisection import bisections
from sphinx_djconn.ext.bug_reports import BugReports
from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.configured_profiles import read_profiles
from sphinx_djconn.ext.domain import DjconnDomain
from sphinx_djconn.ext.judgement_cache import JudgementCache
from sphinx_djconn.ext.messages import is_suppressed, warn
from sphinx_djconn.ext.outdated import WrittenPages
from sphinx_djconn.ext.recording_finder import RecordingFinder
from sphinx_djconn.ext.recording_names import RecordingNames
from sphinx_djconn.ext.recordings import MissingRecording, Recordings
from sphinx_djconn.ext.registry import DeclaredMatrix, Problem, Registry, SourceLocation
from sphinx_djconn.ext.results import Results
from sphinx_djconn.ext.runner import Runner
from sphinx_djconn.ext.scenario_warnings import ScenarioWarnings
from sphinx_djconn.ext.up_to_date import Dependencies, make_stamp
from sphinx_djconn.inputs import Inputs
from sphinx_djconn.lab.environments.environment import CURRENT, current
from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.inputs.files import Files
from sphinx_djconn.lab.inputs.machine import Machines
from sphinx_djconn.lab.inputs.reasons import summarize
from sphinx_djconn.lab.inputs.roots import COMMITTED, checkout, display_name, root_of
from sphinx_djconn.lab.inputs.variables import ALL
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.lab.profiles.profiles import Profiles
from sphinx_djconn.store import Store

logger = logging.getLogger(__name__)


def warm_up(app: Sphinx, domain: DjconnDomain, docnames: list[str]) -> None:
    """Start to import Django while ``docnames`` are read, if one of them is likely to have a scenario."""
    pages = domain.registry.pages
    if pages and not any(docname in pages for docname in docnames):
        return
    with suppress(ProfileError):  # the check reports it
        settings = Settings.of(app.config)
        if settings.mode == "replay":
            return
        domain.laboratory = laboratory = _laboratory(app, settings)
        # If there are recordings, it may be that nothing has to run.
        folder = settings.recordings_folder(Path(app.confdir), Path(app.doctreedir))
        # With -j, Sphinx forks to read pages: the forks would hold pipes of the processes that make databases.
        databases = app.parallel == 1 and not any(folder.glob("*.json"))
        laboratory.warm_up(databases=databases)
        if databases:
            app.connect("doctree-read", partial(_start_database_servers, domain, laboratory))


def _start_database_servers(
    domain: DjconnDomain, laboratory: Laboratory, app: Sphinx, _: nodes.document
) -> None:
    """Start the database servers of a page while other pages are read."""
    page = domain.registry.pages.get(app.env.docname)
    if page is not None:
        declared = page.runnable()
        laboratory.begin_servers(each.scenario for each in declared if each.scenario is not None)


def check(app: Sphinx, domain: DjconnDomain) -> Results:
    """Bring all results up to date, and log a warning for everything that is not as declared."""
    registry = domain.registry
    try:
        results = _run(app, registry, domain.laboratory)
    except ProfileError as error:
        conf = Path(app.confdir, "conf.py")
        warn("conf.py", error.message, "config", str(_location_in_conf(error.message, conf)))
        recordings = Recordings(registry.scenarios(), Store(Path()))
        missing = MissingRecording(f"conf.py: {error.message}")
        recordings.missing = dict.fromkeys(recordings.scenarios, missing)
        results = Results(registry, recordings, bisections(registry, recordings, JudgementCache(registry)))
    domain.output_format = app.builder.format
    if _log_warnings(results):
        results.stamp = None
    return results


def _run(app: Sphinx, registry: Registry, laboratory: Laboratory | None) -> Results:
    settings = Settings.of(app.config)
    doctrees = Path(app.doctreedir)
    store = Store(settings.recordings_folder(Path(app.confdir), doctrees))
    recordings = Recordings(registry.scenarios(), store, BugReports(doctrees / "djconn" / "bugs"))
    searches = bisections(registry, recordings, JudgementCache(registry))
    names = RecordingNames(doctrees)
    warnings = ScenarioWarnings()
    with closing(laboratory or _laboratory(app, settings)) as lab:
        started = time.time_ns()
        finder = RecordingFinder(store, lab.profiles, settings, lab.machines, names)
        Runner(recordings, finder, lab, store, settings, warnings).run(searches.values())
        _log_written_files(recordings.inputs.values())
        warnings.log(recordings.scenarios)
        names.update({name: fingerprint.name for name, fingerprint in recordings.fingerprints.items()})
        _prune(store, settings, registry, recordings)
        results = Results(registry, recordings, searches, accept_missing=is_suppressed("absent", app.config))
        results.problems.extend(_too_few_claims(results, settings, Path(app.confdir, "conf.py")))
        if not warnings and not finder.used_foreign and _depend_on_files_only(recordings, lab.profiles):
            dependencies = _dependencies(recordings, settings, lab.profiles, lab.machines)
            results.stamp = make_stamp(app, dependencies, store.folder, started)
        return results


def _laboratory(app: Sphinx, settings: Settings) -> Laboratory:
    confdir, doctrees = Path(app.confdir), Path(app.doctreedir)
    excluded = [Path(app.srcdir), doctrees, *WrittenPages(app).output_folders()]
    profiles = read_profiles(settings, confdir, excluded)
    return Laboratory(
        profiles,
        doctrees / "djconn" / "databases",
        settings.timeout,
        warm=settings.warm and settings.mode != "replay",
        unsupported=settings.unsupported_pythons,
        report=logger.info,
        checkout=checkout(confdir),
        files=Files(doctrees / "djconn" / "files.json"),
    )


def _prune(store: Store, settings: Settings, registry: Registry, recordings: Recordings) -> None:
    """Remove recordings that no page needs, if the folder is ours and no scenario has an error."""
    ours = settings.mode != "replay" and settings.recordings is None
    declared = registry.declarations().values()
    complete = all(each.cells for each in declared if isinstance(each, DeclaredMatrix))
    if ours and complete and not recordings.missing:
        store.prune(recordings.fingerprints.values())


def _log_written_files(inputs: Iterable[Inputs]) -> None:
    """Log which files the project writes into its own folder, or beside the docs, while it runs."""
    written = {name for each in inputs for name in each.written if root_of(name) in COMMITTED}
    files = sorted(display_name(name) for name in written if not name.endswith(":"))
    if files:
        logger.info(
            "djconn: while it runs, the project writes into its own folder: %s. No recording depends on "
            "what is written there; to have it written elsewhere, see `env` of djconn_project",
            summarize(files),
        )


def _depend_on_files_only(recordings: Recordings, profiles: Profiles) -> bool:
    """Return whether no recording depends on a database server or another environment."""
    return all(
        fingerprint.scenario.environment == CURRENT
        and not profiles.databases[fingerprint.scenario.database].has_server
        for fingerprint in recordings.fingerprints.values()
    )


def _dependencies(
    recordings: Recordings, settings: Settings, profiles: Profiles, machines: Machines
) -> Dependencies:
    """Return the paths and variables that the recordings depend on."""
    environment = None if settings.mode == "replay" else current()
    paths: set[str] = set()
    variables: set[str] = set()
    for name, inputs in recordings.inputs.items():
        project = profiles.projects[recordings.fingerprints[name].scenario.project]
        paths.update(machines.of(project, environment).watched_paths(inputs))
        variables.update(inputs.variables)
    return Dependencies(paths, None if ALL in variables else variables)


def _too_few_claims(results: Results, settings: Settings, conf: Path) -> list[Problem]:
    """Return the problem that the pages make fewer claims than conf.py requires, if they do."""
    count = len(results.claims)
    if count >= settings.minimum_claims:
        return []
    message = (
        f"djconn_minimum_claims is {settings.minimum_claims}, and the pages make {count or 'no'} "
        f"claim{'s' if count != 1 else ''}; find those that are missing (a page that is excluded, a directive "
        "that has become a comment), or lower the number"
    )
    return [Problem("conf.py", message, _location_in_conf(message, conf))]


def _location_in_conf(message: str, conf: Path) -> SourceLocation:
    """Return the location of the variable with which ``message`` begins."""
    variable = message[: len(message) - len(message.lstrip(f"{ascii_lowercase}_"))]
    lines = conf.read_text("utf-8").splitlines() if conf.exists() else []
    line = next((n for n, text in enumerate(lines, 1) if text.startswith(variable)), 1)
    return SourceLocation("conf.py", str(conf), line)


def _log_warnings(results: Results) -> bool:
    """Log a warning for each problem and each claim that is not as declared; return whether there is any."""
    for problem in results.problems:
        warn(problem.subject, problem.message, problem.subtype, str(problem.location))
    failed = [
        claim
        for claim in results.claims.values()
        if not results.is_as_declared(claim) and not results.is_not_checked(claim.name)
    ]
    for claim in failed:
        judgement = results.judgement(claim.name)
        kind = "expect" if claim.expect else "sometimes"
        release = "" if claim.releases is None else f"`:{claim.releases.direction}:`, or "
        message = results.errors.get(claim.name) or (
            f"{judgement.verdict}, but declared `{claim.declared}`: "
            f"“{claim.sentence}” In `{claim.target_text}`, `:{kind}: {claim.expression}` was "
            f"checked; {judgement.reason}. Correct {release}the sentence and the expression, or declare "
            f"`:verdict: {judgement.verdict}`"
        )
        warn(claim.subject, message, results.warning_type(claim), str(claim.location))
    return bool(failed or results.problems or results.recordings.unreadable)
