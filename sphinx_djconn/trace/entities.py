"""The entities of a run: processes, threads, greenlets, tasks, connections of both kinds, requests.

The readers (:mod:`.request_events`, :mod:`.database_events`) fill them in. Names are given by :mod:`.naming`.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

Key: TypeAlias = tuple[int, int]
"""The serial of a process, and a serial within it."""

Owner: TypeAlias = tuple[Key, Key | None]
"""A thread, and a greenlet of it if it runs several."""


class Named(Protocol):
    """An entity with a name that readers see."""

    name: str


class Origin(NamedTuple):
    """When and where something happened: the time, and the thread and greenlet that did it."""

    at: int
    thread: Key
    greenlet: Key | None

    @property
    def owner(self) -> Owner:
        """The thread and the greenlet."""
        return self.thread, self.greenlet


@dataclass(slots=True)
class Process:
    """A process of the server.

    ``name`` is P1, P2, … if it served requests or a request started it, else ``P0``. ``started_by`` is the
    number of the request that started it, ``None`` if the server did. ``starter_unknown`` means that it isn't
    known which of the two it was.
    """

    serial: int
    name: str = "P0"
    pid: int = 0
    parent_pid: int = 0
    python: str = ""
    django: str = ""
    ended: bool = False
    ended_at: int | None = None
    started_by: int | None = None
    starter_unknown: bool = False


@dataclass(slots=True)
class Thread:
    """A thread of a process.

    ``name`` is T1, T2, … if it served requests, or if a request started it and it used a database; else
    ``main`` or its name in Python. ``process`` is the name of its process. ``started_by`` and
    ``starter_unknown`` are as for :class:`Process`.
    """

    key: Key
    name: str = "?"
    process: str = "P0"
    ident: int = 0
    main: bool = False
    ended: bool = False
    started_by: int | None = None
    starter_unknown: bool = False


@dataclass(slots=True)
class Greenlet:
    """A greenlet of a thread: G1, G2, … if it served requests.

    ``ident`` is its ``threading.get_ident()``. ``started_by`` and ``starter_unknown`` are as for
    :class:`Process`.
    """

    key: Key
    name: str = "greenlet"
    ident: int = 0
    ended: bool = False
    started_by: int | None = None
    starter_unknown: bool = False


@dataclass(slots=True)
class Task:
    """A task of an event loop that ran Django's handler: A1, A2, …."""

    key: Key
    name: str = "?"


@dataclass(slots=True)
class HttpConnection:
    """An HTTP connection as the client sees it: H1, H2, ….

    ``closed_by`` is ``client``, ``server`` or ``None``.
    """

    serial: int
    name: str = "?"
    client: str = ""
    port: int = 0
    closed_by: str | None = None


@dataclass(slots=True)
class DatabaseConnection:
    """A database connection: C1, C2, … if a request opened or used it, else S1, S2, ….

    =================  =======================================================================================
    ``thread``         the thread whose ``django.db.connections`` holds it
    ``greenlet``       the greenlet of that thread, if greenlets have connections of their own
    ``users``          all threads and greenlets that have used it; several if they share its wrapper
    ``opened_at``      when and where it was opened
    ``opened_in``      the number of the request that opened it; ``None`` outside of requests
    ``closed_in``      the number of the request in which Django closed it; ``None`` outside of requests
    ``closed_at``      when Django closed it, in nanoseconds; ``None`` if Django did not
    ``why``            why Django closed it; ``None`` if Django did not
    ``phase``          the phase of the request in which Django closed it
    ``abandoned``      all its users have ended, and Django never closed it
    ``dropped``        its process has ended, or the connection was taken away from its wrapper
    ``pid``            the identifier of its session at the database server; ``None`` without a server
    ``pooled``         it was taken from a pool, perhaps several times
    ``returned``       it is in its pool again
    ``returned_in``    the requests in which it was given back
    ``ended``          in the end, the database server had no session of it, though Django never closed it
    ``lost``           it has ``ended``, and so have its users
    =================  =======================================================================================
    """

    key: Key
    thread: Key
    greenlet: Key | None
    alias: str = "default"
    name: str = "?"
    opened_in: int | None = None
    closed_in: int | None = None
    closed_at: int | None = None
    why: str | None = None
    phase: str | None = None
    abandoned: bool = False
    dropped: bool = False
    pid: int | None = None
    pooled: bool = False
    returned: bool = False
    returned_in: list[int | None] = field(default_factory=list)
    ended: bool = False
    lost: bool = False
    users: set[Owner] = field(default_factory=set)
    opened_at: Origin | None = None

    @property
    def open(self) -> bool:
        """Whether, as far as Django knows, a thread that is alive can still use it."""
        discarded = self.returned and self.ended  # its pool has noticed
        return self.why is None and not (self.abandoned or self.dropped or self.lost or discarded)


