"""The values that :mod:`.refutation` tries for the names of an expression.

They have every order among each other and relative to the constants in the expression, and every combination of
being equal or not.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any, Final

from sphinx_djconn.claims.logic import ARITHMETIC, NULL
from sphinx_djconn.claims.parts import ExpressionPart
from sphinx_djconn.trace.types import IDENTITIES, Kind, Type

LONGEST_LIST: Final = 1000
"""The length of the longest list that is tried."""

_MOST_NAMES: Final = 6
"""The largest number of names that can all have different values. Of more, not all combinations are tried."""

_LEAST_STATUS: Final = 100
_GREATEST_STATUS: Final = 999


class Constants:
    """The values of all parts without a name.

    ``reach`` is larger than any number that adding and multiplying the others can result in.
    """

    def __init__(self, part: ExpressionPart) -> None:
        values = [node.value({}) for node in part.walk() if not node.names()]
        self.numbers = sorted({each for each in values if _is_number(each)})
        self.texts = list(dict.fromkeys(each for each in values if isinstance(each, str)))
        self.lists = [_as_list(each) for each in values if isinstance(each, tuple)]
        sizes = [int(abs(each)) + 2 for each in values if _is_number(each)]
        self.reach = prod(sizes) if any(node.sign == "*" for node in part.walk()) else 1 + sum(sizes)


class TrialValues:
    """The values to try for the names in ``part``."""

    def __init__(self, part: ExpressionPart) -> None:
        constants = Constants(part)
        signs = {node.sign for node in part.walk()}
        self._names = part.names()
        self._numbers, self._texts, self._lists = constants.numbers, constants.texts, constants.lists
        self._reach = constants.reach
        self._has_arithmetic = not signs.isdisjoint(ARITHMETIC)
        self._has_length = "len" in signs and self._reach <= LONGEST_LIST
        self._count = min(len(self._names), _MOST_NAMES)  # each may need a different value

    def by_name(self) -> dict[str, list[Any]]:
        """Return the values to try for each name."""
        types = {name.type for name in self._names.values()}
        values = {type_: self._values(type_) for type_ in types}
        return {text: values[name.type] for text, name in self._names.items()}

    def _values(self, type_: Type) -> list[Any]:
        values = self._required(type_)
        return [*values, None] if type_.is_optional else values

    def _required(self, type_: Type) -> list[Any]:
        match type_.kind:
            case Kind.COUNT:
                values = self._integers(0, None)
            case Kind.STATUS:
                values = self._integers(_LEAST_STATUS, _GREATEST_STATUS)
            case Kind.NUMBER:
                values = self._reals()
            case Kind.TEXT:
                values = self._different_texts()
            case Kind.TRUTH:
                values = [False, True]
            case Kind.LIST:
                values = self._lists_of(self._values(type_.items[0]), type_.items[0])
            case kind if kind in IDENTITIES:
                values = [f"{kind} {number}" for number in range(self._count)]
            case _:
                values = self._json()
        return values

    def _integers(self, least: int, greatest: int | None) -> list[Any]:
        """Return whole numbers in every order among each other and the constants."""
        values: set[int] = set()
        for bound in (least, *self._numbers, *([] if greatest is None else [greatest])):
            near = range(int(bound) - self._count, int(bound) + self._count + 1)
            values.update(
                number for number in near if number >= least and (greatest is None or number <= greatest)
            )
        if self._has_arithmetic and greatest is None:
            values.add(10 * self._reach)
        return sorted(values)

    def _reals(self) -> list[Any]:
        """Return numbers in every order among each other, the constants, and the counts that are tried."""
        bounds = sorted({-1, 0, 1, *self._numbers})
        values = {*bounds, *self._integers(0, None)}
        for step in range(1, self._count + 1):
            values.update((bounds[0] - step, bounds[-1] + step))
            values.update(one + (other - one) * step / (self._count + 1) for one, other in pairwise(bounds))
        if self._has_arithmetic:
            values.update((10 * self._reach, -10 * self._reach))
        return sorted(values)

    def _different_texts(self) -> list[Any]:
        return [*self._texts, *(f"other text {number}" for number in range(self._count))]

    def _lists_of(self, items: Sequence[Any], type_: Type) -> list[Any]:
        """Return lists: short ones, the constants, and those whose length is close to a constant."""
        few = self._few(items)
        lists: list[Any] = [[], *([one] for one in few), *([one, other] for one in few for other in few)]
        for length in self._lengths():
            lists += [[one] * length for one in few[:3]]
            lists.append([_different(type_, number) for number in range(length)])
        return lists + self._lists

    def _lengths(self) -> list[int]:
        """Return the lengths of the longer lists."""
        if not self._has_length:
            return []
        near = {int(each) + step for each in self._numbers for step in (-1, 0, 1)}
        return sorted(each for each in near | {self._reach} if each > 2)  # noqa: PLR2004

    def _few(self, items: Sequence[Any]) -> list[Any]:
        """Return those of ``items`` that are constants, and a few others."""
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
    """Return the value of a literal as it could be in a trace."""
    if isinstance(value, tuple):
        return [_as_list(each) for each in value]
    return None if value is NULL else value


def _different(type_: Type, number: int) -> Any:
    return f"{type_.kind} {number}" if type_.kind is Kind.TEXT else _LEAST_STATUS + number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
