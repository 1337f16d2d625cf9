"""``-b djconn``: runs the check without writing pages, like ``-b linkcheck``."""

from collections.abc import Set
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.environment import BuildEnvironment


class CheckBuilder(Builder):
    """Checks every claim, and writes ``output.txt``, ``claims.json``, ``facts.json``, ``junit.xml`` and
    ``summary.md``. The exit code is 1 if a verdict is not the declared one, or if a scenario did not run.
    """

    name = "djconn"
    epilog = "Look for any errors in the above output or in %(outdir)s/output.txt"

    def __init__(self, app: Sphinx, env: BuildEnvironment) -> None:
        super().__init__(app, env)
        self._sphinx = app

    def init(self) -> None:
        """Do nothing: this builder writes no pages."""

    def get_outdated_docs(self) -> Set[str]:
        """Return no page: Sphinx reads those that have changed, and there is nothing to write."""
        return set()

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """Return an empty text: there are no pages to link to."""
        return ""

    def write_documents(self, docnames: Set[str]) -> None:
        """Write no page."""

    def write_doc(self, docname: str, doctree: nodes.document) -> None:
        """Write no page."""

    def finish(self) -> None:
        """Write the reports, and log a line for each claim."""
        from sphinx_djconn.ext.reports import report  # noqa: PLC0415 - see _run_check()

        if not report(self.env, Path(self.outdir)):
            self._sphinx.statuscode = 1