class DatabaseAction(NamedTuple):
    """Something done with a database: ``wrapper`` (created), ``failed``, ``health`` or ``returned``.

    ``request`` is the number of the request that did it, or for which it was done; ``None`` outside of
    requests.
    """

    kind: str
    alias: str
    request: int | None
    origin: Origin


class Session(NamedTuple):
    """A session as the database server sees it. ``connection`` is ``None`` if no wrapper ever had it."""

    connection: DatabaseConnection | None
    state: str


@dataclass(slots=True)
class RequestEntity:
    """A request: what the client saw of it, and what the probe saw of it inside the server.

    Times are nanoseconds of the monotonic clock. What nobody saw is ``None``.

    ======================================  ==================================================================
    ``json``                                the body of the response if it is JSON, with :class:`Unknown` in
                                            place of what was masked
    ``body``                                the same as readers see it
    ``http``, ``http_new``                  its HTTP connection, and whether it was opened for this request
    ``close_delimited``                     only the end of the connection shows where the response ends
    ``answered``                            when the client had the response
    ``begun``, ``ended``                    when Django's handler began and ended
    ``ended_in``                            the thread that saw the end
    ``view_begun``, ``view_ended``          when the view began and ended
    ``thread``, ``greenlet``, ``process``   what handled it; in an event loop, ``thread`` is the one that ran
                                            the view, or ``None`` if no view was run
    ``task``                                the task of an event loop that ran the handler
    ``viewed``, ``in_loop``                 with a task: whether a view ran, and whether in the loop's thread
    ``connections``                         the database connections that it used, or that were used for it by
                                            what it started, each with ``opened`` or ``reused``
    ``closed_at``                           the phases in which Django closed connections for it
    ======================================  ==================================================================
    """

    number: int
    client: str = ""
    method: str = ""
    path: str = ""
    label: str | None = None
    step: int = 0
    status: int | None = None
    error: str | None = None
    json: Any = None
    body: Any = None
    http: HttpConnection | None = None
    http_new: bool = False
    thread: Thread | None = None
    greenlet: Greenlet | None = None
    task: Task | None = None
    in_loop: bool = False
    viewed: bool = False
    process: Process | None = None
    begun: int | None = None
    ended: int | None = None
    ended_in: Thread | None = None
    view_begun: int | None = None
    view_ended: int | None = None
    answered: int | None = None
    close_delimited: bool = False
    wrappers: int = 0
    failed: int = 0
    health_checks: int = 0
    threads_started: int = 0
    connections: list[tuple[DatabaseConnection, str]] = field(default_factory=list)
    closed_at: list[str] = field(default_factory=list)

    @property
    def is_seen(self) -> bool:
        """Whether Django's handler saw the request."""
        return self.begun is not None

    @property
    def executor(self) -> Greenlet | Task | Thread | None:
        """What ran the view, and nothing else at the same time: a greenlet, a task or a thread."""
        if self.thread is None:
            return None
        return self.greenlet or (self.task if self.in_loop else None) or self.thread
