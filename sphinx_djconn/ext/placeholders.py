"""Placeholders: directives and roles put them into pages, and rendering replaces them with evidence.

Each derives from a node that every builder can write.
"""

from docutils import nodes


class evidence_placeholder(nodes.container):  # noqa: N801 - as docutils names its nodes
    """The evidence of the scenario ``scenario``, in the parts ``parts``."""


class matrix_placeholder(nodes.container):  # noqa: N801
    """The table of the matrix ``matrix``, and the parts ``parts`` of each cell's evidence."""


class proof_placeholder(nodes.container):  # noqa: N801
    """The verdict on the claim ``claim``, and what decided it."""


class claims_placeholder(nodes.container):  # noqa: N801
    """The list of the claims of the page ``docname``; of all pages if that is empty."""


class fact_placeholder(nodes.inline):  # noqa: N801
    """The figure ``expression`` of ``target``."""
