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
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise, product
from math import prod
from typing import Any, Final

from sphinx_djconn.claims.errors import ExpressionError, shortened
from sphinx_djconn.claims.logic import ARITHMETIC, NULL, ORDER
from sphinx_djconn.claims.parts import Part
from sphinx_djconn.claims.types import a_type
from sphinx_djconn.trace.types import IDENTITIES, Kind, Type

_SAMPLES: Final = 200
"""How many random combinations of values are tried before all of them."""

_MOST: Final = 5000
"""The largest number of combinations that are all tried. With more, the expression is accepted."""

_MOST_NAMES: Final = 6
"""The largest number of names that can all have different values. Of more, not all combinations are tried."""

_LONGEST: Final = 1000
"""The length of the longest list that is tried."""

_LEAST_STATUS: Final = 100
_GREATEST_STATUS: Final = 999

_RANGES: Final = {Kind.COUNT: "0 or more", Kind.STATUS: "100 to 999"}


def check(text: str, root: Part, *, wanted: bool) -> None:
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


def _joined(part: Part) -> Iterator[Part]:
    """Yield the parts that ``and`` joins."""
    if part.sign == "and":
        for each in part.parts:
            yield from _joined(each)
    else:
        yield part


def _can_be(part: Part, *, wanted: bool) -> bool:
    """Return whether ``part`` is ``wanted`` for some values, or if not all values could be tried."""
    domains = _Domains(part).by_name()
    choice = random.Random(0)  # noqa: S311
    for _ in range(_SAMPLES):
        if part.value({name: choice.choice(values) for name, values in domains.items()}) is wanted:
            return True
    if prod(map(len, domains.values())) > _MOST or not _is_decided(part, wanted=wanted):
        return True
    combinations = product(*domains.values())
    return any(part.value(dict(zip(domains, values, strict=True))) is wanted for values in combinations)


def _is_decided(part: Part, *, wanted: bool) -> bool:
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
    if "len" in signs and _Constants(part).reach > _LONGEST:
        return False
    sums = [node for node in nodes if node.sign in ARITHMETIC and node.names()]
    if not sums:
        return True
    equality = "!=" if wanted is ("not" not in signs) else "=="
    return all(map(_is_linear, sums)) and len(comparisons) == 1 and comparisons[0].sign in {*ORDER, equality}


def _is_linear(part: Part) -> bool:
    if part.sign == "*":
        factors = [node.value({}) for node in part.parts if not node.names()]
        return len(factors) == 1 and isinstance(factors[0], int)
    return part.sign in ("+", "-")


_COMPARISONS: Final = frozenset({"==", "!=", "in", "not in", "is", "is not", *ORDER})


class _Constants:
    """The values of all parts without a name.

    ``reach`` is larger than any number that adding and multiplying the others can result in.
    """

    def __init__(self, part: Part) -> None:
        values = [node.value({}) for node in part.walk() if not node.names()]
        self.numbers = sorted({each for each in values if _is_number(each)})
        self.texts = list(dict.fromkeys(each for each in values if isinstance(each, str)))
        self.lists = [_as_list(each) for each in values if isinstance(each, tuple)]
        sizes = [int(abs(each)) + 2 for each in values if _is_number(each)]
        self.reach = prod(sizes) if any(node.sign == "*" for node in part.walk()) else 1 + sum(sizes)


