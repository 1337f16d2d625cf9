"""Which labelled requests, and which of their views, ran at the same time."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.unknown import Unknown

Pair = frozenset[str]


class _Interval(NamedTuple):
    """A time in nanoseconds, from ``begun`` to an end between ``earliest_end`` and ``latest_end``."""

    request: RequestEntity
    begun: int
    earliest_end: float
    latest_end: float


def overlaps_of(
    requests: Iterable[RequestEntity], why_unknown: Unknown | None = None
) -> tuple[frozenset[Pair], Mapping[Pair, Unknown]]:
    """Return the pairs of labels that overlapped, and the pairs for which that is unknown, with the reason.

    ``{"a", "b"}`` are two requests inside Django's handler, ``{"a.view", "b.view"}`` their views. All pairs are
    unknown if there is a reason ``why_unknown``.
    """
    overlapping: set[Pair] = set()
    unknown: dict[Pair, Unknown] = {}
    for suffix, read in (("", _in_handler), (".view", _in_view)):
        intervals = [(f"{one.label}{suffix}", read(one)) for one in requests if one.label is not None]
        for (name, one), (other_name, other) in combinations(intervals, 2):
            pair = frozenset({name, other_name})
            overlaps = why_unknown or _overlap(one, other)
            if isinstance(overlaps, Unknown):
                unknown[pair] = overlaps
            elif overlaps:
                overlapping.add(pair)
    return frozenset(overlapping), unknown


def _in_handler(request: RequestEntity) -> _Interval | Unknown:
    if request.begun is None:
        return Unknown(f"Django's handler never saw request {request.number}")
    if request.ended is not None:
        return _Interval(request, request.begun, request.ended, request.ended)
    last_seen = request.view_ended or request.view_begun or request.begun
    return _Interval(request, request.begun, last_seen, _end_of_process(request))


def _in_view(request: RequestEntity) -> _Interval | Unknown:
    if request.begun is None:
        return Unknown(f"Django's handler never saw request {request.number}")
    if request.view_begun is None:
        return Unknown(f"no view was seen to handle request {request.number}")
    if request.view_ended is not None:
        return _Interval(request, request.view_begun, request.view_ended, request.view_ended)
    latest_end = _end_of_process(request) if request.ended is None else request.ended
    return _Interval(request, request.view_begun, request.view_begun, latest_end)


def _end_of_process(request: RequestEntity) -> float:
    """Return when the process that handled ``request`` ended; infinity if that was not seen."""
    ended_at = None if request.process is None else request.process.ended_at
    return float("inf") if ended_at is None else ended_at


def _overlap(one: _Interval | Unknown, other: _Interval | Unknown) -> bool | Unknown:
    if isinstance(one, Unknown):
        return one
    if isinstance(other, Unknown):
        return other
    if one.begun < other.earliest_end and other.begun < one.earliest_end:
        return True
    if one.begun < other.latest_end and other.begun < one.latest_end:
        open_ended = one if one.earliest_end < one.latest_end else other
        return Unknown(f"the end of request {open_ended.request.number} was not seen")
    return False
