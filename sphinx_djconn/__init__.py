"""Documentation that runs Django under its servers while it is built, and proves what it says.

The package tree is the pipeline, and data goes one way::

    page ─▶ scenario ─▶ lab (server + clients + database, probe inside)
         ─▶ trace ─▶ claims ─▶ evidence ─▶ page

``scenario`` is what is to be done, ``lab`` does it, ``probe`` runs inside the server's processes and
emits events, ``trace`` is what happened, ``claims`` decides what is true of it, ``evidence`` draws it,
``store`` keeps it, and ``ext`` is the Sphinx extension around all of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

__version__ = "0.1.0"


def setup(app: "Sphinx") -> "ExtensionMetadata":
    """Set the extension up; Sphinx calls this."""
    from sphinx_djconn.ext import setup as setup_extension  # noqa: PLC0415 - not for other importers

    return setup_extension(app)
