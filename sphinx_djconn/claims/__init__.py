"""Expressions and verdicts: pure functions from facts.

``parser`` has Python's parser read the text of an expression, within limits; ``compiler`` takes what is allowed
from its tree, with the type of each part and a function for its value, by the rules in ``types``, ``functions``
and ``names``; ``logic`` computes values, also those that are not known; ``refutation`` finds what nothing could
refute; ``expression`` decides by the facts of a run. ``verdict`` judges a claim by the facts of its runs;
``choice`` chooses cells of a matrix; ``search`` chooses which of many releases are run and ``change`` judges
since when a claim is true; ``figures`` writes a value for readers.

The one error a page can cause here is :class:`ExpressionError`, a :class:`ValueError`.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.claims.change import Outcome, Told, outcome
    from sphinx_djconn.claims.choice import choose
    from sphinx_djconn.claims.errors import ExpressionError
    from sphinx_djconn.claims.expression import Expression, parse
    from sphinx_djconn.claims.figures import Possible, figure_text, value_text
    from sphinx_djconn.claims.functions import FUNCTIONS
    from sphinx_djconn.claims.names import Missing
    from sphinx_djconn.claims.search import Direction, Search
    from sphinx_djconn.claims.verdict import Judgement, Verdict, judge, judge_cells
else:
    __getattr__ = on_demand(
        __name__,
        {
            "change": "Outcome Told outcome",
            "choice": "choose",
            "errors": "ExpressionError",
            "expression": "Expression parse",
            "figures": "Possible figure_text value_text",
            "functions": "FUNCTIONS",
            "names": "Missing",
            "search": "Direction Search",
            "verdict": "Judgement Verdict judge judge_cells",
        },
    )

__all__ = [
    "FUNCTIONS",
    "Direction",
    "Expression",
    "ExpressionError",
    "Judgement",
    "Missing",
    "Outcome",
    "Possible",
    "Search",
    "Told",
    "Verdict",
    "choose",
    "figure_text",
    "judge",
    "judge_cells",
    "outcome",
    "parse",
    "value_text",
]
