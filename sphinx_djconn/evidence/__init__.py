"""Pictures and tables of a trace, as docutils nodes. Nothing is started and no file is read here.

``parts`` names the parts and puts them together; ``requests``, ``responses``, ``summary`` and ``log``
build one each, with the help of ``rows`` (long tables), ``timeline`` (events and lines in the order of
the sequence) and ``wording``; ``text`` makes foreign text fit for every format; ``nodes`` and ``lexer``
hold what the extension has to register.
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
    from sphinx_djconn.evidence.parts import DEFAULT_PARTS, PARTS, Part, evidence
else:
    __getattr__ = on_demand(__name__, {"parts": "DEFAULT_PARTS PARTS Part evidence"})

__all__ = [
    "DEFAULT_PARTS",
    "FOLD_VISITORS",
    "LOG_LANGUAGE",
    "PARTS",
    "LogLexer",
    "Part",
    "djconn_fold",
    "evidence",
    "failure",
    "fold",
    "literal",
    "printable",
    "table",
    "verdict_badge",
]
