"""After all pages are read: run what has no valid recording, judge every claim, say what is wrong.

Runs once, in Sphinx's main process, whatever reads or writes pages in parallel.
"""

from contextlib import closing, suppress
from pathlib import Path
from string import ascii_lowercase

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from sphinx_djconn.claims import Verdict
from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.gathering import Gathering, warn
from sphinx_djconn.ext.registry import Registry
from sphinx_djconn.ext.results import Absence, Results
from sphinx_djconn.ext.written import Written
from sphinx_djconn.lab import Laboratory, ProfileError
from sphinx_djconn.store import Store

logger = logging.getLogger(__name__)


def warm_up(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Have Django imported while pages are read, where it is likely that one of them runs something."""
    domain = domain_of(env)
    pages = Registry(domain.data).pages
    if docnames and (not pages or any(docname in pages for docname in docnames)):
        with suppress(ProfileError):  # the check will say so
            domain.laboratory = laboratory = _laboratory(app)
            # Where recordings are kept, it may well be that the project's code does not have to run at all.
            folder = Settings.of(app.config).recordings_folder(Path(app.confdir), Path(app.doctreedir))
            # And forks of this process that read pages would hide its end from whoever makes databases.
            laboratory.warm_up(databases=app.parallel == 1 and not any(folder.glob("*.json")))


def check(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Bring every result up to date; return the pages that have to be written anew for it."""
    domain = domain_of(env)
    registry = Registry(domain.data)
    try:
        results = _gathered(app, registry, domain.laboratory)
    except ProfileError as error:
        warn("conf.py", error.message, "config", _line_of(error.message, Path(app.confdir, "conf.py")))
        absence = Absence(f"conf.py: {error.message}")
        absences = dict.fromkeys(registry.scenarios(), absence)
        results = Results(registry, Store(Path()), {}, {}, absences)
    domain.results = results
    domain.format = app.builder.format
    _report(results)
    return results.outdated(Written(app).digests)


def _gathered(app: Sphinx, registry: Registry, laboratory: Laboratory | None) -> Results:
    settings = Settings.of(app.config)
    store = Store(settings.recordings_folder(Path(app.confdir), Path(app.doctreedir)))
    with closing(laboratory or _laboratory(app)) as lab:
        return Gathering(registry, lab.profiles, store, settings).gather(lab)


def _line_of(message: str, conf: Path) -> str:
    """Return the place of the variable that ``message`` begins with."""
    variable = message[: len(message) - len(message.lstrip(f"{ascii_lowercase}_"))]
    lines = conf.read_text("utf-8").splitlines() if conf.exists() else []
    return f"{conf}:{next((n for n, line in enumerate(lines, 1) if line.startswith(variable)), 1)}"


def _laboratory(app: Sphinx) -> Laboratory:
    confdir, doctrees = Path(app.confdir), Path(app.doctreedir)
    settings = Settings.of(app.config)
    apart = [Path(app.srcdir), doctrees, *Written(app).output_folders()]
    profiles = settings.profiles(confdir, apart)
    return Laboratory(
        profiles,
        doctrees / "djconn" / "databases",
        settings.timeout,
        warm=settings.warm and settings.mode != "replay",
        unsupported=settings.unsupported_pythons,
        tell=logger.info,
    )


def note_written(app: Sphinx, exception: Exception | None) -> None:
    """Remember the results that pages were written with, now that they are written."""
    # A build that failed before the check has not closed it.
    laboratory: Laboratory | None = domain_of(app.env).laboratory
    if laboratory is not None:
        laboratory.close()
    results: Results | None = domain_of(app.env).results
    if exception is None and results is not None:
        Written(app).update(results)


def _report(results: Results) -> None:
    """Warn of everything on the pages that is not as declared."""
    for problem in results.problems:
        warn(problem.subject, problem.message, problem.subtype, str(problem.place))
    for claim in results.claims.values():
        if results.is_as_declared(claim):
            continue
        judgement = results.judgement(claim.name)
        kind = "expect" if claim.expect else "sometimes"
        release = "" if claim.releases is None else f"`:{claim.releases.direction}:`, or "
        message = results.misplaced.get(claim.name) or (
            f"{judgement.verdict}, but declared `{claim.declared}`: "
            f"“{claim.sentence}” In `{claim.told_in}`, `:{kind}: {claim.expression}` was "
            f"checked; {judgement.reason}. Correct {release}the sentence and the expression, or declare "
            f"`:verdict: {judgement.verdict}`"
        )
        unproven = judgement.verdict is Verdict.UNPROVEN
        subtype = results.claim_warning_type(claim) if unproven else "claim"
        warn(claim.subject, message, subtype, str(claim.place))
