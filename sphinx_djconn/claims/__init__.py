"""Expressions and verdicts: pure functions from facts.

An expression is compiled before anything is run. ``parser`` parses its text with Python's own parser, within
limits. ``compiler`` accepts the allowed nodes of the tree and makes ``parts`` of them, each with a type, by the
rules in ``types``, ``functions`` and ``names``. ``refutation`` rejects expressions that no run could make
false. ``expression`` combines these. An expression that is not valid raises
:class:`~sphinx_djconn.claims.errors.ExpressionError`, a ``ValueError``.

``logic`` has the operations that compute a value from the facts of a run, some of which may be unknown.

``verdict`` judges a claim by the facts of its runs, and ``where`` selects the cells of a matrix to judge. For a
claim about releases, ``bisect`` selects the releases to run, and ``release_verdict`` judges since when it is
true. ``figures`` formats values for readers.
"""
