"""Read values that several facts of a run need, each of them unknown if the run cannot show it."""

from collections.abc import Callable, Iterable
from typing import Any

from sphinx_djconn.trace.attribution import (
    STARTER_OF_PROCESS_UNKNOWN,
    STARTER_OF_THREAD_UNKNOWN,
    why_unattributed,
    why_unseen,
)
from sphinx_djconn.trace.entities import DatabaseConnection, Origin
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.unknown import Unknown


class RunReader:
    """Reads values from the entities of a run; with ``alias``, only from the connections to one database.

    ``all_connections`` are those of the run, and ``connections`` those that were opened for requests.
    ``unseen`` is why Django's handler did not see all requests, and ``openers_unknown`` why it isn't known
    which connections were opened for requests; both are ``None`` if there is no such reason.
    """

    def __init__(self, entities: Entities, alias: str | None = None) -> None:
        self.entities = entities
        self.alias = alias
        self.requests = list(entities.requests.values())
        self.seen_requests = [request for request in self.requests if request.is_seen]
        self.all_connections = [
            connection
            for connection in entities.db_connections.values()
            if alias is None or connection.alias == alias
        ]
        self.connections = [
            connection for connection in self.all_connections if connection.opened_in is not None
        ]
        unseen = why_unseen(entities)
        self.unseen = None if unseen is None else Unknown(unseen)
        self.openers_unknown = self._why_unattributed(
            connection.opened_at for connection in self.all_connections if connection.opened_in is None
        )

    def _why_unattributed(self, origins: Iterable[Origin | None]) -> Unknown | None:
        reasons = (why_unattributed(self.entities, origin) for origin in origins)
        return next((Unknown(reason) for reason in reasons if reason is not None), None)

    def if_all_seen(self, figure: Any) -> Any:
        """Return ``figure``, or :class:`Unknown` if Django's handler did not see all requests."""
        return self.unseen or figure

    def if_openers_known(self, figure: Any) -> Any:
        """Return ``figure``, or :class:`Unknown` if it isn't known which connections requests opened."""
        return self.openers_unknown or figure

    def if_uses_known(self, figure: Any) -> Any:
        """Return ``figure``, or :class:`Unknown` if it isn't known which ones requests used."""
        return self.openers_unknown or (self.unseen if self.all_connections else None) or figure

    def actions(self, kind: str) -> Any:
        """Return how often requests did what ``kind`` says: see :class:`DatabaseAction`."""
        actions = [
            action
            for action in self.entities.database_actions
            if action.kind == kind and self.alias in (None, action.alias)
        ]
        reason = self._why_unattributed(action.origin for action in actions if action.request is None)
        return reason or sum(action.request is not None for action in actions)

    def threads_started(self) -> Any:
        """Return how many threads requests started."""
        if self.unseen is not None:
            return self.unseen
        if self.entities.greenlets:
            return Unknown("who starts a greenlet is not recorded")
        threads = self.entities.threads.values()
        with_requests = {request.thread.key for request in self.seen_requests if request.thread is not None}
        with_requests |= {thread for thread, _ in self.entities.owners_with_requests}
        if any(thread.starter_unknown and thread.key not in with_requests for thread in threads):
            return Unknown(STARTER_OF_THREAD_UNKNOWN)
        return sum(thread.started_by is not None for thread in threads)

    def processes_started(self) -> Any:
        """Return how many processes requests started."""
        processes = self.entities.processes.values()
        if any(process.starter_unknown for process in processes):
            return Unknown(STARTER_OF_PROCESS_UNKNOWN)
        started = {process.pid for process in processes if process.started_by is not None}
        return self.if_all_seen(len(started))

    def reused(self) -> int:
        """Return how many requests used a connection that they had not opened themselves."""
        return sum(
            any(
                how == "reused" and connection.opened_in != request.number
                for connection, how in request.connections
                if self.alias in (None, connection.alias)
            )
            for request in self.requests
        )

    def count(self, test: Callable[[DatabaseConnection], bool]) -> int:
        """Return how many connections fulfil ``test``, whoever opened them."""
        return sum(map(test, self.all_connections))

    def closed(self) -> list[DatabaseConnection]:
        """Return the connections of requests that Django closed."""
        return [connection for connection in self.connections if connection.why is not None]
