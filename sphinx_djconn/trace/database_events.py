"""Read database connections, what was done with them, and the sessions of the database server."""

from collections import Counter
from collections.abc import Callable, Iterable

from sphinx_djconn.trace.entities import (
    DatabaseAction,
    DatabaseConnection,
    Greenlet,
    Key,
    Origin,
    Owner,
    Session,
    Thread,
)
from sphinx_djconn.trace.entity_index import Entities
from sphinx_djconn.trace.events import Event


class DatabaseEvents:
    """Reads the events about databases, in their order, into ``entities``.

    :class:`~sphinx_djconn.trace.request_events.RequestEvents` reads each event first.
    """

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._step = 0
        self._open = _OpenConnections()
        self._wrapper_owners: dict[Key, Owner] = {}
        self._wrapper_aliases: dict[Key, str] = {}
        self._configured_aliases: set[str] = set()
        self._by_pid: dict[int, DatabaseConnection] = {}
        self._serial_in_use: dict[Key, int] = {}
        """The latest serial of each connection: it has another each time that it is taken from its pool."""
        self.handlers: dict[str, Callable[[Event], None]] = {
            "step": self._step_begun,
            "process.exit": self._process_ended,
            "databases": self._aliases_configured,
            "db.wrapper": self._wrapper_created,
            "db.open": self._opened,
            "db.use": self._used,
            "db.close": self._closed,
            "db.collected": self._collected,
            "db.sessions": self._sessions_seen,
            "db.failed": self._failed,
            "db.health": self._health_checked,
        }

    def read(self, event: Event) -> None:
        """Read one event."""
        handler = self.handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def finish(self) -> None:
        """Complete the connections after the last event."""
        entities = self._entities
        entities.aliases = sorted({*self._wrapper_aliases.values(), *self._configured_aliases})
        entities.peaks = self._open.peaks
        last_sessions = next(reversed((entities.sessions or {}).values()), [])
        with_session = {id(session.connection) for session in last_sessions}
        for connection in entities.db_connections.values():
            if connection.why is not None:
                continue
            connection.dropped |= entities.process(connection.key[0]).ended
            connection.ended = entities.sessions is not None and id(connection) not in with_session
            is_left = not (connection.dropped or connection.returned) and self._have_ended(connection.users)
            connection.abandoned = is_left and not connection.ended
            connection.lost = is_left and connection.ended

    def _have_ended(self, users: Iterable[Owner]) -> bool:
        owners: list[Thread | Greenlet | None] = [
            self._entities.threads.get(thread) if greenlet is None else self._entities.greenlets[greenlet]
            for thread, greenlet in users
        ]
        return all(owner is not None and owner.ended for owner in owners)

    def _step_begun(self, event: Event) -> None:
        self._step = event.data["n"]

    def _process_ended(self, event: Event) -> None:
        self._open.remove_process(event.process)

    def _aliases_configured(self, event: Event) -> None:
        self._configured_aliases.update(event.data["aliases"])

    def _add_action(self, kind: str, event: Event) -> int | None:
        """Add what was done with a wrapper; return the number of the request that it was done for."""
        request = self._entities.request_of(event)
        alias = self._wrapper_aliases.get((event.process, event.data["w"]), "default")
        action = DatabaseAction(kind, alias, request, self._entities.origin_of(event))
        self._entities.database_actions.append(action)
        return request

    def _wrapper_created(self, event: Event) -> None:
        key = (event.process, event.data["w"])
        self._wrapper_owners[key] = self._entities.owner_of(event)
        self._wrapper_aliases[key] = event.data.get("alias", "default")
        request = self._add_action("wrapper", event)
        if request is not None:
            self._entities.request(request).wrappers += 1

    def _opened(self, event: Event) -> None:
        wrapper = (event.process, event.data["w"])
        alias = self._wrapper_aliases[wrapper] = event.data.get("alias", "default")
        origin = self._entities.origin_of(event)
        owner = self._wrapper_owners.get(wrapper, origin.owner)
        pid, pooled = event.data.get("pid"), event.data.get("pooled", False)
        before = self._by_pid.get(pid or 0) if pooled else None
        if before is not None and before.key[0] == event.process:
            self._taken_from_pool_again(before, event, owner)
        else:
            self._add_connection(event, owner, origin, alias)

    def _add_connection(self, event: Event, owner: Owner, origin: Origin, alias: str) -> None:
        key, request = (event.process, event.data["c"]), self._entities.request_of(event)
        connection = DatabaseConnection(
            key,
            *owner,
            alias,
            opened_in=request,
            opened_at=origin,
            pid=event.data.get("pid"),
            pooled=event.data.get("pooled", False),
            users={owner, origin.owner},
        )
        self._entities.db_connections[key] = connection
        self._serial_in_use[key] = event.data["c"]
        if connection.pid is not None:
            self._by_pid[connection.pid] = connection
        if request is not None:
            self._entities.request(request).connections.append((connection, "opened"))
            self._open.add(connection)

    def _taken_from_pool_again(self, connection: DatabaseConnection, event: Event, owner: Owner) -> None:
        """Give ``connection`` to the wrapper of ``owner``.

        This event may come before the one by which the previous owner reports that it gave the connection back.
        """
        connection.thread, connection.greenlet = owner
        connection.returned = False
        connection.users = {owner, self._entities.owner_of(event)}
        self._serial_in_use[connection.key] = event.data["c"]
        self._entities.pool_reuses[event.process, event.data["c"]] = connection
        self._add_use(connection, self._entities.request_of(event))

    def _used(self, event: Event) -> None:
        connection = self._entities.inherited_connection(event.process, event.data["c"])
        if connection is None:
            return
        if connection.key[0] == event.process:  # else a forked child has inherited it
            connection.users.add(self._entities.owner_of(event))
        self._add_use(connection, self._entities.request_of(event))

    def _add_use(self, connection: DatabaseConnection, request: int | None) -> None:
        if request is None:
            return
        self._entities.request(request).connections.append((connection, "reused"))
        if connection.why is None and not connection.dropped:
            self._open.add(connection)

    def _closed(self, event: Event) -> None:
        key = (event.process, event.data["c"])
        connection = self._entities.db_connection(*key)
        if connection is not None and event.data.get("pooled"):
            connection.returned = self._serial_in_use[connection.key] == event.data["c"]
            connection.returned_in.append(self._add_action("returned", event))
            return
        self._open.remove(key)
        if connection is None:
            return
        if event.data["why"] == "dropped":
            connection.dropped = True
            return
        connection.why, connection.phase = event.data["why"], event.data["phase"]
        connection.closed_in, connection.closed_at = self._entities.request_of(event), event.at
        if connection.closed_in is not None:
            self._entities.request(connection.closed_in).closed_at.append(event.data["phase"])

    def _failed(self, event: Event) -> None:
        request = self._add_action("failed", event)
        if request is not None:
            self._entities.request(request).failed += 1

    def _health_checked(self, event: Event) -> None:
        request = self._add_action("health", event)
        if request is not None:
            self._entities.request(request).health_checks += 1

    def _collected(self, event: Event) -> None:
        """Python freed a wrapper, which ends its session. SQLite has no sessions, so no fact changes."""
        connection = self._entities.db_connection(event.process, event.data["c"])
        if connection is None:
            return
        connection.users = {(connection.thread, connection.greenlet)}  # others have no reference to it anymore
        if connection.pid is not None:
            self._open.remove(connection.key)

    def _sessions_seen(self, event: Event) -> None:
        entities = self._entities
        if entities.sessions is None:
            entities.sessions = {}
        sessions = event.data["sessions"]
        entities.sessions[self._step] = [Session(self._by_pid.get(pid), state) for pid, state in sessions]
        # A session that has ended doesn't return: a server that was restarted gives its pid to another one.
        self._by_pid = {pid: self._by_pid[pid] for pid, _ in sessions if pid in self._by_pid}


class _OpenConnections:
    """Connections that requests opened or used and that are open, and the most that there were: ``peaks``."""

    def __init__(self) -> None:
        self.peaks: Counter[str | None] = Counter()
        self._aliases: dict[Key, str] = {}
        self._counts: Counter[str | None] = Counter()

    def add(self, connection: DatabaseConnection) -> None:
        if connection.key in self._aliases:
            return
        self._aliases[connection.key] = connection.alias
        for alias in (None, connection.alias):
            self._counts[alias] += 1
            self.peaks[alias] = max(self.peaks[alias], self._counts[alias])

    def remove(self, key: Key) -> None:
        alias = self._aliases.pop(key, None)
        if alias is not None:
            self._counts.subtract((None, alias))

    def remove_process(self, process: int) -> None:
        for key in [key for key in self._aliases if key[0] == process]:
            self.remove(key)
