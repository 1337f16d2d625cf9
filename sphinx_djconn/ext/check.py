"""After all pages are read: run what has no valid recording, judge every claim, say what is wrong.

Runs once, in Sphinx's main process, whatever reads or writes pages in parallel.
"""

import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from sphinx_djconn.ext.bugs import Bugs, warn
from sphinx_djconn.ext.config import Settings
from sphinx_djconn.ext.names import Names
from sphinx_djconn.ext.recorded import MissingRecording
from sphinx_djconn.ext.registry import Problem, Registry, SourceLocation
from sphinx_djconn.ext.results import Results
from sphinx_djconn.ext.runner import Runner, is_suppressed
from sphinx_djconn.ext.up_to_date import seal
from sphinx_djconn.ext.written import WrittenPages
from sphinx_djconn.lab.errors import ProfileError
from sphinx_djconn.lab.inputs.files import Files
from sphinx_djconn.lab.inputs.roots import checkout
from sphinx_djconn.lab.laboratory import Laboratory
from sphinx_djconn.store import Store

if TYPE_CHECKING:
    from sphinx_djconn.ext.domain import DjconnDomain

logger = logging.getLogger(__name__)


def warm_up(app: Sphinx, domain: "DjconnDomain", docnames: list[str]) -> None:
    """Have Django imported while ``docnames`` are read, where it is likely that one of them runs something."""
    pages = domain.registry.pages
    if pages and not any(docname in pages for docname in docnames):
        return
    with suppress(ProfileError):  # the check will say so
        settings = Settings.of(app.config)
        if settings.mode == "replay":
            return
        domain.laboratory = laboratory = _laboratory(app, settings)
        # Where recordings are kept, it may well be that the project's code does not have to run at all.
        folder = settings.recordings_folder(Path(app.confdir), Path(app.doctreedir))
        # And forks of this process that read pages would hide its end from whoever makes databases.
        databases = app.parallel == 1 and not any(folder.glob("*.json"))
        laboratory.warm_up(databases=databases)
        if databases:
            app.connect("doctree-read", partial(_begin_servers, domain, laboratory))


def _begin_servers(domain: "DjconnDomain", laboratory: Laboratory, app: Sphinx, _: nodes.document) -> None:
    """Start the database servers that a page needs while others are read."""
    page = domain.registry.pages.get(app.env.docname)
    if page is not None:
        laboratory.begin_servers(each.scenario for each in page.runnable() if each.scenario is not None)


def check(app: Sphinx, domain: "DjconnDomain") -> Results:
    """Bring every result up to date, and warn of what is wrong."""
    declared = domain.data["kept"]  # as it is before anybody reads it
    registry = domain.registry
    try:
        results = _gathered(app, declared, registry, domain.laboratory)
    except ProfileError as error:
        warn("conf.py", error.message, "config", _line_of(error.message, Path(app.confdir, "conf.py")))
        absence = MissingRecording(f"conf.py: {error.message}")
        absences = dict.fromkeys(registry.scenarios(), absence)
        results = Results(registry, Store(Path()), {}, {}, absences)
    domain.format = app.builder.format
    if _report(results):
        results.seal = None
    return results


def _gathered(app: Sphinx, declared: object, registry: Registry, laboratory: Laboratory | None) -> Results:
    settings = Settings.of(app.config)
    store = Store(settings.recordings_folder(Path(app.confdir), Path(app.doctreedir)))
    with closing(laboratory or _laboratory(app, settings)) as lab:
        begun = time.time_ns()
        names = Names(Path(app.doctreedir))
        accepted = is_suppressed("absent", app.config)
        bugs = Bugs(Path(app.doctreedir) / "djconn" / "bugs")
        gathering = Runner(registry, lab.profiles, store, settings, names, bugs, accepts_absence=accepted)
        results = gathering.gather(lab)
        results.problems.extend(_too_few_claims(results, settings, Path(app.confdir, "conf.py")))
        if gathering.can_be_sealed():
            results.seal = seal(app, declared, gathering.depends_on(lab.machines), store.folder, begun)
        return results


def _too_few_claims(results: Results, settings: Settings, conf: Path) -> list[Problem]:
    """Return what is wrong if the pages make fewer claims than conf.py says."""
    found = len(results.claims)
    if found >= settings.minimum_claims:
        return []
    message = (
        f"djconn_minimum_claims is {settings.minimum_claims}, and the pages make {found or 'no'} "
        f"claim{'s' if found != 1 else ''}; find those that are missing (a page that is excluded, a directive "
        "that has become a comment), or lower the number"
    )
    source, _, line = _line_of(message, conf).rpartition(":")
    return [Problem("conf.py", message, SourceLocation("conf.py", source, int(line)))]


def _line_of(message: str, conf: Path) -> str:
    """Return the place of the variable that ``message`` begins with."""
    variable = message[: len(message) - len(message.lstrip(f"{ascii_lowercase}_"))]
    lines = conf.read_text("utf-8").splitlines() if conf.exists() else []
    return f"{conf}:{next((n for n, line in enumerate(lines, 1) if line.startswith(variable)), 1)}"


def _laboratory(app: Sphinx, settings: Settings) -> Laboratory:
    confdir, doctrees = Path(app.confdir), Path(app.doctreedir)
    apart = [Path(app.srcdir), doctrees, *WrittenPages(app).output_folders()]
    profiles = settings.profiles(confdir, apart)
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


def _report(results: Results) -> bool:
    """Warn of everything on the pages that is not as declared; return whether anything is not."""
    for problem in results.problems:
        warn(problem.subject, problem.message, problem.subtype, str(problem.place))
    misjudged = [
        claim
        for claim in results.claims.values()
        if not results.is_as_declared(claim) and not results.is_not_checked(claim.name)
    ]
    for claim in misjudged:
        judgement = results.judgement(claim.name)
        kind = "expect" if claim.expect else "sometimes"
        release = "" if claim.releases is None else f"`:{claim.releases.direction}:`, or "
        message = results.misplaced.get(claim.name) or (
            f"{judgement.verdict}, but declared `{claim.declared}`: "
            f"“{claim.sentence}” In `{claim.told_in}`, `:{kind}: {claim.expression}` was "
            f"checked; {judgement.reason}. Correct {release}the sentence and the expression, or declare "
            f"`:verdict: {judgement.verdict}`"
        )
        warn(claim.subject, message, results.warning_type(claim), str(claim.place))
    return bool(misjudged or results.problems or results.lost)
