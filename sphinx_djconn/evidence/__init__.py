"""Pictures and tables of a trace, as docutils nodes. Nothing is started and no file is read here.

``parts`` names the parts and puts them together; ``requests``, ``responses``, ``summary`` and ``log`` build one
each, with the help of ``rows`` (long tables), ``timeline`` (events and lines in the order of the sequence) and
``wording``; ``matrix`` builds the table of many scenarios, ``releases`` that of one with many releases of
Django, and ``howrun`` says how these were run; ``text`` makes foreign text fit for every format; ``nodes``
makes shapes; ``folds`` and ``lexer`` hold what the extension has to register.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.evidence.failures import failure
    from sphinx_djconn.evidence.folds import FOLD_VISITORS, djconn_fold
    from sphinx_djconn.evidence.howrun import HowRun, how_run
    from sphinx_djconn.evidence.lexer import LOG_LANGUAGE, LogLexer
    from sphinx_djconn.evidence.matrix import DEFAULT_FACTS, NO_FIGURE, ShownCell, matrix_table
    from sphinx_djconn.evidence.nodes import NOT_CHECKED, fold, literal, table, verdict_badge
    from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS, Part, evidence
    from sphinx_djconn.evidence.text import printable
else:
    __getattr__ = on_demand(
        __name__,
        {
            "failures": "failure",
            "folds": "FOLD_VISITORS djconn_fold",
            "howrun": "HowRun how_run",
            "lexer": "LOG_LANGUAGE LogLexer",
            "matrix": "DEFAULT_FACTS NO_FIGURE ShownCell matrix_table",
            "nodes": "NOT_CHECKED fold literal table verdict_badge",
            "parts": "DEFAULT_PARTS PARTS Part evidence",
            "text": "printable",
        },
    )

__all__ = [
    "DEFAULT_FACTS",
    "DEFAULT_PARTS",
    "FOLD_VISITORS",
    "LOG_LANGUAGE",
    "NOT_CHECKED",
    "NO_FIGURE",
    "PARTS",
    "HowRun",
    "LogLexer",
    "Part",
    "ShownCell",
    "djconn_fold",
    "evidence",
    "failure",
    "fold",
    "how_run",
    "literal",
    "matrix_table",
    "printable",
    "table",
    "verdict_badge",
]
