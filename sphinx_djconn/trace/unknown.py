"""The value of a fact that a run cannot know. It is not ``None``, which says that there was none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact whose value the run cannot know.

    ``reason`` completes "is not known: …", for example ``Django's handler never saw the request``.
    """

    reason: str


def with_unknown(value: Any, places: Iterable[tuple[Sequence[str | int], str]]) -> Any:
    """Return ``value``, which is JSON, with :class:`Unknown` at ``places``: keys and indices, and reasons.

    A place within another one counts as that; where there is no such place, ``LookupError`` is raised.
    """
    for place, reason in sorted(places, key=lambda each: -len(each[0])):
        value = _replaced(value, list(place), Unknown(reason))
    return value


def _replaced(value: Any, place: list[str | int], new: Unknown) -> Any:
    if not place:
        return new
    first, *rest = place
    if isinstance(value, Unknown):
        return value
    if isinstance(value, dict):
        return {**value, first: _replaced(value[first], rest, new)}
    copy = list(value)
    copy[int(first)] = _replaced(copy[int(first)], rest, new)
    return copy
