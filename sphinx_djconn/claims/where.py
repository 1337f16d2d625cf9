"""Select cells of a matrix by a ``:where:``, an expression over the names of its axes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sphinx_djconn.claims.errors import ExpressionError, listed, nearest, shortened
from sphinx_djconn.claims.expression import Expression, parse_with
from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.claims.logic import NULL
from sphinx_djconn.claims.names import MISSPELLED_VALUES, Name
from sphinx_djconn.claims.parts import ExpressionPart, require_truth
from sphinx_djconn.claims.types import common_of, constant_type
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.types import JSON, Type
from sphinx_djconn.trace.unknown import Unknown

_BY_VALUE: Final = frozenset({"==", "!=", "in", "not in", "is", "is not"})
"""The comparisons in which a value that no cell has must be a mistake."""


def select_cells(text: str, axes: Mapping[str, Sequence[Any]], cells: Sequence[Sequence[Any]]) -> list[bool]:
    """Return for each of ``cells``, which are the values of its axes, whether the expression ``text`` is true.

    ``axes`` maps the names of axes in expressions (``conn_max_age``) to their values. Raises
    :class:`ExpressionError` for an unknown name or value, if an axis is compared with a value of another type,
    or if no cell is selected.
    """
    expression = _parsed(text, axes)
    require_truth(expression.text, expression.root)
    for part in expression.root.walk():
        if part.sign in _BY_VALUE:
            _check_values(expression, part, axes)
    selected = [_is_selected(expression, axes, values) for values in cells]
    if not any(selected):
        all_values = "; ".join(f"{name} is {_values(values)}" for name, values in axes.items())
        raise ExpressionError(f"`{shortened(expression.text)}` chooses no cell", f"in the cells, {all_values}")
    return selected


def _parsed(text: str, axes: Mapping[str, Sequence[Any]]) -> Expression:
    names = AxisNames({name: _axis_type(values) for name, values in axes.items()}, axes)
    try:
        return parse_with(text, names)
    except ExpressionError as error:
        for name in axes:
            written = name.replace("_", "-")
            if "_" in name and re.search(rf"(?<![\w-]){written}(?![\w-])", text):
                message = f"`{shortened(text)}` is not an expression"
                raise ExpressionError(message, f"write '{name}' for '{written}'") from error
        raise


def _axis_type(values: Sequence[Any]) -> Type:
    """Return the type of an axis. If its values have no common type, each has its own, as in JSON."""
    return common_of([constant_type(value) for value in values]) or JSON.optional


def _is_selected(expression: Expression, axes: Mapping[str, Sequence[Any]], values: Sequence[Any]) -> bool:
    truth = expression.evaluate(Facts(dict(zip(axes, values, strict=True)), (), frozenset()))
    if isinstance(truth, Unknown):
        raise ExpressionError(truth.reason, "compare an axis with values of one type", expression.text, 0)
    return truth


def _check_values(
    expression: Expression, comparison: ExpressionPart, axes: Mapping[str, Sequence[Any]]
) -> None:
    left, right = comparison.parts
    for part, other in ((left, right), (right, left)):
        if part.name is not None:
            for constant in other.walk():
                if constant.is_constant and constant.constant not in axes[part.name.text]:
                    raise _no_value(expression, constant, part.name.text, axes[part.name.text])


def _no_value(
    expression: Expression, part: ExpressionPart, axis: str, values: Sequence[Any]
) -> ExpressionError:
    by_text = {_written(value): value for value in values}
    hint = nearest(part.text.strip("\"'"), [text.strip('"') for text in by_text], kind=f"values of '{axis}'")
    message = f"the axis '{axis}' has no value {shortened(part.text)}"
    return ExpressionError(message, hint, expression.text, part.column)


def _values(values: Sequence[Any]) -> str:
    texts = [_written(value) for value in values]
    return " or ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def _written(value: Any) -> str:
    """Return ``value`` as it is written in an expression."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if value is None or isinstance(value, bool) else value_text(value)


@dataclass(frozen=True, slots=True)
class AxisNames:
    """The names of the axes of a matrix. None is a value of an axis like any other."""

    axes: Mapping[str, Type]
    values: Mapping[str, Sequence[Any]]
    none_is_value: bool = True

    def no_names(self, text: str) -> tuple[str, str]:
        """Return the error of an expression without an axis."""
        return f"`{text}` names no axis", self._hint

    def name(self, parts: Sequence[str]) -> Name:
        """Return the axis of this name."""
        text = ".".join(parts)
        if text in self.axes:
            return Name(text, self.axes[text], lambda facts: _axis_value(facts, text))
        if text in MISSPELLED_VALUES:
            hint = f"write '{MISSPELLED_VALUES[text]}' for the value"
        elif any(text in values for values in self.values.values()):
            hint = f"write '\"{text}\"' for the value"
        else:
            hint = nearest(text, self.axes, kind="axes")
        raise ExpressionError(f"no axis '{text}'", hint)

    def alias_name(self, group: str, alias: str, parts: Sequence[str]) -> Name:
        """Raise :class:`ExpressionError`: this is not an axis."""
        raise self._no_axis(".".join((f'{group}["{alias}"]', *parts)))

    def overlap(self, first: Sequence[str], second: Sequence[str]) -> Name:
        """Raise :class:`ExpressionError`: this is not an axis."""
        raise self._no_axis(f"overlap({'.'.join(first)}, {'.'.join(second)})")

    def _no_axis(self, text: str) -> ExpressionError:
        return ExpressionError(f"`{text}` is not an axis", self._hint)

    @property
    def _hint(self) -> str:
        return f"compare an axis with its values; the axes are {listed(self.axes)}"


def _axis_value(facts: Facts, name: str) -> Any:
    value = facts.figures[name]
    return NULL if value is None else value
