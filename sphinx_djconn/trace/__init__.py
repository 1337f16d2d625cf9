"""What one run left behind: ordered events, the entities read out of them, and the facts."""

from sphinx_djconn.trace.entities import (
    DatabaseConnection,
    HttpConnection,
    Process,
    RequestEntity,
    Thread,
    Trace,
)
from sphinx_djconn.trace.events import Event, TraceError
from sphinx_djconn.trace.facts import FACTS, REQUEST_FACTS, Facts, facts_of

__all__ = [
    "FACTS",
    "REQUEST_FACTS",
    "DatabaseConnection",
    "Event",
    "Facts",
    "HttpConnection",
    "Process",
    "RequestEntity",
    "Thread",
    "Trace",
    "TraceError",
    "facts_of",
]
