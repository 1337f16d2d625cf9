"""Traces of a broken probe: an event is lost, recorded twice, late, or was never emitted."""

from collections.abc import Iterator
from typing import NamedTuple

from sphinx_djconn.trace.events import Event, in_order
from sphinx_djconn.trace.facts import Facts
from sphinx_djconn.trace.reading import Trace
from sphinx_djconn.trace.unknown import Unknown


class Mutation(NamedTuple):
    """A mutation of one event, and the resulting trace."""

    how: str
    event: Event
    trace: Trace


def mutations(trace: Trace, step: int = 1) -> Iterator[Mutation]:
    """Yield a trace for each mutation of every ``step``-th event of the probe.

    The first and the last event of each kind are always mutated.
    """
    events = trace.events
    kinds: dict[str, list[int]] = {}
    for index, event in enumerate(events):
        if event.serial:
            kinds.setdefault(event.kind, []).append(index)
    for indices in kinds.values():
        for index in sorted({indices[0], indices[-1], *indices[::step]}):
            event, before, after = events[index], events[:index], events[index + 1 :]
            yield Mutation("lost", event, Trace((*before, *after)))
            yield Mutation("unseen", event, Trace(tuple(_renumbered((*before, *after), event))))
            yield Mutation("twice", event, Trace((*before, event, event, *after)))
            for other in (*after[:1], *after[len(after) // 2 :][:1], *after[-2:-1]):
                late = [*before, *after, event._replace(at=other.at + 1)]
                yield Mutation(f"late, after {other.kind}", event, Trace(in_order(late)))


def _renumbered(events: tuple[Event, ...], unseen: Event) -> Iterator[Event]:
    """Return ``events`` as if their process had never emitted ``unseen``."""
    for event in events:
        if event.process == unseen.process and event.serial > unseen.serial:
            yield event._replace(serial=event.serial - 1)
        elif event.kind == "events.read":
            processes = [
                [process, count - (process == unseen.process and count >= unseen.serial)]
                for process, count in event.data["processes"]
            ]
            yield event._replace(data={"processes": processes})
        else:
            yield event


def false_facts(found: Facts, true: Facts) -> list[str]:
    """Return the differences between ``found`` and ``true``, except for facts unknown in ``found``."""
    names = [
        f"{name} is {found.figures.get(name)!r}, not {figure!r}"
        for name, figure in true.figures.items()
        if found.figures.get(name) != figure and not isinstance(found.figures.get(name), Unknown)
    ]
    pairs = (found.overlaps ^ true.overlaps) - set(found.unknown_overlaps)
    known = set(true.unknown_overlaps) - set(found.unknown_overlaps)
    return [*names, *(f"overlap of {' and '.join(sorted(pair))}" for pair in pairs | known)]
