"""The value of a fact that a run cannot show. It differs from ``None``, which means that there was nothing."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that the run cannot show.

    ``reason`` completes "is not known: …", for example ``Django's handler never saw the request``.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownMember(Unknown):
    """A member of a JSON object whose name is unknown, too."""


def with_unknown(value: Any, places: Sequence[Sequence[Any]], name: str) -> Any:
    """Return ``value``, which is JSON, with :class:`Unknown` at ``places``, as the fact ``name``.

    A place is a list of keys and indices, a reason, and if the last key is unknown, too, true. Places inside of
    other places are ignored. Raises ``LookupError`` if ``value`` has no such place.
    """
    if not places:
        return value
    root = [deepcopy(value)]
    for place, reason, *is_nameless in sorted(places, key=lambda each: len(each[0])):
        # A claim that compares the whole value quotes the reason, so a reason inside of it has the path.
        path = ".".join(map(str, (name, *place)))
        full_reason = f"`{path}` is not known: {reason}" if place else reason
        _put(root, [0, *place], UnknownMember(full_reason) if is_nameless else Unknown(full_reason))
    return root[0]


def _put(value: Any, place: list[Any], unknown: Unknown) -> None:
    """Put ``unknown`` at ``place`` inside of a value, unless something around it is unknown already."""
    *outer, last = place
    for key in outer:
        value = value[key]
        if isinstance(value, Unknown):
            return
    value[last]  # raises LookupError if there is no such place
    value[last] = unknown
