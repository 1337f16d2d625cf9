"""The error of an expression, and hints with the nearest name."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from textwrap import indent

_LONGEST_NAME = 80
_LONGEST_TEXT = 60
_MOST_NAMES = 40
_MOST_COMPARED = 1000


class ExpressionError(ValueError):
    """An expression is not valid: ``message`` says what is wrong, ``hint`` what to do.

    ``text`` is the expression, and ``column`` where its wrong part begins, counted from 0. They are ``""`` and
    ``None`` if the error is not in a certain part.
    """

    def __init__(self, message: str, hint: str, text: str = "", column: int | None = None) -> None:
        super().__init__(message, hint, text, column)
        self.message = message
        self.hint = hint
        self.text = text
        self.column = column

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}"

    @property
    def pointed(self) -> str:
        """The expression, and below it a caret where the wrong part begins; ``""`` without a column."""
        return "" if self.column is None else f"{self.text}\n{' ' * self.column}^"

    @property
    def shown(self) -> str:
        """The message and the hint, and below them the place in the expression."""
        return f"{self}\n{indent(self.pointed, '    ')}".rstrip()


def nearest(name: str, names: Collection[str], *, kind: str) -> str:
    """Return a hint: the one of ``names`` that is most similar to ``name``, or all of them.

    ``kind`` says what ``names`` are, in the plural.
    """
    near = get_close_matches(name[:_LONGEST_NAME], list(names)[:_MOST_COMPARED], n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"the {kind} are {listed(names)}" if names else f"there are no {kind}"


def listed(names: Iterable[str]) -> str:
    """Return ``names`` as a list in a sentence."""
    names = list(names)
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + rest


def shortened(text: str) -> str:
    """Return ``text``, cut if it is long."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
