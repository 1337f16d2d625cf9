"""The inner nodes of an expression's tree: what an expression can do with facts."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sphinx_djconn.claims.nodes import Node
from sphinx_djconn.trace import Facts

_WIDEST_INTEGER = 256
"""In bits. Facts are counts: a number beyond that is an attempt to burn time."""

ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}

COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, items: item in items,
    "not in": lambda item, items: item not in items,
    "is": operator.is_,
    "is not": operator.is_not,
}

Collection: TypeAlias = type[list[Any]] | type[tuple[Any, ...]] | type[set[Any]]
"""What a display builds."""

CALLS: Final[dict[str, tuple[Callable[..., Any], int, int | None]]] = {
    "all": (all, 1, 1),
    "any": (any, 1, 1),
    "len": (len, 1, 1),
    "max": (max, 1, None),
    "min": (min, 1, None),
    "set": (set, 0, 1),
}
"""Name to function, and the least and the greatest number of its arguments."""

FUNCTIONS: Final = (*CALLS, "overlap")
"""The functions that an expression may call."""


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A call of one of the functions in :data:`CALLS`."""

    function: str
    arguments: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the arguments."""
        return self.arguments

    def value(self, facts: Facts) -> Any:
        """Return what the function returns."""
        operands = [(node, node.value(facts)) for node in self.arguments]
        hint = f"see that '{self.function}' is given a list, or values of one kind"
        return self.apply(CALLS[self.function][0], hint, *operands)


@dataclass(frozen=True, slots=True)
class Display(Node):
    """A list, a tuple or a set of expressions."""

    kind: Collection
    items: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the items."""
        return self.items

    def value(self, facts: Facts) -> Any:
        """Return the collection."""
        operands = [(node, node.value(facts)) for node in self.items]
        return self.apply(lambda *items: self.kind(items), "a set holds no lists: write [] for {}", *operands)


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """A number with its sign changed."""

    operand: Node

    def children(self) -> tuple[Node, ...]:
        """Return the operand."""
        return (self.operand,)

    def value(self, facts: Facts) -> Any:
        """Return the number."""
        operand = (self.operand, self.operand.value(facts))
        return self.apply(lambda value: -_number(value), "only numbers have a sign", operand)


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """Two numbers and one of :data:`ARITHMETIC` between them."""

    sign: str
    left: Node
    right: Node

    def children(self) -> tuple[Node, ...]:
        """Return both sides."""
        return (self.left, self.right)

    def value(self, facts: Facts) -> Any:
        """Return the number."""
        operands = [(node, node.value(facts)) for node in self.children()]
        return self.apply(
            self._compute,
            f"see that both sides of '{self.sign}' are numbers that it can take",
            *operands,
        )

    def _compute(self, left: Any, right: Any) -> Any:
        result = ARITHMETIC[self.sign](_number(left), _number(right))
        if isinstance(result, int) and result.bit_length() > _WIDEST_INTEGER:
            raise OverflowError
        return result


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The opposite of a truth."""

    operand: Node

    def children(self) -> tuple[Node, ...]:
        """Return the operand."""
        return (self.operand,)

    def value(self, facts: Facts) -> bool:
        """Return the opposite."""
        return not self.operand.truth(facts)


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """Truths with ``and`` or ``or`` between them, read from left to right as far as needed."""

    word: str
    operands: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return the operands."""
        return self.operands

    def value(self, facts: Facts) -> bool:
        """Return whether all of them, or any of them, is true."""
        truths = (node.truth(facts) for node in self.operands)
        return all(truths) if self.word == "and" else any(truths)


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """Values with :data:`COMPARISONS` between them, as in ``1 <= threads <= 2``."""

    signs: tuple[str, ...]
    operands: tuple[Node, ...]

    def children(self) -> tuple[Node, ...]:
        """Return what is compared."""
        return self.operands

    def pairs(self) -> Iterator[tuple[str, Node, Node]]:
        """Yield each sign with what stands at its sides."""
        return zip(self.signs, self.operands, self.operands[1:], strict=False)

    def value(self, facts: Facts) -> bool:
        """Return whether all comparisons are true."""
        left_value = self.operands[0].value(facts)
        for sign, left, right in self.pairs():
            right_value = right.value(facts)
            hint = f"see that '{sign}' stands between values that it can compare"
            if not self.apply(COMPARISONS[sign], hint, (left, left_value), (right, right_value)):
                return False
            left_value = right_value
        return True


def _number(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        raise TypeError
    return value
