"""Placeholders, put into pages while they are read and replaced by evidence when they are written.

Each derives from a node that every builder knows, so that one of no concern to us renders something.
"""

from docutils import nodes


class evidence_placeholder(nodes.container):  # noqa: N801 - as docutils names its nodes
    """The evidence of the scenario ``scenario``, in the parts ``parts``."""


class matrix_placeholder(nodes.container):  # noqa: N801
    """The table of the matrix ``matrix``, and the parts ``parts`` of each cell's evidence."""


class proof_placeholder(nodes.container):  # noqa: N801
    """The verdict of the claim ``claim``, with what decided it."""


class claims_placeholder(nodes.container):  # noqa: N801
    """The list of claims: of the page ``docname``, or of all where that is empty."""


class fact_placeholder(nodes.inline):  # noqa: N801
    """The figure of ``expression`` in the scenario ``scenario``."""
