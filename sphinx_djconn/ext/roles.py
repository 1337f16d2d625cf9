"""The roles: figures in sentences, and links."""

import re
from typing import Final

from docutils import nodes
from docutils.nodes import Element
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util.docutils import SphinxRole

from sphinx_djconn.ext.placeholders import fact_placeholder
from sphinx_djconn.ext.registry import FactUse, SourceLocation, registry_of

_FIGURE: Final = r"(?P<target>[^\s\[\]]*(?:\[[^\[\]]*\])?)(?:\s+(?P<expression>.*))?"


class FactRole(SphinxRole):
    """``:djconn:fact:`keep-alive threads```: a figure of a scenario, in a sentence."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Register the figure, and return a placeholder for it."""
        target, expression = _split(self.text)
        source, line = self.get_source_info()
        location = SourceLocation(self.env.docname, str(source or self.env.docname), line or 0)
        registry_of(self.env).page(self.env.docname).facts.append(FactUse(location, target, expression))
        placeholder = fact_placeholder(
            "", self.text, target=target, expression=expression, classes=["djconn-fact"]
        )
        placeholder.source, placeholder.line = location.source, location.line
        return [placeholder], []


class LinkRole(XRefRole):
    """A link to a scenario or claim. If it shows a verdict, its page is written again when that changes."""

    def process_link(
        self,
        env: BuildEnvironment,
        refnode: Element,
        has_explicit_title: bool,
        title: str,
        target: str,
    ) -> tuple[str, str]:
        """Register the link."""
        registry_of(env).page(env.docname).linked.add(target)
        return super().process_link(env, refnode, has_explicit_title, title, target)


def _split(text: str) -> tuple[str, str]:
    """Return the target and the expression of ``matrix[axis=value] threads``."""
    match = re.fullmatch(_FIGURE, text, re.DOTALL)
    if match is None:  # a bracket is not closed: the check reports it
        return text, ""
    return match["target"], (match["expression"] or "").strip()
