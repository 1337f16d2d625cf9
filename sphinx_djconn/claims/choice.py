"""Which cells of a matrix: a ``:where:``, an expression over the names of its axes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sphinx_djconn.claims.errors import ExpressionError, listed, nearest, shortened
from sphinx_djconn.claims.expression import Expression, parse
from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.claims.nodes import Figure, Literal, Node, Overlap
from sphinx_djconn.claims.operations import Comparison, Display
from sphinx_djconn.trace import Facts

_BY_VALUE: Final = frozenset({"==", "!=", "in", "not in", "is", "is not"})
"""The comparisons in which a value that no cell has is a slip."""

_WRITTEN: Final = {"none": "None", "true": "True", "false": "False", "null": "None"}


def choose(text: str, axes: Mapping[str, Sequence[Any]], cells: Sequence[Sequence[Any]]) -> list[bool]:
    """Return for each of ``cells``, the values of its axes, whether the expression ``text`` is true of it.

    ``axes`` are names, as expressions have them (``conn_max_age``), and values. Raises
    :class:`ExpressionError` where a name or a value is none of them, or no cell is chosen.
    """
    expression = _parsed(text, axes)
    nodes = list(expression.tree.walk())
    for node in nodes:
        if isinstance(node, Overlap):
            raise _error(expression, node, f"`{node.text}` is no axis", _known(axes))
        if isinstance(node, Figure):
            _check_name(expression, node, axes)
    for node in nodes:
        if isinstance(node, Comparison):
            _check_values(expression, node, axes)
    if not expression.tree.mentions_fact():
        raise _error(expression, expression.tree, f"`{shortened(text)}` names no axis", _known(axes))
    found = [
        expression.evaluate(Facts(dict(zip(axes, values, strict=True)), (), frozenset())) for values in cells
    ]
    if not any(found):
        told = "; ".join(f"{name} is {_values(values)}" for name, values in axes.items())
        raise ExpressionError(f"`{shortened(expression.text)}` chooses no cell", f"in the cells, {told}")
    return found


def _parsed(text: str, axes: Mapping[str, Sequence[Any]]) -> Expression:
    try:
        return parse(text)
    except ExpressionError as error:
        for name in axes:
            written = name.replace("_", "-")
            if "_" in name and re.search(rf"(?<![\w-]){written}(?![\w-])", text):
                message = f"`{shortened(text)}` is no expression"
                raise ExpressionError(message, f"write '{name}' for '{written}'") from error
        raise


def _check_name(expression: Expression, node: Figure, axes: Mapping[str, Sequence[Any]]) -> None:
    if node.name in axes:
        return
    if node.name in _WRITTEN:
        hint = f"write '{_WRITTEN[node.name]}' for the value"
    elif any(node.name in values for values in axes.values()):
        hint = f"write '\"{node.name}\"' for the value"
    else:
        hint = nearest(node.name, axes, kind="axes")
    raise _error(expression, node, f"no axis '{node.name}'", hint)


def _check_values(expression: Expression, comparison: Comparison, axes: Mapping[str, Sequence[Any]]) -> None:
    for sign, left, right in comparison.pairs():
        if sign not in _BY_VALUE:
            continue
        for axis, other in ((left, right), (right, left)):
            if isinstance(axis, Figure):
                for constant in _constants(other):
                    if constant.constant not in axes[axis.name]:
                        raise _no_value(expression, constant, axis.name, axes[axis.name])


def _constants(node: Node) -> Iterator[Literal]:
    if isinstance(node, Literal):
        yield node
    elif isinstance(node, Display):
        for item in node.children():
            yield from _constants(item)


def _no_value(expression: Expression, node: Node, axis: str, values: Sequence[Any]) -> ExpressionError:
    by_text = {_written(value): value for value in values}
    hint = nearest(node.text.strip("\"'"), [text.strip('"') for text in by_text], kind=f"values of '{axis}'")
    return _error(expression, node, f"the axis '{axis}' has no value {shortened(node.text)}", hint)


def _known(axes: Mapping[str, Sequence[Any]]) -> str:
    return f"compare an axis with its values; the axes are {listed(axes)}"


def _values(values: Sequence[Any]) -> str:
    texts = [_written(value) for value in values]
    return " or ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def _written(value: Any) -> str:
    """Return ``value`` as an expression has it."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if value is None or isinstance(value, bool) else value_text(value)


def _error(expression: Expression, node: Node, message: str, hint: str) -> ExpressionError:
    return ExpressionError(message, hint, expression.text, node.column)
