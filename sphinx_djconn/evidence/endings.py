"""Remarks on requests and responses that ended in an unusual way."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.reading import Trace


def endings(trace: Trace) -> Iterator[str]:
    """Yield a remark for each kind of ending of :data:`_REMARKS` that ``trace`` contains, with its requests."""
    requests = list(trace.entities.requests.values())
    for applies, one, many in _REMARKS:
        numbers = [request.number for request in requests if applies(request)]
        if numbers:
            yield (one if len(numbers) == 1 else many).format(_listed(numbers))


def _is_unclosed(request: RequestEntity) -> bool:
    """Return whether the response was never closed, although the process continued."""
    seen = request.begun is not None and request.ended is None
    return seen and request.status is not None and not _is_cut_short(request)


def _is_unended(request: RequestEntity) -> bool:
    seen = request.begun is not None and request.ended is None
    return seen and request.status is None and not _is_cut_short(request)


def _is_cut_short(request: RequestEntity) -> bool:
    return request.ended is None and request.process is not None and request.process.ended


def _is_closed_elsewhere(request: RequestEntity) -> bool:
    """Return whether the response was closed in another thread; under ASGI, no thread handles all of it."""
    return request.task is None and request.ended_in is not None and request.ended_in is not request.thread


_REMARKS: Final[Sequence[tuple[Callable[[RequestEntity], bool], str, str]]] = (
    (
        _is_unclosed,
        (
            "The server never closed the response of request {}: Django did not do what it does at the end of "
            "a request, such as closing its database connection."
        ),
        (
            "The server never closed the responses of requests {}: Django did not do what it does at the end "
            "of a request, such as closing its database connection."
        ),
    ),
    (
        _is_unended,
        "The end of request {} was not seen.",
        "The ends of requests {} were not seen.",
    ),
    (
        _is_cut_short,
        "The process that handled request {} ended before the request did.",
        "The processes that handled requests {} ended before the requests did.",
    ),
    (
        _is_closed_elsewhere,
        (
            "The server closed the response of request {} in another thread than the one that handled it: what "
            "Django does at the end of a request, it did with the database connections of that thread."
        ),
        (
            "The server closed the responses of requests {} in other threads than those that handled them: "
            "what Django does at the end of a request, it did with the database connections of those threads."
        ),
    ),
    (
        lambda request: request.close_delimited,
        (
            "The response of request {} has neither a length nor chunks: it ends with its connection, and one "
            "that broke off looks the same."
        ),
        (
            "The responses of requests {} have neither a length nor chunks: each ends with its connection, and "
            "one that broke off looks the same."
        ),
    ),
)
"""A predicate of requests, and the remark on one of them and on several."""


def _listed(numbers: Sequence[int]) -> str:
    """Return ``1–3, 5 and 7`` for sorted numbers."""
    spans = []
    for _, group in groupby(enumerate(numbers), lambda item: item[1] - item[0]):
        span = [number for _, number in group]
        spans.append(str(span[0]) if len(span) == 1 else f"{span[0]}–{span[-1]}")
    return " and ".join(filter(None, (", ".join(spans[:-1]), spans[-1])))
