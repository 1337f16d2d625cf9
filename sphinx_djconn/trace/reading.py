"""A trace: the events of one run, and what is read from them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from sphinx_djconn.trace import garbage_collection
from sphinx_djconn.trace.consistency import find_contradictions
from sphinx_djconn.trace.contradictions import Contradiction
from sphinx_djconn.trace.database_events import DatabaseEvents
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.events import Event, TraceError
from sphinx_djconn.trace.naming import name_entities
from sphinx_djconn.trace.request_events import RequestEvents, find_starters


def read_entities(events: Iterable[Event]) -> Entities:
    """Return the entities of ``events``, which are in their order."""
    events = list(events)
    entities = Entities()
    find_starters(events, entities)
    requests, databases = RequestEvents(entities), DatabaseEvents(entities)
    for event in events:
        requests.read(event)
        databases.read(event)
    requests.finish()
    databases.finish()
    name_entities(entities)
    return entities


@dataclass(frozen=True)
class Trace:
    """The ordered events of one run, the lines of the server's log, and what the server was started with.

    ``settings`` maps the names of the ``settings`` part to texts, free of paths and secrets. The properties are
    read from the events once. They raise :class:`TraceError` if the events cannot be read.
    """

    events: tuple[Event, ...]
    log: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def entities(self) -> Entities:
        """The entities; if Python ran the garbage collector automatically, as if it had never run."""
        with _trace_errors():
            if self.has_automatic_collection:
                return read_entities(garbage_collection.without_collection(self.events))
            return read_entities(self.events)

    @cached_property
    def entities_if_collected_at_once(self) -> Entities | None:
        """The entities as if the garbage collector had freed each connection as soon as it was abandoned.

        ``None`` if Python did not run it automatically, or if that makes no difference.
        """
        if not self.has_automatic_collection or not self.entities.sessions:
            return None
        with _trace_errors():
            events = garbage_collection.with_immediate_collection(self.events)
            if events == garbage_collection.without_collection(self.events):
                return None
            return read_entities(events)

    @cached_property
    def undecided_request(self) -> int | None:
        """The first request whose success depends on when the garbage collector ran, if there is one.

        0 stands for the server itself, outside of requests.
        """
        with _trace_errors():
            if not self.has_automatic_collection:
                return None
            return garbage_collection.first_undecided_request(self.events)

    @property
    def depends_on_collector(self) -> bool:
        """Whether the database server's sessions depend on when the garbage collector ran."""
        return self.entities_if_collected_at_once is not None

    @cached_property
    def has_automatic_collection(self) -> bool:
        """Whether Python decided when its garbage collector ran."""
        return garbage_collection.is_automatic(self.events)

    @cached_property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """The contradictions in the events."""
        with _trace_errors():
            return find_contradictions(self.events, self.entities.name_of)


@contextmanager
def _trace_errors() -> Iterator[None]:
    """Raise :class:`TraceError` if the block cannot read the events."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        if isinstance(error, TraceError):
            raise
        raise TraceError(f"its events contradict each other ({type(error).__name__}: {error})") from error
