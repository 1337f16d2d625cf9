"""A Sphinx extension that runs Django under its servers while docs are built, and checks claims about it.

The package tree is the pipeline, and data goes one way::

    page ─▶ scenario ─▶ lab (server + clients + database, probe inside)
         ─▶ trace ─▶ claims ─▶ evidence ─▶ page

* ``scenario`` describes what to run: frozen dataclasses, and the grammar that parses them from a page.
* ``lab`` runs a scenario, and ``probe`` emits events inside the server's processes.
* ``trace`` describes what happened: events, entities, facts.
* ``claims`` decides which expressions are true of the facts.
* ``evidence`` shows a trace in tables and pictures.
* ``store`` keeps recordings from build to build.
* ``ext`` is the Sphinx extension around all of these.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

__version__ = "0.1.0"


def setup(app: "Sphinx") -> "ExtensionMetadata":
    """Set up the extension. Sphinx calls this."""
    # Every module of the package imports this one, also in processes without Sphinx.
    from sphinx_djconn.ext import setup as setup_extension  # noqa: PLC0415

    return setup_extension(app)
