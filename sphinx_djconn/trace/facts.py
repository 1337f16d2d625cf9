"""The facts of a run: named values, which claims compare."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sphinx_djconn.trace.contradictions import Contradiction
from sphinx_djconn.trace.entities import RequestEntity
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.fact_table import ALIAS_FACTS, FACTS, REQUEST_FACTS, Fact
from sphinx_djconn.trace.garbage_collection import alternatives
from sphinx_djconn.trace.overlaps import overlaps_of
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.run_reader import RunReader
from sphinx_djconn.trace.unknown import Unknown
from sphinx_djconn.trace.unknown_facts import (
    needs_probe,
    unknown_by_collector,
    unknown_by_contradictions,
    why_probe_unknown,
)


class Facts(NamedTuple):
    """The facts of one run.

    ``figures`` are their values by name (``db.opened``, ``first.thread``), or :class:`Unknown`. ``overlaps``
    holds a pair of labels for every two labelled requests that were in Django's handler at the same time;
    ``unknown_overlaps`` has the pairs for which that is unknown. ``alternatives`` are the other values that
    facts could have had if Python's garbage collector had run at other times: each item is a group of facts
    that vary together, as a sequence of the values that replace those in ``figures``.
    """

    figures: dict[str, Any]
    labels: tuple[str, ...]
    overlaps: frozenset[frozenset[str]]
    unknown_overlaps: Mapping[frozenset[str], Unknown] = MappingProxyType({})
    alternatives: tuple[tuple[Mapping[str, Any], ...], ...] = ()

    def bounds(self, name: str) -> tuple[Any, Any] | None:
        """Return the lowest and the highest value of a fact that depends on when the garbage collector ran.

        Returns ``None`` for any other fact.
        """
        others = [values[name] for group in self.alternatives for values in group if name in values]
        values = [*others, self.figures[name]] if others else []
        return (min(values), max(values)) if values else None

    def absent(self, name: str) -> tuple[str, str] | None:
        """Return why a fact has no figure in this run, and what to do; ``None`` if it has one or is no fact."""
        return None if name in self.figures else _WITHOUT_FIGURE.get(name)


_WITHOUT_FIGURE: Final = {
    "db.sessions": (
        "there is no figure for 'db.sessions' in this run: SQLite has no sessions",
        "give the scenario a database with a server, as in `:database: postgresql`",
    )
}


def facts_of(trace: Trace) -> Facts:
    """Return the facts of ``trace``: those of the run, of each database, and of each labelled request.

    Facts of a database are left out if the run had no database wrapper. Raises :class:`TraceError` if the
    events cannot be read.
    """
    reader = RunReader(trace.entities)
    figures = _figures(trace.entities)
    at_once = trace.entities_if_collected_at_once
    varying = () if at_once is None else alternatives(figures, _figures(at_once))
    labelled = {str(request.label): request for request in reader.requests if request.label is not None}
    for label, request in labelled.items():
        for name, fact in REQUEST_FACTS.items():
            figures[f"{label}.{name}"] = _of_request(request, name, fact, reader)
    overlaps, unknown_overlaps = overlaps_of(labelled.values(), why_probe_unknown(trace.contradictions))
    facts = Facts(figures, tuple(labelled), overlaps, unknown_overlaps, varying)
    if trace.undecided_request is not None:
        numbers = {label: request.number for label, request in labelled.items()}
        facts = _without_undecided(facts, numbers, trace.undecided_request)
    if trace.contradictions:
        facts = _without_contradictions(
            facts, trace.contradictions, has_automatic_collection=trace.has_automatic_collection
        )
    return facts


def _figures(entities: Entities) -> dict[str, Any]:
    """Return the facts of the run, and of each database, that have a figure."""
    reader = RunReader(entities)
    values = {name: fact.read(reader) for name, fact in FACTS.items()}
    figures: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    for alias in entities.aliases:
        reader_of_alias = RunReader(entities, alias)
        for name in ALIAS_FACTS:
            figures[f'db["{alias}"].{name}'] = FACTS[f"db.{name}"].read(reader_of_alias)
    return figures


def _of_request(request: RequestEntity, name: str, fact: Fact[RequestEntity], reader: RunReader) -> Any:
    if not request.is_seen and needs_probe(name):
        return reader.unseen
    figure = fact.read(request)
    if name == "threads_started" and isinstance(started := reader.threads_started(), Unknown):
        return started
    if name == "db_connections" or (name == "db_connection" and figure is None):
        return reader.if_openers_known(figure)
    return figure


def _without_undecided(facts: Facts, numbers: Mapping[str, int], first_undecided: int) -> Facts:
    """Return ``facts`` without those that depend on whether a request got a database connection.

    ``numbers`` are those of the requests by label.
    """
    unknown, unknown_overlaps = unknown_by_collector(facts.figures, numbers.items(), first_undecided)
    return facts._replace(
        figures=facts.figures | unknown,
        overlaps=facts.overlaps - unknown_overlaps.keys(),
        unknown_overlaps={**facts.unknown_overlaps, **unknown_overlaps},
        alternatives=(),
    )


def _without_contradictions(
    facts: Facts, contradictions: tuple[Contradiction, ...], *, has_automatic_collection: bool
) -> Facts:
    """Return ``facts`` without those that ``contradictions`` make unknown."""
    unknown = unknown_by_contradictions(facts.figures, facts.labels, contradictions)
    if has_automatic_collection and "db.sessions" in facts.figures:
        # Only the probe shows which of the sessions could have ended earlier.
        unknown["db.sessions"] = Unknown(f"the run contradicts itself: {contradictions[0].text}")
    varying = tuple(
        tuple({name: value for name, value in values.items() if name not in unknown} for values in group)
        for group in facts.alternatives
        if not group[0].keys() <= unknown.keys()
    )
    return facts._replace(figures=facts.figures | unknown, alternatives=varying)