class _Domains:
    """The values to try for the names in ``part``."""

    def __init__(self, part: Part) -> None:
        constants = _Constants(part)
        signs = {node.sign for node in part.walk()}
        self._names = part.names()
        self._numbers, self._texts, self._lists = constants.numbers, constants.texts, constants.lists
        self._reach = constants.reach
        self._has_arithmetic = not signs.isdisjoint(ARITHMETIC)
        self._has_length = "len" in signs and self._reach <= _LONGEST
        self._count = min(len(self._names), _MOST_NAMES)  # each may need a value of its own

    def by_name(self) -> dict[str, list[Any]]:
        """Return the values to be tried, by name."""
        types = {name.type for name in self._names.values()}
        values = {type_: self._values(type_) for type_ in types}
        return {text: values[name.type] for text, name in self._names.items()}

    def _values(self, type_: Type) -> list[Any]:
        found = self._required(type_)
        return [*found, None] if type_.is_optional else found

    def _required(self, type_: Type) -> list[Any]:
        match type_.kind:
            case Kind.COUNT:
                found = self._integers(0, None)
            case Kind.STATUS:
                found = self._integers(_LEAST_STATUS, _GREATEST_STATUS)
            case Kind.NUMBER:
                found = self._reals()
            case Kind.TEXT:
                found = self._different_texts()
            case Kind.TRUTH:
                found = [False, True]
            case Kind.LIST:
                found = self._lists_of(self._values(type_.items[0]), type_.items[0])
            case kind if kind in IDENTITIES:
                found = [f"{kind} {number}" for number in range(self._count)]
            case _:
                found = self._json()
        return found

    def _integers(self, least: int, greatest: int | None) -> list[Any]:
        """Return whole numbers in every order among each other and the constants."""
        found: set[int] = set()
        for each in (least, *self._numbers, *([] if greatest is None else [greatest])):
            near = range(int(each) - self._count, int(each) + self._count + 1)
            found.update(
                number for number in near if number >= least and (greatest is None or number <= greatest)
            )
        if self._has_arithmetic and greatest is None:
            found.add(10 * self._reach)
        return sorted(found)

    def _reals(self) -> list[Any]:
        """Return numbers in every order among each other, the constants, and the counts that are tried."""
        bounds = sorted({-1, 0, 1, *self._numbers})
        found = {*bounds, *self._integers(0, None)}
        for step in range(1, self._count + 1):
            found.update((bounds[0] - step, bounds[-1] + step))
            found.update(one + (other - one) * step / (self._count + 1) for one, other in pairwise(bounds))
        if self._has_arithmetic:
            found.update((10 * self._reach, -10 * self._reach))
        return sorted(found)

    def _different_texts(self) -> list[Any]:
        return [*self._texts, *(f"other text {number}" for number in range(self._count))]

    def _lists_of(self, items: Sequence[Any], type_: Type) -> list[Any]:
        """Return lists: short ones, those that are constants, and those of lengths near the constants."""
        few = self._few(items)
        found: list[Any] = [[], *([one] for one in few), *([one, other] for one in few for other in few)]
        for length in self._lengths():
            found += [[one] * length for one in few[:3]]
            found.append([_different(type_, number) for number in range(length)])
        return found + self._lists

    def _lengths(self) -> list[int]:
        """Return the lengths of lists to be tried beside the shortest."""
        if not self._has_length:
            return []
        near = {int(each) + step for each in self._numbers for step in (-1, 0, 1)}
        return sorted(each for each in near | {self._reach} if each > 2)  # noqa: PLR2004

    def _few(self, items: Sequence[Any]) -> list[Any]:
        """Return those of ``items`` that are constants, and a few beside them."""
        constants = {*self._numbers, *self._texts}
        named = [item for item in items if item in constants]
        others = [item for item in items if item not in constants]
        return [*named[:6], *others[:: max(1, len(others) // 3)][:4]]

    def _json(self) -> list[Any]:
        numbers, texts = self._reals(), self._different_texts()
        lists = [
            *self._lists,
            *([*each, "more"] for each in self._lists),
            *([each] for each in (*numbers, *texts)),
        ]
        lists += [list(range(length)) for length in self._lengths()]
        return [None, False, True, *numbers, "", *texts, [], *lists, {}, {"key": 1}]


def _as_list(value: Any) -> Any:
    """Return a list as it is written in an expression as one that could be in a trace."""
    if isinstance(value, tuple):
        return [_as_list(each) for each in value]
    return None if value is NULL else value


def _different(type_: Type, number: int) -> Any:
    return f"{type_.kind} {number}" if type_.kind is Kind.TEXT else _LEAST_STATUS + number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _error(text: str, part: Part, *, wanted: bool) -> ExpressionError:
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
