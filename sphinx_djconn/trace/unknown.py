"""The value of a fact that a run cannot know. It is not ``None``, which says that there was none."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact whose value the run cannot know.

    ``reason`` completes "is not known: …", for example ``Django's handler never saw the request``.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownMember(Unknown):
    """A member of an object in JSON of which the name is not known either: it may have any."""


def with_unknown(value: Any, places: Sequence[Sequence[Any]], name: str) -> Any:
    """Return ``value``, which is JSON, with :class:`Unknown` at ``places``, as the fact ``name``.

    A place is a list of keys and indices, a reason, and if the last key is not known either, true. A place
    within another one is not looked for; if there is no such place, ``LookupError`` is raised.
    """
    if not places:
        return value
    root = [deepcopy(value)]
    for place, reason, *nameless in sorted(places, key=lambda each: len(each[0])):
        # What is inside says where: claims that compare the whole meet it.
        path = ".".join(map(str, (name, *place)))
        said = f"`{path}` is not known: {reason}" if place else reason
        _put(root, [0, *place], UnknownMember(said) if nameless else Unknown(said))
    return root[0]


def _put(inside: Any, place: list[Any], unknown: Unknown) -> None:
    """Put ``unknown`` at ``place``, unless something around it is unknown."""
    *outer, last = place
    for key in outer:
        inside = inside[key]
        if isinstance(inside, Unknown):
            return
    inside[last]  # which raises if there is none
    inside[last] = unknown
