"""The functions that an expression may call: their arguments, their types, and their values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sphinx_djconn.claims import logic
from sphinx_djconn.claims.errors import ExpressionError, shortened
from sphinx_djconn.claims.types import Typed, a_type, common_of, is_ordered, items_of
from sphinx_djconn.trace.types import ANY, COUNT, TRUTH, Kind, Type

_CONTAINERS: Final = frozenset({Kind.LIST, Kind.SET, Kind.TUPLE, Kind.JSON})


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the least and the greatest number of arguments, and what computes its type and its value.

    If an argument does not fit, ``type`` raises :class:`ExpressionError`, and ``value`` TypeError or
    ValueError.
    """

    least: int
    greatest: int | None
    type: Callable[[str, Sequence[Typed]], Type]
    value: Callable[..., Any]


def _truths_type(function: str, arguments: Sequence[Typed]) -> Type:
    type_ = arguments[0].type
    if type_.kind in _CONTAINERS:
        items = type_.items or ((type_,) if type_.kind is Kind.JSON else ())
        if all(item.kind in (Kind.TRUTH, Kind.JSON, Kind.ANY) for item in items):
            return TRUTH
    text = shortened(arguments[0].text)
    hint = "write a list of comparisons, as in `all([threads == 1, errors == 0])`"
    if type_.items and type_.kind is not Kind.TUPLE:
        hint = f"compare the values, as in `set({text}) == {{200}}` or `200 in {text}`"
    raise ExpressionError(f"`{function}({text})` needs a list of truths, and `{text}` is {a_type(type_)}", hint)


def _length_type(_: str, arguments: Sequence[Typed]) -> Type:
    type_ = arguments[0].type
    if type_.kind in _CONTAINERS | {Kind.TEXT}:
        return COUNT
    text = shortened(arguments[0].text)
    raise ExpressionError(f"`{text}` is {a_type(type_)}, which has no length", f"compare `{text}` itself")


def _extreme_type(function: str, arguments: Sequence[Typed]) -> Type:
    if len(arguments) == 1:
        type_ = arguments[0].type
        item = items_of(type_) if type_.kind in _CONTAINERS else None
    else:
        item = common_of([argument.type for argument in arguments])
    if item is not None and (is_ordered(item) or item == ANY):
        return item.required
    shown = ", ".join(shortened(argument.text) for argument in arguments)
    given = " and ".join(dict.fromkeys(a_type(argument.type) for argument in arguments))
    raise ExpressionError(
        f"`{function}({shown})` needs a list of numbers, or several numbers, and is given {given}",
        f"write it as in `{function}(statuses)` or `{function}(threads, 1)`",
    )


def _set_type(function: str, arguments: Sequence[Typed]) -> Type:
    if not arguments:
        return Type(Kind.SET, (ANY,))
    type_ = arguments[0].type
    item = items_of(type_) if type_.kind in _CONTAINERS else None
    if item is not None and not item.items:
        return Type(Kind.SET, (item,))
    text = shortened(arguments[0].text)
    raise ExpressionError(
        f"`{function}({text})` needs a list of values of one type, and `{text}` is {a_type(type_)}",
        f"write it as in `{function}(statuses)`",
    )


def _truths(function: Callable[[Sequence[Any]], Any]) -> Callable[[Any], Any]:
    def value(items: Any) -> Any:
        truths = _items(items)
        if not all(logic.kind_of(truth) in {"a truth", "not known"} for truth in truths):
            raise TypeError
        return function(truths)

    return value


def _extreme(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def value(*values: Any) -> Any:
        return logic.extreme(function, _items(values[0]) if len(values) == 1 else values)

    return value


def _set(items: Any = ()) -> Any:
    values = _items(items)
    if any(logic.kind_of(value) in {"a list", "an object", "a set"} for value in values):
        raise TypeError
    return logic.Distinct(values)


def _items(value: Any) -> Sequence[Any]:
    if logic.kind_of(value) not in {"a list", "a set"}:
        raise TypeError
    return logic.list_items(value)


CALLS: Final[dict[str, Function]] = {
    "all": Function(1, 1, _truths_type, _truths(logic.conjunction)),
    "any": Function(1, 1, _truths_type, _truths(logic.disjunction)),
    "len": Function(1, 1, _length_type, logic.length),
    "max": Function(1, None, _extreme_type, _extreme(max)),
    "min": Function(1, None, _extreme_type, _extreme(min)),
    "set": Function(0, 1, _set_type, _set),
}
"""The functions that take values, by name."""

FUNCTIONS: Final = (*CALLS, "overlap")
"""All functions that an expression may call."""
