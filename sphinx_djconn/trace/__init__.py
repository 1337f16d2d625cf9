"""What one run left behind: ordered events, the entities read out of them, and the facts."""

from typing import TYPE_CHECKING

from sphinx_djconn.faces import on_demand

if TYPE_CHECKING:
    from sphinx_djconn.trace.entities import (
        DatabaseConnection,
        Greenlet,
        HttpConnection,
        Process,
        RequestEntity,
        Session,
        Task,
        Thread,
    )
    from sphinx_djconn.trace.events import Event, TraceError
    from sphinx_djconn.trace.facts import ALIAS_FACTS, FACTS, REQUEST_FACTS, Facts, facts_of
    from sphinx_djconn.trace.reading import Entities, Trace
    from sphinx_djconn.trace.unknown import Unknown
else:
    __getattr__ = on_demand(
        __name__,
        {
            "entities": "DatabaseConnection Greenlet HttpConnection Process RequestEntity Session Task Thread",
            "events": "Event TraceError",
            "facts": "ALIAS_FACTS FACTS REQUEST_FACTS Facts facts_of",
            "reading": "Entities Trace",
            "unknown": "Unknown",
        },
    )

__all__ = [
    "ALIAS_FACTS",
    "FACTS",
    "REQUEST_FACTS",
    "DatabaseConnection",
    "Entities",
    "Event",
    "Facts",
    "Greenlet",
    "HttpConnection",
    "Process",
    "RequestEntity",
    "Session",
    "Task",
    "Thread",
    "Trace",
    "TraceError",
    "Unknown",
    "facts_of",
]
