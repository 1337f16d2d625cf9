"""Pictures and tables of a trace, as docutils nodes. Nothing is started and no file is read here.

``parts`` names the parts and puts them together; ``requests``, ``responses``, ``summary`` and ``log`` build one
each, with the help of ``rows`` (long tables), ``timeline`` (events and lines in the order of the sequence) and
``wording``; ``matrix`` builds the table of many scenarios, ``releases`` that of one with many releases of
Django, and ``howrun`` says how these were run; ``text`` makes foreign text fit for every format; ``nodes`` and
``lexer`` hold what the extension has to register.
"""

from typing import TYPE_CHECKING

from sphinx_djconn.evidence.failure import failure
from sphinx_djconn.evidence.lexer import LogLexer
from sphinx_djconn.evidence.nodes import (
    FOLD_VISITORS,
    LOG_LANGUAGE,
    djconn_fold,
    fold,
    literal,
    table,
    verdict_badge,
)
from sphinx_djconn.evidence.text import printable
from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.evidence.howrun import HowRun, how_run
    from sphinx_djconn.evidence.matrix import DEFAULT_FACTS, NO_FIGURE, ShownCell, matrix_table
    from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS, Part, evidence
else:
    __getattr__ = on_demand(
        __name__,
        {
            "howrun": "HowRun how_run",
            "matrix": "DEFAULT_FACTS NO_FIGURE ShownCell matrix_table",
            "parts": "DEFAULT_PARTS PARTS Part evidence",
        },
    )

__all__ = [
    "DEFAULT_FACTS",
    "DEFAULT_PARTS",
    "FOLD_VISITORS",
    "LOG_LANGUAGE",
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
