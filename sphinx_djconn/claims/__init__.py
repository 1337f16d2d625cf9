"""Expressions and verdicts: pure functions from facts.

``parser`` parses the text of an expression with Python's own parser, within limits. ``compiler`` accepts the
allowed nodes of the tree and gives each a type, by the rules in ``types``, ``functions`` and ``names``.
``logic`` evaluates it, with unknown values, and ``refutation`` rejects expressions that nothing could make
false. ``expression`` combines these. ``verdict`` judges a claim by the facts of its runs; ``where`` selects
cells of a matrix; ``bisect`` selects the releases to run, and ``release_verdict`` judges since when a claim
is true. ``figures`` formats values for readers.

An expression that is not valid raises :class:`~sphinx_djconn.claims.errors.ExpressionError`, a
``ValueError``.
"""
