"""Which requests, and which views, were under way at the same time, and of which this is not known."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.unknown import Unknown

Pair = frozenset[str]


class _Interval(NamedTuple):
    """A time from ``begun`` to an end, in nanoseconds: not before ``least``, and not after ``most``."""

    request: RequestEntity
    begun: int
    least: float
    most: float


def overlaps_of(
    requests: Iterable[RequestEntity], doubt: Unknown | None = None
) -> tuple[frozenset[Pair], Mapping[Pair, Unknown]]:
    """Return the pairs of labels that overlapped, and those of which it is not known, with the reason.

    ``{"a", "b"}`` are two requests inside Django's handler, ``{"a.view", "b.view"}`` their views. ``doubt`` is
    a reason for which nothing is known of any pair.
    """
    true: set[Pair] = set()
    unknown: dict[Pair, Unknown] = {}
    for suffix, read in (("", _in_handler), (".view", _in_view)):
        intervals = [(f"{one.label}{suffix}", read(one)) for one in requests if one.label is not None]
        for (name, one), (other_name, other) in combinations(intervals, 2):
            pair = frozenset({name, other_name})
            found = doubt or _overlap(one, other)
            if isinstance(found, Unknown):
                unknown[pair] = found
            elif found:
                true.add(pair)
    return frozenset(true), unknown


def _in_handler(request: RequestEntity) -> _Interval | Unknown:
    if request.begun is None:
        return Unknown(f"Django's handler never saw request {request.number}")
    if request.ended is not None:
        return _Interval(request, request.begun, request.ended, request.ended)
    inside = request.view_ended or request.view_begun or request.begun
    return _Interval(request, request.begun, inside, _end_of_process(request))


def _in_view(request: RequestEntity) -> _Interval | Unknown:
    if request.begun is None:
        return Unknown(f"Django's handler never saw request {request.number}")
    if request.view_begun is None:
        return Unknown(f"no view was seen to handle request {request.number}")
    if request.view_ended is not None:
        return _Interval(request, request.view_begun, request.view_ended, request.view_ended)
    limit = _end_of_process(request) if request.ended is None else request.ended
    return _Interval(request, request.view_begun, request.view_begun, limit)


def _end_of_process(request: RequestEntity) -> float:
    """Return when the process that handled ``request`` was seen to have ended; infinity if it was not."""
    ended = None if request.process is None else request.process.ended_at
    return float("inf") if ended is None else ended


def _overlap(one: _Interval | Unknown, other: _Interval | Unknown) -> "bool | Unknown":
    if isinstance(one, Unknown):
        return one
    if isinstance(other, Unknown):
        return other
    if one.begun < other.least and other.begun < one.least:
        return True
    if one.begun < other.most and other.begun < one.most:
        open_ended = one if one.least < one.most else other
        return Unknown(f"the end of request {open_ended.request.number} was not seen")
    return False
