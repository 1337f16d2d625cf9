"""The parts of an expression, and how their values are computed from those of the names."""

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
class Part:
    """A part of an expression: ``text`` as it is written, from ``column`` of the whole on.

    ``value`` computes its value from those of the names. ``sign`` is the operator or function that makes it of
    ``parts``; the parts of a comparison of more than two values are comparisons of two. A part that is a name
    has ``name``, and one that is a constant ``constant``.
    """

    text: str
    column: int
    type: Type
    value: Callable[[Values], Any]
    parts: "tuple[Part, ...]" = ()
    sign: str = ""
    name: Name | None = None
    constant: Any = ...

    @property
    def is_constant(self) -> bool:
        """Whether it is a number, a text, True, False or None as it is written."""
        return self.constant is not ...

    @property
    def peer(self) -> str:
        """The name of the same fact of another request, if it is a fact of a request."""
        return "" if self.name is None else self.name.peer

    def walk(self) -> "Iterator[Part]":
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


def applied(text: str, function: Callable[..., Any], *parts: Part) -> Callable[[Values], Any]:
    """Return what computes ``function`` of the values of ``parts``, as far as these are known."""

    def value(values: Values) -> Any:
        operands = [part.value(values) for part in parts]
        for operand in operands:
            if isinstance(operand, Unknown):
                return operand
        try:
            found = function(*operands)
        except (TypeError, ValueError, ArithmeticError, RecursionError):
            found = None
        if found is None or isinstance(found, Incomparable):
            return _no_value(text, zip(parts, operands, strict=True))
        return found

    return value


def compared(sign: str, left: Part, right: Part) -> Part:
    """Return the comparison of two parts, whose types fit together."""
    text, compare = f"{left.text} {sign} {right.text}", _COMPARISONS[sign]

    def value(values: Values) -> Any:
        operands = left.value(values), right.value(values)
        try:
            found = compare(*operands)
        except RecursionError:
            return Unknown(f"`{shortened(text)}` compares values that are nested too deeply")
        if not isinstance(found, Incomparable):
            return found
        for part, each in zip((left, right), operands, strict=True):
            if each is None or each is NULL:
                asked = f"; `{shortened(part.text)} is None` asks for that"
                return _no_value(text, [(part, None)], asked)
        if found.left is None or found.right is None:
            return Unknown(f"`{shortened(text)}` compares with none: ask for that with `is None`")
        different = f"{described(found.left)} with {described(found.right)}"
        return Unknown(f"`{shortened(text)}` compares {different}")

    return Part(text, left.column, TRUTH, value, (left, right), sign)


def _no_value(text: str, operands: Iterable[tuple[Part, Any]], more: str = "") -> Unknown:
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


def require_truth(text: str, part: Part) -> None:
    """Raise :class:`ExpressionError` unless ``part`` of the expression ``text`` is true or false."""
    if part.type.kind not in (Kind.TRUTH, Kind.JSON):
        message = f"`{shortened(part.text)}` is {a_type(part.type)}"
        raise ExpressionError(message, f"compare it, as in `{example(part)}`", text, part.column)


def require_name(text: str, part: Part, names: Names) -> None:
    """Raise :class:`ExpressionError` unless ``part`` of the expression ``text`` has a name in it."""
    if not part.names():
        raise ExpressionError(*names.idle(shortened(part.text)), text, part.column)
