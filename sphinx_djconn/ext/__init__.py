"""The Sphinx extension.

``directives`` and ``domain`` read pages into the ``registry``; ``check`` runs and judges once all pages
are read and leaves ``results``; ``transforms`` turn the placeholders of ``nodes`` into evidence;
``builder`` reports without pages; ``config`` is what conf.py may say.
"""

from pathlib import Path
from typing import Final

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from sphinx_djconn import __version__
from sphinx_djconn.evidence import FOLD_VISITORS, LOG_LANGUAGE, LogLexer, djconn_fold
from sphinx_djconn.ext import config
from sphinx_djconn.ext.builder import CheckBuilder
from sphinx_djconn.ext.check import check
from sphinx_djconn.ext.domain import DjconnDomain
from sphinx_djconn.ext.transforms import EvidenceTransform

_STATIC: Final = Path(__file__).parent / "static"
_ENV_VERSION: Final = 1


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything."""
    config.setup(app)
    app.add_domain(DjconnDomain)
    app.add_builder(CheckBuilder)
    app.add_post_transform(EvidenceTransform)
    app.add_node(djconn_fold, html=FOLD_VISITORS["html"])
    app.add_lexer(LOG_LANGUAGE, LogLexer)
    app.add_css_file("djconn.css")
    app.connect("builder-inited", _add_static_path)
    app.connect("env-updated", check)
    return {
        "version": __version__,
        "env_version": _ENV_VERSION,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _add_static_path(app: Sphinx) -> None:
    app.config.html_static_path.append(str(_STATIC))
