"""Frozen values with named fields, as ``@dataclass(frozen=True)`` makes them, at a small part of the price.

``dataclass`` compiles six methods for each class, anew in every process that imports it. Those of values are
compiled once for all. A value is a data class to everything else: ``fields``, ``replace``, ``match``.

A digest is a name for a value, made of all that is in it.
"""

import hashlib
import json
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, Final, TypeVar, dataclass_transform

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)
_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[_T]) -> type[_T]:
    """Make a frozen value of the class ``kind``: equal to those of its class with equal fields."""
    made = dataclass(init=False, repr=False, eq=False)(kind)
    for name in ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__"):
        setattr(made, name, getattr(_Methods, name))
    return made


class _Methods:
    """The methods that every value is given. They ask ``fields`` for what ``dataclass`` would write out."""

    def __init__(self: Any, /, *args: Any, **given: Any) -> None:
        kind, known = type(self).__name__, fields(self)
        if len(args) > len(known):
            raise TypeError(f"{kind} takes {len(known)} values, and {len(args)} were given")
        for each, argument in zip(known, args, strict=False):
            if each.name in given:
                raise TypeError(f"{kind} was given {each.name!r} twice")
            given[each.name] = argument
        for each in known:
            found = given.pop(each.name) if each.name in given else _default(kind, each)
            object.__setattr__(self, each.name, found)
        if given:
            raise TypeError(f"{kind} has no {', '.join(map(repr, given))}")

    def __repr__(self: Any) -> str:
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), _compared(self)))

    def __setattr__(self, name: str, _: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r} of {self!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r} of {self!r}")


def digest(value: object) -> str:
    """Return the SHA-256 of ``value`` as canonical JSON, in hexadecimal."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def _default(kind: str, each: "Field[Any]") -> Any:
    if each.default is not MISSING:
        return each.default
    if each.default_factory is not MISSING:
        return each.default_factory()
    raise TypeError(f"{kind} needs {each.name!r}")


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, each.name) for each in fields(self) if each.compare)
