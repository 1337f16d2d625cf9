"""The Sphinx extension.

``directives``, of claims and of what is ``running``, and ``domain`` read pages into the ``registry``; once all
pages are read, ``check`` runs what ``gathering`` finds no recording of, judges claims by what ``choosing``
finds them to be about or ``searching`` finds out, and leaves ``results``; ``transforms`` have ``rendering``
turn the placeholders of ``nodes`` into evidence, that of a ``matrix`` or a ``change`` and the ``badges`` of
verdicts too, and ``written`` remembers which; ``lost`` finds directives that are comments; ``builder`` reports
without pages, with ``reports``; ``checked_with`` says which versions of Django that was; ``config`` is what
conf.py may say. ``bugs`` says what nothing expects, for one scenario or claim, and ``latex`` spells what
pdfLaTeX cannot set.

Where nothing has changed, the ``seal`` of an earlier check holds, the declarations stay ``packed``, and of all
these modules few are imported.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

from sphinx_djconn import __version__
from sphinx_djconn.evidence.details_node import FOLD_VISITORS, djconn_fold
from sphinx_djconn.evidence.log_lexer import LOG_LANGUAGE, LogLexer
from sphinx_djconn.ext import config
from sphinx_djconn.ext.builder import CheckBuilder
from sphinx_djconn.ext.domain import DjconnDomain, domain_of
from sphinx_djconn.ext.transforms import EvidenceTransform, NoFiguresInTitles, NothingLost
from sphinx_djconn.ext.written import WrittenPages

if TYPE_CHECKING:
    from sphinx_djconn.ext.results import Results

_STATIC: Final = Path(__file__).parent / "static"
_ENV_VERSION: Final = 1


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything."""
    config.setup(app)
    app.add_domain(DjconnDomain)
    app.add_builder(CheckBuilder)
    app.add_transform(NoFiguresInTitles)
    app.add_transform(NothingLost)
    app.add_post_transform(EvidenceTransform)
    app.add_node(djconn_fold, **FOLD_VISITORS)
    app.add_lexer(LOG_LANGUAGE, LogLexer)
    app.add_css_file("djconn.css")
    app.connect("config-inited", _add_static_path)
    app.connect("env-before-read-docs", _before_pages_are_read)
    app.connect("env-updated", _when_pages_are_read)
    app.connect("build-finished", _when_pages_are_written)
    return {
        "version": __version__,
        "env_version": _ENV_VERSION,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _add_static_path(_: Sphinx, config: Config) -> None:
    # A new list: the default one belongs to Sphinx, and to every application in this process.
    config.html_static_path = [*config.html_static_path, str(_STATIC)]


def _before_pages_are_read(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    if docnames:
        from sphinx_djconn.ext.check import warm_up  # noqa: PLC0415 - in many builds, nothing has changed

        warm_up(app, domain_of(env), docnames)


def _when_pages_are_read(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have all checked, unless that would find out nothing new; return the pages to be written anew for it."""
    domain, written = domain_of(env), WrittenPages(app)
    domain.postponed = partial(_check, app)
    if written.seal is not None and written.seal.holds(app, domain.data["kept"]):
        return []
    results = domain.results
    return [] if results is None else results.outdated(written.digests)


def _check(app: Sphinx) -> "Results":
    from sphinx_djconn.ext.check import check  # noqa: PLC0415 - as above

    return check(app, domain_of(app.env))


def _when_pages_are_written(app: Sphinx, exception: Exception | None) -> None:
    """Remember the results that pages were written with."""
    domain = domain_of(app.env)
    if domain.laboratory is not None:
        domain.laboratory.close()  # a build that failed before the check has not closed it
    if exception is None and domain.found is not None:
        WrittenPages(app).update(domain.found)
