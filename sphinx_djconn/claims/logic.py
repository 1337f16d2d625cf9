"""The operations of expressions: three-valued logic, comparisons, lists and arithmetic.

A value may be :class:`~sphinx_djconn.trace.unknown.Unknown`. A truth is ``True``, ``False``, or unknown, and
unknown truths combine as in Kleene's logic: false ``and`` unknown is false, true ``or`` unknown is true, and
everything else that depends on the unknown part is unknown.

Values of different kinds are not comparable, and neither is None: two requests that both used no database
connection do not use the same one. Comparing them results in :class:`Incomparable`, which is an unknown truth,
too.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sphinx_djconn.claims.figures import value_text
from sphinx_djconn.trace.unknown import Unknown, UnknownMember

_WIDEST_INTEGER: Final = 256
"""In bits. Facts are counts: a larger number can only be an attempt to waste time."""

ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}

ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Incomparable:
    """The outcome of comparing two values that cannot be compared."""

    left: Any
    right: Any


class Null:
    """A None that equals itself: the literal, null inside JSON, and a value of an axis."""


NULL: Final = Null()


class Distinct(tuple[Any, ...]):
    """The items of a set, with duplicates: items that cannot be compared may be equal or not."""

    __slots__ = ()


def conjunction(truths: Iterable[Any]) -> Any:
    """Return false if one of ``truths`` is false, else the first one that is unknown, else true."""
    unknown = None
    for truth in truths:
        if truth is False:
            return False
        if truth is not True and unknown is None:
            unknown = truth
    return True if unknown is None else unknown


def disjunction(truths: Iterable[Any]) -> Any:
    """Return true if one of ``truths`` is true, else the first one that is unknown, else false."""
    return negation(conjunction(negation(truth) for truth in truths))


def negation(truth: Any) -> Any:
    """Return the opposite of ``truth``; what is unknown stays unknown."""
    return not truth if isinstance(truth, bool) else truth


def equal(left: Any, right: Any) -> Any:
    """Return whether two values of one kind are the same: a truth."""
    for value in (left, right):
        if isinstance(value, (Unknown, Incomparable)):
            return value
    if left is NULL or right is NULL:
        return left in (NULL, None) and right in (NULL, None)
    kind = kind_of(left)
    if kind != kind_of(right) or left is None:
        return Incomparable(left, right)
    if kind in _CONTAINERS:
        return _equal_containers(kind, left, right)
    return bool(left == right)


_CONTAINERS: Final = frozenset({"a list", "a set", "an object"})


def _equal_containers(kind: str, left: Any, right: Any) -> Any:
    if kind == "a set":
        return conjunction((all_in(left, right), all_in(right, left)))
    if kind == "a list":
        return _equal_items(list_items(left), list_items(right))
    if left.keys() != right.keys():
        return len(left) == len(right) and (_nameless(left) or _nameless(right) or False)
    return _equal_items(_nulled(left.values()), _nulled(right[key] for key in left))


def _equal_items(left: Sequence[Any], right: Sequence[Any]) -> Any:
    if len(left) != len(right):
        return False
    return conjunction(equal(one, other) for one, other in zip(left, right, strict=True))


def all_in(items: Iterable[Any], container: Any) -> Any:
    """Return whether all ``items`` are in ``container``."""
    return conjunction(contains(item, container) for item in items)


def contains(item: Any, container: Any) -> Any:
    """Return whether ``item`` is in a list or set, is part of a text, or is a key of an object."""
    if isinstance(container, Unknown):
        return container
    match kind_of(container):
        case "a list" | "a set":
            return disjunction(equal(item, each) for each in list_items(container))
        case "a text" if isinstance(item, str):
            return item in container
        case "an object" if isinstance(item, str):
            return item in container or _nameless(container) or False
    return item if isinstance(item, Unknown) else Incomparable(item, container)


def _nameless(value: Mapping[str, Any]) -> UnknownMember | None:
    """Return a member of an object whose name is unknown, if there is one."""
    return next((each for each in value.values() if isinstance(each, UnknownMember)), None)


def ordered(sign: str, left: Any, right: Any) -> Any:
    """Return whether numbers or texts are in the order of ``sign``, or whether a set is a subset of another."""
    for value in (left, right):
        if isinstance(value, Unknown):
            return value
    kinds = {kind_of(left), kind_of(right)}
    if kinds == {"a set"}:
        smaller, greater = (left, right) if sign[0] == "<" else (right, left)
        within = all_in(smaller, greater)
        return within if sign[1:] else conjunction((within, negation(all_in(greater, smaller))))
    if kinds in ({"a number"}, {"a text"}):
        return ORDER[sign](left, right)
    return Incomparable(left, right)


def compute(sign: str, left: Any, right: Any) -> Any:
    """Return the result of an operator in :data:`ARITHMETIC`; raise an exception if there is none."""
    for value in (left, right):
        if kind_of(value) != "a number":
            raise TypeError
    result = ARITHMETIC[sign](left, right)
    if isinstance(result, int) and result.bit_length() > _WIDEST_INTEGER:
        raise OverflowError
    return result


def length(value: Any) -> Any:
    """Return how many items a list, a set, a text or an object has; raise TypeError for others.

    The length of a set is unknown if it is unknown which of its items are equal.
    """
    if not isinstance(value, Distinct):
        if kind_of(value) not in {"a list", "a text", "an object"}:
            raise TypeError
        return len(value)
    different: tuple[Any, ...] = ()
    for item in value:
        is_duplicate = contains(item, different)
        if not isinstance(is_duplicate, bool):
            return is_duplicate
        if not is_duplicate:
            different += (item,)
    return len(different)


def extreme(function: Callable[[Iterable[Any]], Any], values: Sequence[Any]) -> Any:
    """Return the least or the greatest of ``values``; raise TypeError or ValueError if there is none."""
    for value in values:
        if isinstance(value, Unknown):
            return value
    if {kind_of(value) for value in values} not in ({"a number"}, {"a text"}, set()):
        raise TypeError
    return function(values)


def list_items(value: Sequence[Any]) -> Sequence[Any]:
    """Return the items of a list. In a list from a response's JSON, None is a value like any other."""
    return _nulled(value) if isinstance(value, list) else value


def _nulled(values: Iterable[Any]) -> list[Any]:
    return [NULL if value is None else value for value in values]


def kind_of(value: Any) -> str:
    """Return the kind of a value, with its article."""
    return next((kind for types, kind in _KINDS if isinstance(value, types)), "a list")


_KINDS: Final[tuple[tuple[Any, str], ...]] = (
    (bool, "a truth"),
    ((int, float), "a number"),
    (str, "a text"),
    ((Null, type(None)), "none"),
    ((Distinct, set, frozenset), "a set"),
    (Mapping, "an object"),
    ((Unknown, Incomparable), "not known"),
)


def described(value: Any) -> str:
    """Return a value with its kind: ``a text (ada)``."""
    kind = kind_of(value)
    return kind if kind in {"none", "not known"} else f"{kind} ({value_text(value)})"
