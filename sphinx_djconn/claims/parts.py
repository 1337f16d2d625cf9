"""The parts of an expression, each with a function that computes its value from the values of the names."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from sphinx_djconn.claims import logic
from sphinx_djconn.claims.errors import ExpressionError, shortened
from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.claims.logic import NULL, Incomparable, described
from sphinx_djconn.claims.names import Name, Names
from sphinx_djconn.claims.types import a_type, example
from sphinx_djconn.trace.types import TRUTH, Kind, Type
from sphinx_djconn.trace.unknown import Unknown

Values: TypeAlias = Mapping[str, Any]
"""The value of each name in an expression."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionPart:
    """A part of an expression, which is written as ``text`` from ``column`` on.

    ``value`` computes its value from the values of the names. ``sign`` is the operator or function that
    combines ``parts``. A comparison of more than two values has comparisons of two as its parts. ``name`` is
    set if the part is a name, and ``constant`` if it is a constant.
    """

    text: str
    column: int
    type: Type
    value: Callable[[Values], Any]
    parts: "tuple[ExpressionPart, ...]" = ()
    sign: str = ""
    name: Name | None = None
    constant: Any = ...

    @property
    def is_constant(self) -> bool:
        """Whether it is a literal: a number, a text, True, False or None."""
        return self.constant is not ...

    @property
    def peer(self) -> str:
        """The name of the same fact of another request, if this is a fact of a request; else empty."""
        return "" if self.name is None else self.name.peer

    def walk(self) -> "Iterator[ExpressionPart]":
        """Yield this part and all below it, in the order of the text."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def names(self) -> dict[str, Name]:
        """Return the names in it by their text, in the order of the text."""
        return {part.name.text: part.name for part in self.walk() if part.name is not None}

    def truth(self, values: Values) -> Any:
        """Return its value, which is true, false or unknown."""
        value = self.value(values)
        if isinstance(value, (bool, Unknown)):
            return value
        return Unknown(f"`{shortened(self.text)}` is {described(value)}, and not true or false")


def call_of(text: str, function: Callable[..., Any], *parts: ExpressionPart) -> Callable[[Values], Any]:
    """Return a function that calls ``function`` with the values of ``parts``, unless one of them is unknown."""

    def value(values: Values) -> Any:
        operands = [part.value(values) for part in parts]
        for operand in operands:
            if isinstance(operand, Unknown):
                return operand
        try:
            result = function(*operands)
        except (TypeError, ValueError, ArithmeticError, RecursionError):
            result = None
        if result is None or isinstance(result, Incomparable):
            return _no_value(text, zip(parts, operands, strict=True))
        return result

    return value


def comparison_of(sign: str, left: ExpressionPart, right: ExpressionPart) -> ExpressionPart:
    """Return the comparison of two parts, whose types fit together."""
    text, compare = f"{left.text} {sign} {right.text}", _COMPARISONS[sign]

    def value(values: Values) -> Any:
        operands = left.value(values), right.value(values)
        try:
            truth = compare(*operands)
        except RecursionError:
            return Unknown(f"`{shortened(text)}` compares values that are nested too deeply")
        if not isinstance(truth, Incomparable):
            return truth
        for part, operand in zip((left, right), operands, strict=True):
            if operand is None or operand is NULL:
                advice = f"; `{shortened(part.text)} is None` asks for that"
                return _no_value(text, [(part, None)], advice)
        if truth.left is None or truth.right is None:
            return Unknown(f"`{shortened(text)}` compares with none: ask for that with `is None`")
        different = f"{described(truth.left)} with {described(truth.right)}"
        return Unknown(f"`{shortened(text)}` compares {different}")

    return ExpressionPart(text, left.column, TRUTH, value, (left, right), sign)


def _no_value(text: str, operands: Iterable[tuple[ExpressionPart, Any]], more: str = "") -> Unknown:
    where = " and ".join(
        f"`{shortened(part.text)}` is {value_text(value)}" for part, value in operands if not part.is_constant
    )
    return Unknown(f"`{shortened(text)}` has no value" + (f" where {where}" if where else "") + more)


def _is_none(value: Any, _: Any) -> Any:
    return value if isinstance(value, Unknown) else value in (None, NULL)


_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": logic.equal,
    "!=": lambda left, right: logic.negation(logic.equal(left, right)),
    "in": logic.contains,
    "not in": lambda left, right: logic.negation(logic.contains(left, right)),
    "is": _is_none,
    "is not": lambda left, right: logic.negation(_is_none(left, right)),
    **{sign: partial(logic.ordered, sign) for sign in logic.ORDER},
}


def require_truth(text: str, part: ExpressionPart) -> None:
    """Raise :class:`ExpressionError` unless ``part`` of the expression ``text`` is true or false."""
    if part.type.kind not in (Kind.TRUTH, Kind.JSON):
        message = f"`{shortened(part.text)}` is {a_type(part.type)}"
        raise ExpressionError(message, f"compare it, as in `{example(part)}`", text, part.column)


def require_name(text: str, part: ExpressionPart, names: Names) -> None:
    """Raise :class:`ExpressionError` unless ``part`` of the expression ``text`` contains a name."""
    if not part.names():
        raise ExpressionError(*names.no_names(shortened(part.text)), text, part.column)
