"""Frozen values with named fields, as ``@dataclass(frozen=True)`` makes them, at a small part of the price.

``dataclass`` compiles six methods for each class, anew in every process that imports it. Those of a value
are compiled once for all. A value is a data class to everything else: ``fields``, ``replace``, ``match``.
"""

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[_T]) -> type[_T]:
    """Make a frozen value of the class ``kind``: equal to those of its class with equal fields."""
    made = dataclass(init=False, repr=False, eq=False)(kind)
    for method in (__init__, __repr__, __eq__, __hash__, __setattr__, __delattr__):
        setattr(made, method.__name__, method)
    return made


def __init__(self: Any, /, *args: Any, **given: Any) -> None:  # noqa: N807
    known = fields(self)
    if len(args) > len(known):
        raise TypeError(f"{type(self).__name__} takes {len(known)} values, and {len(args)} were given")
    for each, argument in zip(known, args, strict=False):
        if each.name in given:
            raise TypeError(f"{type(self).__name__} was given {each.name!r} twice")
        given[each.name] = argument
    for each in known:
        object.__setattr__(
            self, each.name, given.pop(each.name) if each.name in given else _default(self, each)
        )
    if given:
        raise TypeError(f"{type(self).__name__} has no {', '.join(map(repr, given))}")


def _default(self: Any, each: "Field[Any]") -> Any:
    if each.default is not MISSING:
        return each.default
    if each.default_factory is not MISSING:
        return each.default_factory()
    raise TypeError(f"{type(self).__name__} needs {each.name!r}")


def __repr__(self: Any) -> str:  # noqa: N807
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__name__}({', '.join(shown)})"


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, each.name) for each in fields(self) if each.compare)


def __eq__(self: Any, other: object) -> bool:  # noqa: N807
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def __hash__(self: Any) -> int:  # noqa: N807
    return hash((type(self), _compared(self)))


def __setattr__(self: Any, name: str, _: object) -> None:  # noqa: N807
    raise FrozenInstanceError(f"cannot assign to field {name!r} of {self!r}")


def __delattr__(self: Any, name: str) -> None:  # noqa: N807
    raise FrozenInstanceError(f"cannot delete field {name!r} of {self!r}")
