"""Expressions and verdicts: pure functions from facts.

``parser`` has Python's parser read the text of an expression, within limits; ``syntax`` takes from
its tree what is in ``nodes`` and ``operations``, which is all that can happen in an expression;
``expression`` checks names before a run and finds values after it; ``verdict`` judges a claim by
the facts of its runs; ``figures`` writes a value for readers.

The one error a page can cause here is :class:`ExpressionError`, a :class:`ValueError`.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.claims.errors import ExpressionError
    from sphinx_djconn.claims.expression import Expression, parse
    from sphinx_djconn.claims.figures import figure_text, value_text
    from sphinx_djconn.claims.operations import FUNCTIONS
    from sphinx_djconn.claims.verdict import Judgement, Verdict, judge
else:
    __getattr__ = on_demand(
        __name__,
        {
            "errors": "ExpressionError",
            "expression": "Expression parse",
            "figures": "figure_text value_text",
            "operations": "FUNCTIONS",
            "verdict": "Judgement Verdict judge",
        },
    )

__all__ = [
    "FUNCTIONS",
    "Expression",
    "ExpressionError",
    "Judgement",
    "Verdict",
    "figure_text",
    "judge",
    "parse",
    "value_text",
]
