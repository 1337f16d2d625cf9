"""Give entities their names: P1, T1, G1, A1, H1, C1, S1, ….

Serials tell entities apart within a process, but depend on which thread was faster. Names are given in the
order of the sequence, so that two runs of the same behaviour have the same names. What no request used keeps a
name of another kind: the thread ``main``, the process ``P0``, the database connection ``S1``.
"""

from collections import Counter

from sphinx_djconn.trace.entities import DatabaseConnection, Greenlet, Key, Named, Owner, RequestEntity, Thread
from sphinx_djconn.trace.entity_index import Entities


def name_entities(entities: Entities) -> None:
    """Name all ``entities``, and sort the connections of each request; enter the ``started_owners``."""
    names = _Names()
    for request in entities.requests.values():
        names.give("P", request.process)
        names.give("T", request.thread)
        names.give("G", request.greenlet)
        names.give("A", request.task)
        names.give("H", request.http)
    for process in entities.processes.values():
        if process.started_by is not None:
            names.give("P", process)
    start_order = _name_started(entities, names)
    for request in entities.requests.values():
        request.connections.sort(key=lambda use: _start_order(request, use[0], start_order))
        for connection, _ in request.connections:
            names.give("C", connection)
    for http in entities.http_connections.values():
        names.give("H", http)
    for connection in entities.db_connections.values():
        names.give("S", connection)
    for thread in entities.threads.values():
        thread.process = entities.process(thread.key[0]).name


def _name_started(entities: Entities, names: "_Names") -> dict[Key, int]:
    """Name the threads and greenlets that requests started, and that used a database; return their order.

    The order is that of the requests, and within a request that in which they were started.
    """
    users = {owner for connection in entities.db_connections.values() for owner in connection.users}
    owners: list[tuple[str, Thread | Greenlet, Owner]] = [
        *(("T", thread, (thread.key, None)) for thread in entities.threads.values()),
        *(("G", entities.greenlets[key], (thread, key)) for thread, key in users if key is not None),
    ]
    started = [
        (entity.started_by, letter, entity.key, entity, owner)
        for letter, entity, owner in owners
        if entity.started_by is not None and owner in users
    ]
    order: dict[Key, int] = {}
    for _, letter, key, entity, owner in sorted(started, key=lambda each: each[:3]):
        order[key] = len(order) + 1
        entities.started_owners.add(owner)
        names.give(letter, entity)
    return order


def _start_order(request: RequestEntity, connection: DatabaseConnection, order: dict[Key, int]) -> int:
    """Return where ``connection`` is among those of ``request``.

    Those of the request's own thread are first, then those of other threads in the order in which these were
    started: the order in which concurrent threads open their connections is random.
    """
    thread = connection.thread
    return 0 if request.thread is not None and thread == request.thread.key else order.get(thread, 0)


class _Names:
    """Gives each entity one name, a letter and a number, the first time that it is passed."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()
        self._named: set[int] = set()

    def give(self, letter: str, entity: Named | None) -> None:
        if entity is not None and id(entity) not in self._named:
            self._named.add(id(entity))
            self._last[letter] += 1
            entity.name = f"{letter}{self._last[letter]}"
