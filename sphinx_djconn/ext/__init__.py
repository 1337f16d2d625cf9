"""The Sphinx extension.

While pages are read, ``directives`` and ``roles`` put declarations into the ``registry`` and ``placeholders``
into the pages; ``transforms`` report ``lost_directives``. When all pages are read, ``check`` reads ``config``
and ``configured_profiles``; the ``runner`` runs each scenario for which the ``recording_finder`` finds no valid
recording; claims are judged in ``results``, those about releases with ``bisection``. While pages are written,
``rendering`` replaces the placeholders with evidence (``matrix_evidence``, ``release_evidence``) and
``badges``. The ``builder`` writes ``reports`` instead of pages.

``outdated`` decides which pages must be written again. If the ``up_to_date`` stamp is valid, there is no
check at all.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

from sphinx_djconn import __version__
from sphinx_djconn.evidence.details_node import DETAILS_VISITORS, djconn_details
from sphinx_djconn.evidence.log_lexer import LOG_LANGUAGE, LogLexer
from sphinx_djconn.ext import config
from sphinx_djconn.ext.builder import CheckBuilder
from sphinx_djconn.ext.domain import DjconnDomain, domain_of
from sphinx_djconn.ext.outdated import WrittenPages, outdated_pages
from sphinx_djconn.ext.transforms import EvidenceTransform, RejectFiguresInTitles, ReportLostDirectives

if TYPE_CHECKING:  # as in _run_check()
    from sphinx_djconn.ext.results import Results

_STATIC: Final = Path(__file__).parent / "static"
_ENV_VERSION: Final = 1


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything."""
    config.setup(app)
    app.add_domain(DjconnDomain)
    app.add_builder(CheckBuilder)
    app.add_transform(RejectFiguresInTitles)
    app.add_transform(ReportLostDirectives)
    app.add_post_transform(EvidenceTransform)
    app.add_node(djconn_details, **DETAILS_VISITORS)
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
        from sphinx_djconn.ext.check import warm_up  # noqa: PLC0415 - see _run_check()

        warm_up(app, domain_of(env), docnames)


def _when_pages_are_read(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Run the check unless everything is up to date; return the pages that must be written again."""
    domain, written = domain_of(env), WrittenPages(app)
    domain.run_check = partial(_run_check, app)  # if a page is written although the stamp is valid
    if written.stamp is not None and written.stamp.is_valid(app):
        return []
    results = domain.results
    return [] if results is None else outdated_pages(domain.registry.pages, results, written.digests)


def _run_check(app: Sphinx) -> "Results":
    # An unchanged build does not need it. Importing it takes 10 % of that (tests/bench, row "unchanged").
    from sphinx_djconn.ext.check import check  # noqa: PLC0415

    return check(app, domain_of(app.env))


def _when_pages_are_written(app: Sphinx, exception: Exception | None) -> None:
    """Save which results the pages were written with."""
    domain = domain_of(app.env)
    if domain.laboratory is not None:
        domain.laboratory.close()  # the check closes it, too, but this build may have failed before
    if exception is None and domain.checked is not None:
        WrittenPages(app).save(domain.registry.pages, domain.checked)
