"""Which facts are unknown because the run contradicts itself, or because of the garbage collector.

A third reason is that the probe could not see what was done for requests: see :mod:`.attribution`.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Final, assert_never

from sphinx_djconn.trace.contradictions import Contradiction, Scope
from sphinx_djconn.trace.fact_table import REQUEST_FACTS
from sphinx_djconn.trace.unknown import Unknown

_FROM_CLIENTS: Final = frozenset(
    {"requests", "responses", "errors", "statuses", "http.connections", "http.close_delimited", "db.sessions"}
)
_FROM_CLIENTS_BY_REQUEST: Final = frozenset({"status", "json", "http_connection"})
"""Facts of a run, and of a labelled request, that the clients and the database server report."""


def needs_probe(name: str) -> bool:
    """Return whether the fact ``name`` of a labelled request, without the label, is recorded by the probe."""
    return name not in _FROM_CLIENTS_BY_REQUEST


def why_probe_unknown(contradictions: Iterable[Contradiction]) -> Unknown | None:
    """Return why nothing that the probe recorded is known; ``None`` if its events are consistent."""
    return next((_unknown(each) for each in contradictions if each.scope is not Scope.DATABASE), None)


def unknown_by_contradictions(
    names: Iterable[str], labels: Iterable[str], contradictions: Iterable[Contradiction]
) -> dict[str, Unknown]:
    """Return those of the facts ``names`` that ``contradictions`` make unknown, with the reason.

    ``labels`` are those of the requests.
    """
    from_clients = {f"{label}.{name}" for label in labels for name in _FROM_CLIENTS_BY_REQUEST} | _FROM_CLIENTS
    contradictions = list(contradictions)
    unknown: dict[str, Unknown] = {}
    for name in names:
        for contradiction in contradictions:
            if _concerns(contradiction.scope, name, from_clients=name in from_clients):
                unknown[name] = _unknown(contradiction)
                break
    return unknown


def _unknown(contradiction: Contradiction) -> Unknown:
    return Unknown(f"the run contradicts itself: {contradiction.text}")


def _concerns(scope: Scope, name: str, *, from_clients: bool) -> bool:
    match scope:
        case Scope.CLIENTS:
            return True
        case Scope.PROBE:
            return not from_clients
        case Scope.DATABASE:
            return not from_clients and (name.startswith("db") or ".db_" in name)
        case _:
            assert_never(scope)


def unknown_by_collector(
    names: Iterable[str], labels: Iterable[tuple[str, int]], first_undecided: int
) -> tuple[dict[str, Unknown], dict[frozenset[str], Unknown]]:
    """Return the facts, and the overlaps, that depend on whether a request got a database connection.

    ``names`` are those of all facts, and ``labels`` the labels of requests with their numbers. Facts of the
    requests before ``first_undecided`` are known, and so is the number of requests. See
    :func:`.garbage_collection.first_undecided_request`.
    """
    who = f"request {first_undecided}" if first_undecided else "the server"
    reason = Unknown(
        f"whether {who} could open a database connection depends on when Python's garbage collector runs; "
        "choose `:garbage-collection: off` or `each-request`"
    )
    labels = list(labels)
    before = {label for label, number in labels if number < first_undecided}
    known = {"requests", *(f"{label}.{name}" for label in before for name in REQUEST_FACTS)}
    overlaps = [
        frozenset({f"{one}{suffix}", f"{other}{suffix}"})
        for (one, _), (other, _) in combinations(labels, 2)
        if not {one, other} <= before
        for suffix in ("", ".view")
    ]
    return {name: reason for name in names if name not in known}, dict.fromkeys(overlaps, reason)
