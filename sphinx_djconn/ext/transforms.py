"""The transforms that Sphinx applies to every page when it is read or written."""

from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from sphinx_djconn.ext.domain import domain_of
from sphinx_djconn.ext.lost_directives import find_lost, hint, line_in
from sphinx_djconn.ext.placeholders import fact_placeholder
from sphinx_djconn.ext.registry import Problem, SourceLocation, registry_of


class RejectFiguresInTitles(SphinxTransform):
    """Rejects a figure in a title: tables of contents contain the title before anything has run."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Replace the figure with its source text, and register the problem."""
        page = registry_of(self.env).page(self.env.docname)
        for title in self.document.findall(nodes.title):
            for fact in list(title.findall(fact_placeholder)):
                location = SourceLocation(self.env.docname, str(fact.source), fact.line or 0)
                message = "a figure cannot stand in a title; write it in the text below the title"
                page.problems.append(Problem(f"djconn:fact `{fact.astext()}`", message, location))
                fact.parent.replace(fact, nodes.Text(fact.astext()))


class ReportLostDirectives(SphinxTransform):
    """Reports directives and roles that became a comment, code or plain text because of a typing mistake."""

    default_priority = 410

    def apply(self, **_: Any) -> None:
        """Register a problem for each of them."""
        last: dict[tuple[str, str], int] = {}
        for node, begin, became in find_lost(self.document):
            source = str(node.source or self.env.doc2path(self.env.docname))
            # docutils gives a comment the line where it ends, or none.
            line = line_in(source, begin, last.get((source, begin), 0)) or node.line or 0
            if node.line and isinstance(node, nodes.literal_block):
                line = node.line
            last[source, begin] = line
            message = f"this is {became} and is not checked; {hint(begin)}"
            location = SourceLocation(self.env.docname, source, line)
            page = registry_of(self.env).page(self.env.docname)
            page.problems.append(Problem(f"`{begin}`", message, location))


class EvidenceTransform(SphinxPostTransform):
    """Replaces each placeholder with the results."""

    default_priority = 5  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        """Replace all placeholders of the page."""
        results = domain_of(self.env).results
        if results is not None:
            from sphinx_djconn.ext.rendering import Rendering  # noqa: PLC0415 - see _run_check()

            Rendering(self.env, results).render(self.document)
