"""All entities of one run, found by key, number or event."""

from collections import Counter

from sphinx_djconn.trace.entities import (
    DatabaseAction,
    DatabaseConnection,
    Greenlet,
    HttpConnection,
    Key,
    Named,
    Origin,
    Owner,
    Process,
    RequestEntity,
    Session,
    Task,
    Thread,
)
from sphinx_djconn.trace.events import Event


class Entities:
    """All entities of a run. :func:`~sphinx_djconn.trace.reading.read_entities` fills them in.

    ``requests`` are in the order of the sequence. ``sessions`` are those that the database server had at the
    end of each step, or ``None`` without such a server. ``aliases`` are those of the project's databases, or
    empty if the run had no database wrapper. ``peaks`` is the largest number of connections that requests had
    opened or used at one time, by alias; ``None`` stands for all aliases.

    ``owners_with_requests`` are the threads and greenlets that handled requests, and ``started_owners`` those
    that requests started, and that used a database. ``first_sent`` is when the first request was sent, and
    ``first_unseen`` when the first one was sent that Django's handler never saw.
    """

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.threads: dict[Key, Thread] = {}
        self.greenlets: dict[Key, Greenlet] = {}
        self.tasks: dict[Key, Task] = {}
        self.http_connections: dict[int, HttpConnection] = {}
        self.requests: dict[int, RequestEntity] = {}
        self.parents: dict[int, int] = {}
        self.first_sent: int | None = None
        self.first_unseen: int | None = None
        self.owners_with_requests: set[Owner] = set()
        self.db_connections: dict[Key, DatabaseConnection] = {}
        self.pool_reuses: dict[Key, DatabaseConnection] = {}
        self.database_actions: list[DatabaseAction] = []
        self.sessions: dict[int, list[Session]] | None = None
        self.aliases: list[str] = []
        self.peaks: Counter[str | None] = Counter()
        self.started_owners: set[Owner] = set()

    # By serial or number. An entity that was not there before is created.

    def process(self, serial: int) -> Process:
        """Return the process with ``serial``."""
        if serial not in self.processes:
            self.processes[serial] = Process(serial)
        return self.processes[serial]

    def request(self, number: int) -> RequestEntity:
        """Return the request with ``number``."""
        if number not in self.requests:
            self.requests[number] = RequestEntity(number)
        return self.requests[number]

    def db_connection(self, process: int, serial: int) -> DatabaseConnection | None:
        """Return the database connection to which the probe gave ``serial``; ``None`` if there is none.

        A connection that is taken from a pool again gets another serial, and is still the same connection.
        """
        return self.pool_reuses.get((process, serial)) or self.db_connections.get((process, serial))

    def inherited_connection(self, process: int | None, serial: int) -> DatabaseConnection | None:
        """Return a connection of ``process``, or one that a parent had when it forked ``process``."""
        while process is not None:
            connection = self.db_connection(process, serial)
            if connection is not None:
                return connection
            process = self.parents.get(process)
        return None

    def name_of(self, kind: str, key: Key) -> str:
        """Return the name of the ``process``, ``thread``, ``http`` or ``db`` connection ``key``; else ``?``."""
        entity: Named | None
        match kind:
            case "process":
                entity = self.processes.get(key[0])
            case "thread":
                entity = self.threads.get(key)
            case "http":
                entity = self.http_connections.get(key[1])
            case "db":
                entity = self.inherited_connection(*key)
            case _:
                raise ValueError(f"no entities of the kind '{kind}' have names")
        return "?" if entity is None else entity.name

    # By event.

    def thread_of(self, event: Event) -> Thread:
        """Return the thread in which ``event`` happened."""
        key = (event.process, event.thread)
        if key not in self.threads:
            self.threads[key] = Thread(key)
        return self.threads[key]

    def greenlet_of(self, event: Event) -> Greenlet | None:
        """Return the greenlet in which ``event`` happened; ``None`` if its thread runs no others."""
        serial = event.data.get("g", 0)
        if not serial:
            return None
        key = (event.process, serial)
        if key not in self.greenlets:
            self.greenlets[key] = Greenlet(key)
        return self.greenlets[key]

    def owner_of(self, event: Event) -> Owner:
        """Return the keys of the thread and the greenlet in which ``event`` happened."""
        greenlet = self.greenlet_of(event)
        return (event.process, event.thread), None if greenlet is None else greenlet.key

    def origin_of(self, event: Event) -> Origin:
        """Return when and where ``event`` happened."""
        return Origin(event.at, *self.owner_of(event))

    def request_of(self, event: Event) -> int | None:
        """Return the number of the request in which, or for which, ``event`` happened; ``None`` without one."""
        return self.process(event.process).started_by if event.request is None else event.request

    def is_pool_reuse(self, event: Event) -> bool:
        """Return whether ``event`` is about a connection that was taken from its pool once more."""
        return (event.process, event.data["c"]) in self.pool_reuses
