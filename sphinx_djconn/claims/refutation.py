"""Reject expressions that no run could refute, by trying values.

A claim is worthless if it is true whatever a run shows: ``threads >= 0``, ``min(threads, 99) <= 99``. So each
expression is computed for different values of its names: values of their types that are close to the constants,
and between them. Facts are taken to be independent of each other, so more values are tried than a run could
have. If none makes the expression false, nothing can.

An expression is only rejected if all values that could make a difference were tried. The values have every
order among each other and relative to the constants, and every combination of being equal or not. This decides
comparisons, but not everything that arithmetic and lists can express. An expression with these is only rejected
if it has one of the forms in :func:`_is_decided`.
"""

import random
from collections.abc import Iterator
from itertools import islice, product
from math import prod
from typing import Final

from sphinx_djconn.claims.errors import ExpressionError, shortened
from sphinx_djconn.claims.logic import ARITHMETIC, ORDER
from sphinx_djconn.claims.parts import ExpressionPart
from sphinx_djconn.claims.trial_values import LONGEST_LIST, Constants, TrialValues
from sphinx_djconn.claims.types import a_type
from sphinx_djconn.trace.types import Kind, Type

_SAMPLES: Final = 200
"""How many random combinations of values are tried before all of them."""

_MOST: Final = 5000
"""The largest number of combinations that are all tried. With more, the expression is accepted."""

_RANGES: Final = {Kind.COUNT: "0 or more", Kind.STATUS: "100 to 999"}


def check(text: str, root: ExpressionPart, *, wanted: bool) -> None:
    """Raise :class:`ExpressionError` if the expression ``text`` cannot have the truth ``wanted`` in any run.

    If ``wanted`` is false, parts that are joined by ``and`` are checked one by one: a part that is never false
    is useless.
    """
    parts = list(_joined(root))
    for part in parts:
        if not _can_be(part, wanted=wanted):
            raise _error(text, part, wanted=wanted)
    if wanted and len(parts) > 1 and not _can_be(root, wanted=True):
        raise _error(text, root, wanted=True)


def _joined(part: ExpressionPart) -> Iterator[ExpressionPart]:
    """Yield the parts that ``and`` joins."""
    if part.sign == "and":
        for each in part.parts:
            yield from _joined(each)
    else:
        yield part


def _can_be(part: ExpressionPart, *, wanted: bool) -> bool:
    """Return whether ``part`` is ``wanted`` for some values, or if not all values could be tried."""
    values_by_name = TrialValues(part).by_name()
    choice = random.Random(0)  # noqa: S311 - the same values on every machine
    for _ in range(_SAMPLES):
        if part.value({name: choice.choice(values) for name, values in values_by_name.items()}) is wanted:
            return True
    if prod(map(len, values_by_name.values())) > _MOST or not _is_decided(part, wanted=wanted):
        return True
    combinations = product(*values_by_name.values())
    return any(part.value(dict(zip(values_by_name, values, strict=True))) is wanted for values in combinations)


def _is_decided(part: ExpressionPart, *, wanted: bool) -> bool:
    """Return whether the values that are tried are all that can make a difference.

    With lists, they are if there are at most two comparisons. With arithmetic, they are if sums are compared,
    except for the question whether two sums can be equal. The order of texts is not tried.
    """
    nodes = list(part.walk())
    signs = {node.sign for node in nodes}
    comparisons = [node for node in nodes if node.sign in _COMPARISONS]
    if any(node.type.kind is Kind.LIST and node.name for node in nodes) and len(comparisons) > 2:  # noqa: PLR2004
        return False
    if any(each.type.kind is Kind.TEXT and node.sign in ORDER for node in comparisons for each in node.parts):
        return False
    if "len" in signs and Constants(part).reach > LONGEST_LIST:
        return False
    sums = [node for node in nodes if node.sign in ARITHMETIC and node.names()]
    if not sums:
        return True
    equality = "!=" if wanted is ("not" not in signs) else "=="
    return all(map(_is_linear, sums)) and len(comparisons) == 1 and comparisons[0].sign in {*ORDER, equality}


def _is_linear(part: ExpressionPart) -> bool:
    if part.sign == "*":
        factors = [node.value({}) for node in part.parts if not node.names()]
        return len(factors) == 1 and isinstance(factors[0], int)
    return part.sign in ("+", "-")


_COMPARISONS: Final = frozenset({"==", "!=", "in", "not in", "is", "is not", *ORDER})


def _error(text: str, part: ExpressionPart, *, wanted: bool) -> ExpressionError:
    truth = "false" if wanted else "true"
    names = list(islice(part.names().items(), 3))
    why = ", ".join(f"{name} is {_range(each.type)}" for name, each in names)
    return ExpressionError(
        f"`{shortened(part.text)}` is {truth} whatever a run shows: {why}; nothing could "
        f"{'make it hold' if wanted else 'refute it'}",
        "compare with a value that a run may or may not have, as in `threads == 1`",
        text,
        part.column,
    )


def _range(type_: Type) -> str:
    allowed = _RANGES.get(type_.kind)
    none = " or None" if type_.is_optional else ""
    return f"{a_type(type_)}{f', {allowed}' if allowed else ''}{none}"
