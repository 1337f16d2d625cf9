"""Parse the text of an expression with Python's own parser, within limits.

The parser only builds a tree (:func:`ast.parse`); nothing is compiled or executed.
"""

import ast
import io
import re
import tokenize
import warnings
from typing import Final

from sphinx_djconn.claims.errors import ExpressionError, shortened
from sphinx_djconn.claims.functions import FUNCTIONS

LONGEST: Final = 2000
"""The greatest number of characters in an expression."""

DEEPEST: Final = 60
"""The greatest number of levels in an expression."""

ALLOWED: Final = (
    "use facts, numbers, texts, comparisons, arithmetic, 'and', 'or', 'not', 'in' "
    f"and the functions {', '.join(FUNCTIONS)}"
)
"""A hint: what is allowed in an expression."""

_MISTAKES: Final = (
    (re.compile(r"&&"), "write 'and' for '&&'"),
    (re.compile(r"\|\|"), "write 'or' for '||'"),
    (re.compile(r"<>"), "write '!=' for '<>'"),
    (re.compile(r"(?<![=!<>:])=(?!=)"), "write '==' for '='"),
    (re.compile(r"!(?!=)"), "write 'not' for '!'"),
)


def parse_tree(text: str) -> ast.expr:
    """Return Python's tree of ``text``, which is on one line; raise :class:`ExpressionError`."""
    if len(text) > LONGEST:
        raise ExpressionError(
            f"the expression has {len(text)} characters, more than {LONGEST}",
            "split the claim into several",
        )
    if not text:
        raise ExpressionError("the expression is empty", "write one, as in `threads == 1`", text, 0)
    tree = _tree_of(text)
    if _too_deep(tree):
        raise ExpressionError(
            f"the expression has more than {DEEPEST} levels",
            "split the claim into several",
            text,
            0,
        )
    return tree


def _tree_of(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            # Python only warns about some mistakes, such as '\d' and '1or'.
            warnings.simplefilter("error")
            tree = ast.parse(text, mode="eval").body
        comments = [
            token
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        ]
    except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError) as error:
        raise _not_python(text, error) from error
    if comments:
        raise ExpressionError(
            "a comment would hide what follows it in the expression",
            "put it into the text around the claim",
            text,
            comments[0].start[1],
        )
    return tree


def _not_python(text: str, error: Exception) -> ExpressionError:
    column = (getattr(error, "offset", None) or 1) - 1
    reason = error.msg if isinstance(error, SyntaxError) else "Python cannot read this text"
    hint = next((hint for mistake, hint in _MISTAKES if mistake.search(text)), ALLOWED)
    return ExpressionError(
        f"`{shortened(text)}` is not an expression: {reason}, at column {column + 1}",
        hint,
        text,
        min(column, len(text)),
    )


def _too_deep(tree: ast.AST) -> bool:
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)
