"""The Sphinx extension.

``directives``, of claims and of what is ``running``, and ``domain`` read pages into the ``registry``; once all
pages are read, ``check`` runs what ``gathering`` finds no recording of, judges claims by what ``choosing``
finds them to be about or ``searching`` finds out, and leaves ``results``; ``transforms`` turn the placeholders
of ``nodes`` into evidence, that of a ``matrix`` or a ``change`` too, and ``written`` remembers which;
``builder`` reports without pages, with ``reports``; ``checked_with`` says which versions of Django that was;
``config`` is what conf.py may say.
"""

from pathlib import Path
from typing import Final

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.typing import ExtensionMetadata

from sphinx_djconn import __version__
from sphinx_djconn.evidence import FOLD_VISITORS, LOG_LANGUAGE, LogLexer, djconn_fold
from sphinx_djconn.ext import config
from sphinx_djconn.ext.builder import CheckBuilder
from sphinx_djconn.ext.check import check, note_written, warm_up
from sphinx_djconn.ext.domain import DjconnDomain
from sphinx_djconn.ext.transforms import EvidenceTransform, NoFiguresInTitles

_STATIC: Final = Path(__file__).parent / "static"
_ENV_VERSION: Final = 1


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything."""
    config.setup(app)
    app.add_domain(DjconnDomain)
    app.add_builder(CheckBuilder)
    app.add_transform(NoFiguresInTitles)
    app.add_post_transform(EvidenceTransform)
    app.add_node(djconn_fold, **FOLD_VISITORS)
    app.add_lexer(LOG_LANGUAGE, LogLexer)
    app.add_css_file("djconn.css")
    app.connect("config-inited", _add_static_path)
    app.connect("env-before-read-docs", warm_up)
    app.connect("env-updated", check)
    app.connect("build-finished", note_written)
    return {
        "version": __version__,
        "env_version": _ENV_VERSION,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _add_static_path(_: Sphinx, config: Config) -> None:
    # A new list: the default one belongs to Sphinx, and to every application in this process.
    config.html_static_path = [*config.html_static_path, str(_STATIC)]
