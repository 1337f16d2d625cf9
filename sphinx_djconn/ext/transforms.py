"""What Sphinx calls for every page that it reads or writes; what that takes is imported for the first one."""

from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from sphinx_djconn.ext.domain import domain_of


class NoFiguresInTitles(SphinxTransform):
    """Refuses a figure in a title: that is read, for tables of contents, before anything has run."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Leave the figure's text where a title has one, and say so."""
        from sphinx_djconn.ext.placeholders import fact_placeholder  # noqa: PLC0415
        from sphinx_djconn.ext.registry import Problem, SourceLocation  # noqa: PLC0415

        registry = domain_of(self.env).registry
        for title in self.document.findall(nodes.title):
            for fact in list(title.findall(fact_placeholder)):
                place = SourceLocation(self.env.docname, str(fact.source), fact.line or 0)
                message = "a figure cannot stand in a title; write it in the text below the title"
                registry.page(self.env.docname).problems.append(
                    Problem(f"djconn:fact `{fact.astext()}`", message, place)
                )
                fact.parent.replace(fact, nodes.Text(fact.astext()))


class NothingLost(SphinxTransform):
    """Warns of directives and roles that a slip of the pen has made a comment, code or plain text."""

    default_priority = 410

    def apply(self, **_: Any) -> None:
        """Note what is lost on the page."""
        from sphinx_djconn.ext.lost_directives import hint, line_in, lost  # noqa: PLC0415
        from sphinx_djconn.ext.registry import Problem, SourceLocation  # noqa: PLC0415

        seen: dict[tuple[str, str], int] = {}
        for node, begin, become in lost(self.document):
            source = str(node.source or self.env.doc2path(self.env.docname))
            # What docutils says of the line of a comment is where it ends, if anything.
            found = line_in(source, begin, seen.get((source, begin), 0))
            line = node.line if node.line and isinstance(node, nodes.literal_block) else found or node.line or 0
            seen[source, begin] = line
            registry = domain_of(self.env).registry
            message = f"this is {become} and is not checked; {hint(begin)}"
            place = SourceLocation(self.env.docname, source, line)
            registry.page(self.env.docname).problems.append(Problem(f"`{begin}`", message, place))


class EvidenceTransform(SphinxPostTransform):
    """Replaces each placeholder by what the build has found out."""

    default_priority = 5  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        """Replace all placeholders of the page."""
        results = domain_of(self.env).results
        if results is not None:
            from sphinx_djconn.ext.rendering import Rendering  # noqa: PLC0415

            Rendering(self.env, results).render(self.document)
